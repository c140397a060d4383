"""The index of one layer: what it adds and removes, with the contents of the few files that are always wanted.

The layer is gone through once, forwards, whatever its size. Its index is kept by the layer's digest
(:mod:`envaudit.images._cache`), so that the next image with the same base costs nothing for it.

Whiteouts: OCI image specification, layer.md, "Representing Changes".
"""

from __future__ import annotations

import re
from typing import BinaryIO, Final, NamedTuple

from envaudit.errors import TargetError
from envaudit.evidence import MIB
from envaudit.images import _binary, _tar, _unpack
from envaudit.images._wanted import LARGEST, ROOM, Wanted
from envaudit.images.source import Layer
from envaudit.images.tree import File, Special
from envaudit.model import Json

MEMBERS: Final = 1_000_000
"""Files and folders of one layer; the largest images with CUDA and conda have 400,000."""
_NAMES: Final = 128 * MIB
"""Letters of all their paths: a layer that packs to nothing could name more than fits into memory."""
_LONGEST: Final = 4096
"""Letters of a path: Linux takes none with more bytes (PATH_MAX, include/uapi/linux/limits.h)."""
_WHITEOUT: Final = ".wh."
_OPAQUE: Final = ".wh..wh..opq"
_OWN: Final = ".wh..wh."
"""What AUFS notes for itself."""
_BYTECODE: Final = "__pycache__"
_BINARIES: Final = re.compile(r"python3?(?:\.\d+)?m?t?d?|libpython3\.\d+[mtd]*\.so[.\d]*|libc(?:\.so\.6|-2\.\d+\.so)")
"""Programs called python, the library that some of them load, and glibc."""
_LARGEST_BINARY: Final = 256 * 1024 * 1024


Node = File | Special | str | None
"""A file; a symbolic link's target; or None, a folder."""


class Index(NamedTuple):
    """What one layer holds. Paths are relative to the root, without a slash at either end."""

    folders: dict[str, dict[str, Node]]
    """Folder -> its entries in this layer. Files in ``__pycache__`` are left out: nothing is read of them."""
    removed: list[str]
    """What the layer removes of those below it."""
    opaque: list[str]
    """Folders of which nothing below counts any more."""
    hard: dict[str, str]
    """Hard links: path -> the path that it is another name of."""
    kept: dict[int, bytes]
    """Offset -> the beginning of a wanted file's contents."""
    binaries: dict[int, Json]
    """Offset -> what a Python's or a C library's own binary says (:mod:`envaudit.images._binary`)."""


def index(stream: BinaryIO, way: _unpack.Way, wanted: Wanted) -> Index:
    """Go through a layer, from its first stored byte to the last.

    Raises :class:`~envaudit.errors.TargetError` where it is damaged, is not what its digest says, or could not be
    extracted by an engine either (a member that leads out of the image).
    """
    layer = way.layer
    found = Index({"": {}}, [], [], {}, {}, {})
    cursor = _tar.Cursor(way.read(stream))
    named = 0
    try:
        for count, member in enumerate(_tar.members(cursor)):
            named += len(member.name) + _add(found, member, cursor, layer, wanted)
            if count == MEMBERS or named > _NAMES:
                raise TargetError(f"{_unpack.name(layer)} has more than {count:,} members; no more are read")
    except _tar.DamagedError as error:
        raise TargetError(f"{_unpack.name(layer)} is no tar archive, or damaged: {error}") from None
    cursor.drain()
    return found


def _add(found: Index, member: _tar.Member, cursor: _tar.Cursor, layer: Layer, wanted: Wanted) -> int:
    """Take a member in; the letters of the paths of folders that it implies."""
    path, implied = member.name.removeprefix("./").removesuffix("/"), 0
    if len(path) > _LONGEST or len(member.link) > _LONGEST:
        raise TargetError(f"{_unpack.name(layer)}: the path or link of {path[:200]!r} is longer than Linux takes")
    if path[-1:] == "/" or path[:1] in "./" or "/." in path or "//" in path:
        path = _clean(path, layer)
        if not path:  # the root itself
            return 0
    folder, _, name = path.rpartition("/")
    if name.startswith(_WHITEOUT):
        if name == _OPAQUE:
            found.opaque.append(folder)
        elif not name.startswith(_OWN):
            removed = name[len(_WHITEOUT) :]
            found.removed.append(f"{folder}/{removed}" if folder else removed)
        return 0
    if folder not in found.folders:
        implied = _make(found, folder)
    node: Node
    if member.kind is _tar.FOLDER:
        node = None
        found.folders.setdefault(path, {})
    elif folder.endswith(_BYTECODE) and folder[-len(_BYTECODE) - 1 : -len(_BYTECODE)] in ("", "/"):
        return implied
    elif member.kind is _tar.SYMBOLIC:
        node = member.link
    elif member.kind is _tar.HARD:
        found.hard[path] = _clean(member.link, layer)
        return implied
    elif member.kind is _tar.REGULAR:
        node = File(layer, member.offset, member.size, member.mtime)
        _keep(found, member, folder, name, cursor, wanted)
        if wanted.kept > ROOM:
            raise TargetError(f"{_unpack.name(layer)} has more than {ROOM // MIB} MiB of metadata; no image has")
    elif member.kind is _tar.SPARSE:
        node = File(layer, -1, member.size, member.mtime)
    else:
        node = Special()
    if path in found.hard:  # the later one of a name counts
        del found.hard[path]
    found.folders[folder][name] = node
    return implied


def _make(found: Index, folder: str) -> int:
    """The folders that a member implies without being members themselves; the letters of their paths."""
    letters = 0
    while folder and folder not in found.folders:
        found.folders[folder] = {}
        letters += len(folder)
        folder = folder.rpartition("/")[0]
    return letters


def _clean(path: str, layer: Layer) -> str:
    """A member's path without ``./``, doubled or outer slashes. One that leads out is refused, as engines do."""
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            if not parts:
                raise TargetError(f"{_unpack.name(layer)}: the member {path[:200]!r} leads out of the image")
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


def _keep(found: Index, member: _tar.Member, folder: str, name: str, cursor: _tar.Cursor, wanted: Wanted) -> None:
    kept = wanted.of(folder, name)
    if kept is not None:
        size = min(member.size, kept.cap + 1)
        if size <= LARGEST:
            data = cursor.take(size)
            found.kept[member.offset] = _headers(data) if kept.headers else data
            wanted.kept += len(found.kept[member.offset])
    elif _BINARIES.fullmatch(name) and 0 < member.size <= _LARGEST_BINARY:
        facts = _binary.drawn(cursor.take(member.size))
        if facts is not None:
            found.binaries[member.offset] = facts


def _headers(data: bytes) -> bytes:
    """The header fields at the beginning, as the inspector hands them over."""
    return data.split(b"\n\n", 1)[0].split(b"\r\n\r\n", 1)[0]
