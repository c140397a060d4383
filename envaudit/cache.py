"""What was worked out once, kept on disk: one folder, JSON entries, bounded in size.

Only data is kept, so that nothing in the folder is ever executed. It may be deleted at any time and shared by
processes; where it cannot be written, nothing is kept.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
import zlib
from contextlib import suppress
from functools import cache
from threading import get_ident
from typing import Final

from envaudit import __version__
from envaudit.model import Json

_DAY: Final = 86_400.0
"""Seconds after which the use of an entry is noted again."""


def home(folder: str | None = None) -> str:
    """The folder of everything that is kept: the one given, else ``$ENVAUDIT_CACHE``, else
    ``$XDG_CACHE_HOME/envaudit``, else ``~/.cache/envaudit`` (XDG Base Directory Specification)."""
    user = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return folder or os.environ.get("ENVAUDIT_CACHE") or os.path.join(user, "envaudit")


def write(path: str, data: bytes) -> None:
    """Write a file whole or not at all; where it cannot be written there is none."""
    temporary = f"{path}.{os.getpid()}.{get_ident()}.tmp"
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        with open(temporary, "wb") as stream:
            stream.write(data)
        os.replace(temporary, path)
    except OSError:
        with suppress(OSError):
            os.remove(temporary)


def keep(path: str, name: str, value: Json, share: int) -> None:
    """Keep a value as the entry of that name, packed with zlib, whose checksum tells a damaged one.

    ``share`` is the number of bytes that the entry's folder may hold: those that were not used for longest go first.
    """
    write(path, zlib.compress(json.dumps([name, value], separators=(",", ":")).encode(), 1))
    _prune(os.path.dirname(path), share)


def kept(path: str, name: str, cap: int) -> tuple[Json] | None:
    """The value of an entry, noted as used; None where there is none, it cannot be read, or it has more than ``cap``
    bytes unpacked."""
    found = _read(path, cap)
    return (found[1],) if isinstance(found, list) and len(found) == 2 and found[0] == name else None


@cache
def edition(*code: str) -> str:
    """A digest of the source files that made an entry, which so is never out of date; of envaudit's version where they
    are not at hand."""
    digest = hashlib.sha256(__version__.encode())
    for path in code:
        with suppress(OSError), open(path, "rb") as stream:
            digest.update(stream.read())
    return digest.hexdigest()


def sources(*names: str) -> list[str]:
    """The source and data files of these folders and modules of envaudit, for :func:`edition`."""
    here = os.path.dirname(__file__)
    found = []
    for name in names:
        path = os.path.join(here, name)
        inner = sorted(os.listdir(path)) if os.path.isdir(path) else []
        found += [os.path.join(path, item) for item in inner if item.endswith((".py", ".toml"))] or [path]
    return found


def _read(path: str, cap: int) -> Json:
    """The JSON of an entry; None where it cannot be read."""
    try:
        with open(path, "rb") as stream:
            packed, used = stream.read(), os.fstat(stream.fileno()).st_mtime
        unpacker = zlib.decompressobj()
        data = unpacker.decompress(packed, cap)
        found = json.loads(data) if unpacker.eof else None
    except (OSError, zlib.error, ValueError, RecursionError):
        return None
    if time.time() - used > _DAY:
        with suppress(OSError):
            os.utime(path)
    return found


def _prune(folder: str, share: int) -> None:
    """Keep a folder within its share; what another process removes meanwhile is gone all the same."""
    try:
        with os.scandir(folder) as entries:
            files = sorted(((stat := entry.stat()).st_mtime, stat.st_size, entry.path) for entry in entries)
        excess = sum(size for _, size, _ in files) - share
        for _, size, path in files:
            if excess <= 0:
                break
            os.remove(path)
            excess -= size
    except OSError:
        return
