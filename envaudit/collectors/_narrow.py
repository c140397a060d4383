"""Several lines about one distribution, taken together: what holds when all of them hold.

A *part* is what one line says: ``version`` (with ``label``) or ``specifier``, ``extras``, ``hashes``,
``source``; the keys mean what the attributes of a distribution mean (docs/snapshot.md).
"""

from __future__ import annotations

from collections.abc import Sequence

from envaudit.model import Json

Part = dict[str, Json]


class ContradictionError(Exception):
    """Nothing satisfies all lines; the message says which two things exclude each other."""


def narrow(parts: Sequence[Part]) -> Part:
    """One part that says all that the parts say; :class:`ContradictionError` where that is impossible."""
    if len(parts) == 1:
        return parts[0]
    found: Part = {}
    pin = _pin([part for part in parts if "version" in part])
    specifier = _specifier(sorted({part["specifier"] for part in parts if "specifier" in part}), pin)
    if pin is not None:
        found["version"], label = _split(pin)
        if label:
            found["label"] = label
    elif specifier:
        found["specifier"] = specifier
    extras = {extra for part in parts for extra in part.get("extras", ())}
    if extras:
        found["extras"] = sorted(extras)
    hashes = _hashes([set(part["hashes"]) for part in parts if part.get("hashes")])
    if hashes:
        found["hashes"] = sorted(hashes)
    sources = [part["source"] for part in parts if "source" in part]
    if sources:
        if any(source != sources[0] for source in sources):
            raise ContradictionError("two different places to install from")
        found["source"] = sources[0]
    return found


def full_version(part: Part) -> str:
    """The version of a part with its local label."""
    return f"{part['version']}+{part['label']}" if "label" in part else str(part["version"])


def versioned(version: str) -> Part:
    """The part that pins a version."""
    public, label = _split(version)
    return {"version": public, "label": label} if label else {"version": public}


def _split(version: str) -> tuple[str, str]:
    public, _, label = version.partition("+")
    return public, label


def _pin(parts: Sequence[Part]) -> str | None:
    """The version that all pins name. As for PEP 440's ``==``, one without local label admits any label."""
    if not parts:
        return None
    pin = full_version(parts[0])
    for other in map(full_version, parts[1:]):
        (public, label), (other_public, other_label) = _split(pin), _split(other)
        if not _same(public, other_public) or (label and other_label and not _same(pin, other)):
            raise ContradictionError(f"=={pin} and =={other}")
        if other_label and not label:
            pin = other
    return pin


def _same(one: str, other: str) -> bool:
    if one == other:
        return True
    from packaging.version import InvalidVersion, Version

    try:
        return Version(one) == Version(other)
    except InvalidVersion:  # pinned with ===
        return False


def _specifier(specifiers: Sequence[str], pin: str | None) -> str:
    if not specifiers:
        return ""
    from packaging.specifiers import SpecifierSet
    from packaging.version import InvalidVersion, Version

    together = SpecifierSet(",".join(specifiers))
    if pin is not None:
        try:
            fits = together.contains(Version(pin), prereleases=True)
        except InvalidVersion:
            fits = True  # pinned with ===: cannot be compared
        if not fits:
            raise ContradictionError(f"=={pin} and {together}")
    elif together.is_unsatisfiable():
        raise ContradictionError(str(together))
    return str(together)


def _hashes(groups: Sequence[set[str]]) -> set[str]:
    """Like pip: what every line accepts; a line without hashes accepts all."""
    if not groups:
        return set()
    common = set.intersection(*groups)
    if not common:
        raise ContradictionError("hashes that have nothing in common")
    return common
