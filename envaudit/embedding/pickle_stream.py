"""Pickles and uncompressed joblib files: behind the model's pickle, where no loader reads on.

``pickle.load`` and ``joblib.load`` stop at the STOP opcode (docs.python.org/3/library/pickle.html: "bytes past the
pickled representation of the object are ignored"), so the end of the file is written and nothing else.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from envaudit.artifacts import compression_of
from envaudit.embedding import _tail
from envaudit.embedding._embedding import MAX_PACKED
from envaudit.embedding._file import File, Split, cut_off, embedding
from envaudit.embedding._pieces import Pieces, Span
from envaudit.errors import EmbeddingError
from envaudit.needs import RECORD, Needs

_ARCHIVES: Final = (b"PK", b"ZF")
"""How zip archives begin, and the compressed files of joblib before 0.10."""


def claims(path: str, head: bytes) -> bool:
    """No archive and not compressed; that it is a pickle, reading it has shown."""
    return bool(head) and compression_of(head) is None and not head.startswith(_ARCHIVES)


def split(file: File) -> Split:
    """The record at the end, and what stands before."""
    start = _tail.start_of(file, after=1)
    if start is None:
        return Split(None, (Span(0, file.size),))
    frame = file.part(start, file.size - start)
    if not frame.startswith(RECORD):
        raise EmbeddingError(f"{file.path}: the snapshot in it is damaged: it does not begin where it says")
    return Split(partial(_tail.unpickled, frame, file.path), (Span(0, start),))


def place(file: File, own: Pieces, text: bytes) -> Pieces:
    """The model, and the record behind it."""
    return (*own, _tail.pickled(text))


def mend(path: str, needs: Needs | None) -> bool:
    """What begins as a record behind the pickle, and reaches to the end of the file, but is none."""
    at = None if needs is None else needs.record_at
    return at is not None and cut_off(path, lambda file: at if _is_remnant(file, at) else None)


def _is_remnant(file: File, at: int) -> bool:
    try:
        if split(file).text is not None:
            return False
    except EmbeddingError:
        pass
    head = file.part(at, len(RECORD) + 4)
    length = int.from_bytes(head[len(RECORD) :], "little")
    return RECORD.startswith(head[: len(RECORD)]) and at + len(head) + length + len(b".") >= file.size


EMBEDDING = embedding(
    "behind the pickle", claims, split, place, formats=("pickle", "joblib"), in_place=MAX_PACKED
)._replace(mend=mend)
