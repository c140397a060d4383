"""Version, label and wheel tags of a package are the same, but its files are not.

## What it compares

The digest over the RECORD of each package whose version and label agree. Where the wheel tags agree too, another
digest is a warning for packages that models depend on and a note for others. Where the tags differ (another Python, C
library or machine), one note names all such packages.

## Why it breaks

The same version can be built twice: by another compiler, against another BLAS, with a patch, or on the user's machine
because no wheel fitted. Such builds differ in the last digits, and sometimes in behaviour.

## Example

numpy 1.26.4 from PyPI in training, numpy 1.26.4 built from source in serving: a warning.

## How to fix

Install the same wheel: `pip install --only-binary :all: --force-reinstall --no-deps 'numpy==1.26.4'`.

## What it cannot see

What differs inside. Packages that no installer recorded have no digest.
"""

from __future__ import annotations

from collections.abc import Iterator

from envaudit.model import Component, Finding, Severity, Snapshot, Unknown
from envaudit.rules import Rule
from envaudit.rules._helpers import attributes, listed, shared
from envaudit.rules._packages import is_needed, pin

REFERENCE = "https://packaging.python.org/en/latest/specifications/recording-installed-packages/"
EXPLAINED = ("label", "source", "conda")
"""Where one of these differs another rule has said why the files do."""


def check(train: Snapshot, serve: Snapshot) -> Iterator[Finding | Unknown]:
    """Compare digests, then tags."""
    wheels: list[tuple[str, Component, Component]] = []
    for name, ours, theirs in shared(train, serve, "distribution"):
        before, after = ours.attributes, theirs.attributes
        if ours.version is None or ours.version != theirs.version:
            continue
        if any(before.get(key) != after.get(key) for key in EXPLAINED):
            continue
        if before.get("tags") != after.get("tags"):
            if before.get("tags") and after.get("tags"):
                wheels.append((name, ours, theirs))
        elif before.get("build") and after.get("build") and before["build"] != after["build"]:
            yield _rebuilt(name, ours)
    if wheels:
        yield _other_wheels(wheels)


def _rebuilt(name: str, ours: Component) -> Finding:
    severity: Severity = "warning" if is_needed(name) else "note"
    return Finding(
        severity,
        name,
        f"The files of {name} {ours.version} differ although the version is the same: it was built or patched "
        "separately, and may give other results.",
        f"pip install --only-binary :all: --force-reinstall --no-deps '{pin(name, ours)}'",
        "one build",
        "another build",
        REFERENCE,
        attributes(name, "build"),
    )


def _other_wheels(wheels: list[tuple[str, Component, Component]]) -> Finding:
    names = [name for name, _, _ in wheels]
    _, ours, theirs = wheels[0]
    return Finding(
        "note",
        "wheels",
        f"{listed(names)} come as wheels for another Python, C library or machine; the version is the same.",
        "Nothing has to be done where the findings on Python, libc and machine are settled",
        listed(ours.attributes["tags"], 2),
        listed(theirs.attributes["tags"], 2),
        REFERENCE,
        tuple(key for name in names for key in attributes(name, "tags", "build")),
    )


RULE = Rule(check)
