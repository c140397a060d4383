"""Images in a registry: ``registry://[HOST[:PORT]/]NAME[:TAG][@DIGEST]``.

OCI distribution specification 1.1, the pull side, and Docker Registry HTTP API V2, which it continues. What a tag
points to is kept by its digest; manifests and configurations are checked against theirs.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, BinaryIO, Final, NamedTuple

from envaudit.errors import TargetError
from envaudit.images import manifest, reference
from envaudit.images._http import AgainError, Client
from envaudit.images.manifest import Descriptor
from envaudit.images.source import Layer, Source
from envaudit.model import Json

_ACCEPT: Final = ", ".join((*manifest.INDEX_TYPES, *manifest.MANIFEST_TYPES, *manifest.SCHEMA_1_TYPES))
_BUFFER: Final = 128 * 1024
_PROGRESS: Final = 8 * 1024 * 1024
"""Bytes after which a stream that was cut counts as a good one again."""


class _Pulled(NamedTuple):
    """A :class:`~envaudit.images.source.Source` of a registry."""

    config: dict[str, Json]
    facts: dict[str, Json]
    layers: tuple[Layer, ...]
    client: Client

    def open(self, layer: Layer, start: int = 0) -> AbstractContextManager[BinaryIO]:
        """See :meth:`Source.open <envaudit.images.source.Source.open>`."""
        return io.BufferedReader(_Blob(self.client, layer, start), _BUFFER)


def open_registry(
    text: str, platform: str | None, timeout: float, progress: Callable[[str], None] = lambda message: None
) -> Source:
    """The image that a reference names; ``timeout`` is the longest silence on the wire, in seconds.

    Raises :class:`~envaudit.errors.TargetError` where the reference is none, or there is no such image for the
    platform, or it cannot be had; :class:`~envaudit.errors.MissingExtraError` without the extra ``docker``.
    """
    named = reference.parse(text)
    client = Client(named, timeout)
    progress(f"asking {named.host} for {named.path}")
    what = f"the manifest {named.digest}" if named.digest else f"a tag {named.tag} of {named.path}"
    data, media_type = client.document(f"manifests/{named.digest or named.tag}", _ACCEPT, what)
    digest = named.digest or manifest.digest_of(data)
    manifest.check(data, digest, client.where)

    def read(item: Descriptor) -> bytes:
        if item.media_type in (*manifest.INDEX_TYPES, *manifest.MANIFEST_TYPES):
            return client.document(f"manifests/{item.digest}", _ACCEPT, f"the manifest {item.digest}")[0]
        return client.document(f"blobs/{item.digest}", "*/*", f"the configuration {item.digest}")[0]

    found = manifest.parse(data, client.where, media_type)
    image = manifest.resolve(found, (digest,), read, platform, client.where)
    facts: dict[str, Json] = {
        "id": image.id,
        "digests": [named.digested(digest) for digest in image.digests],
        "tags": [named.tagged] if named.tagged and not named.digest else [],
        "platforms": list(image.platforms),
    }
    return _Pulled(image.config, facts, image.layers, client)


class _Blob(io.RawIOBase):
    """The bytes of a layer as they come. Where they stop coming, they are asked for from there on."""

    def __init__(self, client: Client, layer: Layer, start: int) -> None:
        self._client = client
        self._layer = layer
        self._at = self._counted = start
        self._failures = 0
        self._over = 0
        """Bytes to be passed over: what stands before, where the server does not obey ranges."""
        self._size = layer.size or 0
        self._response: Any = None
        if start < self._size:
            self._response = client.tried(self._asked)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left = self._size - self._at
        while left > 0:
            try:
                if self._response is None:
                    self._response = self._asked()
                while self._over:
                    self._over -= len(self._received(min(self._over, _BUFFER)))
                data = self._received(min(left, len(buffer)))
            except AgainError as error:
                self._failed(error)
                continue
            buffer[: len(data)] = data
            self._at += len(data)
            return len(data)
        return 0

    def close(self) -> None:
        self._hang_up()
        super().close()

    def _asked(self) -> Any:
        """The answer that goes on where this one stands."""
        foreign = any(word in self._layer.media_type for word in ("foreign", "nondistributable"))
        what = f"layer {self._layer.digest}" + (", which its makers do not let others distribute" if foreign else "")
        response = self._client.stream(f"blobs/{self._layer.digest}", self._at, what)
        whole = response.status_code == 200
        self._over = self._at if whole else 0
        begins = whole or response.headers.get("Content-Range", "").startswith(f"bytes {self._at}-")
        length = response.headers.get("Content-Length", "")
        expected = self._size - (0 if whole else self._at)
        if not begins or (length.isdecimal() and int(length[:20]) != expected):
            response.close()
            raise TargetError(f"{self._client.where}: its registry has another length of {what} than its manifest says")
        return response

    def _received(self, count: int) -> bytes:
        try:
            data: bytes = self._response.raw.read(count)
        except self._client.broken as error:
            raise self._client.explained(error) from None
        if not data:
            raise AgainError("the connection was closed in the middle")
        return data

    def _failed(self, error: AgainError) -> None:
        """Wait for another try; raises TargetError after too many without much between them."""
        self._hang_up()
        if self._at - self._counted >= _PROGRESS:
            self._failures = 0
        self._counted = self._at
        self._failures += 1
        self._client.wait(error, self._failures)

    def _hang_up(self) -> None:
        response, self._response = self._response, None
        if response is not None:
            response.close()
