"""What was drawn from the files of packages, kept on disk by their contents: the second look at a target is cheap.

An entry's name is the SHA-256 of what its facts were drawn from and of the code that drew them, so neither where a file
lies nor its date matters, and no entry is ever out of date. What cannot be read is drawn again and written over.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from typing import Final

from envaudit import cache
from envaudit.model import Json

SHARE: Final = 1024 * 1024
"""Bytes that each of the 256 folders may hold: 256 MB in all."""
CAP: Final = 64 * 1024 * 1024
"""Unpacked bytes beyond which an entry is none."""


class Facts:
    """The folder ``facts`` beside the wheels'."""

    def __init__(self, folder: str | None = None) -> None:
        self.folder = os.path.join(cache.home(folder), "facts")

    def kept(self, kind: str, data: bytes, draw: Callable[[], Json], *code: str) -> Json:
        """What ``draw`` makes of ``data``: called only where it was not kept.

        ``kind`` says what else the facts depend on, ``code`` names the source files of what draws them. What ``draw``
        raises is raised, and nothing is kept then.
        """
        digest = hashlib.sha256(f"{kind} {cache.edition(*code)}\0".encode())
        digest.update(data)
        name = digest.hexdigest()
        path = os.path.join(self.folder, name[:2], name[2:])
        found = cache.kept(path, name, CAP)
        if found is not None:
            return found[0]
        facts = draw()
        cache.keep(path, name, facts, SHARE)
        return facts
