"""The JSON documents of an image: index, manifest and configuration, read with every field checked.

Formats: OCI image specification 1.1 (image-index.md, manifest.md, config.md, descriptor.md, media-types.md) and
Docker's Image Manifest V2 Schema 2 (distribution/distribution, ``manifest-v2-2.md``). Nothing in them is trusted:
sizes, counts, types and digests are bounded before anything is made of them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from envaudit.errors import TargetError
from envaudit.images import platform as platforms
from envaudit.images.reference import is_digest
from envaudit.images.source import Layer
from envaudit.model import Json

DOCUMENT_CAP: Final = 4 * 1024 * 1024
"""Bytes of a manifest, an index or a configuration: what registries take (distribution-spec, "Pushing Manifests")."""
LAYERS_CAP: Final = 1024
"""Engines stack up to 127 layers."""
_MANIFESTS_CAP: Final = 1024
_DEPTH: Final = 3
"""How deep an index may lie in indexes."""
_INDEXES: Final = 16
"""How many indexes may lie in one."""

INDEX_TYPES: Final = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
MANIFEST_TYPES: Final = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
SCHEMA_1_TYPES: Final = (
    "application/vnd.docker.distribution.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v1+prettyjws",
)
_CONFIG_TYPES: Final = (
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.docker.container.image.v1+json",
    "application/octet-stream",  # pushed by some engines of 2016: docker/distribution, issue 1621
)
_LAYER_TYPES: Final = ("application/vnd.oci.image.layer.", "application/vnd.docker.image.rootfs.")
_ATTESTATION: Final = "vnd.docker.reference.type"
"""Annotation of what BuildKit lays beside the images of an index: build records, no images."""


class Descriptor(NamedTuple):
    """What points to a document or a layer (descriptor.md)."""

    digest: str
    size: int
    media_type: str
    platform: platforms.Platform | None = None
    annotations: dict[str, str] = {}  # noqa: RUF012  (never mutated)


class Index(NamedTuple):
    """What lists the images of several platforms."""

    manifests: tuple[Descriptor, ...]


class Manifest(NamedTuple):
    """What lists the parts of one image."""

    config: Descriptor
    layers: tuple[Descriptor, ...]


class Image(NamedTuple):
    """One image of one platform, found and read."""

    config: dict[str, Json]
    layers: tuple[Layer, ...]
    id: str
    """Digest of the configuration."""
    digests: tuple[str, ...]
    """Of the index (the outermost first) if there is one, and of the manifest."""
    platforms: tuple[str, ...]
    """Those that the index offers."""


Read = Callable[[Descriptor], bytes]
"""The bytes of a document, at most :data:`DOCUMENT_CAP` of them and not yet checked."""


def check(data: bytes, digest: str, where: str) -> None:
    """See whether bytes have their digest.

    Raises :class:`~envaudit.errors.TargetError` where they do not.
    """
    if digest_of(data, digest.partition(":")[0]) != digest:
        raise TargetError(f"{where}: what is stored as {digest} is something else; it is damaged, save it anew")


def digest_of(data: bytes, algorithm: str = "sha256") -> str:
    """The digest of bytes, as descriptors write it."""
    return f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}"


def document(data: bytes, where: str) -> Json:
    """A JSON document.

    Raises :class:`~envaudit.errors.TargetError` where it is too long or none.
    """
    if len(data) > DOCUMENT_CAP:
        raise TargetError(f"{where}: is longer than {DOCUMENT_CAP} bytes, which nothing is that describes an image")
    try:
        value = json.loads(data)
        json.dumps(value, ensure_ascii=False).encode()  # a lone surrogate could not be written into a snapshot
    except (ValueError, RecursionError):
        raise TargetError(f"{where}: is no JSON document") from None
    return value


def json_object(data: bytes, where: str) -> dict[str, Json]:
    """A JSON object; raises as :func:`document` does."""
    value = document(data, where)
    if not isinstance(value, dict):
        raise TargetError(f"{where}: is no JSON object")
    return value


def parse(data: bytes, where: str, media_type: str = "") -> Index | Manifest:
    """Read an index or a manifest; ``media_type`` is what the place says that it is, if it says so.

    Raises :class:`~envaudit.errors.TargetError` where it is neither, of schema 1, or not of an image.
    """
    found = json_object(data, where)
    stated = found.get("mediaType", "")
    if found.get("schemaVersion") == 1 or stated in SCHEMA_1_TYPES or media_type in SCHEMA_1_TYPES:
        raise TargetError(f"{where}: is of Docker's image format of before 2016 (schema 1); push it by a newer engine")
    known = (*INDEX_TYPES, *MANIFEST_TYPES)
    if stated in known and media_type in known and stated != media_type:
        raise TargetError(f"{where}: says that it is {stated}, and is given out as {media_type}")
    if "manifests" in found and ("layers" in found or "config" in found):
        # Which one it is would depend on who reads it: CVE-2021-41190.
        raise TargetError(f"{where}: is both an index and a manifest, which no honest tool writes")
    if "manifests" in found:
        listed = _list(found, "manifests", where)
        if len(listed) > _MANIFESTS_CAP:
            raise TargetError(f"{where}: lists {len(listed)} manifests, more than the {_MANIFESTS_CAP} that are read")
        return Index(tuple(_descriptor(item, f"{where}: manifests") for item in listed))
    if "layers" not in found or "config" not in found:
        raise TargetError(f"{where}: is neither an image manifest nor an image index")
    config = _descriptor(found["config"], f"{where}: config")
    if config.media_type not in _CONFIG_TYPES:
        kind = _shown(found.get("artifactType") or config.media_type)
        raise TargetError(f"{where}: is no container image but an artifact of type {kind}")
    layers = _list(found, "layers", where)
    if len(layers) > LAYERS_CAP:
        raise TargetError(f"{where}: has {len(layers)} layers, more than the {LAYERS_CAP} that are read")
    return Manifest(config, tuple(_layer(item, f"{where}: layers") for item in layers))


def configuration(data: bytes, where: str) -> dict[str, Json]:
    """Read a configuration (config.md). Fields that say what an image is have the types that are specified.

    Raises :class:`~envaudit.errors.TargetError` where it is none.
    """
    found = json_object(data, where)
    rootfs = found.get("rootfs") or {}
    process = found.get("config") or {}
    for name, part in (("rootfs", rootfs), ("config", process)):
        if not isinstance(part, dict):
            raise TargetError(f"{where}: its {name} is no JSON object")
    for part, names, kind, fits in (
        (found, ("os", "architecture", "variant", "created"), "text", _is_text),
        (process, ("User", "WorkingDir"), "text", _is_text),
        (process, ("Env",), "list of texts", _is_texts),
        (process, ("Entrypoint", "Cmd"), "list of texts", lambda value: _is_text(value) or _is_texts(value)),
        (process, ("Labels",), "object of texts", _is_labels),
        (rootfs, ("diff_ids",), "list of digests", _is_digests),
    ):
        for name in names:
            if part.get(name) is not None and not fits(part[name]):
                raise TargetError(f"{where}: its {name} is no {kind}")
    return found


def choose(offered: list[Descriptor], wanted: str | None, where: str) -> Descriptor:
    """The image for a platform, this machine's unless ``wanted`` names one. A single one is taken for any machine.

    Raises :class:`~envaudit.errors.TargetError` where none fits; the message names those that exist.
    """
    if wanted is None and len({image.digest for image in offered}) == 1:
        return offered[0]
    asked = platforms.parse(wanted) if wanted is not None else platforms.here()
    for platform in platforms.fitting(asked):
        for image in offered:
            if image.platform == platform:
                return image
    unnamed = [image for image in offered if image.platform is None]
    if len(offered) == len(unnamed) == 1:
        return unnamed[0]  # its configuration will tell
    existing = ", ".join(_named(offered)) or "none"
    raise TargetError(f"{where}: there is none for {asked}; --platform takes one of those that exist: {existing}")


def resolve(
    found: Index | Manifest,
    digests: tuple[str, ...],
    read: Read,
    wanted: str | None,
    where: str,
    has: Callable[[Descriptor], bool] = lambda item: True,
) -> Image:
    """The image that a document stands for: through its indexes to a manifest, its configuration and its layers.

    ``digests`` is that of the document, where it has one; ``has`` tells whether a manifest is there, for places that
    keep an index whole and its images in part. Raises :class:`~envaudit.errors.TargetError` where a document is
    damaged or missing, or there is none for the platform.
    """
    offered = list[Descriptor]()
    if isinstance(found, Index):
        offered = [item for item in _flat(found, read, where, has) if has(item)]
        if not offered:
            raise TargetError(f"{where}: the index lists no image that is there")
        chosen = choose(offered, wanted, where)
        found = parse(_checked(chosen, read, where), where, chosen.media_type)
        if not isinstance(found, Manifest):
            raise TargetError(f"{where}: {chosen.digest} is an index where a manifest should be")
        digests = (*digests, chosen.digest)
    config = configuration(_checked(found.config, read, where), f"{where}: the configuration")
    see_platform(config, wanted, where)
    layers = with_diff_ids([Layer(part.digest, part.size, part.media_type) for part in found.layers], config, where)
    return Image(config, layers, found.config.digest, digests, _named(offered))


def with_diff_ids(layers: list[Layer], config: dict[str, Json], where: str) -> tuple[Layer, ...]:
    """The layers with the digests of their content, of which the configuration lists one for each.

    Raises :class:`~envaudit.errors.TargetError` where it lists more or fewer.
    """
    listed = (config.get("rootfs") or {}).get("diff_ids") or []
    if len(listed) != len(layers):
        raise TargetError(f"{where}: has {len(layers)} layers, and a configuration for {len(listed)}")
    return tuple(layer._replace(diff_id=diff_id) for layer, diff_id in zip(layers, listed, strict=True))


def see_platform(config: dict[str, Json], wanted: str | None, where: str) -> None:
    """See whether an image is for the platform that was asked for.

    Raises :class:`~envaudit.errors.TargetError` where its configuration says another one.
    """
    own = platforms.stated(config)
    # Images of a variant often do not write it into their configuration.
    if wanted is not None and own is not None and own[:2] != platforms.parse(wanted)[:2]:
        raise TargetError(f"{where}: there is none for {wanted}; --platform takes one of those that exist: {own}")


def _flat(index: Index, read: Read, where: str, has: Callable[[Descriptor], bool]) -> list[Descriptor]:
    """The images of an index and of the indexes in it. Of what it lists besides, nothing counts (image-index.md)."""
    images = list[Descriptor]()
    waiting = [(item, 1) for item in reversed(index.manifests)]
    indexes = 0
    while waiting:
        item, depth = waiting.pop()
        if is_image(item):
            images.append(item)
        if item.media_type not in INDEX_TYPES or not has(item):
            continue
        indexes += 1
        if depth >= _DEPTH or indexes > _INDEXES:
            raise TargetError(f"{where}: indexes lie in indexes, more than {_DEPTH} deep or {_INDEXES} of them")
        inner = parse(_checked(item, read, where), where, item.media_type)
        if isinstance(inner, Index):
            waiting += [(found, depth + 1) for found in reversed(inner.manifests)]
    return images


def is_image(item: Descriptor) -> bool:
    """Whether it points to the manifest of an image, and not to a build record beside one (``unknown/unknown``)."""
    unknown = item.platform is not None and "unknown" in item.platform[:2]
    return item.media_type in MANIFEST_TYPES and _ATTESTATION not in item.annotations and not unknown


def _named(images: list[Descriptor]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(str(image.platform) for image in images if image.platform is not None))


def _checked(item: Descriptor, read: Read, where: str) -> bytes:
    if item.size > DOCUMENT_CAP:
        raise TargetError(f"{where}: {item.digest} has {item.size} bytes, more than {DOCUMENT_CAP}")
    data = read(item)
    check(data, item.digest, where)
    return data


def _layer(value: Any, where: str) -> Descriptor:
    layer = _descriptor(value, where)
    if not layer.media_type.startswith(_LAYER_TYPES):
        raise TargetError(f"{where}: {_shown(layer.media_type)} is no layer of a container image")
    if layer.media_type.endswith("+encrypted"):
        raise TargetError(f"{where}: {layer.digest} is encrypted; decrypt the image (skopeo copy --decryption-key)")
    return layer


def _descriptor(value: Any, where: str) -> Descriptor:
    if not isinstance(value, dict):
        raise TargetError(f"{where}: holds something else than descriptors")
    digest: Any = value.get("digest")
    size = value.get("size")
    if not is_digest(digest):
        raise TargetError(f"{where}: {_shown(digest)} is no digest that is read (sha256 or sha512)")
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size < 2**63:
        raise TargetError(f"{where}: {_shown(size)} is no size")
    annotations, platform = value.get("annotations") or {}, value.get("platform")
    if not _is_labels(annotations):
        raise TargetError(f"{where}: its annotations are no object of texts")
    stated = platforms.stated(platform) if isinstance(platform, dict) else None
    return Descriptor(digest, size, _text(value.get("mediaType")), stated, annotations)


def _list(found: dict[str, Json], name: str, where: str) -> list[Json]:
    value = found[name]
    if value is None:
        return []
    if not isinstance(value, list):
        raise TargetError(f"{where}: its {name} are no list")
    return value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _is_labels(value: Any) -> bool:
    return isinstance(value, dict) and _is_texts([*value.values()])


def _is_digests(value: Any) -> bool:
    return isinstance(value, list) and all(map(is_digest, value))


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 100 else f"{text[:100]}..."
