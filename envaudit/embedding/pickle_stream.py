"""Pickles and uncompressed joblib files: behind the model's pickle, where no loader reads on.

``pickle.load`` and ``joblib.load`` stop at the STOP opcode (docs.python.org/3/library/pickle.html: "bytes past the
pickled representation of the object are ignored"), so the end of the file is written and nothing else.
"""

from __future__ import annotations

from envaudit.embedding import _tail
from envaudit.embedding._file import File, Split, embedding
from envaudit.embedding._pieces import Pieces, Span

_FOREIGN = (
    b"PK",
    b"\x1f\x8b",
    b"BZh",
    b"\xfd7zXZ\x00",
    b"\x5d\x00\x00",
    b"\x04\x22\x4d\x18",
    b"\x28\xb5\x2f\xfd",
    b"ZF",
)


def claims(path: str, head: bytes) -> bool:
    """No archive and not compressed; that it is a pickle, reading it has shown."""
    is_zlib = len(head) > 1 and head[0] == 0x78 and (head[0] << 8 | head[1]) % 31 == 0
    return bool(head) and not head.startswith(_FOREIGN) and not is_zlib


def split(file: File) -> Split:
    """The record at the end, and what stands before."""
    start = _tail.start_of(file, after=1)
    if start is None:
        return Split(None, (Span(0, file.size),))
    return Split(_tail.unpickled(file.part(start, file.size - start), file.path), (Span(0, start),))


def place(file: File, own: Pieces, text: bytes) -> Pieces:
    """The model, and the record behind it."""
    return (*own, _tail.pickled(text))


EMBEDDING = embedding("behind the pickle", claims, split, place, formats=("pickle", "joblib"), in_place=True)
