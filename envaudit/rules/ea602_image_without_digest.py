"""Serving's image is named by a tag, which may stand for another image tomorrow.

## What it compares

How the image of serving is named: `NAME:TAG`, or `NAME` alone, which means `NAME:latest`, is a note; `NAME@sha256:…`
and the id of an image are not. Where training is an image of the same name, EA603 compares the two and this rule is
silent.

## Why it breaks

A tag is a pointer in a registry. Whoever pushes to it moves it, and the next start on another machine, or after a
clean-up, gets an image that nobody has looked at. A digest is the hash of the image: it stands for one image for
ever.

## Example

`envaudit compare train.json registry.example/fraud:1.2`, deployed by that tag: a note.

## How to fix

Deploy by the digest that was looked at: `registry.example/fraud@sha256:…`. `docker push` and `docker inspect --format
'{{.RepoDigests}}' NAME:TAG` print it. An image that was never pushed has none yet.

## What it cannot see

Whether the registry forbids to move tags, and by which name the service is really deployed.
"""

from __future__ import annotations

from collections.abc import Iterator

from envaudit.model import Finding, Snapshot, Unknown
from envaudit.rules import Rule
from envaudit.rules._images import config, named, pinned

REFERENCE = "https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md#definitions"


def check(train: Snapshot, serve: Snapshot) -> Iterator[Finding | Unknown]:
    """Look at how serving's image is named."""
    target = named(serve)
    if target is None or target.digest or target == named(train):
        return
    by_digest = pinned(target.name, config(serve))
    push = f"docker push {target.tagged} prints a digest: deploy {target.name}@DIGEST"
    yield Finding(
        "note",
        "image reference",
        f"{target.tagged} names another image as soon as somebody pushes one under that tag; what was looked at here "
        "is then not what runs.",
        f"Deploy {by_digest}" if by_digest else push,
        None,
        f"{target.tagged} (no digest)",
        REFERENCE,
    )


RULE = Rule(check)
