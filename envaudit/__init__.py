"""envaudit compares the environment a model was trained in with the one it will be served in.

    >>> import envaudit
    >>> train = envaudit.snapshot()
    >>> result = envaudit.compare(train, "fraud:1.2")
    >>> [finding.code for finding in result.findings]
    >>> envaudit.probe("model.joblib", "fraud:1.2").verdicts[0].load.value

Importing this package loads nothing else; each name below is imported when it is first used.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from envaudit.api import compare, embed, probe, snapshot
    from envaudit.dumping import dump
    from envaudit.errors import (
        ArtifactError,
        EmbeddingError,
        EngineError,
        EnvauditError,
        EnvironmentSkewError,
        InspectorError,
        LockfileError,
        MissingExtraError,
        SandboxError,
        SnapshotError,
        TargetError,
        UnreadFormatError,
        UsageError,
    )
    from envaudit.guard import verify
    from envaudit.model import (
        Answer,
        Artifact,
        Comparison,
        Component,
        Drift,
        Environment,
        Finding,
        Gap,
        Reason,
        RecordedAnswer,
        RecordedSample,
        Severity,
        Snapshot,
        TargetInfo,
        Unknown,
        Verdict,
    )
    from envaudit.reports import Probe, Probed, Search, Tried

__version__ = "0.1.0"

__all__ = [
    "Answer",
    "Artifact",
    "ArtifactError",
    "Comparison",
    "Component",
    "Drift",
    "EmbeddingError",
    "EngineError",
    "EnvauditError",
    "Environment",
    "EnvironmentSkewError",
    "Finding",
    "Gap",
    "InspectorError",
    "LockfileError",
    "MissingExtraError",
    "Probe",
    "Probed",
    "Reason",
    "RecordedAnswer",
    "RecordedSample",
    "SandboxError",
    "Search",
    "Severity",
    "Snapshot",
    "SnapshotError",
    "TargetError",
    "TargetInfo",
    "Tried",
    "Unknown",
    "UnreadFormatError",
    "UsageError",
    "Verdict",
    "__version__",
    "compare",
    "dump",
    "embed",
    "probe",
    "snapshot",
    "verify",
]

_HOMES = {
    **dict.fromkeys(("compare", "embed", "probe", "snapshot"), "api"),
    "dump": "dumping",
    "verify": "guard",
    **dict.fromkeys(("Probe", "Probed", "Search", "Tried"), "reports"),
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    home = _HOMES.get(name) or ("errors" if name.endswith("Error") else "model")
    value = getattr(import_module(f"envaudit.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
