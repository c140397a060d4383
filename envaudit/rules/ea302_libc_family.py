"""Serving's C library is of another family: musl (Alpine Linux) instead of glibc, or the reverse.

## What it compares

The family of the C library on both sides. A difference is an error. So are packages that serving has as wheels for the
other family only (`manylinux` on musl, `musllinux` on glibc), where training does not.

## Why it breaks

Compiled files are built for one C library. A manylinux wheel cannot be installed on musl and a musllinux wheel not on
glibc; pip then builds from source or takes another version. Files copied from the other image do not load.

## Example

Training on Debian 12, serving on `python:3.11-alpine`: an error. A `site-packages` that was built on Debian and copied
into an Alpine image: an error that names the packages.

## How to fix

Use an image of the same family: `FROM python:3.11-slim` instead of `python:3.11-alpine`.

## What it cannot see

Whether wheels for the other C library exist for all packages, and whether a layer such as gcompat was added to musl.
"""

from __future__ import annotations

from collections.abc import Iterator

from envaudit.model import Component, Finding, Snapshot, Unknown
from envaudit.rules import Rule
from envaudit.rules._helpers import attribute, listed, real, unseen
from envaudit.rules._packages import install

WHEELS = {"glibc": "manylinux", "musl": "musllinux"}
"""How the platform tags of wheels for a C library begin (PEP 600, PEP 656)."""
PEP_656 = "https://peps.python.org/pep-0656/"
COPIED = "https://github.com/numpy/numpy/issues/30024"


def check(train: Snapshot, serve: Snapshot) -> Iterator[Finding | Unknown]:
    """Compare the family, then look at what serving's wheels were built for."""
    unknown = unseen(train, serve, "libc", "libc", "C library")
    if unknown:
        yield unknown
    ours, theirs = train.of("libc").get("libc"), serve.of("libc").get("libc")
    before, after = (attribute(side, "family") if side else None for side in (ours, theirs))
    misfits = [name for name in _misfits(serve, after) if name not in _misfits(train, before)]
    if ours and theirs and before and after and before != after:
        yield _other_family(train, serve, ours, theirs, misfits)
    elif theirs and misfits:
        distributions = serve.of("distribution")
        yield Finding(
            "error",
            "C library",
            f"{listed(misfits)} in serving: the wheel is built for another C library, and its compiled files do not "
            f"load on {after}.",
            f"{install(*((name, distributions[name]) for name in misfits))} --force-reinstall --no-deps",
            _shown(ours) if ours else None,
            f"{_shown(theirs)} with {_needed(distributions[misfits[0]])} wheels",
            COPIED,
        )


def _other_family(train: Snapshot, serve: Snapshot, ours: Component, theirs: Component, misfits: list[str]) -> Finding:
    before, after = attribute(ours, "family"), attribute(theirs, "family")
    python = train.of("python").get("python")
    minor = ".".join(str(python.version).split(".")[:2]) if python and python.version else "3"
    text = (
        f"Compiled packages of training cannot be installed or copied: wheels for {before} do not run on {after}. pip "
        "builds them from source, takes another version, or fails."
    )
    packages = sorted(train.of("distribution").items())
    wheels = [name for name, one in packages if before and _needed(one) == WHEELS.get(before)]
    if misfits:
        text += f" In serving such wheels are installed all the same: {listed(misfits)}."
    elif wheels:
        text += f" Training has such wheels of {listed(wheels)}."
    return Finding(
        "error",
        "C library",
        text,
        f"FROM python:{minor}-{'slim' if before == 'glibc' else 'alpine'}",
        _shown(ours),
        _shown(theirs),
        PEP_656,
        real(train, serve, (("libc", "libc", "*"), ("python", "python", "abi"))),
    )


def _misfits(snapshot: Snapshot, family: str | None) -> list[str]:
    """The packages whose wheels are for the other C library only."""
    others = {prefix for known, prefix in WHEELS.items() if family in WHEELS and known != family}
    return [name for name, one in sorted(snapshot.of("distribution").items()) if _needed(one) in others]


def _needed(component: Component) -> str | None:
    """``manylinux`` or ``musllinux`` where all tags of the wheel begin so."""
    platforms = [part for tag in component.attributes.get("tags", ()) for part in tag.rpartition("-")[2].split(".")]
    found = {next((prefix for prefix in WHEELS.values() if part.startswith(prefix)), None) for part in platforms}
    return found.pop() if len(found) == 1 else None


def _shown(libc: Component) -> str:
    return f"{attribute(libc, 'family')} {libc.version or ''}".strip()


RULE = Rule(check)
