"""``root://PATH`` or just ``PATH``: a folder that holds a whole root file system, which is not run."""

from __future__ import annotations

import os

from envaudit.errors import TargetError
from envaudit.evidence import Evidence, Options, Request, Target

_MARKS = ("etc/os-release", "usr/lib/os-release", "lib/apk/db", "var/lib/dpkg", "var/lib/rpm", "usr/lib/sysimage/rpm")


def gather(reference: str, request: Request, options: Options) -> Evidence:
    """Read the folder as if it were the root."""
    from envaudit.images.root import open_root
    from envaudit.targets import _static

    if not os.path.isdir(reference):
        raise TargetError(f"{reference}: there is no such folder")
    if not _holds_system(reference):
        raise TargetError(f"{reference}: holds no root file system (looked for {', '.join(_MARKS)})")
    return _static.gather(open_root(reference), {}, request, options, reference)


def claims(path: str) -> bool:
    """A folder other than this machine's root with what only a root file system has."""
    return os.path.isdir(path) and os.path.realpath(path) != "/" and _holds_system(path)


def _holds_system(path: str) -> bool:
    return any(os.path.lexists(os.path.join(path, mark)) for mark in _MARKS)


TARGET = Target(kind="root", schemes=("root",), gather=gather, claims_path=claims)
