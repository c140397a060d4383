"""Snapshots that ride in the model: one file per way in which they do.

    >>> write("model.joblib", Record(snapshot))
    'behind the pickle'
    >>> read("model.joblib").snapshot

The model stays what it was for its loaders. A record is tied to the model's own bytes, so that one of another model, or
of this one as it was before, is noticed. Nothing of a model is loaded.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import NamedTuple, cast

from envaudit import registry
from envaudit.embedding._embedding import MAX_SAMPLE, Embedding, Identity, Record, Sample
from envaudit.embedding._file import HEAD, opened
from envaudit.embedding._sidecar import ENDING, SIDECAR, put
from envaudit.errors import ArtifactError, EmbeddingError, UnreadFormatError
from envaudit.needs import Needs

__all__ = [
    "ENDING",
    "MAX_SAMPLE",
    "Embedded",
    "Identity",
    "Record",
    "Sample",
    "check",
    "find",
    "identity",
    "is_model_folder",
    "model_of",
    "own",
    "read",
    "remove",
    "write",
]


class Embedded(NamedTuple):
    """What rides in a model."""

    record: Record
    where: str
    """How it rides, in words: ``behind the pickle``."""

    @property
    def bound(self) -> bool:
        """Whether it is tied to the model's own bytes."""
        return self.record.digest is not None


def find(path: str) -> Embedded | None:
    """What rides in a model, or lies beside it; None where nothing does. Whether it is of this model, :func:`read`
    looks.

    Raises :class:`~envaudit.errors.EmbeddingError` where the model cannot be read, or what rides in it is damaged.
    """
    for way in (_way(path), SIDECAR):
        record = None if way is None else way.read(path)
        if way is not None and record is not None:
            return Embedded(record, way.title)
    return None


def read(path: str) -> Embedded:
    """What rides in a model, after a check that it is this model's: its own bytes are read once, all of them.

    Raises :class:`~envaudit.errors.EmbeddingError` where there is none, it is damaged, or of other bytes.
    """
    found = find(path)
    if found is None:
        raise EmbeddingError(f"{path}: carries no snapshot: put one in where it was trained (envaudit embed {path})")
    check(path, found)
    return found


def check(path: str, found: Embedded) -> None:
    """Raises :class:`~envaudit.errors.EmbeddingError` where what rides in a model is tied to other bytes."""
    if not found.bound:
        return
    own = (SIDECAR if found.where == SIDECAR.title else _way(path) or SIDECAR).identity(path)
    if own != (found.record.digest, found.record.size):
        size = f"{found.record.size} bytes" if own.size != found.record.size else "other bytes of the same length"
        raise EmbeddingError(
            f"{path}: its snapshot belongs to {size}, and the model has {own.size}: it was changed since, or the "
            f"snapshot is another model's (envaudit embed {path} puts in a new one)"
        )


def identity(path: str) -> Identity:
    """The digest and the size in bytes of the model's own bytes, whatever rides in it."""
    return (_way(path) or SIDECAR).identity(path)


def is_model_folder(path: str) -> bool:
    """Whether a path is a folder that holds one model, as MLflow writes it."""
    return os.path.isfile(os.path.join(path, "MLmodel"))


def model_of(path: str) -> str:
    """The model that a path means: of a sidecar the one beside which it lies."""
    return path.removesuffix(ENDING)


def own(path: str) -> Iterator[memoryview]:
    """The model's own bytes in order; each block is valid until the next.

    Raises :class:`~envaudit.errors.EmbeddingError` where it cannot be read.
    """
    blocks = (_way(path) or SIDECAR).blocks
    if blocks is None:
        raise EmbeddingError(f"{path}: a folder: name the model file in it")
    return blocks(path)


def write(
    path: str, record: Record, *, sidecar: bool = False, check: Callable[[Needs], None] = lambda needs: None
) -> str:
    """Put a record into a model, in the place of the one that is there; beside it where the model has no room, or with
    ``sidecar``. Says where it rides. ``check`` may raise, before anything is written, for what a model file needs.

    Raises :class:`~envaudit.errors.ArtifactError` for a file that is damaged or no model, and
    :class:`~envaudit.errors.EmbeddingError` where it cannot be written; the model is as it was then.
    """
    way = _suited(path, check, alone=sidecar)
    if way is not None and way.write(path, record):
        SIDECAR.remove(path)
        return way.title
    put(path, record, identity(path))
    inside = _way(path)
    if inside is not None:
        inside.remove(path)
    return SIDECAR.title


def remove(path: str) -> str | None:
    """Restore a model byte for byte, also where the record is damaged. Says where it was; None where there was none."""
    way = _way(path)
    removed = []
    if way is not None and way.mend is not None:
        from envaudit import artifacts

        needs = None
        with suppress(ArtifactError):
            needs = artifacts.read(path)
        removed += [way.title] if way.mend(path, needs) else []
    removed += [each.title for each in (way, SIDECAR) if each is not None and each.remove(path)]
    return removed[0] if removed else None


def _way(path: str) -> Embedding | None:
    """How a snapshot rides in a model of this kind, if in it at all."""
    head = b""
    if not os.path.isdir(path):
        with opened(path) as file:
            head = file.part(0, HEAD)
    for found in registry.load("embedding", "EMBEDDING").values():
        way = cast(Embedding, found)
        if way.claims(path, head):
            return way
    if os.path.isdir(path):
        raise EmbeddingError(f"{path}: a folder, and not an MLflow model: name the model file in it")
    return None


def _suited(path: str, check: Callable[[Needs], None], *, alone: bool) -> Embedding | None:
    """How a snapshot can ride in this very model: reading it shows whether it is whole, and what it is. A model that is
    to be left ``alone`` may be of any kind.
    """
    way = _way(path)
    if os.path.isdir(path):
        return None if alone else way
    from envaudit import artifacts

    try:
        with opened(path):  # nobody writes meanwhile
            needs = artifacts.read(path)
    except UnreadFormatError:
        return None
    except ArtifactError:
        if alone:
            return None
        if way is None or way.mend is None or not way.mend(path, None):
            raise
        needs = artifacts.read(path)
    check(needs)
    if alone:
        return None
    # A reader of several pickles in a row would come across the record.
    if way is None or needs.format not in way.formats or len(needs.roots) != 1:
        return None
    if way.mend is not None:
        way.mend(path, needs)
    return way
