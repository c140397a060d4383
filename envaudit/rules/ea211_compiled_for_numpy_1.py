"""Serving has NumPy 2 beside a package that was compiled for NumPy 1.

## What it compares

Serving's numpy, where it is 2 or newer, against the packages of serving whose first release for NumPy 2 is known
(knowledge/numpy2.toml). An older one is an error, unless training has the same mismatch.

## Why it breaks

Compiled code holds the layout of NumPy's structures. NumPy 2 changed it, so importing such a package ends in
"ValueError: numpy.dtype size changed, may indicate binary incompatibility". Older releases do not forbid NumPy 2 in
their metadata, so pip installs the pair without a word.

## Example

Serving has pandas 1.5.3 and numpy 2.1.3: an error.

## How to fix

Install training's numpy, or one below 2: `pip install 'numpy<2'`.

## What it cannot see

Packages that are not in the table, and packages that were built from source against the numpy that is there.
"""

from __future__ import annotations

from collections.abc import Iterator

from envaudit.model import Component, Finding, Snapshot, Unknown
from envaudit.rules import Rule
from envaudit.rules._packages import for_numpy_1, install
from envaudit.rules._versions import release


def check(train: Snapshot, serve: Snapshot) -> Iterator[Finding | Unknown]:
    """Look for packages that are too old for serving's numpy."""
    if not _is_numpy_2(serve):
        return
    numpy = serve.of("distribution")["numpy"]
    there = train.of("distribution").get("numpy")
    fix = install(("numpy", there)) if there is not None and not _is_numpy_2(train) else "pip install 'numpy<2'"
    accepted = {name for name, _, _ in _too_old(train)} if _is_numpy_2(train) else set()
    for name, component, source in _too_old(serve):
        if name not in accepted:
            yield Finding(
                "error",
                name,
                f"{name} {component.version} was compiled for NumPy 1; importing it with numpy {numpy.version} ends in "
                "ValueError: numpy.dtype size changed, may indicate binary incompatibility.",
                fix,
                None,
                f"{name} {component.version} with numpy {numpy.version}",
                source,
            )


def _is_numpy_2(snapshot: Snapshot) -> bool:
    numpy = snapshot.of("distribution").get("numpy")
    numbers = release(numpy.version) if numpy is not None and numpy.version else None
    return numbers is not None and numbers[0] >= 2


def _too_old(snapshot: Snapshot) -> Iterator[tuple[str, Component, str]]:
    for name, component in snapshot.of("distribution").items():
        source = component.version and for_numpy_1(name, component.version)
        if source:
            yield name, component, source


RULE = Rule(check)
