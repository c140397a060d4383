"""The indexes of layers, kept on disk by the layers' digests: an image with the same base costs only its own layers.

What a digest stands for never changes. An entry's name holds as well what was wanted of the layer and the code that
read it.
"""

from __future__ import annotations

import base64
import hashlib
import os
from typing import Final

from envaudit import cache
from envaudit.evidence import MIB
from envaudit.images import _binary, _tar, _wanted
from envaudit.images import layer as _layer
from envaudit.images.layer import Index
from envaudit.images.source import Layer
from envaudit.images.tree import Entry, File, Special
from envaudit.model import Json

SHARE: Final = 32 * MIB
"""Bytes that each of the 16 folders may hold: 512 MB in all; a layer takes a few."""
_CAP: Final = 512 * MIB
_FOLDER: Final = 0
_SPECIAL: Final = 1


class Indexes:
    """The folder ``layers``."""

    def __init__(self, wanted: str, folder: str | None = None) -> None:
        """``wanted`` identifies the request that the layers are read for."""
        self._folder = os.path.join(cache.home(folder), "layers")
        self._wanted = wanted

    def get(self, layer: Layer) -> Index | None:
        """The index of a layer, if it was kept."""
        if not (layer.digest or layer.diff_id):
            return None
        found = cache.kept(*self._place(layer), _CAP)
        try:
            return None if found is None else _index(found[0], layer)
        except (TypeError, ValueError, KeyError, AttributeError, OverflowError):
            return None

    def keep(self, layer: Layer, index: Index) -> None:
        """Keep it."""
        if layer.digest or layer.diff_id:
            path, name = self._place(layer)
            cache.keep(path, name, _json(index), SHARE)

    def _place(self, layer: Layer) -> tuple[str, str]:
        edition = cache.edition(_layer.__file__, _binary.__file__, _tar.__file__, _wanted.__file__, __file__)
        name = hashlib.sha256(f"{layer.digest or layer.diff_id} {self._wanted} {edition}".encode()).hexdigest()
        return os.path.join(self._folder, name[:1], name[1:]), name


def _json(index: Index) -> Json:
    return {
        "folders": [
            [path, {name: _plain(entry) for name, entry in entries.items()}] for path, entries in index.folders.items()
        ],
        "removed": index.removed,
        "opaque": index.opaque,
        "hard": index.hard,
        "kept": [[offset, base64.b64encode(data).decode("ascii")] for offset, data in index.kept.items()],
        "binaries": list(index.binaries.items()),
    }


def _plain(entry: Entry | None) -> Json:
    if isinstance(entry, File):
        return [entry.offset, entry.size, entry.mtime]
    return entry if isinstance(entry, str) else _FOLDER if entry is None else _SPECIAL


def _index(found: Json, layer: Layer) -> Index:
    def entry(plain: Json) -> File | Special | str | None:
        if isinstance(plain, list):
            offset, size, mtime = plain
            return File(layer, int(offset), int(size), float(mtime))
        return plain if isinstance(plain, str) else None if plain == _FOLDER else Special()

    return Index(
        {path: {name: entry(plain) for name, plain in entries.items()} for path, entries in found["folders"]},
        list(found["removed"]),
        list(found["opaque"]),
        dict(found["hard"]),
        {int(offset): base64.b64decode(data) for offset, data in found["kept"]},
        {int(offset): facts for offset, facts in found["binaries"]},
    )
