"""Serving's image starts its service as root.

## What it compares

The user in the image's configuration: none, `root` or `0` is a note. An image of training that does the same makes
the rule silent.

## Why it breaks

Root may write everywhere: a service that installs, upgrades or downloads something at its start changes the packages
that were looked at, and then it is not the image that answers. What it writes into a mounted folder (caches, compiled
code, models) belongs to root, so that the same image under another user, as clusters that forbid root start it, finds
itself locked out.

## Example

A Dockerfile without `USER`: a note.

## How to fix

In the Dockerfile, after everything is installed: `RUN useradd --create-home app` and `USER app`.

## What it cannot see

Another user that is given at the start (`docker run --user`, `runAsUser` in Kubernetes), and an entry point that
changes the user itself (gosu, su-exec).
"""

from __future__ import annotations

from collections.abc import Iterator

from envaudit.model import Component, Finding, Snapshot, Unknown
from envaudit.rules import Rule
from envaudit.rules._helpers import attribute

REFERENCE = "https://docs.docker.com/build/building/best-practices/#user"


def check(train: Snapshot, serve: Snapshot) -> Iterator[Finding | Unknown]:
    """Look at the user of serving's image."""
    ours, theirs = train.of("image").get("config"), serve.of("image").get("config")
    if theirs is None or not _is_root(theirs) or (ours is not None and _is_root(ours)):
        return
    yield Finding(
        "note",
        "image user",
        "Unless it is started as another user, the service may overwrite its own packages while it runs, and then "
        "other code answers than was looked at.",
        "In the Dockerfile, after the last installation: RUN useradd --create-home app, and USER app",
        attribute(ours, "user") if ours else None,
        "root",
        REFERENCE,
        (("image", "config", "user"),),
    )


def _is_root(image: Component) -> bool:
    """``USER[:GROUP]``, a name or a number (config.md of the OCI image specification); root where there is none."""
    return (attribute(image, "user") or "").partition(":")[0] in ("", "root", "0")


RULE = Rule(check)
