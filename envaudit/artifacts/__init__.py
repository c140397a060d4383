"""Model files: one file per format; :func:`read` tells the format by the content and yields what the file needs.

Nothing of a model file is imported, looked up or called. A file of any content costs bounded time and memory and ends
in :class:`envaudit.needs.Needs` or :class:`envaudit.errors.ArtifactError`.
"""

from __future__ import annotations

import gc
import os
import stat
from typing import BinaryIO, cast

from envaudit import registry
from envaudit.artifacts._format import Format, Source
from envaudit.artifacts._lookalikes import NOT_READ, name_archive, name_lookalike
from envaudit.artifacts._reader import Progress
from envaudit.artifacts._stream import compression_of
from envaudit.errors import ArtifactError, UnreadFormatError
from envaudit.needs import Needs

__all__ = ["Progress", "compression_of", "read"]


def read(path: str, progress: Progress | None = None) -> Needs:
    """Read what a model file needs.

    Raises :class:`ArtifactError` with one line that says what is wrong; it is :class:`UnreadFormatError` where the file
    may be a good one.
    """
    # The graph only grows: looking for cycles in it again and again would take more time than reading.
    collects = gc.isenabled()
    gc.disable()
    try:
        return _open(path, progress)
    finally:
        if collects:
            gc.enable()


def _open(path: str, progress: Progress | None) -> Needs:
    try:
        mode = os.stat(path).st_mode
        if stat.S_ISDIR(mode):
            raise ArtifactError(f"{path}: a folder, not a model file: name the file in it")
        if not stat.S_ISREG(mode):
            raise ArtifactError(f"{path}: not a regular file")
        with open(path, "rb", buffering=0) as file:
            return _read(_opened(Source(path, cast("BinaryIO", file), progress)))
    except (OSError, ValueError) as error:
        text = (isinstance(error, OSError) and error.strerror) or str(error)
        raise ArtifactError(f"{path}: cannot be read: {text}") from None
    except (MemoryError, RecursionError) as error:
        raise ArtifactError(f"{path}: beyond the limits of reading without loading: {type(error).__name__}") from None


def _opened(source: Source) -> Source:
    """Look into a compressed file, or into a zip archive of one member (``pandas.to_pickle``)."""
    kind = compression_of(source.head)
    if kind:
        return Source(source.path, source.file, source.progress, kind)
    members = list(source.members.values())
    if len(members) == 1 and not members[0].name.endswith((".npy", "data.pkl")):
        return Source(source.path, source.file, source.progress, "zip", members[0])
    return source


def _read(source: Source) -> Needs:
    lookalike = name_lookalike(source)
    if lookalike:
        inside = f" (inside {source.compression})" if source.compression else ""
        error = UnreadFormatError if lookalike.endswith(NOT_READ) else ArtifactError
        raise error(f"{source.path}: {lookalike}{inside}")
    for found in registry.load("artifacts", "FORMAT").values():
        variant = cast(Format, found)
        if variant.matches(source):
            return variant.read(source)
    if source.members:
        archive = name_archive(list(source.members))
        error = UnreadFormatError if archive.endswith(NOT_READ) else ArtifactError
        raise error(f"{source.path}: {archive}")
    raise UnreadFormatError(
        f"{source.path}: of no known format: it starts with {source.head[:16]!r}; "
        "read are pickle, joblib, torch, npy and npz files"
    )
