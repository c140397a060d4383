"""What was drawn from the files of packages, kept on disk by their contents: the second look at a target is cheap.

An entry's name is the SHA-256 of what its facts were drawn from and of the code that drew them, so neither where a file
lies nor its date matters, and no entry is ever out of date. An entry holds its own name and the facts as JSON, packed
with zlib, whose checksum tells a damaged one; what cannot be read is drawn again and written over. Only data is kept,
so that nothing in the folder is ever executed. It may be deleted at any time and shared by processes; where it cannot
be written, nothing is kept.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
import zlib
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import Final

from envaudit import __version__
from envaudit.model import Json
from envaudit.surface._cache import home, write

SHARE: Final = 1024 * 1024
"""Bytes that each of the 256 folders may hold: 256 MB in all. Those that were not used for longest go first."""
_CAP: Final = 64 * 1024 * 1024
"""Unpacked bytes beyond which an entry is none."""
_DAY: Final = 86_400.0
"""Seconds after which the use of an entry is noted again."""


class Facts:
    """The folder ``facts`` beside the wheels'."""

    def __init__(self, folder: str | None = None) -> None:
        self.folder = os.path.join(home(folder), "facts")

    def kept(self, kind: str, data: bytes, draw: Callable[[], Json], *code: str) -> Json:
        """What ``draw`` makes of ``data``: called only where it was not kept.

        ``kind`` says what else the facts depend on, ``code`` names the source files of what draws them. What ``draw``
        raises is raised, and nothing is kept then.
        """
        digest = hashlib.sha256(f"{kind} {_edition(*code)}\0".encode())
        digest.update(data)
        name = digest.hexdigest()
        path = os.path.join(self.folder, name[:2], name[2:])
        entry = _read(path)
        if isinstance(entry, list) and len(entry) == 2 and entry[0] == name:
            return entry[1]
        facts = draw()
        write(path, zlib.compress(json.dumps([name, facts], separators=(",", ":")).encode(), 1))
        _prune(os.path.dirname(path))
        return facts


@cache
def _edition(*code: str) -> str:
    """A digest of source files; the version of envaudit where they are not at hand."""
    digest = hashlib.sha256(__version__.encode())
    for path in code:
        with suppress(OSError), open(path, "rb") as stream:
            digest.update(stream.read())
    return digest.hexdigest()


def _read(path: str) -> Json:
    """The JSON of an entry, noted as used; None where it cannot be read."""
    try:
        with open(path, "rb") as stream:
            packed, used = stream.read(), os.fstat(stream.fileno()).st_mtime
        unpacker = zlib.decompressobj()
        data = unpacker.decompress(packed, _CAP)
        found = json.loads(data) if unpacker.eof else None
    except (OSError, zlib.error, ValueError, RecursionError):
        return None
    if time.time() - used > _DAY:
        with suppress(OSError):
            os.utime(path)
    return found


def _prune(folder: str) -> None:
    """Keep a folder within its share; what another process removes meanwhile is gone all the same."""
    try:
        with os.scandir(folder) as entries:
            files = sorted(((stat := entry.stat()).st_mtime, stat.st_size, entry.path) for entry in entries)
        excess = sum(size for _, size, _ in files) - SHARE
        for _, size, path in files:
            if excess <= 0:
                break
            os.remove(path)
            excess -= size
    except OSError:
        return
