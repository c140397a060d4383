"""Serving runs another operating system, distribution or release than training.

## What it compares

`ID` and `VERSION_ID` of os-release, and the platform that Python names (`linux`, `darwin`, `win32`). Another platform
is a warning, another distribution or release a note: what really matters of it, the C library and its version, is
judged by EA302 and EA303.

## Why it breaks

System libraries have other versions or are missing. The tag `python:3.11-slim` has meant Debian 11, 12 and 13 in
turn: a rebuild of the same Dockerfile changes all of them. Between macOS or Windows and Linux, every compiled package
is another build.

## Example

Training on Debian 12, serving on Debian 13: a note. Training on macOS, serving on Linux: a warning.

## How to fix

Name the release in the image tag: `FROM python:3.11-slim-bookworm`.

## What it cannot see

Packages from other repositories, and libraries that were copied in.
"""

from __future__ import annotations

from collections.abc import Iterator

from envaudit.model import Component, Finding, Snapshot, Unknown
from envaudit.rules import Rule
from envaudit.rules._helpers import attribute, both, real, unseen
from envaudit.rules._versions import compare

REFERENCE = "https://github.com/docker-library/python/blob/4f07059567fa61c80397126e8063dbbde011b794/versions.json"
LAST_BITS = "https://github.com/numpy/numpy/issues/21209"


def check(train: Snapshot, serve: Snapshot) -> Iterator[Finding | Unknown]:
    """Compare platform and release."""
    platform = _platform(train, serve)
    if platform:
        yield platform
    else:
        unknown = unseen(train, serve, "os", "release", "OS release")
        if unknown:
            yield unknown
    pair = both(train, serve, "os", "release")
    if pair is None:
        return
    ours, theirs = pair
    if (attribute(ours, "id"), ours.version) == (attribute(theirs, "id"), theirs.version):
        return
    covers = [("os", "release", "*")]
    if _newer_libc(train, serve):
        covers += [("libc", "libc", "version"), ("libc", "libc", "wheels")]
    yield Finding(
        "note",
        "OS release",
        "System libraries have other versions. A model is hit only where a package loads one of them.",
        _fix(train, ours),
        _shown(ours),
        _shown(theirs),
        REFERENCE,
        tuple(covers),
    )


def _platform(train: Snapshot, serve: Snapshot) -> Finding | None:
    pair = both(train, serve, "python", "python")
    if pair is None:
        return None
    ours, theirs = attribute(pair[0], "platform"), attribute(pair[1], "platform")
    if ours is None or theirs is None or ours == theirs:
        return None
    return Finding(
        "warning",
        "operating system",
        "Every compiled package is another build there: numeric results can differ in the last digits, and paths and "
        "multiprocessing behave differently.",
        'Train in the image that serves, for example: docker run -v "$PWD:/src" python:3.11-slim',
        ours,
        theirs,
        LAST_BITS,
        real(
            train,
            serve,
            (*(("python", "python", name) for name in ("platform", "abi", "build")), ("kernel", "kernel", "*")),
        ),
    )


def _newer_libc(train: Snapshot, serve: Snapshot) -> bool:
    """Whether serving's C library is the same family and newer, which no program minds."""
    ours, theirs = train.of("libc").get("libc"), serve.of("libc").get("libc")
    if not (ours and theirs and ours.version and theirs.version):
        return False
    same = attribute(ours, "family") == attribute(theirs, "family")
    return same and (compare(theirs.version, ours.version) or 0) > 0


def _fix(train: Snapshot, ours: Component) -> str:
    python = train.of("python").get("python")
    minor = ".".join(str(python.version).split(".")[:2]) if python and python.version else "3"
    codename = attribute(ours, "codename")
    if attribute(ours, "id") == "debian" and codename:
        return f"FROM python:{minor}-slim-{codename}"
    return f"FROM {attribute(ours, 'id') or 'debian'}:{ours.version or 'latest'}"


def _shown(component: Component) -> str:
    return attribute(component, "pretty") or " ".join(
        word for word in (attribute(component, "id"), component.version) if word
    )


RULE = Rule(check)
