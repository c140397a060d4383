"""What every file of this folder holds, and what rides in a model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from envaudit.model import Snapshot
from envaudit.needs import Needs

MAX_TEXT: Final = 8 << 20
"""Bytes of a record's JSON text: a hundred times what a large environment has, and parsing them takes at most twenty
times as much memory."""
MAX_PACKED: Final = MAX_TEXT + (1 << 16)
"""Bytes of a record where it rides: what cannot be compressed grows a little."""
MAX_SAMPLE: Final = 1 << 20
"""Bytes of a sample that may ride in a model: it is copied with every copy of the model."""


class Sample(NamedTuple):
    """Input to which the snapshot holds training's answers."""

    file: str
    """Its name, without the folder."""
    data: bytes


class Record(NamedTuple):
    """What rides in a model: the snapshot, and which bytes it belongs to."""

    snapshot: Snapshot
    sample: Sample | None = None
    digest: str | None = None
    """Of the model's own bytes (:func:`envaudit.embedding._pieces.digest_of`); None where it was written before
    them."""
    size: int = 0
    """How many these are."""
    written_by: str = ""


class Identity(NamedTuple):
    """The model's own bytes: the file as it was before anything was embedded."""

    digest: str
    size: int


class Embedding(NamedTuple):
    """How a snapshot rides in one kind of model."""

    title: str
    """Where it rides, in words: ``behind the pickle``."""
    claims: Callable[[str, bytes], bool]
    """Told by a path and the first bytes (none of a folder); embeddings exclude each other."""
    read: Callable[[str], Record | None]
    """What rides in a model. Raises :class:`~envaudit.errors.EmbeddingError` where it is damaged."""
    identity: Callable[[str], Identity]
    """The model without it."""
    write: Callable[[str, Record], bool]
    """Put a record in, whole or not at all, in the place of the one that is there, and tie it to the model's own bytes.
    False where this very model has no room for it: nothing was changed then."""
    remove: Callable[[str], bool]
    """Restore the model byte for byte. Whether there was a record."""
    formats: tuple[str, ...] = ()
    """Which of :attr:`envaudit.needs.Needs.format` it suits; empty where that is not told by the needs."""
    blocks: Callable[[str], Iterator[memoryview]] | None = None
    """The model's own bytes in order; None of a folder."""
    mend: Callable[[str, Needs | None], bool] | None = None
    """Cut off what a writer left who was killed. What was read of the model, if it could be, may tell where it begins.
    Whether there was such a thing."""
