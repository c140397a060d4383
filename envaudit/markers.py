"""Conditional lines of a lock file: which of them hold depends on a Python, which the file does not name.

``settle`` reads the markers (PEP 508) for the Python of the snapshot itself, or else of the snapshot that it
is compared with. A marker is true, false, or not known where it reads something that was not seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from envaudit.collectors._locks import check_packaging
from envaudit.model import Component, Gap, Json, Snapshot

Facts = Mapping[str, "str | frozenset[str]"]

_WORD: Final = r"""\s*(\(|\)|'[^']*'|"[^"]*"|[A-Za-z_][A-Za-z0-9_.]*|[<>=!~]+)"""
_VARIABLES: Final = frozenset(
    {
        "implementation_name",
        "implementation_version",
        "os_name",
        "platform_machine",
        "platform_python_implementation",
        "platform_release",
        "platform_system",
        "platform_version",
        "python_full_version",
        "python_version",
        "sys_platform",
    }
)
_ALIASES: Final = {"python_implementation": "platform_python_implementation"}
_ABOUT_CHOICE: Final[Facts] = {"extra": "", "extras": frozenset[str](), "dependency_groups": frozenset[str]()}
"""Nothing optional is chosen (PEP 751: no extras, the default groups)."""


_NOT_PARTS: Final = ("marker", "constraint", "groups")
"""Keys of a candidate that say when it counts; the others say what it asks for."""


def settle(side: Snapshot, other: Snapshot) -> tuple[Snapshot, tuple[str, ...]]:
    """``side`` without ``candidates``, and what had to be assumed for that, in words.

    A distribution whose lines do not hold is dropped (observed absent); one whose lines cannot be judged
    becomes a gap.
    """
    distributions = side.of("distribution")
    open_names = [name for name, component in distributions.items() if "candidates" in component.attributes]
    if not open_names:
        return side, ()
    facts, borrowed = environment(side), False
    if not facts:
        facts, borrowed = environment(other), True
    settled = dict(distributions)
    gaps: set[Gap] = set()
    for name in open_names:
        result = _settle_one(distributions[name], facts)
        if isinstance(result, Component):
            settled[name] = result
        else:
            del settled[name]
            gaps.update({result} if result else ())
    components = {**side.components, "distribution": settled}
    everything = tuple(sorted({*side.gaps, *gaps}, key=lambda gap: (gap.kind, gap.name or "", gap.reason)))
    if not settled and any(gap.kind == "distribution" and gap.name is None for gap in everything):
        del components["distribution"]  # of nothing seen nothing may look seen to be empty
    assumptions = _assumptions(side, other, facts, open_names) if borrowed and facts else ()
    return side._replace(components=components, gaps=everything), assumptions


def environment(snapshot: Snapshot) -> dict[str, str]:
    """What markers may read (PEP 508, "Environment Markers"), as far as it was seen; empty without a Python.

    The kernel of a container is that of whatever host runs it, so ``platform_release`` and
    ``platform_version`` are never known.
    """
    python = snapshot.of("python").get("python")
    if python is None or python.version is None:
        return {}
    from envaudit.collectors._marker_facts import marker_facts

    def told(kind: str, name: str, attribute: str) -> str | None:
        component = snapshot.of(kind).get(name)
        value = component and component.attributes.get(attribute)
        return value if isinstance(value, str) else None

    return marker_facts(
        python.version,
        told("python", "python", "implementation"),
        told("python", "python", "platform"),
        told("machine", "machine", "architecture"),
        implementation_version=told("python", "python", "implementation_version"),
        system=told("kernel", "kernel", "system"),
    )


def holds(marker: str, facts: Facts) -> bool | None:
    """Whether a marker is true; None where that depends on what ``facts`` lacks, or cannot be compared."""
    if not marker:
        return True
    try:
        tokens = _tokens(marker)
        result = _either(tokens, {**_ABOUT_CHOICE, **facts})
        return result if not tokens else None
    except (ValueError, IndexError, RecursionError):  # no marker at all: a snapshot edited by hand
        return None


def _settle_one(component: Component, facts: Facts) -> Component | Gap | None:
    """The component as its true lines give it, None if no line requires it, or why that is not known."""
    from envaudit.collectors._narrow import ContradictionError, narrow

    true: list[dict[str, Json]] = []
    # Requirements first: constraints matter only to what is required.
    for candidate in sorted(component.attributes["candidates"], key=lambda one: bool(one.get("constraint"))):
        if candidate.get("constraint") and not true:
            return None
        marker = candidate.get("marker", "")
        verdict = holds(marker, {**facts, "dependency_groups": frozenset(candidate.get("groups", ()))})
        if verdict is None:
            return Gap("distribution", component.name, f"its line depends on {marker}, {_lack(marker, facts)}")
        if verdict:
            true.append({key: value for key, value in candidate.items() if key not in _NOT_PARTS})
    if not true:
        return None
    try:
        attributes = dict(narrow(true))
    except ContradictionError as error:
        return Gap("distribution", component.name, f"its lines contradict each other there: {error}")
    version = attributes.pop("version", component.version)
    kept = {key: value for key, value in component.attributes.items() if key != "candidates"}
    return component._replace(version=version, attributes={**kept, **attributes})


def _lack(marker: str, facts: Facts) -> str:
    if not facts:
        return "and no Python is known"
    try:
        missing = sorted(_read_by(_tokens(marker)) - set(facts))
    except ValueError:
        missing = []
    return f"and {' and '.join(missing)} is not known" if missing else "which cannot be evaluated"


def _assumptions(side: Snapshot, other: Snapshot, facts: Mapping[str, str], names: Sequence[str]) -> tuple[str, ...]:
    """Said only if a marker reads the environment that was borrowed."""
    markers = {
        candidate.get("marker", "")
        for name in names
        for candidate in side.of("distribution")[name].attributes["candidates"]
    }
    if not any(variable in marker for marker in markers for variable in _VARIABLES):
        return ()
    place = " ".join(facts[name] for name in ("sys_platform", "platform_machine") if name in facts)
    python = facts["python_full_version"] + (f" on {place}" if place else "")
    lender = other.target.reference or other.target.kind
    sentence = f"conditional lines of {side.target.reference} were read for the Python of {lender}: {python}"
    return (sentence,)


def _tokens(marker: str) -> list[str]:
    """The tokens in reverse, so that the next one is popped from the end."""
    import re

    word = re.compile(_WORD)
    found, position, marker = [], 0, marker.rstrip()
    while position < len(marker):
        match = word.match(marker, position)
        if match is None:
            raise ValueError(marker)
        found.append(match[1])
        position = match.end()
    return found[::-1]


def _read_by(tokens: Sequence[str]) -> set[str]:
    """The variables that a marker reads."""
    names = {token.replace(".", "_") for token in tokens}
    return {_ALIASES.get(name, name) for name in names} & _VARIABLES


def _either(tokens: list[str], facts: Facts) -> bool | None:
    results = [_both(tokens, facts)]
    while tokens and tokens[-1] == "or":
        tokens.pop()
        results.append(_both(tokens, facts))
    return True if True in results else None if None in results else False


def _both(tokens: list[str], facts: Facts) -> bool | None:
    results = [_one(tokens, facts)]
    while tokens and tokens[-1] == "and":
        tokens.pop()
        results.append(_one(tokens, facts))
    return False if False in results else None if None in results else True


def _one(tokens: list[str], facts: Facts) -> bool | None:
    """A bracket, or one comparison, which packaging judges."""
    if tokens[-1] == "(":
        tokens.pop()
        result = _either(tokens, facts)
        if tokens.pop() != ")":
            raise ValueError("unbalanced")
        return result
    comparison = [tokens.pop(), tokens.pop()]
    comparison += [tokens.pop(), tokens.pop()] if comparison[1] == "not" else [tokens.pop()]
    if not _read_by(comparison) <= set(facts):
        return None
    check_packaging()
    from packaging.markers import InvalidMarker, Marker, UndefinedComparison, UndefinedEnvironmentName

    try:
        return Marker(" ".join(comparison)).evaluate(facts, context="requirement")
    except (InvalidMarker, UndefinedComparison, UndefinedEnvironmentName):
        return None
