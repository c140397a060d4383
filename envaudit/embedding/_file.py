"""Models that are one file: opening them, locking them, and changing them whole or not at all."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final, NamedTuple

from envaudit import store
from envaudit.embedding import _records
from envaudit.embedding._embedding import Embedding, Identity, Record
from envaudit.embedding._pieces import Pieces, Span, blocks_of, digest_of, length_of
from envaudit.errors import EmbeddingError

HEAD: Final = 64
"""Bytes of the start of a file that an embedding is told by."""
LARGE: Final = 64 << 20
"""Bytes of a file from which on it is not copied where writing at its end will do."""


class File(NamedTuple):
    """An opened model file."""

    path: str
    descriptor: int
    size: int

    def part(self, start: int, length: int) -> bytes:
        """These bytes, or as many of them as there are. Raises OSError."""
        parts = []
        while length > 0 and (data := os.pread(self.descriptor, min(length, 1 << 24), start)):
            parts.append(data)
            start += len(data)
            length -= len(data)
        return b"".join(parts)


class Split(NamedTuple):
    """What rides in a file, and the rest."""

    text: bytes | None
    """The record; None where there is none."""
    own: Pieces
    """The model's own bytes."""


Place = Callable[[File, Pieces, bytes], "Pieces | None"]
"""``(file, own, text)`` -> the bytes of the whole file with the record in it; None where it has no room."""


def embedding(
    title: str,
    claims: Callable[[str, bytes], bool],
    split: Callable[[File], Split],
    place: Place,
    *,
    formats: tuple[str, ...],
    in_place: bool = False,
) -> Embedding:
    """An embedding of a format, from how its files are taken apart and put together.

    ``in_place``: of a large file only the end is written. Its loader does not mind a record that is not whole yet.
    """

    def read(path: str) -> Record | None:
        with opened(path) as file:
            text = split(file).text
        return None if text is None else _records.loads(text, path)

    def identity(path: str) -> Identity:
        with opened(path) as file:
            own = split(file).own
            return Identity(digest_of(file.descriptor, own), length_of(own))

    def blocks(path: str) -> Iterator[memoryview]:
        with opened(path) as file:
            yield from blocks_of(file.descriptor, split(file).own)

    def write(path: str, record: Record) -> bool:
        with opened(path, writable=True) as file:
            own = split(file).own
            tied = record._replace(digest=digest_of(file.descriptor, own), size=length_of(own))
            pieces = place(file, own, _records.dumps(tied))
            if pieces is None:
                return False
            _change(file, pieces, in_place)
            return True

    def remove(path: str) -> None:
        with opened(path, writable=True) as file:
            found = split(file)
            if found.text is not None:
                _change(file, found.own, in_place)

    return Embedding(title, claims, read, identity, write, remove, formats, blocks)


@contextmanager
def opened(path: str, *, writable: bool = False) -> Iterator[File]:
    """A model file; who writes has it for himself until he is done.

    Raises :class:`~envaudit.errors.EmbeddingError` where it is no file, or cannot be read or written.
    """
    descriptor = -1
    try:
        while True:
            descriptor = os.open(path, (os.O_RDWR if writable else os.O_RDONLY) | os.O_CLOEXEC | os.O_NONBLOCK)
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise EmbeddingError(f"{path}: not a regular file")
            if not writable:
                break
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if os.path.samestat(os.fstat(descriptor), os.stat(path)):
                break
            os.close(descriptor)  # somebody else has put another file in its place meanwhile
        yield File(path, descriptor, os.fstat(descriptor).st_size)
    except OSError as error:
        what = "written" if writable else "read"
        raise EmbeddingError(f"{path}: cannot be {what}: {error.strerror or error}") from None
    finally:
        if descriptor >= 0:
            with suppress(OSError):
                os.close(descriptor)


def truncate(path: str, size: int) -> None:
    """Cut a file. Raises :class:`~envaudit.errors.EmbeddingError` where that fails."""
    with opened(path, writable=True) as file:
        os.ftruncate(file.descriptor, size)


def _change(file: File, pieces: Pieces, in_place: bool) -> None:
    """Make the file consist of these pieces of it."""
    first, *rest = pieces
    at_the_end = isinstance(first, Span) and first.start == 0 and all(isinstance(piece, bytes) for piece in rest)
    if in_place and at_the_end and length_of(pieces) > LARGE and isinstance(first, Span):
        _write_end(file, first.length, b"".join(piece for piece in rest if isinstance(piece, bytes)))
    else:
        _replace(file, pieces)


def _write_end(file: File, start: int, data: bytes) -> None:
    """Put these bytes from ``start`` on; where that fails, what stood there before is put back."""
    before = file.part(start, file.size - start)
    try:
        _write(file.descriptor, data, start)
        os.ftruncate(file.descriptor, start + len(data))
        os.fsync(file.descriptor)
    except BaseException:
        os.ftruncate(file.descriptor, start)
        _write(file.descriptor, before, start)
        raise


def _write(descriptor: int, data: bytes | memoryview, start: int) -> None:
    view = memoryview(data)
    while view:
        count = os.pwrite(descriptor, view, start)
        view = view[count:]
        start += count


def _replace(file: File, pieces: Pieces) -> None:
    """Write a new file beside the old one and put it in its place, with its permissions and, as far as may be, its
    owner."""
    before = os.fstat(file.descriptor)

    def settle(made: int, temporary: str) -> None:
        with suppress(OSError):  # only root may give a file away
            os.fchown(made, before.st_uid, before.st_gid)
        shutil.copystat(file.path, temporary)
        os.utime(temporary)

    _write_new(file.path, blocks_of(file.descriptor, pieces), settle)


def replace(path: str, data: bytes) -> None:
    """Write a small file, whole or not at all.

    Raises :class:`~envaudit.errors.EmbeddingError` where that fails.
    """
    mode = 0o666 & ~store.umask()
    with suppress(OSError):
        mode = os.stat(path).st_mode & 0o7777
    try:
        _write_new(path, iter([memoryview(data)]), lambda made, temporary: os.fchmod(made, mode))
    except OSError as error:
        raise EmbeddingError(f"{path}: cannot be written: {error.strerror or error}") from None


def _write_new(path: str, blocks: Iterator[memoryview], settle: Callable[[int, str], None]) -> None:
    goal = os.path.realpath(path)
    temporary = os.path.join(os.path.dirname(goal), f".{os.path.basename(goal)[:200]}.{os.urandom(6).hex()}")
    made = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        at = 0
        for block in blocks:
            _write(made, block, at)
            at += len(block)
        settle(made, temporary)
        os.fsync(made)
        os.replace(temporary, goal)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise
    finally:
        os.close(made)
