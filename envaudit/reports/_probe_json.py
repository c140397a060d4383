"""A probe of model files for machines; the schema is docs/verdict.schema.json."""

from __future__ import annotations

import json
from typing import Final

from envaudit.model import QUESTIONS, How, Json, Verdict
from envaudit.reports import Probe, Probed, Search, View, refused

SCHEMA: Final = 1


def render(probe: Probe, view: View) -> str:
    """One JSON document. Keys are only ever added within a schema number."""
    document: dict[str, Json] = {
        "envaudit_probe": SCHEMA,
        "failed": any(refused(verdict, view.questions) for verdict in probe.verdicts),
        "target": probe.target,
        "kind": probe.kind or None,
        "assumptions": list(probe.assumptions),
        "verdicts": [_both(item) for item in probe.files if item.verdict is not None],
        "artifacts": [
            {"artifact": item.artifact, "summary": item.summary, "needs": item.needs}
            for item in probe.files
            if item.error is None
        ],
        "errors": [{"artifact": item.artifact, "error": item.error} for item in probe.files if item.error is not None],
    }
    return json.dumps(document, indent=2) + "\n"


def verdict(found: Verdict) -> dict[str, Json]:
    """One verdict."""
    return {
        "artifact": found.artifact,
        "target": found.target,
        **{question: found.answer(question).value for question in QUESTIONS},
        "how": overall(found),
        "hows": {question: found.answer(question).how for question in QUESTIONS},
        "reasons": [{**reason._asdict(), "evidence": list(reason.evidence)} for reason in found.reasons],
        "summary": found.summary,
        "notes": list(found.notes),
    }


def overall(found: Verdict) -> How:
    """How the verdict as a whole is known: as its first "no" is, or as the least sure of its answers."""
    answers = [found.answer(question) for question in QUESTIONS]
    for answer in answers:
        if answer.value == "no":
            return answer.how
    order: tuple[How, ...] = ("likely", "proved", "executed")
    known = [answer.how for answer in answers if answer.value == "yes"] or ["likely"]
    return next(how for how in order if how in known)


def _both(item: Probed) -> dict[str, Json]:
    """The verdict; where the file was run, what was predicted and what happened stand beside it."""
    assert item.verdict is not None
    sides = {"predicted": item.predicted, "executed": item.executed}
    more = {name: verdict(side) for name, side in sides.items() if side is not None} if item.executed else {}
    found = {} if item.search is None else {"search": _search(item.search)}
    return {**verdict(item.verdict), **more, **found}


def _search(found: Search) -> dict[str, Json]:
    """The releases that were tried, nearest first."""
    return {
        "distribution": found.distribution,
        "installed": found.installed,
        "stated": found.stated,
        "works": [item.version for item in found.works],
        "tried": [
            {
                "version": item.version,
                **{
                    question: "unknown" if item.verdict is None else item.verdict.answer(question).value
                    for question in QUESTIONS
                },
                "also": list(item.also),
                "error": item.error or None,
            }
            for item in found.tried
        ],
        "skipped": list(found.skipped),
    }
