"""The vocabulary of envaudit as types: what was seen, what was not seen, and what follows from it.

All types are immutable and JSON-plain. They are named tuples rather than dataclasses or msgspec structs because
``compare`` has to start in a few tens of milliseconds: importing ``dataclasses`` costs as much as starting
Python does, ``msgspec`` (with typing_extensions installed) three times as much.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Literal, NamedTuple

Json = Any
"""A JSON-plain value: None, bool, int, float, str, list or dict with str keys."""

Severity = Literal["error", "warning", "note"]
"""``error`` breaks it, ``warning`` may break it or change answers, ``note`` differs without known effect."""

SEVERITIES: Final[tuple[Severity, ...]] = ("error", "warning", "note")
"""All severities, the gravest first."""


class Component(NamedTuple):
    """One named, versioned thing that was seen in a target.

    ``kind`` says which collector's vocabulary ``name``, ``version`` and ``attributes`` follow; the kinds are
    listed in docs/snapshot.md. ``(kind, name)`` is unique within a snapshot. ``attributes`` holds JSON-plain
    values only and leaves out what is empty or usual.
    """

    kind: str
    name: str
    version: str | None = None
    attributes: dict[str, Json] = {}  # noqa: RUF012  (never mutated; a named tuple has no default factories)


class Gap(NamedTuple):
    """Something that was *not seen*, with the reason. Never to be read as "not there".

    With ``name`` None the gap covers every name of the kind that is not listed as a component.
    """

    kind: str
    name: str | None
    reason: str


class Environment(NamedTuple):
    """Which of possibly several Python environments inside a place was looked at, and why that one."""

    python: str
    """Path of the interpreter, as the target itself names it."""
    prefix: str
    chosen_by: str
    """The reason in words: ``--python``, ``entrypoint``, ``VIRTUAL_ENV``, ``PATH``, ..."""
    others: tuple[str, ...] = ()
    """Prefixes of environments that are there as well and were not looked at."""


class TargetInfo(NamedTuple):
    """Where a snapshot was taken. It is shown and never compared: paths differ without meaning anything."""

    kind: str
    reference: str
    environment: Environment | None = None

    @property
    def declared(self) -> bool:
        """Whether it tells what is *to be* installed: a lockfile knows nothing of what installing will leave behind."""
        return self.kind in ("requirements", "pylock")


LOADERS: Final = (
    *("pickle.load", "joblib.load", "pandas.read_pickle", "numpy.load"),
    *("torch.load", "torch.load(weights_only=False)", "torch.jit.load"),
)
"""The calls that read model files; they do not accept the same bytes."""


class RecordedSample(NamedTuple):
    """The input to which answers were recorded. It is not kept itself: it may be somebody's data."""

    file: str
    """Its name, without the folder."""
    sha256: str
    size: int
    """Bytes."""
    form: str | None = None
    """How it was handed over: ``frame``, ``array`` or ``list``; None where that is not known."""


DEEPEST: Final = 64
"""Dimensions of an answer that can be recorded; as many numpy allows (``NPY_MAXDIMS`` of numpy 2)."""


class RecordedAnswer(NamedTuple):
    """What one method answered to the sample."""

    values: Json
    """Nested lists; of a long answer the first rows."""
    rows: int | None = None
    """How many rows there were, where ``values`` does not hold all of them."""
    sha256: str | None = None
    """Of the JSON text of all of them, then."""


class Artifact(NamedTuple):
    """A model file that belongs to a snapshot, and what it answered there."""

    file: str
    """Its name, without the folder."""
    sha256: str
    size: int
    """Bytes."""
    loader: str
    """The call that reads it, one of :data:`LOADERS`."""
    summary: str = ""
    """What it is, in a line."""
    needs: dict[str, Json] = {}  # noqa: RUF012
    """What it asks of any environment, in short; keys in docs/snapshot.md."""
    sample: RecordedSample | None = None
    """None where it was not run."""
    answers: dict[str, RecordedAnswer] = {}  # noqa: RUF012
    """By method."""
    failed: dict[str, str] = {}  # noqa: RUF012
    """Methods that did not answer the sample even there, and the first line of why."""


class Snapshot(NamedTuple):
    """All components and gaps of one target.

    ``components`` maps kind -> name -> component. A kind that is present with no names was looked at and is
    empty (observed absent); a kind that is missing was not looked at.
    """

    target: TargetInfo
    components: dict[str, dict[str, Component]]
    gaps: tuple[Gap, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    """Model files that were named when it was taken. They are never compared."""

    def of(self, kind: str) -> dict[str, Component]:
        """The components of one kind by name; empty where none was seen."""
        return self.components.get(kind, {})

    def versions(self) -> dict[str, str]:
        """The version of each distribution, where it is known."""
        return {name: item.version for name, item in self.of("distribution").items() if item.version}

    def find(self, kind: str, name: str) -> Component | Gap | None:
        """Look one thing up: the component if present, None if observed absent, the gap if it was not seen."""
        found = self.of(kind).get(name)
        if found is not None:
            return found
        for gap in self.gaps:
            if gap.kind == kind and gap.name in (None, name):
                return gap
        if kind in self.components:
            return None
        return Gap(kind, name, "this snapshot did not look for it")


class Finding(NamedTuple):
    """Two environments differ in a way that matters.

    ``code`` is filled in from the name of the rule's file. ``covers`` lists the ``(kind, name, attribute)``
    differences that the finding explains, so that they are not listed again as drift; the attribute ``"*"``
    stands for the whole component; the name ``"*"``, always with the attribute ``"*"``, for the whole kind.
    """

    severity: Severity
    subject: str
    consequence: str
    fix: str
    train: str | None = None
    serve: str | None = None
    reference: str | None = None
    covers: tuple[tuple[str, str, str], ...] = ()
    code: str = ""
    lowered: str = ""
    """Why it is less grave than its rule says, in a line; empty where it is not."""


class Unknown(NamedTuple):
    """A rule could not judge, because what it needs was not seen on one side."""

    subject: str
    reason: str
    code: str = ""


class Drift(NamedTuple):
    """A difference that no rule explained. ``attribute`` is ``""`` where the whole component is on one side."""

    kind: str
    name: str
    attribute: str
    train: Json
    serve: Json


class Comparison(NamedTuple):
    """The answer to "does serving satisfy what training used?"."""

    train: Snapshot
    serve: Snapshot
    findings: tuple[Finding, ...]
    unknowns: tuple[Unknown, ...]
    drift: tuple[Drift, ...]
    assumptions: tuple[str, ...] = ()
    """What had to be assumed to compare at all, in words."""
    verdicts: tuple[Verdict, ...] = ()
    """On the model files that were named; the findings hold them too, cause by cause."""

    def worst(self) -> Severity | None:
        """The gravest severity among the findings, None where there is none."""
        for severity in SEVERITIES:
            if any(finding.severity == severity for finding in self.findings):
                return severity
        return None

    def at_least(self, severity: Severity) -> Iterator[Finding]:
        """The findings of this severity and graver."""
        limit = SEVERITIES.index(severity)
        return (finding for finding in self.findings if SEVERITIES.index(finding.severity) <= limit)


Question = Literal["load", "predict", "same"]
"""Will it load? Will it predict? Will it answer the same as it did in training?"""

QUESTIONS: Final[tuple[Question, ...]] = ("load", "predict", "same")

How = Literal["executed", "proved", "likely"]
"""How an answer is known: it was really done there; it follows from the file and the target's own code; or it follows
with an assumption that usually holds."""


class Answer(NamedTuple):
    """The answer to one question about one artifact in one target."""

    value: Literal["yes", "no", "unknown"]
    how: How


class Reason(NamedTuple):
    """Why an answer is not a plain yes: one cause, with what proves it."""

    question: Question
    value: Literal["no", "unknown"]
    how: How
    cause: str
    """The kind of cause, a slug that stays: ``missing-module``, ``missing-name``, ``missing-attribute``, ..."""
    error: str
    """What Python will print, exactly, as in ``ModuleNotFoundError: No module named 'sklearn.ensemble.forest'``; a
    description in words where nothing will be printed."""
    explanation: str
    """The cause in one sentence."""
    evidence: tuple[str, ...] = ()
    """The chain from the need to what is (not) there: ``byte 112 of the file names ...``, ``sklearn/x.py:31 reads``."""
    fix: str = ""
    """The command or change that mends it; empty where none is known."""
    reference: str | None = None
    subject: str = ""
    """The class, module or attribute that it is about, shortly."""


class Verdict(NamedTuple):
    """What will happen to one artifact in one target: the three answers, and the reasons for each that is not yes."""

    artifact: str
    target: str
    load: Answer
    predict: Answer
    same: Answer
    reasons: tuple[Reason, ...] = ()
    summary: str = ""
    """What the artifact is, in a line."""
    notes: tuple[str, ...] = ()
    """What was not looked at, or had to be assumed."""

    def answer(self, question: Question) -> Answer:
        """The answer to one of the three questions."""
        return {"load": self.load, "predict": self.predict, "same": self.same}[question]
