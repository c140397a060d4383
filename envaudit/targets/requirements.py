"""``requirements://PATH``: a requirements file of pip or uv, with all that it includes."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from envaudit.errors import LockfileError, TargetError
from envaudit.evidence import MIB, Evidence, FileText, Options, Request, RequirementLine, Target
from envaudit.targets import _requirement_lines

PROJECT: Final = "pyproject.toml"
_NAME: Final = re.compile(r"[^/]*(requirements|constraints)[^/]*\.(txt|in)$", re.IGNORECASE)
_LOOKED_AT: Final = 20
"""Lines by which a file of another name is told."""
_DISTRIBUTION: Final = r"[A-Za-z0-9][A-Za-z0-9._-]*\s*(?:\[[A-Za-z0-9._,\s-]*\])?"
_LIKELY: Final = re.compile(
    rf"{_DISTRIBUTION}$"
    rf"|(?P<sure>{_DISTRIBUTION}\s*(?:(?:===|==|~=|!=|>=|<=|>|<)\s*[A-Za-z0-9]|@\s*\S+(?::|/)\S))"
    r"|(?P<option>-[rcei]\s*\S|--(?:requirement|constraint|editable|index-url|extra-index-url|require-hashes)\b)"
)


def gather(reference: str, request: Request, options: Options) -> Evidence:
    """Its lines, and the ``pyproject.toml`` of local projects that it installs, which says their names."""
    if not Path(reference).exists():
        raise TargetError(f"{reference}: no such file")
    found = _requirement_lines.read(reference)
    return Evidence(
        offers=frozenset({"requirements"}),
        unseen="a requirements file does not say",
        requirements=found.lines,
        comments=found.comments,
        files=_projects(found.lines),
    )


def _projects(lines: Iterable[RequirementLine]) -> dict[str, FileText]:
    """The project files beside which a line installs from a folder, by path as collectors build it."""
    files: dict[str, FileText] = {}
    for line in lines:
        text = re.sub(r"^(-e\s*|--editable(=|\s+))", "", line.text)
        if text == line.text and not re.match(r"\.|/|file:|[^\s\[;=<>!~@]+/", text):
            continue
        place = re.split(r"\s|;|\[|#", text.removeprefix("file://").removeprefix("file:"), maxsplit=1)[0]
        path = os.path.normpath(Path(line.file).parent / place / PROJECT)
        try:
            with Path(path).open("rb") as stream:
                files[path] = FileText(stream.read(MIB).decode("utf-8", "replace"))
        except (OSError, ValueError):
            continue  # the collector says that the name is not known
    return files


def claims(path: str) -> bool:
    """A file whose name says so, or another ``.txt`` or ``.in`` file that starts like one."""
    if not path.endswith((".txt", ".in")) or not Path(path).is_file():
        return False
    return bool(_NAME.match(Path(path).name)) or _reads_like_requirements(path)


def _reads_like_requirements(path: str) -> bool:
    try:
        with Path(path).open("rb") as stream:
            text = _requirement_lines.decode(stream.read(65536), path)
    except (OSError, LockfileError):
        return False
    sure = False
    for count, (_, line) in enumerate(_requirement_lines.logical_lines(text)):
        match = _LIKELY.match(line)
        if match is None:
            return False
        sure = sure or bool(match["sure"] or match["option"])
        if count >= _LOOKED_AT:
            break
    return sure


TARGET = Target(kind="requirements", schemes=("requirements",), gather=gather, claims_path=claims)
