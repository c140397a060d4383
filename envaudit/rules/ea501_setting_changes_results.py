"""An environment variable that changes results or behaviour has another value in serving, or is set on one side only.

## What it compares

The variables of an allow-list (knowledge/settings.toml), unset included. Those that change results are a warning,
thread counts and what differs from host to host by nature (paths, visible GPUs) a note. Locale and encoding are left
to EA502.

## Why it breaks

Such variables choose numeric kernels, the number of threads and thereby the order of sums, the order of sets, or from
where modules are imported. The packages are the same, and the answers are not.

## Example

Training with PYTHONHASHSEED=0, serving without: a warning.

## How to fix

Set the same value: `ENV PYTHONHASHSEED=0` in the Dockerfile.

## What it cannot see

Settings made in code, and what an entrypoint script exports when only the image was looked at.
"""

from __future__ import annotations

from collections.abc import Iterator

from envaudit.knowledge import load
from envaudit.model import Component, Finding, Severity, Snapshot, Unknown
from envaudit.rules import Rule
from envaudit.rules._helpers import ENCODING, unseen_kind


def check(train: Snapshot, serve: Snapshot) -> Iterator[Finding | Unknown]:
    """Compare every variable of the allow-list."""
    unknown = unseen_kind(train, serve, "setting", "settings")
    if unknown:
        yield unknown
        return
    ours, theirs = train.of("setting"), serve.of("setting")
    if ours == theirs:
        return
    table = load("settings")
    for name in sorted(ours.keys() | theirs.keys()):
        before, after = train.find("setting", name), serve.find("setting", name)
        if before == after or name not in table or name in ENCODING:
            continue
        if (before is None or isinstance(before, Component)) and (after is None or isinstance(after, Component)):
            yield _finding(name, table[name], before, after)


def _finding(name: str, entry: dict[str, str], before: Component | None, after: Component | None) -> Finding:
    severity: Severity = "warning" if entry["compare"] == "equal" and entry["severity"] == "warning" else "note"
    text = f"Its effect: {entry['effect']}."
    if entry["compare"] == "equal":
        text += " Serving may give other answers than training."
    value = before.version if before is not None else None
    fix = f"ENV {name}={value}" if value is not None else f"unset {name}"
    return Finding(severity, name, text, fix, _shown(before), _shown(after), entry["source"], (("setting", name, "*"),))


def _shown(component: Component | None) -> str:
    return "unset" if component is None else str(component.version)


RULE = Rule(check)
