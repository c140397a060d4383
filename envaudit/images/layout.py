"""Images in files: OCI layouts, in a folder or an archive, what ``docker save`` and ``docker export`` write.

Formats: OCI image specification 1.1, image-layout.md; Docker's image tarball (moby/moby, ``image/spec/v1.2.md``,
"Combined Image JSON + Filesystem Changeset Format"), whose ``manifest.json`` engines before 25.0 wrote alone and later
ones write beside an OCI layout. An archive of several images wants the name of one: ``ARCHIVE#NAME:TAG``, or
``ARCHIVE#DIGEST``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from functools import cache
from typing import Any, BinaryIO, Final, NamedTuple

from envaudit.errors import TargetError
from envaudit.images import _archive, _files, manifest, reference
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
_FROM: Final = "containerd.io/distribution.source."
"""Annotation, with a host at its end, of the repositories there from which an engine pulled an image (containerd,
``core/images/archive/exporter.go``). A name alone does not tell that a registry knows the digest."""
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
        return _archive.kind(path, whole=False) is not None
    except TargetError:
        return os.path.isfile(path) and os.access(path, os.R_OK)  # damaged, or packed otherwise: opening it will tell


def open_path(
    path: str,
    platform: str | None,
    name: str | None = None,
    progress: Callable[[str], None] = lambda message: None,
) -> Source:
    """The image in a folder or an archive; ``name`` is its reference or digest where there are several.

    Raises :class:`~envaudit.errors.TargetError` where there is none, several without a name, none for the platform,
    or a damaged one.
    """
    if os.path.isdir(path):
        files: Files = _files.Folder(path)
        if files.size(_LAYOUT) is None:
            raise TargetError(f"{path}: is no OCI layout: it holds no {_LAYOUT}")
        return _layout(files, platform, name)
    kind = _archive.kind(path, progress)
    if kind is None:
        raise TargetError(f"{path}: is neither the archive of an image nor a root file system")
    if kind.image is None:
        if name is not None:
            raise TargetError(f"{path}: is a root file system, in which no image is named {shown(name)}")
        layer = Layer("", os.path.getsize(path))
        return _Stored({}, {}, (layer,), _files.Folder(os.path.dirname(path)), {layer: os.path.basename(path)})
    if kind.image.size(_MANIFEST) is None:
        return _layout(kind.image, platform, name)
    # Of an image, the manifests that engines from 25.0 on write may lack layers or mix up their order
    # (moby/moby, issues 47065 and 47150), which manifest.json does not. It knows nothing of platforms, though.
    if any(item.media_type in manifest.INDEX_TYPES for item in _listed(kind.image)):
        return _layout(kind.image, platform, name)
    return _saved(kind.image, platform, name)


def _listed(files: Files) -> list[Descriptor]:
    """What the index of an OCI layout lists; nothing where there is none."""
    if files.size(_INDEX) is None:
        return []
    if files.size(_LAYOUT) is not None:
        version = manifest.json_object(_read(files, _LAYOUT), f"{files.where}: {_LAYOUT}").get("imageLayoutVersion")
        if version != _VERSION:
            raise TargetError(f"{files.where}: is an OCI layout of another version than {_VERSION}, which is read")
    index = manifest.parse(_read(files, _INDEX), f"{files.where}: {_INDEX}")
    if not isinstance(index, manifest.Index):
        raise TargetError(f"{files.where}: {_INDEX} is no image index")
    return [item for item in index.manifests if item.media_type in manifest.INDEX_TYPES or manifest.is_image(item)]


def _layout(files: Files, platform: str | None, name: str | None) -> Source:
    """An OCI layout (image-layout.md)."""
    entries = _listed(files)
    chosen = _one(files.where, [_Entry(item, item.digest, *_called(item)) for item in entries], name)

    def read(item: Descriptor) -> bytes:
        return _read(files, _blob(item.digest))

    found: manifest.Index | manifest.Manifest = manifest.Index(tuple(chosen))
    digests: tuple[str, ...] = ()
    if len({item.digest for item in chosen}) == 1:
        data, digests = read(chosen[0]), (chosen[0].digest,)
        manifest.check(data, chosen[0].digest, files.where)
        found = manifest.parse(data, files.where, chosen[0].media_type)
    config_of = cache(lambda digest: _config_of(files, digest))

    def is_there(item: Descriptor) -> bool:
        """Whether its image is stored as well: of several platforms an engine saves those that it has."""
        config = "" if item.media_type in manifest.INDEX_TYPES else config_of(item.digest)
        return all(files.size(_blob(digest)) is not None for digest in (item.digest, config) if digest)

    image = manifest.resolve(found, digests, read, platform, files.where, is_there)
    same = [item for item in entries if item.digest in {chosen.digest for chosen in chosen}]
    whole = _references(called for item in same for called in _called(item)[0])
    facts: dict[str, Json] = {
        "id": image.id,
        "digests": _known_as(same, image.digests),
        "tags": sorted({found.tagged for found in whole if found.tagged}),
        "platforms": list(image.platforms),
    }
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
    identity = manifest.digest_of(data)
    config_of = cache(lambda digest: _config_of(files, digest))
    facts: dict[str, Json] = {
        "id": identity,
        "digests": [
            known
            for item in _listed(files)
            for known in _known_as([item], (item.digest,))
            if config_of(item.digest) == identity
        ],
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


def _known_as(items: list[Descriptor], digests: tuple[str, ...]) -> list[str]:
    """``NAME@DIGEST`` for each repository that is known to hold these digests."""
    names = _references(
        f"{key.removeprefix(_FROM)}/{path}"
        for item in items
        for key, paths in item.annotations.items()
        if key.startswith(_FROM)
        for path in paths.split(",")
    )
    return [name.digested(digest) for digest in digests for name in names]


def _config_of(files: Files, digest: str) -> str:
    """The digest of the configuration that a manifest names; empty where there is no such manifest."""
    try:
        found = manifest.parse(_read(files, _blob(digest)), files.where)
    except TargetError:
        return ""
    return found.config.digest if isinstance(found, manifest.Manifest) else ""


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
