"""The image's tag stands for another image than it did in training's snapshot.

## What it compares

The digests and the id of the two images, where both snapshots name the same `NAME:TAG`
(`docker.io/library/python:3.11` is `python:3.11`). Another image under the same name is a warning. Two platforms of
one multi-platform image share the digest of its index and are no finding.

## Why it breaks

The tag was pushed or built again in between. The name says that nothing changed, but system libraries, packages or
code may have: what was found about the older image need not hold.

## Example

train.json was taken of `fraud:1.2` (sha256:1f3a…); today `fraud:1.2` is sha256:77b0…: a warning.

## How to fix

Deploy the image of the snapshot by its digest: `registry.example/fraud@sha256:1f3a…`. Or take the snapshot anew, of
the image that the tag stands for now.

## What it cannot see

Which of the two is the wanted one. What differs in them is told by the other findings. An image that was never pushed
is known by its id alone, which engines of different kinds (with containerd's image store, or without) compute
differently.
"""

from __future__ import annotations

from collections.abc import Iterator

from envaudit.model import Finding, Snapshot, Unknown
from envaudit.rules import Rule
from envaudit.rules._helpers import attribute
from envaudit.rules._images import config, named, pinned, same

REFERENCE = "https://docs.docker.com/build/building/best-practices/#pin-base-image-versions"


def check(train: Snapshot, serve: Snapshot) -> Iterator[Finding | Unknown]:
    """Compare what one name stands for on both sides."""
    target, before = named(serve), named(train)
    if target is None or before is None or target.tag is None or target.tagged != before.tagged:
        return
    ours, theirs = config(train), config(serve)
    alike = same(ours, theirs)
    if alike is None and ours != theirs:
        yield Unknown("image", f"whether {target.tagged} is still the same: one side has neither digest nor id of it")
    if alike is not False:
        return
    key = "digest" if {"digest"} <= ours.attributes.keys() & theirs.attributes.keys() else "id"
    was, now = attribute(ours, key), attribute(theirs, key)
    wanted = pinned(target.name, ours) or (key == "digest" and f"{target.name}@{was}")
    yield Finding(
        "warning",
        "image",
        f"{target.tagged} was another image when training's snapshot was taken: it was built or pushed again since.",
        f"Deploy {wanted}" if wanted else f"docker tag {was} {target.tagged}",
        was,
        now,
        REFERENCE,
        (("image", "config", "id"),),
    )


RULE = Rule(check)
