"""Serving's C library is of another family: musl (Alpine Linux) instead of glibc, or the reverse.

## What it compares

The family of the C library on both sides. A difference is an error.

## Why it breaks

Compiled files are built for one C library. A manylinux wheel cannot be installed on musl and a musllinux wheel not on
glibc; pip then builds from source or takes another version. Files copied from the other image do not load.

## Example

Training on Debian 12, serving on `python:3.11-alpine`: an error.

## How to fix

Use an image of the same family: `FROM python:3.11-slim` instead of `python:3.11-alpine`.

## What it cannot see

Whether wheels for the other C library exist for all packages.
"""

from __future__ import annotations

from collections.abc import Iterator

from envaudit.model import Finding, Snapshot, Unknown
from envaudit.rules import Rule
from envaudit.rules._helpers import attribute, both, real, unseen


def check(train: Snapshot, serve: Snapshot) -> Iterator[Finding | Unknown]:
    """Compare the family."""
    unknown = unseen(train, serve, "libc", "libc", "C library")
    if unknown:
        yield unknown
    pair = both(train, serve, "libc", "libc")
    if pair is None:
        return
    ours, theirs = attribute(pair[0], "family"), attribute(pair[1], "family")
    if ours is None or theirs is None or ours == theirs:
        return
    python = train.of("python").get("python")
    minor = ".".join(str(python.version).split(".")[:2]) if python and python.version else "3"
    yield Finding(
        "error",
        "C library",
        f"Compiled packages of training cannot be installed or copied: wheels for {ours} do not run on {theirs}. pip "
        "builds them from source, takes another version, or fails.",
        f"FROM python:{minor}-{'slim' if ours == 'glibc' else 'alpine'}",
        f"{ours} {pair[0].version or ''}".strip(),
        f"{theirs} {pair[1].version or ''}".strip(),
        "https://peps.python.org/pep-0656/",
        real(train, serve, (("libc", "libc", "*"), ("python", "python", "abi"))),
    )


RULE = Rule(check)
