"""From the reasons of a verdict on a model file to findings: one per file, question and kind of cause."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from envaudit.model import Finding, Question, Reason, Severity, Unknown, Verdict
from envaudit.rules import Rule

NAMED: Final = 8
"""Further subjects with the same cause that a finding names."""
LONG: Final = 240
"""Characters of an error or an explanation; verdicts have them whole."""

_HAPPENS: Final = {
    "load": "It will not load in serving",
    "predict": "It loads in serving, and then fails to predict",
    "same": "It loads and predicts in serving, but will answer differently than in training",
}


def rule(*causes: str) -> Rule:
    """The rule that speaks of these causes."""
    return Rule(
        judge=lambda verdict: of_reasons(verdict, lambda reason: reason.cause in causes), causes=frozenset(causes)
    )


def of_reasons(verdict: Verdict, concerns: Callable[[Reason], bool]) -> Iterator[Finding | Unknown]:
    """The findings that follow from some of a verdict's reasons.

    What would fail after a failed load is told by the verdict itself, and is no finding of its own.
    """
    groups: dict[tuple[Question, str], list[Reason]] = {}
    for reason in verdict.reasons:
        if concerns(reason) and (reason.question == "load" or verdict.load.value != "no"):
            groups.setdefault((reason.question, reason.value), []).append(reason)
    for (question, value), reasons in groups.items():
        first = reasons[0]
        subject = f"{verdict.artifact}: {first.subject}" if first.subject else verdict.artifact
        if value == "unknown":
            yield Unknown(subject, f"whether it will {_asked(question)} is not known: {_short(first.error)}")
            continue
        severity: Severity = "warning" if question == "same" else "error"
        yield Finding(severity, subject, _consequence(question, reasons), _fix(reasons), reference=first.reference)


def _consequence(question: Question, reasons: list[Reason]) -> str:
    first = reasons[0]
    error, why = _short(first.error), _short(first.explanation)
    text = f"{_HAPPENS[question]} ({first.how}): {error.rstrip('.')}."
    if why and why != error:
        text += f" {why[0].upper()}{why[1:].rstrip('.')}."
    others = [name for name in dict.fromkeys(_short(item.subject, 60) for item in reasons[1:]) if name]
    others = [name for name in others if name != first.subject]
    if others:
        rest = f" and {len(others) - NAMED} more" if len(others) > NAMED else ""
        text += f" The same cause hits {', '.join(others[:NAMED])}{rest}."
    return text


def _fix(reasons: Iterable[Reason]) -> str:
    """The first way out that is known."""
    known = (" ".join(reason.fix.split()) for reason in reasons if reason.fix)
    return next(known, "serve with training's versions, or train and save the model again with serving's")


def _asked(question: Question) -> str:
    return {"load": "load", "predict": "predict", "same": "answer the same as in training"}[question]


def _short(text: str, limit: int = LONG) -> str:
    text = " ".join(text.split())
    return text if len(text) <= limit else f"{text[: limit - 3]}..."
