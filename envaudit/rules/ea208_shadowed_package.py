"""Serving has a package twice on its module search path, so that one copy hides the other.

## What it compares

The further copies of each package on sys.path (`shadowed`): in another folder, or in the same folder, where two
metadata folders of one package lie side by side. What training had as well is left out.

## Why it breaks

Which copy is imported depends on the order of sys.path, which PYTHONPATH, the working folder, .pth files and the
user's site-packages change. Another start command, another version.

In one folder the files of both versions are mixed: what both have is there once, of the version that was written
last; what only one has is there as well. So it comes about where a layer of an image writes over another: `COPY
--from=builder …/site-packages …/site-packages` merges and removes nothing. `importlib.metadata` tells the version of
either.

## Example

numpy 1.26.4 in the virtual environment and numpy 1.24.0 in /usr/lib/python3/dist-packages: a warning.

## How to fix

Remove one of the two copies: `pip uninstall -y numpy` removes the first one found, then install the wanted version.
Where they lie in one folder, remove both before. In a Dockerfile, copy a virtual environment into a folder that the
base image does not have: `COPY --from=builder /opt/venv /opt/venv`.

## What it cannot see

Modules without metadata that hide a package, such as a file `random.py` in the working folder.
"""

from __future__ import annotations

from collections.abc import Iterator

from envaudit.model import Component, Finding, Snapshot, Unknown
from envaudit.rules import Rule
from envaudit.rules._helpers import attributes, listed, shown
from envaudit.rules._packages import pin

REFERENCE = "https://docs.python.org/3/library/sys_path_init.html"
MERGED = "https://github.com/nautobot/nautobot-docker-compose/issues/126"


def check(train: Snapshot, serve: Snapshot) -> Iterator[Finding | Unknown]:
    """Look at the copies that only serving has."""
    for name, theirs in sorted(serve.of("distribution").items()):
        if not theirs.attributes.get("shadowed"):
            continue
        ours = train.of("distribution").get(name)
        hidden = _versions(theirs)
        if ours is not None and _versions(ours) == hidden:
            continue
        wanted = pin(name, ours or theirs)
        mixed = [str(copy.get("version")) for copy in theirs.attributes["shadowed"] if copy.get("beside")]
        text = (
            f"Serving holds further copies of {name} ({listed(hidden)}); which one is imported depends on the order of "
            "sys.path."
        )
        if mixed:
            text = (
                f"{name} {shown(theirs)} and {listed(mixed)} were installed into one folder, one over the other: files "
                "of both are mixed there, and either may be told as its version."
            )
        yield Finding(
            "warning",
            name,
            text,
            " && ".join([f"pip uninstall -y {name}"] * (1 + len(mixed)) + [f"pip install '{wanted}'"]),
            "one copy" if ours and not _versions(ours) else None,
            f"{shown(theirs)} {'beside' if mixed else 'hides'} {listed(hidden)}",
            MERGED if mixed else REFERENCE,
            attributes(name, "shadowed"),
        )


def _versions(component: Component) -> list[str]:
    return sorted(str(copy.get("version")) for copy in component.attributes.get("shadowed", ()))


RULE = Rule(check)
