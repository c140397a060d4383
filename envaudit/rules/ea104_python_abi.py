"""Serving's Python is built in another way: free-threaded, as a debug build, or with other ABI flags.

## What it compares

The flags in the ABI tag (`cpython-313t-x86_64-linux-gnu`: the `t`) and the attributes `free_threaded` and `debug`.
The Python version and the platform in the same tag are left to EA101, EA302 and EA304. A free-threaded build on one
side only, or other flags, are a warning; a debug build on one side only is a note.

## Why it breaks

A free-threaded Python has its own ABI: extension modules built for the usual one fail to load there or crash, so that
every compiled package needs another wheel. Code that relied on the global interpreter lock may race.

## Example

Training on 3.13, serving on 3.13t: a warning.

## How to fix

Use the same build, for example `uv venv --python 3.13` instead of `3.13t`.

## What it cannot see

Compiler options and patches of a distribution that leave the ABI tag as it is.
"""

from __future__ import annotations

from collections.abc import Iterator

from envaudit.model import Component, Finding, Severity, Snapshot, Unknown
from envaudit.rules import Rule
from envaudit.rules._helpers import both


def flags(python: Component) -> str:
    """The ABI flags: ``cpython-313td-x86_64-linux-gnu`` -> ``dt``."""
    parts = str(python.attributes.get("abi", "")).split("-")
    found = set(parts[1].lstrip("0123456789")) if len(parts) > 1 and parts[0] == "cpython" else set()
    if python.attributes.get("free_threaded"):
        found.add("t")
    if python.attributes.get("debug"):
        found.add("d")
    return "".join(sorted(found))


def check(train: Snapshot, serve: Snapshot) -> Iterator[Finding | Unknown]:
    """Compare the flags of two builds of one implementation."""
    pair = both(train, serve, "python", "python")
    if pair is None:
        return
    ours, theirs = pair
    differ = set(flags(ours)) ^ set(flags(theirs))
    if not (ours.version and theirs.version) or not differ:
        return
    if ours.attributes.get("implementation") != theirs.attributes.get("implementation"):
        return
    severity: Severity = "note" if differ == {"d"} else "warning"
    if "t" in differ:
        text = "Extension modules built for one of the two builds will not load, or will crash, on the other."
    elif differ == {"d"}:
        text = "A debug build is slower and checks more; no effect on a model is known."
    else:
        text = "Extension modules carry the ABI flags in their names and are not found by the other build."
    yield Finding(
        severity,
        "Python ABI",
        text,
        f"uv venv --python {_request(ours)}",
        _shown(ours),
        _shown(theirs),
        "https://peps.python.org/pep-0803/",
        tuple(("python", "python", name) for name in ("abi", "free_threaded", "debug", "build")),
    )


def _request(python: Component) -> str:
    """The version as uv takes it, with the ``t`` of a free-threaded build."""
    return ".".join(str(python.version).split(".")[:2]) + ("t" if "t" in flags(python) else "")


def _shown(python: Component) -> str:
    names = {"t": "free-threaded", "d": "debug build"}
    return ", ".join(names.get(flag, f"flag {flag}") for flag in flags(python)) or "release build"


RULE = Rule(check)
