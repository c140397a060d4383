"""Records as JSON text.

    {"envaudit_embedded": 1, "written_by": "envaudit 0.1.0", "digest": "sha256/16MiB:...", "size": 51234,
     "snapshot": {...}, "sample": {"file": "X.npy", "base64": "..."}}

``envaudit_embedded`` grows when a reader of the old number could misread the record; the snapshot in it has a number of
its own (docs/snapshot.md).
"""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from typing import Final

from envaudit import __version__, store
from envaudit.embedding._embedding import MAX_SAMPLE, MAX_TEXT, Record, Sample
from envaudit.errors import EmbeddingError, SnapshotError
from envaudit.model import Json

SCHEMA: Final = 1
MARK: Final = "envaudit_embedded"
"""The key that says "this is a record" and holds the schema number."""


def to_json(record: Record) -> dict[str, Json]:
    """A record as JSON-plain values, in the order in which it is written."""
    document: dict[str, Json] = {MARK: SCHEMA, "written_by": f"envaudit {__version__}"}
    if record.digest is not None:
        document |= {"digest": record.digest, "size": record.size}
    if record.sample is not None:
        if not is_file_name(record.sample.file):
            raise EmbeddingError(f"{record.sample.file!a}: no name that a sample can have in a model: rename the file")
        document["sample"] = {"file": record.sample.file, "base64": base64.b64encode(record.sample.data).decode()}
    document["snapshot"] = store.to_json(record.snapshot)
    return document


def dumps(record: Record) -> bytes:
    """The JSON text of a record, on one line: it is not meant to be read where it rides.

    Raises :class:`~envaudit.errors.EmbeddingError` where it is longer than is read.
    """
    return _encoded(json.dumps(to_json(record), ensure_ascii=False, separators=(",", ":")))


def pretty(record: Record) -> bytes:
    """The JSON text of a record in a file of its own, where it reads well in a pull request."""
    return _encoded(store.pretty(to_json(record)))


def _encoded(text: str) -> bytes:
    data = text.encode("utf-8", "backslashreplace")
    if len(data) > MAX_TEXT:
        raise EmbeddingError(f"the snapshot and its sample have {len(data)} bytes; at most {MAX_TEXT} ride in a model")
    return data


def loads(text: bytes, where: str) -> Record:
    """Parse a record. ``where`` is what it rides in.

    Raises :class:`~envaudit.errors.EmbeddingError`: damaged, foreign, or of a newer schema.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise EmbeddingError(f"{where}: the snapshot in it is damaged: no whole JSON") from None
    schema = document.get(MARK) if isinstance(document, dict) else None
    if not isinstance(schema, int) or isinstance(schema, bool) or schema < 1:
        raise EmbeddingError(f'{where}: the snapshot in it is damaged: it has no "{MARK}"')
    if schema > SCHEMA:
        raise EmbeddingError(
            f"{where}: the snapshot in it was embedded by a newer envaudit (schema {schema!s:.20}, this one reads up "
            f"to {SCHEMA}); pip install --upgrade envaudit"
        )
    try:
        snapshot = store.of_json(document.get("snapshot"), f"{where} (the snapshot in it)")
    except SnapshotError as error:
        raise EmbeddingError(str(error)) from None
    digest, size = document.get("digest"), document.get("size", 0)
    known = isinstance(digest, str) and isinstance(size, int) and not isinstance(size, bool) and 0 <= size < 1 << 63
    if not known and digest is not None:
        raise EmbeddingError(f"{where}: the snapshot in it is damaged: no digest and size of the model")
    written_by = document.get("written_by")
    return Record(
        snapshot,
        _sample(document.get("sample"), where),
        digest,
        size,
        written_by if isinstance(written_by, str) else "",
    )


def _sample(value: Json, where: str) -> Sample | None:
    if value is None:
        return None
    try:
        file, data = value["file"], base64.b64decode(value["base64"], validate=True)
    except (TypeError, KeyError, ValueError, binascii.Error):
        raise EmbeddingError(f"{where}: the sample in it is damaged") from None
    if not isinstance(file, str) or not is_file_name(file) or len(data) > MAX_SAMPLE:
        raise EmbeddingError(f"{where}: the sample in it is damaged")
    return Sample(file, data)


def is_file_name(name: str) -> bool:
    """Whether a file of this name can be made in any folder, and leads nowhere else."""
    return name.isprintable() and "/" not in name and name not in ("", ".", "..") and len(name.encode()) <= 255


def packed(text: bytes) -> bytes:
    """A text for a place where space counts."""
    return zlib.compress(text, 9)


def unpacked(data: bytes, where: str) -> bytes:
    """The text again. Raises :class:`~envaudit.errors.EmbeddingError` where it is damaged, or too long by far."""
    try:
        decoder = zlib.decompressobj()
        text = decoder.decompress(data, MAX_TEXT)
    except zlib.error:
        raise EmbeddingError(f"{where}: the snapshot in it is damaged: its checksum is wrong") from None
    if not decoder.eof:
        why = f"longer than {MAX_TEXT} bytes" if len(text) == MAX_TEXT else "cut short"
        raise EmbeddingError(f"{where}: the snapshot in it is damaged: {why}")
    return text
