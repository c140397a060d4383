"""Bzip2 files: in a stream of its own behind the model's, which readers take for more of the same data.

The data then are the model's pickle and, behind it, the record's (:mod:`envaudit.embedding.pickle_stream`).
"""

from __future__ import annotations

import bz2
import re
from functools import partial
from typing import Final

from envaudit.artifacts import compression_of
from envaudit.embedding import _tail
from envaudit.embedding._embedding import MAX_PACKED
from envaudit.embedding._file import File, Split, embedding
from envaudit.embedding._pieces import Pieces, Span
from envaudit.errors import EmbeddingError
from envaudit.needs import RECORD

_START: Final = re.compile(rb"BZh[1-9]1AY&SY", re.DOTALL)
"""A stream and its first block (bzip2's format has no specification; the magic numbers are those of its compress.c)."""
_LONGEST_START: Final = 10
_CHUNK: Final = 1 << 20
_MAX: Final = MAX_PACKED
"""Bytes from the end in which a record is looked for."""


def claims(path: str, head: bytes) -> bool:
    """Bzip2's magic."""
    return compression_of(head) == "bz2"


def split(file: File) -> Split:
    """The last stream, if it is a record, and those before it."""
    start = _last_stream(file)
    if start:
        stream = file.part(start, file.size - start)
        try:
            decoder = bz2.BZ2Decompressor()
            frame = decoder.decompress(stream, MAX_PACKED)
        except OSError as error:
            raise EmbeddingError(f"{file.path}: damaged bzip2 data at byte {start}: {error}") from None
        if frame.startswith(RECORD):
            if not decoder.eof or decoder.unused_data:
                raise EmbeddingError(f"{file.path}: the snapshot in it is damaged: it does not end where it says")
            return Split(partial(_tail.unpickled, frame, file.path), (Span(0, start),))
    return Split(None, (Span(0, file.size),))


def _last_stream(file: File) -> int | None:
    """Where the last stream starts: streams say nothing of their length, but start at a byte."""
    end = file.size
    while end > max(0, file.size - _MAX):
        start = max(0, end - _CHUNK)
        found = list(_START.finditer(file.part(start, end - start + _LONGEST_START - 1)))
        if found:
            return start + found[-1].start()
        end = start
    return None


def place(file: File, own: Pieces, text: bytes) -> Pieces | None:
    """The model's streams, and the record's."""
    stream = bz2.compress(_tail.pickled(text))
    return (*own, stream) if len(stream) < _MAX else None


EMBEDDING = embedding("in a stream behind the model's", claims, split, place, formats=("pickle", "joblib"))
