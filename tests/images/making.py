"""Images made byte by byte: small ones, and such as no tool would write."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

OCI = "application/vnd.oci.image."
MANIFEST = f"{OCI}manifest.v1+json"
INDEX = f"{OCI}index.v1+json"
CONFIG = f"{OCI}config.v1+json"
LAYER = f"{OCI}layer.v1.tar"
NAME = "org.opencontainers.image.ref.name"


class Made(NamedTuple):
    """A document with all that it points to."""

    descriptor: dict[str, Any]
    blobs: dict[str, bytes]

    @property
    def digest(self) -> str:
        return str(self.descriptor["digest"])

    @property
    def document(self) -> dict[str, Any]:
        return dict(json.loads(self.blobs[self.digest]))

    def named(self, name: str) -> Made:
        """The same, called so in an index."""
        return self._replace(descriptor={**self.descriptor, "annotations": {NAME: name}})


def digest_of(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def tar_of(files: dict[str, bytes]) -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return written.getvalue()


def blob(data: bytes, media_type: str) -> Made:
    digest = digest_of(data)
    return Made({"mediaType": media_type, "digest": digest, "size": len(data)}, {digest: data})


def document(value: Any, media_type: str, *parts: Made) -> Made:
    made = blob(json.dumps(value).encode(), media_type)
    return made._replace(blobs={digest: data for part in (*parts, made) for digest, data in part.blobs.items()})


def image(
    *layers: dict[str, bytes],
    architecture: str = "amd64",
    variant: str = "",
    pack: Callable[[bytes], bytes] = lambda data: gzip.compress(data, mtime=0),
    **config: Any,
) -> Made:
    """An image of these files, a layer each."""
    contents = [tar_of(files) for files in layers]
    stored = [blob(pack(data), f"{LAYER}+gzip") for data in contents]
    settings = {
        "architecture": architecture,
        "os": "linux",
        **({"variant": variant} if variant else {}),
        "config": {"Env": ["PATH=/usr/bin"], "Cmd": ["python3"]},
        "rootfs": {"type": "layers", "diff_ids": [digest_of(data) for data in contents]},
        **config,
    }
    configuration = document(settings, CONFIG)
    parts = {"config": configuration.descriptor, "layers": [layer.descriptor for layer in stored]}
    made = document({"schemaVersion": 2, "mediaType": MANIFEST, **parts}, MANIFEST, configuration, *stored)
    platform = {"os": "linux", "architecture": architecture, **({"variant": variant} if variant else {})}
    return made._replace(descriptor={**made.descriptor, "platform": platform})


def index(*images: Made) -> Made:
    listed = [item.descriptor for item in images]
    return document({"schemaVersion": 2, "mediaType": INDEX, "manifests": listed}, INDEX, *images)


def layout(folder: Path, *images: Made) -> Path:
    """An OCI layout of these images."""
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    for made in images:
        for digest, data in made.blobs.items():
            (blobs / digest.partition(":")[2]).write_bytes(data)
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    listed = [made.descriptor for made in images]
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": listed}))
    return folder


def archive(path: Path, folder: Path, prefix: str = "") -> Path:
    """The files of a folder in a tar archive, each name after a prefix."""
    with tarfile.open(path, "w") as written:
        if prefix:
            written.add(folder, arcname=prefix, recursive=False)
        for file in sorted(folder.rglob("*")):
            written.add(file, arcname=prefix + str(file.relative_to(folder)), recursive=False)
    return path
