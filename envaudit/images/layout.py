"""Images in files: OCI layouts, in a folder or an archive, what ``docker save`` and ``docker export`` write.

Formats: OCI image specification 1.1, image-layout.md; Docker's image tarball (moby/moby, ``image/spec/v1.2.md``,
"Combined Image JSON + Filesystem Changeset Format"), whose ``manifest.json`` engines before 25.0 wrote alone. An
archive of several images wants the name of one: ``ARCHIVE#NAME:TAG``, or ``#DIGEST``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import Any, BinaryIO, Final, NamedTuple

from envaudit.errors import TargetError
from envaudit.images import _files, manifest, reference
from envaudit.images._files import Files, shown
from envaudit.images.manifest import DOCUMENT_CAP, Descriptor
from envaudit.images.reference import Reference
from envaudit.images.source import Layer, Source
from envaudit.model import Json

_LAYOUT: Final = "oci-layout"
_INDEX: Final = "index.json"
_MANIFEST: Final = "manifest.json"
_VERSION: Final = "1.0.0"
_BLOB: Final = re.compile(r"blobs/(?:(sha256)/([a-f0-9]{64})|(sha512)/([a-f0-9]{128}))")
_SHA256: Final = re.compile(r"(?:blobs/sha256/|sha256:)?([a-f0-9]{64})(?:\.json)?")
_NAMES: Final = ("io.containerd.image.name", "org.opencontainers.image.ref.name")
"""Annotations of an index that name an image, the whole reference and in most cases its tag alone (annotations.md)."""
_SHOWN: Final = 10
"""Names of images in a message."""
_COMPRESSED: Final = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd")


class _Entry(NamedTuple):
    """What may be meant by a name, or by none."""

    item: Any
    identity: str
    names: tuple[str, ...]
    label: str
    """Its name in a message. Images that share it are those of several platforms."""


class _Stored(NamedTuple):
    """A :class:`~envaudit.images.source.Source` of files."""

    config: dict[str, Json]
    facts: dict[str, Json]
    layers: tuple[Layer, ...]
    files: Files
    names: dict[Layer, str]

    def open(self, layer: Layer, start: int = 0) -> AbstractContextManager[BinaryIO]:
        """See :meth:`Source.open <envaudit.images.source.Source.open>`; seekable, over the whole layer."""
        return self.files.open(self.names[layer], start)


def split(text: str) -> tuple[str, str | None]:
    """``PATH#NAME`` -> path and name; a path that exists is all path."""
    path, mark, name = text.rpartition("#")
    return (path, name) if mark and not os.path.lexists(text) else (text, None)


def looks_like_image(path: str) -> bool:
    """Whether a path is an OCI layout, or the archive of an image or of a root file system."""
    if os.path.isdir(path):
        return os.path.isfile(os.path.join(path, _LAYOUT))
    try:
        return _files.kind(path) is not None
    except TargetError:
        return os.path.isfile(path) and os.access(path, os.R_OK)  # damaged or compressed: opening it will tell


def open_path(path: str, platform: str | None, name: str | None = None) -> Source:
    """The image in a folder or an archive; ``name`` is its reference or digest where there are several.

    Raises :class:`~envaudit.errors.TargetError` where there is none, several without a name, none for the platform,
    or a damaged one.
    """
    if os.path.isdir(path):
        files: Files = _files.Folder(path)
        if files.size(_LAYOUT) is None:
            raise TargetError(f"{path}: is no OCI layout: it holds no {_LAYOUT}")
        return _layout(files, platform, name)
    kind = _files.kind(path)
    if kind is None:
        raise TargetError(f"{path}: is neither the archive of an image nor a root file system")
    if kind.image is None:
        if name is not None:
            raise TargetError(f"{path}: is a root file system, in which no image is named {shown(name)}")
        layer = Layer("", os.path.getsize(path))
        return _Stored({}, {}, (layer,), _files.Folder(os.path.dirname(path)), {layer: os.path.basename(path)})
    if kind.image.size(_INDEX) is not None:
        return _layout(kind.image, platform, name)
    return _saved(kind.image, platform, name)


def _layout(files: Files, platform: str | None, name: str | None) -> Source:
    """An OCI layout (image-layout.md)."""
    if files.size(_LAYOUT) is not None:
        version = manifest.json_object(_read(files, _LAYOUT), f"{files.where}: {_LAYOUT}").get("imageLayoutVersion")
        if version != _VERSION:
            raise TargetError(f"{files.where}: is an OCI layout of another version than {_VERSION}, which is read")
    index = manifest.parse(_read(files, _INDEX), f"{files.where}: {_INDEX}")
    if not isinstance(index, manifest.Index):
        raise TargetError(f"{files.where}: {_INDEX} is no image index")
    entries = [item for item in index.manifests if item.media_type in manifest.INDEX_TYPES or manifest.is_image(item)]
    chosen = _one(files.where, [_Entry(item, item.digest, *_called(item)) for item in entries], name)

    def read(item: Descriptor) -> bytes:
        return _read(files, _blob(item.digest))

    found: manifest.Index | manifest.Manifest = manifest.Index(tuple(chosen))
    digests: tuple[str, ...] = ()
    if len({item.digest for item in chosen}) == 1:
        data, digests = read(chosen[0]), (chosen[0].digest,)
        manifest.check(data, chosen[0].digest, files.where)
        found = manifest.parse(data, files.where, chosen[0].media_type)
    image = manifest.resolve(
        found, digests, read, platform, files.where, lambda item: files.size(_blob(item.digest)) is not None
    )
    facts: dict[str, Json] = {"id": image.id, "platforms": list(image.platforms)}
    same = {item.digest for item in chosen}
    whole = _references(called for item in entries if item.digest in same for called in _called(item)[0])
    facts["tags"] = sorted({found.tagged for found in whole if found.tagged})
    facts["digests"] = list(dict.fromkeys(found.digested(digest) for digest in image.digests for found in whole))
    return _Stored(image.config, facts, image.layers, files, {layer: _blob(layer.digest) for layer in image.layers})


def _saved(files: Files, platform: str | None, name: str | None) -> Source:
    """What ``docker save`` wrote before 25.0, and other tools still write: ``manifest.json`` and tar archives."""
    where = f"{files.where}: {_MANIFEST}"
    listed = manifest.document(_read(files, _MANIFEST), where)
    if not isinstance(listed, list) or not all(map(_is_saved, listed)):
        raise TargetError(f"{where}: lists no images; what is read is what docker save writes")
    entries = []
    for item in listed:
        tags, ids = tuple(item.get("RepoTags") or ()), _config_digest(item)
        entries.append(_Entry(item, item["Config"], (*tags, *ids), (*tags, *ids, item["Config"])[0]))
    entry = _one(files.where, entries, name)[0]
    data = _read(files, entry["Config"])
    config = manifest.configuration(data, f"{files.where}: the configuration")
    for digest in _config_digest(entry):
        manifest.check(data, digest, files.where)
    manifest.see_platform(config, platform, files.where)
    names = entry["Layers"]
    if len(names) > manifest.LAYERS_CAP:
        raise TargetError(f"{files.where}: has {len(names)} layers, more than the {manifest.LAYERS_CAP} that are read")
    layers = manifest.with_diff_ids([Layer("", files.size(part)) for part in names], config, files.where)
    layers = tuple(_with_digest(files, part, layer) for part, layer in zip(names, layers, strict=True))
    facts: dict[str, Json] = {
        "id": manifest.digest_of(data),
        "tags": sorted({found.tagged for found in _references(entry.get("RepoTags") or ()) if found.tagged}),
    }
    return _Stored(config, facts, layers, files, dict(zip(layers, names, strict=True)))


def _one(where: str, entries: list[_Entry], name: str | None) -> list[Any]:
    """The items of the one image that is meant: one, or one for each platform."""
    if not entries:
        raise TargetError(f"{where}: holds no image")
    labels = dict.fromkeys(entry.label or entry.identity for entry in entries)
    existing = ", ".join(f"{where}#{shown(label)}" for label in list(labels)[:_SHOWN])
    if name is not None:
        asked = {name, *(found.tagged for found in _references([name]))}
        entries = [
            entry
            for entry in entries
            if asked & {entry.identity, *entry.names, *(found.tagged for found in _references(entry.names))}
        ]
        if not entries:
            raise TargetError(f"{where}: holds no image named {shown(name)}; those that it holds: {existing}")
    if len({entry.identity for entry in entries}) > 1 and len({entry.label for entry in entries}) > 1:
        raise TargetError(f"{where}: holds several images; write one of {existing}")
    return [entry.item for entry in entries]


def _called(item: Descriptor) -> tuple[tuple[str, ...], str]:
    """The names of an entry of an index, and the one to show: none for one of several platforms."""
    names = tuple(item.annotations[key] for key in _NAMES if item.annotations.get(key))
    return names, (names or ("" if item.platform else item.digest,))[0]


def _references(names: Iterable[str]) -> list[Reference]:
    """Those of the names that are whole references; a tag alone is none."""
    found = []
    for name in names:
        if ":" in name or "/" in name:
            try:
                found.append(reference.parse(name))
            except TargetError:
                continue
    return list(dict.fromkeys(found))


def _is_saved(item: Json) -> bool:
    """Whether it is an entry of ``manifest.json``."""
    if not isinstance(item, dict) or not isinstance(item.get("Config"), str):
        return False
    parts = [item.get("Layers"), item.get("RepoTags") or []]
    return all(isinstance(part, list) and all(isinstance(name, str) for name in part) for part in parts)


def _config_digest(item: dict[str, Json]) -> tuple[str, ...]:
    """The digest of a configuration, where its file is named after it."""
    match = _SHA256.fullmatch(item["Config"])
    return (f"sha256:{match[1]}",) if match else ()


def _with_digest(files: Files, name: str, layer: Layer) -> Layer:
    """The layer with the digest of its bytes as stored, where that is known without reading them all."""
    match = _BLOB.fullmatch(name)
    if match:
        return layer._replace(digest=":".join(filter(None, match.groups())))
    with files.open(name) as file:
        compressed = file.read(4).startswith(_COMPRESSED)
    return layer if compressed else layer._replace(digest=layer.diff_id or "")


def _blob(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/', 1)}"


def _read(files: Files, name: str) -> bytes:
    return _files.read(files, name, DOCUMENT_CAP)
