"""Models that are one file: opening them, locking them, and changing them whole or not at all."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import stat
import time
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
_TRIES: Final = 500
_PAUSE: Final = 0.01
"""Seconds between two tries to read a file that is being written."""
_NO_LOCKS: Final = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)
"""What file systems answer that know no locks (NFS without lockd, some of FUSE)."""


class File(NamedTuple):
    """An opened model file."""

    path: str
    descriptor: int
    size: int
    modified: int = 0
    """When it was changed last, in nanoseconds of the epoch."""
    locked: bool = False

    def part(self, start: int, length: int) -> bytes:
        """These bytes, or as many of them as there are: offsets that a file states may lie beyond its end. Raises
        OSError."""
        parts = []
        length = min(length, self.size - start)
        while length > 0 and (data := os.pread(self.descriptor, min(length, 1 << 24), start)):
            parts.append(data)
            start += len(data)
            length -= len(data)
        return b"".join(parts)


class Split(NamedTuple):
    """What rides in a file, and the rest."""

    text: Callable[[], bytes] | None
    """The record, which may be damaged (:class:`~envaudit.errors.EmbeddingError`); None where there is none."""
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
    in_place: int = 0,
) -> Embedding:
    """An embedding of a format, from how its files are taken apart and put together.

    ``in_place``: so many bytes at most are written at the end of a large file, which is not copied then. Its loader
    does not mind if they are not whole.
    """

    def read(path: str) -> Record | None:
        with opened(path) as file:
            text = split(file).text
            return None if text is None else _records.loads(text(), path)

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

    def remove(path: str) -> bool:
        with opened(path) as file:  # who finds nothing need not be allowed to write
            if split(file).text is None:
                return False
        with opened(path, writable=True) as file:
            found = split(file)
            if found.text is not None:
                _change(file, found.own, in_place)
        return True

    return Embedding(title, claims, read, identity, write, remove, formats, blocks)


def cut_off(path: str, start_of: Callable[[File], int | None]) -> bool:
    """Cut a file off where a part starts that ends with it. Whether there was such a part.

    Raises :class:`~envaudit.errors.EmbeddingError` where the file cannot be read or written.
    """
    with opened(path) as file:  # who finds nothing need not be allowed to write
        if start_of(file) is None:
            return False
    with opened(path, writable=True) as file:
        start = start_of(file)
        if start is not None:
            os.ftruncate(file.descriptor, start)
    return True


@contextmanager
def opened(path: str, *, writable: bool = False) -> Iterator[File]:
    """A model file; who writes has it for himself until he is done, and who reads waits for him.

    Raises :class:`~envaudit.errors.EmbeddingError` where it is no file, or cannot be read or written.
    """
    descriptor, locked = -1, False
    try:
        try:
            while True:
                descriptor = os.open(path, (os.O_RDWR if writable else os.O_RDONLY) | os.O_CLOEXEC | os.O_NONBLOCK)
                if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                    raise EmbeddingError(f"{path}: not a regular file")
                if not writable:
                    _wait(descriptor)
                    break
                locked = lock(descriptor)
                if os.path.samestat(os.fstat(descriptor), os.stat(path)):
                    break
                os.close(descriptor)  # somebody else has put another file in its place meanwhile
                descriptor = -1
            state = os.fstat(descriptor)
            yield File(path, descriptor, state.st_size, state.st_mtime_ns, locked)
        finally:
            if descriptor >= 0:
                os.close(descriptor)
    except OSError as error:
        what = "written" if writable else "read"
        raise EmbeddingError(f"{path}: cannot be {what}: {error.strerror or error}") from None
    except ValueError as error:
        if descriptor >= 0:
            raise
        raise EmbeddingError(f"{path!r}: cannot be read: {error}") from None


def _wait(descriptor: int) -> None:
    """Wait until nobody writes into a file, which only large ones are; a few seconds at most: a lock is held by whoever
    likes, and a service must not hang for it."""
    tries = _TRIES if os.fstat(descriptor).st_size > LARGE else 0
    with suppress(OSError):
        while tries and not _is_free(descriptor):
            time.sleep(_PAUSE)
            tries -= 1


def _is_free(descriptor: int) -> bool:
    """Take a lock that readers share, if nobody writes. Raises OSError where there are no locks."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def lock(descriptor: int) -> bool:
    """Wait for a lock; False where there are none: files are only ever replaced there, so the last one wins. Raises
    OSError."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        return False
    return True


def _change(file: File, pieces: Pieces, in_place: int) -> None:
    """Make the file consist of these pieces of it."""
    first, *rest = pieces
    data = b"".join(piece for piece in rest if isinstance(piece, bytes))
    at_the_end = isinstance(first, Span) and first.start == 0 and all(isinstance(piece, bytes) for piece in rest)
    alone = file.locked and os.fstat(file.descriptor).st_nlink == 1  # its other names may be a cache's, or a backup
    if at_the_end and isinstance(first, Span) and alone and len(data) <= in_place and length_of(pieces) > LARGE:
        _write_end(file, first.length, data)
    else:
        _replace(file, pieces)


def _write_end(file: File, start: int, data: bytes) -> None:
    """Put these bytes from ``start`` on; where that fails, what stood there before is put back.

    The file is cut first: at every moment it then ends with the model, or with the first bytes of a record.
    """
    before = file.part(start, file.size - start)
    _check_unchanged(file)
    try:
        os.ftruncate(file.descriptor, start)
        _write(file.descriptor, data, start)
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
    goal = os.path.realpath(file.path)
    temporary = _beside(goal, f"{before.st_ino:x}" if file.locked else os.urandom(6).hex())

    def settle(made: int) -> None:
        for user, group in ((-1, before.st_gid), (before.st_uid, -1)):
            with suppress(OSError):  # only root may give a file away
                os.fchown(made, user, group)
        shutil.copystat(file.path, temporary)
        os.utime(temporary)
        _check_unchanged(file)

    if file.locked:
        with suppress(FileNotFoundError):
            os.unlink(temporary)  # who made it was killed
    _write_new(goal, temporary, blocks_of(file.descriptor, pieces), settle)


def _check_unchanged(file: File) -> None:
    """Raises :class:`~envaudit.errors.EmbeddingError` where a program that knows no lock has written meanwhile."""
    now = os.fstat(file.descriptor)
    same = (now.st_size, now.st_mtime_ns) == (file.size, file.modified)
    if not same or not os.path.samestat(now, os.stat(file.path)):
        raise EmbeddingError(f"{file.path}: was changed by another program meanwhile: nothing was written, try again")


def replace(path: str, data: bytes) -> None:
    """Write a small file, whole or not at all.

    Raises :class:`~envaudit.errors.EmbeddingError` where that fails.
    """
    mode = 0o666 & ~store.umask()
    with suppress(OSError):
        mode = os.stat(path).st_mode & 0o7777
    goal = os.path.realpath(path)
    try:
        _write_new(
            goal, _beside(goal, os.urandom(6).hex()), iter([memoryview(data)]), lambda made: os.fchmod(made, mode)
        )
    except OSError as error:
        raise EmbeddingError(f"{path}: cannot be written: {error.strerror or error}") from None


def _beside(goal: str, ending: str) -> str:
    """A path for a new file in the same folder, whose name is no longer than names may be."""
    folder, name = os.path.split(os.fsencode(goal))
    return os.fsdecode(os.path.join(folder, b".%s.%s" % (name[:200], ending.encode())))


def _write_new(goal: str, temporary: str, blocks: Iterator[memoryview], settle: Callable[[int], None]) -> None:
    try:
        made = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise OSError(error.errno, f"no file can be made in its folder: {error.strerror}") from None
    try:
        at = 0
        for block in blocks:
            _write(made, block, at)
            at += len(block)
        settle(made)
        os.fsync(made)
        os.replace(temporary, goal)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise
    finally:
        os.close(made)
