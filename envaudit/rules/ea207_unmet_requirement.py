"""A package in serving has a requirement that serving itself does not meet, and that training did meet.

## What it compares

The requirements that each package of serving declares against what is installed there, as `pip check` does. What does
not hold in training either is left out. It is a warning, and an error where something that a package of models needs
(knowledge/packages.toml) is not installed at all.

## Why it breaks

The package says that it does not work with what is there: an import fails, or a call meets an API that it does not
know.

## Example

Serving has scikit-learn, which requires `numpy>=1.19.5`, and numpy 1.18.0: a warning.

## How to fix

Install what is required: `pip install 'numpy>=1.19.5'`.

## What it cannot see

Requirements that the package needs and does not declare.
"""

from __future__ import annotations

from collections.abc import Iterator

from envaudit.model import Component, Finding, Severity, Snapshot, Unknown
from envaudit.rules import Rule
from envaudit.rules._helpers import attributes, listed
from envaudit.rules._packages import is_needed

REFERENCE = "https://pip.pypa.io/en/stable/cli/pip_check/"


def check(train: Snapshot, serve: Snapshot) -> Iterator[Finding | Unknown]:
    """Look at what serving does not meet and training did."""
    if train.target.declared:
        return  # whether training met them, its lockfile does not say
    for name, theirs in sorted(serve.of("distribution").items()):
        if not theirs.attributes.get("unmet"):
            continue
        accepted = _requirements(train.of("distribution").get(name))
        new = [line for line in theirs.attributes["unmet"] if _requirement(line) not in accepted]
        if new:
            wanted = " ".join(f"'{_requirement(line)}'" for line in new)
            gone = is_needed(name) and any(line.endswith("(not installed)") for line in new)
            severity: Severity = "error" if gone else "warning"
            yield Finding(
                severity,
                name,
                f"{name} {theirs.version} declares that it does not work with what serving has: {listed(new, 3)}.",
                f"pip install {wanted}",
                "requirements met",
                listed(new, 3),
                REFERENCE,
                attributes(name, "unmet"),
            )


def _requirement(line: str) -> str:
    """``numpy>=2 (1.26.4 is installed)`` -> ``numpy>=2``; markers do not belong into the command that mends it."""
    return line.partition(" (")[0].partition(";")[0].strip()


def _requirements(component: Component | None) -> set[str]:
    return {_requirement(line) for line in component.attributes.get("unmet", ())} if component else set()


RULE = Rule(check)
