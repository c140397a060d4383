"""Serving runs another patch release of the same Python minor version.

## What it compares

The patch numbers of the Python versions, where major and minor number agree. A difference is a note.

## Why it breaks

It hardly ever does: bugfix releases keep bytecode, the ABI and the language as they are. It is told because a bug in
the standard library may be fixed on one side only.

## Example

Training on 3.11.7, serving on 3.11.2: a note.

## How to fix

Nothing has to be done. To be exact, name the patch release in the image tag: `FROM python:3.11.7-slim`.

## What it cannot see

Fixes that a distribution carried over into an older patch release.
"""

from __future__ import annotations

from collections.abc import Iterator

from envaudit.model import Finding, Snapshot, Unknown
from envaudit.rules import Rule
from envaudit.rules._helpers import both
from envaudit.rules._versions import compare, release


def check(train: Snapshot, serve: Snapshot) -> Iterator[Finding | Unknown]:
    """Compare what is left of the version after the minor number."""
    pair = both(train, serve, "python", "python")
    if pair is None or not pair[0].version or not pair[1].version:
        return
    train_version, serve_version = pair[0].version, pair[1].version
    ours, theirs = release(train_version), release(serve_version)
    if ours is None or theirs is None or ours[:2] != theirs[:2] or not compare(train_version, serve_version):
        return
    yield Finding(
        "note",
        "Python",
        "Only bug fixes lie between the two releases; bytecode and the ABI are the same.",
        f"FROM python:{train_version}-slim",
        train_version,
        serve_version,
        "https://docs.python.org/3/faq/general.html#how-does-the-python-version-numbering-scheme-work",
        tuple(("python", "python", name) for name in ("version", "build")),
    )


RULE = Rule(check)
