"""Serving has an older C library than training.

## What it compares

The versions of the C library where the family is the same. Older in serving is a warning; it becomes an error where a
wheel that is installed in serving asks for a newer C library than serving has, and did not do so in training. A newer
C library in serving is fine.

## Why it breaks

A wheel tagged `manylinux_2_28` needs glibc 2.28 or newer. On an older system pip does not install it and falls back
to an older version or to building from source; a file that was copied there ends in "version `GLIBC_2.33' not found".

## Example

Training on Debian 12 (glibc 2.36), serving on Debian 10 (glibc 2.28): a warning.

## How to fix

Serve on a base image that is at least as new: `FROM python:3.11-slim-bookworm`.

## What it cannot see

What each compiled file really needs: the tag of a wheel is a claim, and some wheels need more than they say.
"""

from __future__ import annotations

from collections.abc import Iterator

from envaudit.model import Component, Finding, Snapshot, Unknown
from envaudit.rules import Rule
from envaudit.rules._helpers import attribute, both, listed
from envaudit.rules._versions import compare

LEGACY = {"manylinux1": (2, 5), "manylinux2010": (2, 12), "manylinux2014": (2, 17)}
PEP_600 = "https://peps.python.org/pep-0600/"
NOT_FOUND = "https://github.com/pyg-team/pyg-lib/issues/548"


def check(train: Snapshot, serve: Snapshot) -> Iterator[Finding | Unknown]:
    """Compare versions of one family, and wheels with the C library they stand on."""
    pair = both(train, serve, "libc", "libc")
    if pair is None:
        return
    ours, theirs = pair
    family = attribute(ours, "family")
    if not (ours.version and theirs.version) or family != attribute(theirs, "family"):
        return
    if (compare(theirs.version, ours.version) or 0) >= 0:
        return
    limit, before = _numbers(theirs.version), _numbers(ours.version)
    installed = {name: need for name, need in _needs(serve) if limit < need <= before}
    wanted = [name for name, need in _needs(train) if need > limit]
    covers = (("libc", "libc", "version"), ("libc", "libc", "wheels"))
    sides = (f"{family} {ours.version}", f"{family} {theirs.version}")
    if installed:
        needed = ".".join(str(number) for number in max(installed.values()))
        yield Finding(
            "error",
            "C library",
            f"{listed(installed)} in serving: the wheel is made for {family} {needed}, and its compiled files will not "
            f"load on {theirs.version} where they use it"
            + (f" (version `GLIBC_{needed}' not found)." if family == "glibc" else "."),
            _fix(train),
            *sides,
            NOT_FOUND,
            covers,
        )
        return
    text = (
        f"Wheels that need a {family} newer than {theirs.version} cannot be installed there; pip takes an older "
        "version or builds from source."
    )
    if wanted:
        text += f" Training used such wheels of {listed(wanted)}."
    yield Finding("warning", "C library", text, _fix(train), *sides, PEP_600, covers)


def _needs(snapshot: Snapshot) -> Iterator[tuple[str, tuple[int, ...]]]:
    """For each wheel with compiled code the oldest C library on which it can be installed."""
    for name, component in sorted(snapshot.of("distribution").items()):
        tags = [need for tag in component.attributes.get("tags", ()) if (need := _need(tag))]
        if tags:
            yield name, min(tags)


def _need(tag: str) -> tuple[int, ...] | None:
    """``cp311-cp311-manylinux_2_28_x86_64`` -> ``(2, 28)``."""
    found: list[tuple[int, ...]] = []
    for platform in tag.rpartition("-")[2].split("."):
        words = platform.split("_")
        if words[0] in LEGACY:
            found.append(LEGACY[words[0]])
        elif (
            words[0] in ("manylinux", "musllinux") and len(words) > 3 and words[1].isdecimal() and words[2].isdecimal()
        ):
            found.append((int(words[1]), int(words[2])))
    return min(found) if found else None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2] if part.isdecimal())


def _fix(train: Snapshot) -> str:
    release, python = train.of("os").get("release"), train.of("python").get("python")
    minor = ".".join(str(python.version).split(".")[:2]) if python and python.version else "3"
    debian = isinstance(release, Component) and attribute(release, "id") == "debian"
    codename = attribute(release, "codename") if debian and release else None
    return f"FROM python:{minor}-slim-{codename}" if codename else f"FROM python:{minor}-slim"


RULE = Rule(check)
