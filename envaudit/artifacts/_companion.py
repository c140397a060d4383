"""Files that joblib < 0.10 wrote beside the pickle, one for each array. Of a companion only the header is read."""

from __future__ import annotations

import os
import stat

from envaudit.artifacts._format import Source
from envaudit.artifacts._npy import read_npy
from envaudit.artifacts._reader import FileStream, Reader
from envaudit.artifacts._state import State
from envaudit.errors import ArtifactError
from envaudit.needs import Array

MAX_COMPANIONS = 1000


def find_companions(m: State, source: Source) -> None:
    """Let the machine look at companions of this file."""
    left = iter(range(MAX_COMPANIONS))

    def look(name: str) -> Array | None:
        # The name comes from the file: it may not lead out of the folder.
        if name != os.path.basename(name) or name in ("", ".", "..") or "\0" in name or next(left, None) is None:
            return None
        path = os.path.join(os.path.dirname(source.path), name)
        try:
            if not stat.S_ISREG(os.lstat(path).st_mode):
                return None
            with open(path, "rb") as file:
                size = os.fstat(file.fileno()).st_size
                with m.inside(Reader(FileStream(file, 0, size), path)):
                    return read_npy(m)
        except (OSError, ArtifactError):
            return None

    m.companion = look
