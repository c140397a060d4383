"""Lines of text for people: 80 columns, colour where it is wanted, and nothing that steers the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from envaudit.model import Component, Snapshot
from envaudit.reports import plain

WIDTH: Final = 80
COLORS: Final = {"error": "31;1", "warning": "33", "note": "36", "ok": "32;1", "dim": "2"}


class Paint:
    """Colours a text, or leaves it as it is."""

    def __init__(self, on: bool) -> None:
        self.on = on

    def __call__(self, text: str, color: str) -> str:
        return f"\033[{COLORS[color]}m{text}\033[0m" if self.on else text


def wrap(text: str, first: str, rest: str) -> list[str]:
    """Words in lines of at most 80 columns; a longer word (an address, a path) keeps its line to itself."""
    lines = [first]
    empty = True
    for word in plain(text).split(" "):
        if not empty and len(lines[-1]) + 1 + len(word) > WIDTH:
            lines.append(rest + word)
        else:
            lines[-1] += word if empty else " " + word
        empty = False
    return lines


def limited(text: str, first: str = "", rest: str = "  ", most: int = 4) -> list[str]:
    """The same, and of a long text only the first lines."""
    lines = wrap(text, first, rest)
    return lines if len(lines) <= most else [*lines[:most], f"{rest}... (all of it with --format json)"]


def clip(line: str) -> str:
    """One line, cut where it is too long."""
    line = plain(line)
    return line if len(line) <= WIDTH else line[: WIDTH - 3] + "..."


def place(snapshot: Snapshot) -> str:
    """Where a snapshot was taken and what is there, in a line: ``venv .venv: CPython 3.11.7, 9 distributions``."""
    return f"{_quoted(snapshot)}: {', '.join(_summary(snapshot))}"


def _quoted(snapshot: Snapshot) -> str:
    environment = snapshot.target.environment
    if snapshot.target.kind == "here" and environment is not None:
        return f"environment {environment.prefix}"  # "here" may have been elsewhere, when the file was written
    return f"{snapshot.target.kind} {snapshot.target.reference}"


def _summary(snapshot: Snapshot) -> Iterator[str]:
    python = snapshot.find("python", "python")
    if isinstance(python, Component) and python.version:
        names = {"cpython": "CPython", "pypy": "PyPy"}
        implementation = str(python.attributes.get("implementation", "python"))
        yield f"{names.get(implementation, implementation)} {python.version}"
    if "distribution" in snapshot.components:
        count = len(snapshot.of("distribution"))
        yield f"{count} distribution{'' if count == 1 else 's'}"
    release = snapshot.find("os", "release")
    if isinstance(release, Component):
        yield f"{release.attributes.get('id', 'os')} {release.version or ''}".strip()
    libc = snapshot.find("libc", "libc")
    if isinstance(libc, Component):
        yield f"{libc.attributes.get('family')} {libc.version or ''}".strip()
    machine = snapshot.find("machine", "machine")
    if isinstance(machine, Component):
        yield str(machine.attributes.get("architecture"))
