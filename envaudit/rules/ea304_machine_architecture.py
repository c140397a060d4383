"""Serving runs on another processor architecture than training.

## What it compares

The machine names of both sides, with their aliases: `amd64` is `x86_64`, `arm64` is `aarch64`; where the machine was
not seen, the architecture that the image is declared for. A difference is a warning.

## Why it breaks

All compiled packages are other builds with other vector instructions and another BLAS, so that results differ in the
last digits, and a threshold may tip. An image for the other architecture does not start, or only under emulation.

## Example

Training on x86_64, serving on an ARM instance (aarch64): a warning.

## How to fix

Build the image for training's architecture: `docker build --platform linux/amd64 .`. Or accept it, and compare
predictions on a sample.

## What it cannot see

Differences between processors of one architecture, such as AVX-512.
"""

from __future__ import annotations

from collections.abc import Iterator

from envaudit.model import Finding, Snapshot, Unknown
from envaudit.rules import Rule
from envaudit.rules._helpers import attribute, real, unseen

ALIASES = {"amd64": "x86_64", "x64": "x86_64", "arm64": "aarch64", "i386": "i686", "386": "i686", "x86": "i686"}
PLATFORMS = {"x86_64": "linux/amd64", "aarch64": "linux/arm64"}
FOLLOWING = (
    ("machine", "machine", "architecture"),
    ("image", "config", "architecture"),
    ("image", "config", "variant"),
    ("python", "python", "abi"),
    ("libc", "libc", "wheels"),
)
"""What differs as a consequence."""


def check(train: Snapshot, serve: Snapshot) -> Iterator[Finding | Unknown]:
    """Compare the machine, aliases set aside."""
    ours, theirs = _architecture(train), _architecture(serve)
    if ours is None or theirs is None:
        unknown = unseen(train, serve, "machine", "machine", "machine")
        if unknown:
            yield unknown
        return
    if ours == theirs:
        return
    yield Finding(
        "warning",
        "machine",
        f"Every compiled package is another build on {theirs}: numeric results can differ in the last digits, and "
        "wheels may be missing.",
        f"docker build --platform {PLATFORMS.get(ours, f'linux/{ours}')} .",
        ours,
        theirs,
        "https://github.com/numpy/numpy/issues/21209",
        real(train, serve, FOLLOWING),
    )


def _architecture(snapshot: Snapshot) -> str | None:
    """Of the machine, else as the image declares it; None where neither is known."""
    machine = snapshot.of("machine").get("machine") or snapshot.of("image").get("config")
    found = attribute(machine, "architecture") if machine else None
    return normal(found) if found else None


def normal(architecture: str) -> str:
    """One name per architecture."""
    lower = architecture.lower()
    return ALIASES.get(lower, lower)


RULE = Rule(check)
