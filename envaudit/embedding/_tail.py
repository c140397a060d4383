"""A record at the end of a file: a frame that says from behind how long it is.

Inside of pickled bytes the frame is a pickle of its own, which holds nothing but bytes: loaders stop before it, and
tools that read on find an ordinary pickle.
"""

from __future__ import annotations

import struct
from typing import Final

from envaudit.embedding import _records
from envaudit.embedding._embedding import MAX_PACKED
from envaudit.embedding._file import File
from envaudit.errors import EmbeddingError
from envaudit.needs import RECORD

_END: Final = b"end of envaudit record"
_COUNT: Final = struct.Struct("<I")
CLOSING: Final = _COUNT.size + len(_END)
"""Bytes behind the record."""


def closed(data: bytes, before: int, after: int = 0) -> bytes:
    """The data with its closing: the length of the frame, with what stands ``before`` and ``after``, and a mark."""
    return data + _COUNT.pack(before + len(data) + CLOSING + after) + _END


def start_of(file: File, after: int = 0) -> int | None:
    """Where a frame at the end of a file starts, told by its closing. None where there is none."""
    tail = file.part(max(0, file.size - CLOSING - after), CLOSING)
    if len(tail) < CLOSING or not tail.endswith(_END):
        return None
    (length,) = _COUNT.unpack_from(tail)
    if not CLOSING + after < length <= file.size:
        raise EmbeddingError(f"{file.path}: the snapshot in it is damaged: it says that it has {length} bytes")
    if length > MAX_PACKED:
        raise EmbeddingError(f"{file.path}: the snapshot in it has {length} bytes, which is too much to be one")
    return int(file.size - length)


def pickled(text: bytes) -> bytes:
    """A record as a pickle that can follow another one: :data:`~envaudit.needs.RECORD`, BINBYTES, STOP."""
    data = closed(_records.packed(text), len(RECORD) + _COUNT.size, after=1)
    return RECORD + _COUNT.pack(len(data)) + data + b"."


def unpickled(frame: bytes, where: str) -> bytes:
    """The text of a record from the bytes of its pickle. Raises :class:`~envaudit.errors.EmbeddingError`."""
    start = len(RECORD) + _COUNT.size
    if not frame.startswith(RECORD) or len(frame) < start + CLOSING + 1:
        raise EmbeddingError(f"{where}: the snapshot in it is damaged: it does not begin where it says")
    return _records.unpacked(frame[start : -CLOSING - 1], where)
