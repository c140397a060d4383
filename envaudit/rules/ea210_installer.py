"""Packages were installed by another tool than in training.

## What it compares

The INSTALLER file of each package of which both sides have the same version. All differences are told in one note.

## Why it breaks

It does not: pip and uv install the same files from the same wheel. It is told because packages of a Linux
distribution and of conda are built by others, and a mixture of installers in one environment overwrites files.

## Example

Training was installed by pip, serving by uv: one note.

## How to fix

Nothing has to be done.

## What it cannot see

Whether two installers have overwritten each other's files; EA205 tells files that are not what was installed.
"""

from __future__ import annotations

from collections.abc import Iterator

from envaudit.model import Finding, Snapshot, Unknown
from envaudit.rules import Rule
from envaudit.rules._helpers import attributes, listed, shared


def check(train: Snapshot, serve: Snapshot) -> Iterator[Finding | Unknown]:
    """One note for all packages."""
    names: list[str] = []
    before: set[str] = set()
    after: set[str] = set()
    for name, ours, theirs in shared(train, serve, "distribution"):
        one, two = ours.attributes.get("installer"), theirs.attributes.get("installer")
        if one == two or not (one and two):
            continue
        names.append(name)
        before.add(one)
        after.add(two)
    if names:
        yield Finding(
            "note",
            "installer",
            f"{listed(names)}: the files of one wheel are the same, whoever installed it.",
            "Nothing has to be done",
            listed(sorted(before)),
            listed(sorted(after)),
            "https://packaging.python.org/en/latest/specifications/recording-installed-packages/",
            tuple(key for name in names for key in attributes(name, "installer")),
        )


RULE = Rule(check)
