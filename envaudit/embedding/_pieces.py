"""A file as pieces of another one: what belongs to the model, and what was put in.

A digest of gigabytes takes seconds on one core. So it is taken over pieces, by as many threads as there are cores:
the SHA-256 of the concatenated SHA-256 digests of every 16 MiB, written ``sha256/16MiB:HEX``.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Final, NamedTuple

LEAF: Final = 16 << 20
_BLOCK: Final = 1 << 20
_THREADS: Final = 8
SCHEME: Final = "sha256/16MiB:"


class Span(NamedTuple):
    """Bytes that stand in the file."""

    start: int
    length: int


Pieces = tuple[Span | bytes, ...]
"""The bytes of a file in order, from another file or given."""


def length_of(pieces: Pieces) -> int:
    """Bytes of all pieces."""
    return sum(piece.length if isinstance(piece, Span) else len(piece) for piece in pieces)


def cut(pieces: Pieces, start: int, length: int) -> Pieces:
    """The pieces of a part."""
    found: list[Span | bytes] = []
    for piece in pieces:
        size = piece.length if isinstance(piece, Span) else len(piece)
        first, last = max(0, start), min(size, start + length)
        if first < last:
            found.append(
                Span(piece.start + first, last - first) if isinstance(piece, Span) else piece[first:last],
            )
        start -= size
    return tuple(found)


def blocks_of(descriptor: int, pieces: Pieces) -> Iterator[memoryview]:
    """The bytes of the pieces, a block at a time; each is valid until the next. Raises OSError, also for a file that
    became shorter."""
    buffer = memoryview(bytearray(_BLOCK))
    for piece in pieces:
        if isinstance(piece, bytes):
            yield memoryview(piece)
            continue
        at, end = piece
        end += at
        while at < end:
            count = os.preadv(descriptor, [buffer[: min(_BLOCK, end - at)]], at)
            if not count:
                raise OSError(f"it ends at byte {at}, and was longer before")
            yield buffer[:count]
            at += count


def digest_of(descriptor: int, pieces: Pieces) -> str:
    """The digest of the pieces, as ``sha256/16MiB:HEX``. Raises OSError."""
    total = length_of(pieces)
    leaves: list[bytes] = [b""] * max(1, -(-total // LEAF))
    errors: list[BaseException] = []
    left = iter(range(len(leaves)))
    lock = threading.Lock()

    def work() -> None:
        try:
            while not errors:
                with lock:
                    number = next(left, None)
                if number is None:
                    return
                digest = hashlib.sha256()
                for block in blocks_of(descriptor, cut(pieces, number * LEAF, LEAF)):
                    digest.update(block)
                leaves[number] = digest.digest()
        except BaseException as error:  # the others are to stop, at Ctrl-C as well
            errors.append(error)

    threads: list[threading.Thread] = []
    try:
        with suppress(RuntimeError):  # no more of them may be started: fewer do it too
            for _ in range(min(_THREADS, os.cpu_count() or 1, len(leaves)) - 1):
                threads.append(threading.Thread(target=work))
                threads[-1].start()
        work()
        for thread in filter(threading.Thread.is_alive, threads):
            thread.join()
    except BaseException as error:
        errors.append(error)
        raise
    if errors:
        raise errors[0]
    return SCHEME + hashlib.sha256(b"".join(leaves)).hexdigest()
