"""envaudit compares the environment a model was trained in with the one it will be served in.

    >>> import envaudit
    >>> train = envaudit.snapshot()
    >>> result = envaudit.compare(train, "fraud:1.2")
    >>> [finding.code for finding in result.findings]

Importing this package loads nothing else; each name below is imported when it is first used.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from envaudit.api import compare, snapshot
    from envaudit.errors import (
        EngineError,
        EnvauditError,
        InspectorError,
        LockfileError,
        MissingExtraError,
        SnapshotError,
        TargetError,
        UsageError,
    )
    from envaudit.model import (
        Comparison,
        Component,
        Drift,
        Environment,
        Finding,
        Gap,
        Severity,
        Snapshot,
        TargetInfo,
        Unknown,
    )

__version__ = "0.1.0"

__all__ = [
    "Comparison",
    "Component",
    "Drift",
    "EngineError",
    "EnvauditError",
    "Environment",
    "Finding",
    "Gap",
    "InspectorError",
    "LockfileError",
    "MissingExtraError",
    "Severity",
    "Snapshot",
    "SnapshotError",
    "TargetError",
    "TargetInfo",
    "Unknown",
    "UsageError",
    "__version__",
    "compare",
    "snapshot",
]

_FUNCTIONS = ("compare", "snapshot")


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    home = "api" if name in _FUNCTIONS else "errors" if name.endswith("Error") else "model"
    value = getattr(import_module(f"envaudit.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
