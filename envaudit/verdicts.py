"""Predictions that were worked out once, kept on disk together with everything in the target that they rest on.

A prediction follows from the model's bytes, training's versions, the interpreter, what was looked at in the folders of
``sys.path``, and envaudit's own code. The first three and the code are the entry's name, and what was looked at stands
in it, file by file (:mod:`envaudit.surface._trace`). Where one of them differs, the prediction is worked out again.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

from envaudit import cache
from envaudit.model import Answer, Json, Reason, Verdict

if TYPE_CHECKING:
    from envaudit.surface._trace import Trace

SHARE: Final = 32 * 1024 * 1024
"""Bytes that all entries may take."""
CAP: Final = 16 * 1024 * 1024
"""Unpacked bytes beyond which an entry is none."""
_CODE: Final = ("artifacts", "knowledge", "prediction", "surface", "model.py", "needs.py", "probing.py", "verdicts.py")
"""What a prediction is worked out by."""


class Kept(NamedTuple):
    """What was worked out about a model file in a place."""

    summary: str
    """What the file is, in a line."""
    needs: dict[str, Json]
    """What it asks of any environment (:func:`envaudit.probing.facts`)."""
    verdict: Verdict


def name_of(model: str, loader: str | None, train: Mapping[str, str] | None, place: Json) -> str:
    """The name of an entry: a digest of all that a prediction follows from but what the folders hold.

    ``model`` stands for the file's bytes, ``loader`` is the call asked for, ``train`` maps distributions to training's
    versions, ``place`` is :attr:`Trace.place`.
    """
    python = [sys.implementation.name, *sys.version_info]  # what parses sources
    plain = [model, loader, sorted((train or {}).items()), place, python, cache.edition(*cache.sources(*_CODE))]
    return hashlib.sha256(json.dumps(plain, separators=(",", ":")).encode()).hexdigest()


def recall(name: str, trace: Trace) -> Kept | None:
    """What was worked out, if all that it rests on is as it was."""
    found = cache.kept(_path(name), name, CAP)
    if found is None:
        return None
    try:
        seen, summary, needs, verdict = found[0]
        kept = Kept(summary, needs, _verdict(verdict))
        holds = trace.holds(seen)
    except (TypeError, ValueError, LookupError):
        return None  # of no envaudit's making
    if holds is None:
        keep(name, trace, kept)
    return None if holds is False else kept


def keep(name: str, trace: Trace, kept: Kept) -> None:
    """Keep what was worked out by all that the trace has seen."""
    if trace.steady:
        cache.keep(_path(name), name, [trace.seen(), *kept], SHARE)


def _path(name: str) -> str:
    return os.path.join(cache.home(), "verdicts", name)


def _verdict(found: Json) -> Verdict:
    """The verdict that was written as lists."""
    artifact, target, *answers, reasons, summary, notes = found
    load, predict, same = (Answer(*answer) for answer in answers)
    told = (Reason(*reason) for reason in reasons)
    exact = tuple(reason._replace(evidence=tuple(reason.evidence)) for reason in told)
    return Verdict(artifact, target, load, predict, same, exact, summary, tuple(notes))
