"""One file per report format, ``as_text.py``; each holds one ``REPORT`` record. It prints nothing: it returns text."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from envaudit.model import (
    QUESTIONS,
    Answer,
    Artifact,
    Comparison,
    Gap,
    Json,
    Question,
    Reason,
    Severity,
    Snapshot,
    Verdict,
)

# Control characters, C1 included, and those that turn the direction of writing.
_UNPRINTABLE = dict.fromkeys(
    (*range(32), *range(127, 160), 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)), "?"
)


def plain(text: str) -> str:
    """A text that cannot steer the reader's terminal: names and versions come from the inspected place's own files."""
    return text.translate(_UNPRINTABLE)


class Tried(NamedTuple):
    """A release of a distribution that was laid over the target, and what the file would do with it."""

    version: str
    verdict: Verdict | None = None
    """None where it was not predicted."""
    also: tuple[str, ...] = ()
    """What pip would have to change with it, as in ``numpy 1.26.4``."""
    error: str = ""
    """The first error that is predicted, or why the release was not predicted with."""
    unread: bool = False
    """Its wheel could not be read: nothing is known of it."""

    @property
    def works(self) -> bool:
        """Whether the file would load and predict."""
        return self.verdict is not None and self.verdict.load.value == self.verdict.predict.value == "yes"


class Search(NamedTuple):
    """The releases of one distribution with which a file would work in the target."""

    distribution: str
    installed: str | None
    """The version there."""
    stated: str | None
    """The version that wrote the file, where it is known."""
    tried: tuple[Tried, ...]
    """Nearest first: to the stated version, else to the installed one."""
    skipped: tuple[str, ...] = ()
    """Which releases were not tried, in words."""

    @property
    def works(self) -> tuple[Tried, ...]:
        """The releases with which it would load and predict, nearest first, those that answer differently last."""
        found = [item for item in self.tried if item.works]
        return tuple(sorted(found, key=lambda item: item.verdict is not None and item.verdict.same.value == "no"))


class Probed(NamedTuple):
    """What is known of one model file."""

    artifact: str
    """Its path."""
    summary: str = ""
    """What it is, in a line."""
    needs: dict[str, Json] = {}  # noqa: RUF012
    """What it asks of any environment; the keys are described in docs/verdict.schema.json."""
    predicted: Verdict | None = None
    """None where no target was named. Where importing was asked for, it is corrected by what that showed."""
    executed: Verdict | None = None
    """What really happened, where it was run."""
    error: str | None = None
    """Why it could not be read; then nothing else is known."""
    search: Search | None = None
    """With which releases of a distribution it would work there, where that was asked for."""

    @property
    def verdict(self) -> Verdict | None:
        """Per question what really happened, and what is predicted where running it did not tell."""
        if self.executed is None or self.predicted is None:
            return self.executed or self.predicted
        return _settled(self.predicted, self.executed)


def _settled(predicted: Verdict, executed: Verdict) -> Verdict:
    """What really happened where running it told, else the prediction, unless that rests on what did not happen."""
    answers: list[Answer] = []
    reasons: list[Reason] = []
    untold: list[str] = []
    refuted = False
    for question in QUESTIONS:
        seen, said = executed.answer(question), predicted.answer(question)
        told = [reason for reason in executed.reasons if reason.question == question]
        foretold = [reason for reason in predicted.reasons if reason.question == question]
        if seen.value != "unknown":
            refuted = refuted or said.value not in ("unknown", seen.value)
            answers.append(seen)
            reasons += told + (foretold if said.value == seen.value else [])
        elif refuted and not foretold:
            answers.append(Answer("unknown", "likely"))
            reasons += told
        else:
            answers.append(said)
            reasons += foretold + (told if said.value == "unknown" else [])
            if said.value != "unknown":
                untold += [f"{question} was not tried: {reason.explanation}" for reason in told]
    load, predict, same = answers
    notes = tuple(dict.fromkeys((*executed.notes, *untold, *predicted.notes)))
    return predicted._replace(load=load, predict=predict, same=same, reasons=tuple(reasons), notes=notes)


class Probe(NamedTuple):
    """What is known of some model files, and of what will happen to each in one target."""

    files: tuple[Probed, ...]
    target: str | None = None
    """As it was named; None where only the files' needs were asked for."""
    kind: str = ""
    """The kind of place that the target is."""
    assumptions: tuple[str, ...] = ()
    """What had to be assumed about the target, or could not be seen of it, in words."""

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """The verdicts on the files that could be read."""
        return tuple(verdict for item in self.files if (verdict := item.verdict) is not None)


class Shown(NamedTuple):
    """A snapshot that is to be looked at, and what it rides in."""

    file: str
    """The path that was named."""
    snapshot: Snapshot
    written_by: str = ""
    where: str = ""
    """How it rides in a model, in words; empty where the file is the snapshot itself."""
    model: str = ""
    """What the model is, in a line; or why that is not known."""
    bound: bool = False
    """Whether it is tied to the model's own bytes."""
    error: str = ""
    """Why it is not this model's; empty where it is."""
    digest: str | None = None
    size: int = 0
    """Bytes of the model without it."""
    sample: str = ""
    """Name of the sample that rides along."""


class View(NamedTuple):
    """How a result is to be shown."""

    fail_on: Severity | None = "error"
    """The severity from which on a comparison counts as failed; None: never."""
    color: bool = False
    drift: bool = False
    """List every drift line instead of counting them."""
    questions: tuple[Question, ...] = QUESTIONS
    """The questions of which a "no" makes a probe fail."""
    verbose: bool = False
    """List every name that a model file asks for."""


class Report(NamedTuple):
    """A format: how it renders a comparison, a probe of model files, and a snapshot."""

    render: Callable[[Comparison, View], str]
    probe: Callable[[Probe, View], str]
    show: Callable[[Shown, View], str]


def failed(comparison: Comparison, fail_on: Severity | None) -> bool:
    """Whether a finding is as grave as ``fail_on`` or graver."""
    return fail_on is not None and any(True for _ in comparison.at_least(fail_on))


def all_seen(comparison: Comparison) -> bool:
    """Whether every rule could judge, and the Python and its distributions were seen whole on both sides."""
    sides = (comparison.train, comparison.serve)
    return not comparison.unknowns and not any(
        gap.kind in ("python", "distribution") for side in sides for gap in side.gaps
    )


def refused(verdict: Verdict, questions: tuple[Question, ...]) -> bool:
    """Whether one of these questions is answered with no."""
    return any(verdict.answer(question).value == "no" for question in questions)


def unsure(verdict: Verdict, questions: tuple[Question, ...]) -> bool:
    """Whether one of these questions has no answer."""
    return any(verdict.answer(question).value == "unknown" for question in questions)


def by_reason(gaps: Iterable[Gap]) -> dict[str, list[str]]:
    """What was not seen, in words, under the reason that it has in common."""
    grouped: dict[str, list[str]] = {}
    for gap in gaps:
        grouped.setdefault(gap.reason, []).append(gap.kind if gap.name is None else f"{gap.kind} {gap.name}")
    return grouped


_KINDS = {
    "python": "Python",
    "os": "operating system",
    "libc": "C library",
    "os-package": "OS package",
    "cuda": "CUDA component",
    "gpu": "GPU",
}
"""Kinds of components in words, where the kind itself is none."""


def counted(snapshot: Snapshot) -> str:
    """How many components of each kind a snapshot holds, in words."""
    counts = {_KINDS.get(kind, kind): len(names) for kind, names in snapshot.components.items() if names}
    return ", ".join(f"{count} {word}{'s' * (count > 1)}" for word, count in counts.items())


def of_artifact(artifact: Artifact) -> str:
    """A model file of a snapshot in a line: what it is, and what it answered when it was run."""
    text = f"{artifact.file}: {artifact.summary}"
    if artifact.sample is None:
        return text
    methods = ", ".join(artifact.answers)
    text += f"; kept what {methods} answered to {artifact.sample.file}"
    cut = [method for method, answer in artifact.answers.items() if answer.rows is not None]
    if cut:
        text += f" (of {', '.join(cut)} the first rows)"
    return text + "".join(f"; {method} did not answer: {why}" for method, why in artifact.failed.items())
