"""Files that are taken for models and are none, or of a format that is not read: said plainly, with what to do."""

from __future__ import annotations

from typing import Final

from envaudit.artifacts._format import Source

NOT_READ: Final = "not read"
"""How it ends what is said of a model in a format that is not read."""

_STARTS: Final = (
    (b"version https://git-lfs.github.com/spec/", "a Git LFS pointer, not the model: run `git lfs pull`"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file (Keras, PyTables), which is not read"),
    (b"GGUF", "a GGUF file, which holds weights and no Python objects and is not read"),
    (b"CBM1", "a CatBoost model, which is not read"),
    (b"PAR1", "a Parquet file, not a model"),
    (b"ARROW1", "an Arrow file, not a model"),
    (b"%PDF", "a PDF document, not a model"),
    (b"\x7fELF", "a program or shared library, not a model"),
    (b"SQLite format 3\0", "an SQLite database, not a model"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive: unpack it and name the model file in it"),
    (b"Rar!", "a RAR archive: unpack it and name the model file in it"),
    (b"tree\n", "a LightGBM text model, which is not read"),
)


def name_lookalike(source: Source) -> str | None:
    """What the file is instead of a model, or None."""
    head = source.head
    if source.size == 0:
        return "an empty file: the copy or the download failed"
    if not head and source.compression:
        return f"an empty {source.compression} file: the copy or the download failed"
    for start, text in _STARTS:
        if head.startswith(start):
            return text
    if head[257:262] == b"ustar":
        return "a tar archive: unpack it and name the model file in it"
    lower = head[:512].lstrip().lower()
    if lower.startswith(b"<?xml") and b"<pmml" in lower:
        return "a PMML document, which is not read"
    if lower.startswith((b"<!doctype html", b"<html", b"<head", b"<?xml", b"<error")):
        return "a web page or an error message of a server, not the model: download it again"
    if head[8:9] == b"{" and 0 < int.from_bytes(head[:8], "little") < 100 << 20 and head[9:10] in b'"} ':
        return "a safetensors file, which holds tensors and no Python objects and is not read"
    if lower.startswith((b"{", b"[")) and _is_text(head):
        return "a JSON file (an XGBoost model may be one), which is not read"
    if not head.strip(b"\0"):
        return "nothing but zero bytes: the copy or the download failed"
    return None


def name_archive(names: list[str]) -> str:
    """What a zip archive is that no format knows."""
    if "schema.json" in names:
        return "a skops file, which is not read"
    if "config.json" in names and any(name.endswith(".h5") for name in names):
        return "a Keras file, which is not read"
    if any(name.endswith("/model.json") for name in names):
        return "a TorchScript file of torch 1.3 or older, which is not read"
    return "a zip archive that holds no single model: unpack it and name the model file in it"


def _is_text(head: bytes) -> bool:
    return all(byte >= 0x20 or byte in b"\t\r\n" for byte in head[:512])
