"""Model files: one file per format; :func:`read` tells the format by the content and yields what the file needs.

Nothing of a model file is imported, looked up or called. A file of any content costs bounded time and memory and ends
in :class:`envaudit.needs.Needs` or :class:`envaudit.errors.ArtifactError`.
"""

from __future__ import annotations

import os
from typing import cast

from envaudit import registry
from envaudit.artifacts._format import HEAD, Format, Progress, Source
from envaudit.artifacts._stream import DecodedStream, compression_of
from envaudit.errors import ArtifactError
from envaudit.needs import Needs


def read(path: str, progress: Progress | None = None) -> Needs:
    """Read what a model file needs. Raises :class:`ArtifactError` with one line that says what is wrong."""
    if os.path.isdir(path):
        raise ArtifactError(f"{path}: a folder, not a model file: name the file in it")
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            source = Source(path, file, size, file.read(HEAD), None, progress)
            return _read(source)
    except OSError as error:
        raise ArtifactError(f"{path}: cannot be read: {error.strerror or error}") from None


def _read(source: Source) -> Needs:
    kind = compression_of(source.head)
    if kind:
        stream = DecodedStream(source.file, 0, source.size, kind, source.path)
        source = source._replace(head=stream.read(HEAD), compression=kind)
    for name in registry.load("artifacts", "FORMAT").values():
        found = cast(Format, name)
        if found.matches(source):
            return found.read(source)
    raise ArtifactError(f"{source.path}: not a model file of a known format: it starts with {source.head[:16]!r}")
