"""Comparing versions without paying for ``packaging`` where plain dotted numbers are compared, which is nearly always.

Importing packaging.version costs more than all rules together; so it is imported only for what is not plain.
"""

from __future__ import annotations

from typing import Any

MAJOR, MINOR, PATCH = 0, 1, 2


def plain(version: str) -> tuple[int, ...] | None:
    """``1.26.4`` -> ``(1, 26, 4)``; None for everything that is not just dotted numbers."""
    parts = version.split(".")
    if all(part.isascii() and part.isdecimal() and len(part) < 20 for part in parts):
        return tuple(map(int, parts))
    return None


def _parsed(version: str) -> Any:
    """The version as packaging sees it, None where it is no PEP 440 version."""
    from packaging.version import InvalidVersion, Version

    try:
        return Version(version)
    except InvalidVersion:
        return None


def compare(left: str, right: str) -> int | None:
    """Negative, zero or positive as ``left`` is older, the same or newer; None where one is no version."""
    one: Any = plain(left)
    two: Any = plain(right)
    if one is not None and two is not None:
        length = max(len(one), len(two))
        one += (0,) * (length - len(one))
        two += (0,) * (length - len(two))
    else:
        one, two = _parsed(left), _parsed(right)
        if one is None or two is None:
            return None
    return int(one > two) - int(one < two)


def release(version: str) -> tuple[int, int, int] | None:
    """Major, minor and patch; None where it is no version. An epoch counts as part of the major number."""
    numbers = plain(version)
    if numbers is None:
        parsed = _parsed(version)
        if parsed is None:
            return None
        numbers = parsed.release
        if parsed.epoch:
            numbers = (parsed.epoch * 1_000_000 + numbers[0], *numbers[1:])
    padded = (*numbers, 0, 0)
    return padded[0], padded[1], padded[2]


def step(train: str, serve: str) -> tuple[int, bool] | None:
    """How far apart (MAJOR, MINOR or PATCH) and whether serving is the older one; None where it cannot be told.

    Versions that are the same (``1.0`` and ``1.0.0``) are None apart too.
    """
    order = compare(train, serve)
    ours, theirs = release(train), release(serve)
    if not order or ours is None or theirs is None:
        return None
    level = MAJOR if ours[0] != theirs[0] else MINOR if ours[1] != theirs[1] else PATCH
    return level, order > 0


def within(version: str, clauses: str) -> bool:
    """Whether a version satisfies all of ``>=1.5,<1.8``: the form in which knowledge/ writes ranges."""
    for clause in clauses.split(","):
        operator = clause.rstrip("0123456789.")
        order = compare(version, clause[len(operator) :])
        if order is None:
            return False
        if not (
            (order < 0 and operator in ("<", "<=", "!="))
            or (order == 0 and operator in ("<=", ">=", "=="))
            or (order > 0 and operator in (">", ">=", "!="))
        ):
            return False
    return True


def allowed(version: str, specifier: str) -> bool | None:
    """Whether a PEP 440 specifier of a lockfile admits the version; None where one of them cannot be read."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    parsed = _parsed(version)
    if parsed is None:
        return None
    try:
        return SpecifierSet(specifier).contains(parsed, prereleases=True)
    except InvalidSpecifier:
        return None
