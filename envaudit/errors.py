"""The exceptions of envaudit: the work could not be done. The command line turns each into one line, exit 2.

    EnvauditError
    ├── UsageError            the call itself is off (an unknown code, two options that exclude each other)
    ├── TargetError           a place does not exist, has two meanings, or cannot be looked at
    │   ├── EngineError       no container engine answers, or it refuses
    │   └── InspectorError    the inspector could not run there: no Python, too old, time-out
    ├── SnapshotError         a snapshot file is truncated, foreign or of a newer schema
    ├── LockfileError         a requirements or lock file has an error; the message names file and line
    ├── ArtifactError         a model file is truncated, damaged or hostile
    │   ├── UnreadFormatError     it is a model, maybe, of a format that is not read
    │   └── EmbeddingError        it carries no snapshot, one that is damaged or of other bytes, or can carry none
    ├── SandboxError          a model cannot be run there safely, or a sample of it cannot be read
    └── MissingExtraError     an optional dependency is needed: "pip install 'envaudit[docker]'"
    EnvironmentSkewError      not one of these, for the work was done: this environment does not fit the model

A part that merely could not be *seen* is no exception but a :class:`envaudit.model.Gap`; a difference is a
:class:`envaudit.model.Finding`.
"""

from __future__ import annotations

from envaudit.model import Comparison, Finding


class EnvauditError(Exception):
    """Root of all errors that envaudit raises on purpose. The message is one line: what, where, what to do."""


class UsageError(EnvauditError):
    """The call contradicts itself or names something that does not exist."""


class TargetError(EnvauditError):
    """A target does not exist, could be two things, or cannot be looked at."""


class EngineError(TargetError):
    """The container engine does not answer, refuses, or lacks the image or container."""


class InspectorError(TargetError):
    """The inspector could not run in the target, or did not answer in time."""


class SnapshotError(EnvauditError):
    """A snapshot file is truncated, not a snapshot, or written by a newer envaudit."""


class LockfileError(EnvauditError):
    """A requirements or lock file cannot be read; the message starts with ``file:line:`` where known."""


class ArtifactError(EnvauditError):
    """A model file is truncated, damaged, beyond the limits, or not a model file; the message starts with its path."""


class UnreadFormatError(ArtifactError):
    """A file is of a format that is not read, or of none that is known."""


class EmbeddingError(ArtifactError):
    """A model carries no snapshot, a damaged one or that of other bytes, or a snapshot cannot be put into it."""


class SandboxError(EnvauditError):
    """There is no way to run a model there safely, or a sample or its expected answers cannot be read."""


class MissingExtraError(EnvauditError):
    """An optional dependency is not installed."""

    def __init__(self, extra: str, purpose: str) -> None:
        super().__init__(f"{purpose} needs an optional part of envaudit: pip install 'envaudit[{extra}]'")


class EnvironmentSkewError(Exception):
    """This environment does not fit the model: what was found speaks against loading it.

    The message is one line: what will happen to the model, else the gravest finding.
    """

    def __init__(self, model: str, comparison: Comparison, findings: tuple[Finding, ...]) -> None:
        # What will happen to the model itself says more than which versions differ.
        first = next((finding for finding in findings if finding.code.startswith("EA9")), findings[0])
        others = f" (and {len(findings) - 1} more)" if len(findings) > 1 else ""
        change = f" {first.train or 'absent'} -> {first.serve or 'absent'}" if first.train or first.serve else ""
        subject = first.subject.removeprefix(f"{model}: ")
        super().__init__(f"{model}: {first.code} {subject}{change}: {first.consequence}{others}")
        self.model = model
        """Path of the model, as it was given."""
        self.comparison = comparison
        """Training and this environment, with everything that was found."""
        self.findings = findings
        """Those as grave as was asked for, the gravest first."""
