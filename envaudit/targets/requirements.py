"""``requirements://PATH``: a requirements file of pip or uv, with all that it includes."""

from __future__ import annotations

import os

from envaudit.errors import TargetError
from envaudit.evidence import Evidence, Options, Request, Target


def gather(reference: str, request: Request, options: Options) -> Evidence:
    """Its lines, and the ``pyproject.toml`` of local projects that it installs, which says their names."""
    from envaudit.targets import _requirement_lines

    if not os.path.exists(reference):
        raise TargetError(f"{reference}: no such file")
    found = _requirement_lines.read(reference)
    return Evidence(
        offers=frozenset({"requirements"}),
        unseen="a requirements file does not say",
        requirements=found.lines,
        comments=found.comments,
        files=_requirement_lines.projects(found.lines),
    )


def claims(path: str) -> bool:
    """A file whose name says so, or another ``.txt`` or ``.in`` file that starts like one."""
    if not path.endswith((".txt", ".in")) or not os.path.isfile(path):
        return False
    name = os.path.basename(path).lower()
    if "requirements" in name or "constraints" in name:
        return True
    from envaudit.targets import _requirement_lines

    return _requirement_lines.looks_like_one(path)


TARGET = Target(kind="requirements", schemes=("requirements",), gather=gather, claims_path=claims)
