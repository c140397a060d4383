"""Text files are read with another default encoding in serving than in training.

## What it compares

The encoding that `open()` uses by default, as it follows from PYTHONUTF8, LC_ALL, LC_CTYPE and LANG in this order;
the C and POSIX locales count as UTF-8, to which Python coerces them. Another encoding is a warning. Other values with
the same effect are a note.

## Why it breaks

A vocabulary, a list of labels or a configuration file with other than ASCII characters is read as different text, or
ends in UnicodeDecodeError.

## Example

Training with LANG=de_DE.UTF-8, serving with LANG=de_DE.ISO-8859-1: a warning.

## How to fix

`ENV LANG=C.UTF-8`, or `ENV PYTHONUTF8=1`.

## What it cannot see

Code that names an encoding, as it should.
"""

from __future__ import annotations

from collections.abc import Iterator

from envaudit.model import Finding, Gap, Snapshot, Unknown
from envaudit.rules import Rule
from envaudit.rules._helpers import ENCODING, listed

REFERENCE = "https://peps.python.org/pep-0538/"


def check(train: Snapshot, serve: Snapshot) -> Iterator[Finding | Unknown]:
    """Compare the effect, then the values."""
    if any(isinstance(side.find("setting", name), Gap) for side in (train, serve) for name in ENCODING):
        return
    changed = [name for name in ENCODING if train.of("setting").get(name) != serve.of("setting").get(name)]
    if not changed:
        return
    covers = tuple(("setting", name, "*") for name in changed)
    before, after = _effective(train), _effective(serve)
    if before and after and before != after:
        yield Finding(
            "warning",
            "text encoding",
            f"Text files that training read as {before} are read as {after}, unless the code names the encoding: other "
            "text, or UnicodeDecodeError.",
            "ENV PYTHONUTF8=1" if before == "utf-8" else f"ENV LANG={_value(train, 'LANG') or 'C.UTF-8'}",
            before,
            after,
            REFERENCE,
            covers,
        )
        return
    yield Finding(
        "note",
        "locale",
        f"{listed(changed)}: the default text encoding is the same.",
        " ".join(["ENV", *(f"{name}={_value(train, name) or ''}" for name in changed)]),
        _all(train, changed),
        _all(serve, changed),
        REFERENCE,
        covers,
    )


def _effective(snapshot: Snapshot) -> str | None:
    """The default encoding of open(), None where the locale does not name one."""
    if _value(snapshot, "PYTHONUTF8") == "1":
        return "utf-8"
    locale = next((value for name in ("LC_ALL", "LC_CTYPE", "LANG") if (value := _value(snapshot, name))), "C")
    if locale in ("C", "POSIX"):
        return "utf-8"
    charset = locale.partition("@")[0].partition(".")[2].lower()
    return "utf-8" if charset in ("utf8", "utf-8") else charset or None


def _value(snapshot: Snapshot, name: str) -> str | None:
    component = snapshot.of("setting").get(name)
    return component.version if component is not None else None


def _all(snapshot: Snapshot, names: list[str]) -> str:
    return ", ".join(
        f"{name}={_value(snapshot, name)}" if _value(snapshot, name) else f"{name} unset" for name in names
    )


RULE = Rule(check)
