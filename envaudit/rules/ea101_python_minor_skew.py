"""Serving runs another Python minor (or major) version than training.

## What it compares

The Python versions of both sides, without the patch number. Another major version is an error, another minor version
a warning. Where a lockfile only says which Pythons it accepts, training's Python is held against that.

## Why it breaks

cloudpickle and dill store functions, lambdas and classes of a notebook as bytecode, and bytecode belongs to one minor
version: the file is refused ("code expected at most 16 arguments, got 18"), or it loads and then crashes. A pickle
written with protocol 5 is not read before Python 3.8. Compiled packages have to be installed anew, and often no wheel
of the version that training used exists for the other Python.

## Example

Training on 3.11.7, serving on 3.12.1: a warning. Training on 3.8 and serving on 2.7: an error.

## How to fix

Run serving on training's Python, for example `FROM python:3.11-slim`, or `uv venv --python 3.11`.

## What it cannot see

Whether the model file holds bytecode at all. A model that holds only arrays and library classes often survives.
"""

from __future__ import annotations

from collections.abc import Iterator

from envaudit.evidence import NO_PYTHON
from envaudit.model import Component, Finding, Gap, Severity, Snapshot, Unknown
from envaudit.rules import Rule
from envaudit.rules._helpers import attribute, both, unseen
from envaudit.rules._versions import allowed, release

REFERENCE = "https://github.com/cloudpipe/cloudpickle"


def check(train: Snapshot, serve: Snapshot) -> Iterator[Finding | Unknown]:
    """Compare major and minor version."""
    had, absent = train.of("python").get("python"), serve.find("python", "python")
    if had is not None and isinstance(absent, Gap) and absent.reason.startswith(NO_PYTHON):
        yield Finding(
            "error",
            "Python",
            "There is no Python in serving: nothing of what training used is there.",
            "name its interpreter (--python PATH), or the image that really serves",
            had.version or "present",
            "absent",
            "",
            (("python", "*", "*"),),
        )
        return
    unknown = unseen(train, serve, "python", "python", "Python")
    if unknown:
        yield unknown
    pair = both(train, serve, "python", "python")
    if pair is None:
        return
    ours, theirs = pair
    if ours.version and theirs.version:
        yield from _versions(ours.version, theirs.version)
    else:
        yield from _required(ours, theirs)


def _versions(train: str, serve: str) -> Iterator[Finding]:
    ours, theirs = release(train), release(serve)
    if ours is None or theirs is None or ours[:2] == theirs[:2]:
        return
    wanted = f"{ours[0]}.{ours[1]}"
    severity: Severity = "warning" if ours[0] == theirs[0] else "error"
    text = (
        f"Functions and classes that cloudpickle or dill stored by Python {wanted} will not load, or will crash, on "
        f"Python {theirs[0]}.{theirs[1]}, because bytecode belongs to one minor version."
    )
    reference = REFERENCE
    if ours >= (3, 8, 0) > theirs:
        text += ' Pickles of protocol 5 end in "ValueError: unsupported pickle protocol: 5".'
        reference = "https://github.com/caiyuanhao1998/X-Gaussian/issues/5"
    yield Finding(
        severity,
        "Python",
        text,
        f"FROM python:{wanted}-slim (or: uv venv --python {wanted})",
        train,
        serve,
        reference,
        tuple(("python", "python", name) for name in ("version", "abi", "build", "requires")),
    )


def _required(ours: Component, theirs: Component) -> Iterator[Finding]:
    """One side is a lockfile that only says which Pythons it accepts."""
    accepts, version = attribute(theirs, "requires"), ours.version
    from_lockfile = "serving"
    if version is None:
        accepts, version, from_lockfile = attribute(ours, "requires"), theirs.version, "training"
    if accepts is None or version is None or allowed(version, accepts) is not False:
        return
    other = "training" if from_lockfile == "serving" else "serving"
    sides = (version, accepts) if from_lockfile == "serving" else (accepts, version)
    yield Finding(
        "warning",
        "Python",
        f"The lockfile of {from_lockfile} accepts Python {accepts} only, so it cannot be installed on {other}'s "
        f"Python {version}: the two sides will run different Pythons.",
        f"uv venv --python {version} (and widen requires-python to accept it)",
        *sides,
        REFERENCE,
        tuple(("python", "python", name) for name in ("version", "requires")),
    )


RULE = Rule(check)
