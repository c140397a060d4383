"""What a source of an image's bytes offers, wherever they lie.

Formats: OCI image specification 1.1 (manifest.md, config.md, image-index.md, image-layout.md) and Docker's Image
Manifest V2 Schema 2, whose media types differ and whose shape is the same.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import BinaryIO, NamedTuple, Protocol

from envaudit.model import Json


class Layer(NamedTuple):
    """One layer: a tar archive, compressed or not, of what it adds to those below it."""

    digest: str
    """``ALGORITHM:HEX`` of the bytes as they are stored; what :meth:`Source.open` reads is to be checked against it. Of
    an engine's export whatever identifies it; empty where nothing does."""
    size: int | None = None
    """Bytes as stored."""
    media_type: str = ""
    """As the manifest says; what the bytes are is told from the bytes."""
    diff_id: str | None = None
    """``ALGORITHM:HEX`` of the uncompressed tar, as the image's configuration says (``rootfs.diff_ids``)."""
    forwards: bool = False
    """Its bytes come from the beginning on only: nothing is saved by opening it at a place further on."""


class Source(Protocol):
    """One image of one platform, of which the manifest and the configuration were read and checked."""

    @property
    def config(self) -> dict[str, Json]:
        """The image's configuration (config.md); empty where there is none (an exported root file system)."""

    @property
    def facts(self) -> dict[str, Json]:
        """What else is known of the image, under the keys of :attr:`Evidence.image`: ``id`` (digest of the
        configuration), ``digests`` (``NAME@DIGEST``, the manifest's and the index's), ``tags``, ``platforms`` (those
        that the index offers, as ``OS/ARCHITECTURE[/VARIANT]``)."""

    @property
    def layers(self) -> tuple[Layer, ...]:
        """Base first."""

    def open(self, layer: Layer, start: int = 0) -> AbstractContextManager[BinaryIO]:
        """The stored bytes of a layer from an offset on. May be called from several threads at a time; seekable where
        that costs nothing.

        Raises :class:`~envaudit.errors.TargetError` where there are none, or none come any more.
        """
