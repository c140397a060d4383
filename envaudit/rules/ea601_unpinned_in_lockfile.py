"""Serving's requirements leave the version of a package open that training had.

## What it compares

The packages that a requirements file or lockfile of serving names without exactly one version, where it admits
training's version. Packages that models depend on are a warning, others a note. Where training's version is excluded,
EA201 says so.

## Why it breaks

The next build of the image installs whatever is newest then: the same commit, another environment.

## Example

Training with pandas 2.0.3, serving with `pandas>=1.5` in requirements.txt: a warning.

## How to fix

Pin training's version: `pandas==2.0.3`. `uv pip compile` pins everything that is pulled in besides.

## What it cannot see

Which version was newest when the image was built; look at the image to know.
"""

from __future__ import annotations

from collections.abc import Iterator

from envaudit.model import Finding, Severity, Snapshot, Unknown
from envaudit.rules import Rule
from envaudit.rules._helpers import attributes, shared, shown
from envaudit.rules._packages import is_needed, pin
from envaudit.rules._versions import allowed

REFERENCE = "https://pip.pypa.io/en/stable/topics/repeatable-installs/"


def check(train: Snapshot, serve: Snapshot) -> Iterator[Finding | Unknown]:
    """Look for what serving leaves open."""
    for name, ours, theirs in shared(train, serve, "distribution"):
        if theirs.version is not None or not ours.version or {"source", "candidates"} & theirs.attributes.keys():
            continue
        specifier = theirs.attributes.get("specifier")
        if specifier and allowed(ours.version, specifier) is False:
            continue
        severity: Severity = "warning" if is_needed(name) else "note"
        offer = f"fits {specifier}" if specifier else "the index has"
        yield Finding(
            severity,
            name,
            f"The next installation of serving takes the newest {name} that {offer}, not necessarily {ours.version}.",
            f"Pin it: {pin(name, ours)}",
            shown(ours),
            shown(theirs),
            REFERENCE,
            attributes(name, "version", "specifier"),
        )


RULE = Rule(check)
