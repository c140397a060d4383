"""A package in serving loads a system library that serving does not have.

## What it compares

The packages of serving for which it is known that their wheels take a library from the system
(knowledge/oslibs.toml), against the Debian or Ubuntu packages of serving. A missing one is an error, unless training
lacks it too.

## Why it breaks

Slim images leave out what wheels may expect: the library of OpenMP, of OpenGL, of sound. The import ends in "OSError:
libgomp.so.1: cannot open shared object file: No such file or directory".

## Example

Serving is `python:3.11-slim` with lightgbm and without libgomp1: an error.

## How to fix

`apt-get update && apt-get install -y libgomp1`.

## What it cannot see

Other package managers than dpkg, libraries that conda or a copy brought, and packages that are not in the table.
"""

from __future__ import annotations

from collections.abc import Iterator

from envaudit.knowledge import load
from envaudit.model import Component, Finding, Gap, Snapshot, Unknown
from envaudit.rules import Rule
from envaudit.rules._helpers import listed, real
from envaudit.rules._versions import compare


def check(train: Snapshot, serve: Snapshot) -> Iterator[Finding | Unknown]:
    """Look for the system packages of each package that needs some."""
    if not train.of("os-package") and not serve.of("os-package"):
        return
    installed = serve.of("distribution")
    needs = load("oslibs")
    for name in sorted(needs.keys() & installed.keys()):
        need, component = needs[name], installed[name]
        if "conda" in component.attributes or not _applies(need, component):
            continue
        gap = serve.find("os-package", need["debian"][0])
        if isinstance(gap, Gap):
            if train.of("os-package") and not serve.of("os-package"):
                yield Unknown(name, f"{need['library']}: not seen in serving: {gap.reason}")
            continue
        gone = _gone(serve, need["debian"])
        if not gone or (_managed(train) and gone == _gone(train, need["debian"])):
            continue
        yield Finding(
            "error",
            name,
            f"{name} loads {need['library']} from the system, and serving does not have it: {need['error']}.",
            f"apt-get update && apt-get install -y {' '.join(gone)}",
            None,
            f"without {listed(gone)}",
            need["source"],
            real(train, serve, (("os-package", package, "*") for package in gone)),
        )


def _applies(need: dict[str, str], component: Component) -> bool:
    if "below" not in need:
        return True
    return component.version is not None and (compare(component.version, need["below"]) or 0) < 0


def _managed(snapshot: Snapshot) -> bool:
    """Whether dpkg manages the system, whose names the table holds."""
    return any(package.attributes.get("manager") == "dpkg" for package in snapshot.of("os-package").values())


def _gone(snapshot: Snapshot, wanted: list[str]) -> list[str]:
    """Which of the system packages are not installed, under their own or their ``t64`` name."""
    if not _managed(snapshot):
        return []
    packages = snapshot.of("os-package")
    return [name for name in wanted if name not in packages and f"{name}t64" not in packages]


RULE = Rule(check)
