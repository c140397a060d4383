"""What collectors made of evidence, kept on disk: the same evidence of the same place tells the same.

Collectors are pure, so a digest over all evidence and over their code is all that an entry needs for its name, and no
entry is ever out of date. The evidence itself is gathered anew each time, and is not kept.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Callable
from typing import Final

from envaudit import cache
from envaudit.evidence import Evidence
from envaudit.model import Component, Gap, Json

Interpretation = tuple[dict[str, dict[str, Component]], tuple[Gap, ...]]
"""Kind -> name -> component, and the gaps."""

SHARE: Final = 8 * 1024 * 1024
"""Bytes that all entries may take."""
CAP: Final = 32 * 1024 * 1024
"""Unpacked bytes beyond which an entry is none."""

_CODE: Final = ("collectors", "knowledge", "evidence.py", "interpretations.py", "model.py", "registry.py", "take.py")


def interpreted(evidence: Evidence, interpret: Callable[[], Interpretation]) -> Interpretation:
    """What ``interpret`` makes of the evidence: called only where it was not kept."""
    name = name_of(evidence)
    path = os.path.join(cache.home(), "interpretations", name)
    found = cache.kept(path, name, CAP)
    if found is not None:
        try:
            components, gaps = found[0]
            return (
                {kind: {item[0]: Component(kind, *item) for item in items} for kind, items in components},
                tuple(Gap(*gap) for gap in gaps),
            )
        except (TypeError, ValueError, LookupError):
            pass  # of no envaudit's making
    components, gaps = interpret()
    plain = [[kind, [item[1:] for item in items.values()]] for kind, items in components.items()]
    cache.keep(path, name, [plain, gaps], SHARE)
    return components, gaps


def name_of(evidence: Evidence) -> str:
    """A digest of all that collectors see, and of what they are."""
    import packaging  # judges requirements

    code = [sys.implementation.name, *sys.version_info, packaging.__version__, cache.edition(*cache.sources(*_CODE))]
    small = evidence._replace(files={}, commands={}, folders=(), tree=None, offers=frozenset())
    plain: list[Json] = [code, small, sorted(evidence.offers), list(evidence.commands.items())]
    digest = hashlib.sha256(json.dumps(plain, separators=(",", ":"), default=str).encode())
    for path, file in evidence.files.items():
        parts = (path.encode("utf-8", "surrogatepass"), file.text.encode("utf-8", "surrogatepass"), file.data)
        digest.update(repr((*map(len, parts), file.error, file.truncated)).encode("utf-8", "surrogatepass"))
        for part in parts:
            digest.update(part)
    return digest.hexdigest()
