"""Models in which nothing can ride: a file beside them, ``MODEL.envaudit.json``, tied to them by their digest."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from envaudit import evidence
from envaudit.embedding import _records
from envaudit.embedding._embedding import MAX_TEXT, Embedding, Identity, Record
from envaudit.embedding._file import opened, replace
from envaudit.embedding._pieces import Span, blocks_of, digest_of
from envaudit.errors import EmbeddingError

ENDING: Final = evidence.SIDECAR


def beside(path: str) -> str:
    """The path of a model's sidecar."""
    return path + ENDING


def read(path: str) -> Record | None:
    """What lies beside a model."""
    if not os.path.lexists(beside(path)):
        return None
    with opened(beside(path)) as file:
        if file.size > MAX_TEXT:
            raise EmbeddingError(f"{file.path}: {file.size} bytes are too many for a snapshot (at most {MAX_TEXT})")
        return _records.loads(file.part(0, file.size), file.path)


def identity(path: str) -> Identity:
    """The whole file."""
    with opened(path) as file:
        return Identity(digest_of(file.descriptor, (Span(0, file.size),)), file.size)


def write(path: str, record: Record) -> bool:
    """Write the file beside."""
    put(path, record, identity(path))
    return True


def put(path: str, record: Record, own: Identity) -> None:
    """Write the file beside, for a model with these bytes of its own."""
    replace(beside(path), _records.pretty(record._replace(digest=own.digest, size=own.size)))


def remove(path: str) -> bool:
    """Remove it."""
    if not os.path.lexists(beside(path)):
        return False
    try:
        with suppress(FileNotFoundError):
            os.unlink(beside(path))
    except OSError as error:
        raise EmbeddingError(f"{beside(path)}: cannot be removed: {error.strerror or error}") from None
    return True


def blocks(path: str) -> Iterator[memoryview]:
    """The bytes of the whole file."""
    with opened(path) as file:
        yield from blocks_of(file.descriptor, (Span(0, file.size),))


SIDECAR: Final = Embedding("in a file beside it", lambda path, head: False, read, identity, write, remove, (), blocks)
