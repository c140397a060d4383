"""Serving has other operating system packages, or other versions of them, than training.

## What it compares

Names and versions of all dpkg, apk or rpm packages, told in one note; the list of drift names them all.

## Why it breaks

It hardly ever does: wheels bring most of what they need. Libraries that wheels take from the system are judged one by
one by EA306.

## Example

Serving is a slim image with 90 packages, training a workstation with 1800: one note.

## How to fix

Nothing has to be done. Starting both images from the same base, by digest, removes the difference.

## What it cannot see

Libraries that no package manager installed.
"""

from __future__ import annotations

from collections.abc import Iterator

from envaudit.model import Finding, Gap, Snapshot, Unknown
from envaudit.rules import Rule
from envaudit.rules._helpers import listed


def check(train: Snapshot, serve: Snapshot) -> Iterator[Finding | Unknown]:
    """One note for all of them."""
    ours, theirs = train.of("os-package"), serve.of("os-package")
    if ours == theirs or not ours or not theirs:
        return
    other = [name for name in ours if name in theirs and ours[name] != theirs[name]]
    gone = sorted(name for name in ours if name not in theirs and not _unseen(serve, name))
    new = [name for name in theirs if name not in ours and not _unseen(train, name)]
    if not (other or gone or new):
        return
    missing = f"; missing in serving: {listed(gone)}" if gone else ""
    yield Finding(
        "note",
        "OS packages",
        f"{len(other)} have other versions, {len(gone)} are in training only, {len(new)} in serving only{missing}. A "
        "model is hit only where a package loads such a library.",
        "Nothing has to be done. To be exact, start both images from one base image, named by digest",
        f"{len(ours)} packages",
        f"{len(theirs)} packages",
        "https://github.com/docker-library/python/blob/4f07059567fa61c80397126e8063dbbde011b794/Dockerfile-linux.template",
    )


def _unseen(snapshot: Snapshot, name: str) -> bool:
    return isinstance(snapshot.find("os-package", name), Gap)


RULE = Rule(check)
