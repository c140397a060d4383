"""A prediction, corrected by what importing in the target has shown: which of the names that a load asks for are there.

That all of them are there is no load: the answers stay predictions. That one is not there is executed fact.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from envaudit import knowledge
from envaudit.artifacts.summary import LOCAL
from envaudit.model import Reason, Verdict
from envaudit.needs import Global, Needs, distribution_of
from envaudit.prediction.outcome import judge
from envaudit.prediction.wording import mending
from envaudit.sandbox._job import Job
from envaudit.sandbox._outcome import Missing, Outcome
from envaudit.sandbox._verdict import End, ending, notes_of, raised

_ABSENT: Final = ("missing-module", "missing-name")
"""Causes, in a prediction, that importing confirms or refutes."""

_NO_MODULE: Final = re.compile(r"No module named '([\w.]+)'")
_NO_LIBRARY: Final = re.compile(r"([\w.+-]+\.so[.\d]*): cannot open shared object file")
"""What the dynamic loader says (glibc, elf/dl-load.c)."""
_OTHER_NUMPY: Final = re.compile(
    r"numpy\.[\w.]+ size changed|numpy\._?core\.multiarray failed to import|_ARRAY_API not found"
    r"|compiled using NumPy 1|compiled against (ABI version|NumPy)"
)
"""What compiled modules say that were built for another NumPy: Cython (``__Pyx_ImportType`` in Cython/Utility/
ImportExport.c), ``import_array`` (numpy/_core/include/numpy/__multiarray_api.h) and numpy/core/_multiarray_umath.py."""


def wanted(needs: Needs) -> tuple[Global, ...]:
    """The names that loading looks up, the loader's own first.

    Left out is what exists only in the script that wrote the file, and what ``torch.jit.load``, which imports nothing,
    reads without Python.
    """
    module, _, function = needs.loader.partition("(")[0].rpartition(".")
    named = () if needs.loader == "torch.jit.load" else needs.globals
    return (Global(module, function), *(item for item in named if item.module not in LOCAL))


def correct(
    predicted: Verdict,
    needs: Needs,
    train: Mapping[str, str] | None,
    job: Job,
    outcome: Outcome,
    notes: tuple[str, ...],
) -> Verdict:
    """The prediction with each name that was looked up as it was found, or was not."""
    names = wanted(needs)
    sought = names[: max(0, outcome.sought)]
    trained = {name: versions[-1] for name, versions in needs.versions.items()} | dict(train or {})
    missing = {
        str(item): _missing(job, outcome.missing[number], item, needs, trained)
        for number, item in enumerate(sought)
        if number in outcome.missing
    }
    if outcome.was_done:
        found = f"{len(names) - len(missing)} of" if missing else "all"
        told = [f"imported there: {found} {len(names)} names that loading asks for"]
    else:
        last = sought[-1] if sought else names[0]
        missing[str(last)] = _ended(job, outcome, last, needs, trained)
        told = [f"importing ended at {last}: {len(names) - len(sought)} names after it were not looked up"]
    reasons, seen = list(missing.values()), {str(item) for item in sought}
    for reason in predicted.reasons:
        if reason.cause not in _ABSENT or reason.subject not in seen:
            reasons.append(reason)
        elif reason.subject in missing:
            continue
        elif reason.value == "unknown":
            reasons.append(_unread(reason))
        else:
            told.append(f"{reason.subject} is there, though reading did not find it: its code was not followed")
    notes = tuple(dict.fromkeys((*told, *notes, *notes_of(outcome), *predicted.notes)))
    return judge(predicted.artifact, predicted.target, tuple(reasons), predicted.summary, notes)


def _missing(job: Job, missing: Missing, item: Global, needs: Needs, trained: dict[str, str]) -> Reason:
    """Why a name was not found."""
    end = raised(job, missing.failure)
    top, text = item.module.partition(".")[0], missing.failure.text
    fix = mending(top, needs, trained, str(item))
    absent = _NO_MODULE.search(text) if missing.failure.type == "ModuleNotFoundError" else None
    library = _NO_LIBRARY.search(text)
    why = f"importing {item.module} raises this"
    if end.cause == "out-of-memory":
        return _reason(end, item, needs, end.explanation, "")
    if missing.failure.type == "AttributeError" and (missing.imported or "Can't get attribute" in end.error):
        return _reason(end._replace(cause="missing-name"), item, needs, f"{item.module} has no {item.name}", fix)
    if absent is not None:
        cause = "missing-module"
        if absent[1].partition(".")[0] == top:
            why = f"there is no module {absent[1]} in the target"
        else:
            name = distribution_of(absent[1].partition(".")[0])
            pin = f"{name}=={trained[name]}" if name in trained else name
            why, fix = f"importing {item.module} needs {absent[1]}", f"pip install '{pin}', which {top} imports"
        return _reason(end._replace(cause=cause), item, needs, why, fix)
    if library is not None:
        fix = _holding(library[1])
    elif _OTHER_NUMPY.search(text):
        why = f"importing {item.module} meets a module that was compiled for another NumPy than the one that is there"
        fix = f"install releases of {distribution_of(top)} and numpy that were built for each other, as in training"
        if "numpy" in trained:
            fix = mending("numpy", needs, trained, "numpy")
    return _reason(end._replace(cause="import-error"), item, needs, why, fix)


def _holding(library: str) -> str:
    """What to install for a shared library; the package that holds it where it is known (knowledge/oslibs.toml)."""
    known = (need["debian"][0] for need in knowledge.load("oslibs").values() if need["library"] == library)
    name = next(known, None)
    if name is not None:
        return f"apt-get install -y {name} (on Debian and Ubuntu), which holds {library}"
    return f"install the system's package that holds {library}"


def _ended(job: Job, outcome: Outcome, last: Global, needs: Needs, trained: dict[str, str]) -> Reason:
    """Why nothing came after a name."""
    end = ending(job, outcome)
    fix = mending(last.module.partition(".")[0], needs, trained, str(last)) if end.cause in ("crash", "exit") else ""
    return _reason(end, last, needs, f"importing {last.module}: {end.explanation}", fix)


def _reason(end: End, item: Global, needs: Needs, why: str, fix: str) -> Reason:
    asks = f"the file names {item}" if item in needs.globals else f"the file is read with {needs.loader}"
    where = [f"byte {item.at} of the file names {item}"] if item.at > 0 else []
    where += [link for link in end.evidence if " in find_class: " not in link]  # the unpickler's own
    why = f"{asks}; {why}"
    return Reason("load", "no", "executed", end.cause, end.error, why, tuple(where), fix, subject=str(item))


def _unread(reason: Reason) -> Reason:
    """What stays open of a name that is there, in a package whose files could not be read."""
    words = (
        f"{reason.subject} is there, and its code could not be read: whether it takes what the file holds is not known"
    )
    return reason._replace(cause="not-read", error=words, explanation=words, fix="--run tries it")
