"""What several rules share: walking two snapshots side by side, and saying things in the same words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from envaudit.model import Component, Gap, Severity, Snapshot, Unknown

Key = tuple[str, str, str]

RANK: dict[str, int] = {"note": 0, "warning": 1, "error": 2}
ENCODING = ("PYTHONUTF8", "PYTHONIOENCODING", "LC_ALL", "LC_CTYPE", "LANG")
"""The variables from which the default text encoding follows."""


def shared(train: Snapshot, serve: Snapshot, kind: str) -> Iterator[tuple[str, Component, Component]]:
    """The components of a kind that both sides have and that differ, by name."""
    ours, theirs = train.of(kind), serve.of(kind)
    changed = [name for name, component in ours.items() if name in theirs and component != theirs[name]]
    for name in sorted(changed):
        yield name, ours[name], theirs[name]


def both(train: Snapshot, serve: Snapshot, kind: str, name: str) -> tuple[Component, Component] | None:
    """The component of this name where both sides have it and it differs."""
    ours, theirs = train.of(kind).get(name), serve.of(kind).get(name)
    if ours is None or theirs is None or ours == theirs:
        return None
    return ours, theirs


def unseen(train: Snapshot, serve: Snapshot, kind: str, name: str, subject: str) -> Unknown | None:
    """What to say where exactly one side saw the component and the other could not look."""
    ours, theirs = train.find(kind, name), serve.find(kind, name)
    if isinstance(ours, Component) and isinstance(theirs, Gap):
        return Unknown(subject, f"not seen in serving: {theirs.reason}")
    if isinstance(ours, Gap) and isinstance(theirs, Component):
        return Unknown(subject, f"not seen in training: {ours.reason}")
    return None


def unseen_kind(train: Snapshot, serve: Snapshot, kind: str, subject: str) -> Unknown | None:
    """The same for a whole kind: one side saw components of it, the other could not look."""
    ours, theirs = train.of(kind), serve.of(kind)
    if bool(ours) == bool(theirs):
        return None
    blind, side = (serve, "serving") if ours else (train, "training")
    gap = blind.find(kind, "")
    return Unknown(subject, f"not seen in {side}: {gap.reason}") if isinstance(gap, Gap) else None


def attribute(component: Component, name: str) -> str | None:
    """An attribute as text, None where it is not there."""
    value = component.attributes.get(name)
    return None if value is None else str(value)


def shown(component: Component) -> str:
    """A version as people write it: ``2.4.0+cu121``, or what a lockfile allows."""
    label = component.attributes.get("label")
    if component.version is None:
        return str(component.attributes.get("specifier") or "any version")
    return f"{component.version}+{label}" if label else component.version


def listed(names: Iterable[str], most: int = 5) -> str:
    """``a, b and c``; ``a, b, c, d, e and 7 more``."""
    names = list(names)
    rest = len(names) - most
    if rest > 0:
        return f"{', '.join(names[:most])} and {rest} more"
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)


def graver(one: Severity, two: Severity) -> Severity:
    """The graver of two severities."""
    return one if RANK[one] >= RANK[two] else two


def real(train: Snapshot, serve: Snapshot, keys: Iterable[Key]) -> tuple[Key, ...]:
    """Of the differences that a finding would explain, those of components that are there."""
    return tuple(key for key in keys if key[1] in train.of(key[0]) or key[1] in serve.of(key[0]))


def attributes(name: str, *which: str) -> tuple[Key, ...]:
    """``covers`` for some attributes of one distribution."""
    return tuple(("distribution", name, attribute) for attribute in which)
