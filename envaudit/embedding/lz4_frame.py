"""LZ4 files: in a skippable frame behind the model's, made for "user-defined data" (LZ4 frame format, "Skippable
Frames")."""

from __future__ import annotations

import struct
from functools import partial
from typing import Final

from envaudit.artifacts import compression_of
from envaudit.embedding import _records, _tail
from envaudit.embedding._file import File, Split, embedding
from envaudit.embedding._pieces import Pieces, Span
from envaudit.errors import EmbeddingError

_SKIPPABLE: Final = 0x184D2A5E
_HEADER: Final = struct.Struct("<II")


def claims(path: str, head: bytes) -> bool:
    """The magic of an LZ4 frame."""
    return compression_of(head) == "lz4"


def split(file: File) -> Split:
    """The frame at the end, and what stands before."""
    start = _tail.start_of(file)
    if start is None:
        return Split(None, (Span(0, file.size),))
    frame = file.part(start, file.size - start)
    if len(frame) < _HEADER.size or _HEADER.unpack_from(frame) != (_SKIPPABLE, len(frame) - _HEADER.size):
        raise EmbeddingError(f"{file.path}: the snapshot in it is damaged: it does not begin where it says")
    data = frame[_HEADER.size : -_tail.CLOSING]
    return Split(partial(_records.unpacked, data, file.path), (Span(0, start),))


def place(file: File, own: Pieces, text: bytes) -> Pieces | None:
    """The model's frames, and the record's."""
    data = _tail.closed(_records.packed(text), _HEADER.size)
    return (*own, _HEADER.pack(_SKIPPABLE, len(data)) + data)


EMBEDDING = embedding("in a frame behind the model's", claims, split, place, formats=("pickle", "joblib"))
