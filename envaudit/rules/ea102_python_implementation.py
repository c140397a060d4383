"""Serving runs another implementation of Python than training, such as PyPy instead of CPython.

## What it compares

The name of the implementation (`sys.implementation.name`) on both sides. A difference is an error.

## Why it breaks

Extension modules are built for one implementation, and so is bytecode in cloudpickle and dill files. Most packages
that models need publish wheels for CPython only.

## Example

Training on CPython 3.11, serving on PyPy 3.11: an error.

## How to fix

Run serving on training's implementation, for example `FROM python:3.11-slim`.

## What it cannot see

Distributions of CPython (conda, Debian, python.org) are the same implementation; their builds are compared by EA104.
"""

from __future__ import annotations

from collections.abc import Iterator

from envaudit.model import Finding, Snapshot, Unknown
from envaudit.rules import Rule
from envaudit.rules._helpers import attribute, both


def check(train: Snapshot, serve: Snapshot) -> Iterator[Finding | Unknown]:
    """Compare the implementation's name."""
    pair = both(train, serve, "python", "python")
    if pair is None:
        return
    ours, theirs = attribute(pair[0], "implementation"), attribute(pair[1], "implementation")
    if ours is None or theirs is None or ours == theirs:
        return
    yield Finding(
        "error",
        "Python implementation",
        f"Extension modules and stored bytecode made for {ours} will not load on {theirs}.",
        f"uv venv --python {ours}-{pair[0].version}" if pair[0].version else f"uv venv --python {ours}",
        ours,
        theirs,
        "https://packaging.python.org/en/latest/specifications/platform-compatibility-tags/",
        tuple(("python", "python", name) for name in ("implementation", "implementation_version", "abi", "build")),
    )


RULE = Rule(check)
