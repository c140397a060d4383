"""Layers made member by member, and an image of them in memory."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

from envaudit.evidence import Request
from envaudit.images import tree
from envaudit.images.open import open_tree
from envaudit.images.source import Layer

FOLDER = tarfile.DIRTYPE
LINK = tarfile.SYMTYPE
HARD = tarfile.LNKTYPE
PIPE = tarfile.FIFOTYPE
DEVICE = tarfile.CHRTYPE

Member = tuple[str, bytes] | tuple[str, bytes, str]
"""``(path, contents)`` of a file, ``(path, kind, link target)`` of anything else."""


def layer(members: Iterable[Member], how: int = tarfile.PAX_FORMAT) -> bytes:
    """A layer with those members."""
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w", format=how) as archive:
        for path, content, *target in members:
            member = tarfile.TarInfo(path)
            if target:
                member.type, member.linkname = content, target[0]
                archive.addfile(member)
            else:
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    return written.getvalue()


class Memory:
    """A :class:`~envaudit.images.source.Source` in memory, which counts the bytes that are asked of it."""

    def __init__(self, *stored: bytes, config: dict[str, Any] | None = None) -> None:
        self.config = config or {}
        self.facts = dict[str, Any]()
        self.layers = tuple(Layer(f"sha256:{hashlib.sha256(data).hexdigest()}", len(data)) for data in stored)
        self.stored = dict(zip(self.layers, stored, strict=True))
        self.read = dict.fromkeys(self.layers, 0)

    @contextmanager
    def open(self, layer: Layer, start: int = 0) -> Iterator[BinaryIO]:
        stream = io.BytesIO(self.stored[layer])
        stream.seek(start)
        yield stream
        self.read[layer] += stream.tell() - start


def tree_of(*stored: bytes) -> tree.Tree:
    """The tree of an image of these layers."""
    return open_tree(Memory(*stored), Request())


def listed(found: tree.Tree, folder: str = "") -> Iterator[tuple[str, str, int | str]]:
    """``(path, what it is, size or link target)`` of everything below a folder."""
    for name in sorted(found.listdir(folder or "/")):
        path = f"{folder}/{name}"
        entry = found.entry(path, follow=False)
        if isinstance(entry, str):
            yield path, "link", entry
        elif isinstance(entry, (tree.File, tree.DiskFile)):
            yield path, "file", entry.size
        elif isinstance(entry, tree.Special):
            yield path, "special", 0
        else:
            yield path, "folder", 0
            yield from listed(found, path)
