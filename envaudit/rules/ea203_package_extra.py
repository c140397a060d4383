"""Serving has packages that training did not have.

## What it compares

The names of all packages. What only serving has is told in one note.

## Why it breaks

It does not: a web framework and its dependencies belong there. It is told because an additional package may hide
another one, and because every package makes the image larger.

## Example

Serving has fastapi and uvicorn, training had not: one note.

## How to fix

Nothing has to be done. `pip uninstall -y NAME` removes what nothing needs.

## What it cannot see

Which of them the service needs.
"""

from __future__ import annotations

from collections.abc import Iterator

from envaudit.model import Finding, Snapshot, Unknown
from envaudit.rules import Rule
from envaudit.rules._gpu import lost
from envaudit.rules._helpers import listed
from envaudit.rules._packages import twin


def check(train: Snapshot, serve: Snapshot) -> Iterator[Finding | Unknown]:
    """One note for all of them."""
    ours, theirs = train.of("distribution"), serve.of("distribution")
    swapped = {twin(name, theirs) for name in ours if name not in theirs}
    names = sorted(
        name for name in theirs if name not in ours and name not in swapped and train.find("distribution", name) is None
    )
    if not names or lost(serve, train):
        names = [name for name in names if not name.startswith("nvidia-")]
    if names:
        yield Finding(
            "note",
            "additional packages",
            "No effect on the model is known.",
            f"Nothing has to be done. To remove what nothing needs: pip uninstall -y {' '.join(names[:5])}",
            None,
            listed(names, len(names)),
            None,
            tuple(("distribution", name, "*") for name in names),
        )


RULE = Rule(check)
