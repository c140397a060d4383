"""Members of zip archives that may be damaged or hostile: one that unpacks to more than it declares ends there."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from typing import Final

UNSOUND: Final = (
    zipfile.BadZipFile,
    KeyError,
    ValueError,
    OSError,
    EOFError,
    RuntimeError,
    OverflowError,
    struct.error,
    zlib.error,
)
"""What :mod:`zipfile` raises on an archive that is damaged, encrypted or of a kind that it does not know."""
_CAP: Final = 64 * 1024 * 1024
_COMPILED_CAP: Final = 512 * 1024 * 1024
"""Bytes of one member; catboost's compiled module has 264 MB."""
_STEP: Final = 1 << 20


def unpacked(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """The contents of a member. Raises one of :data:`UNSOUND`, also where it is larger than any that is wanted."""
    if info.file_size > (_COMPILED_CAP if info.filename.endswith((".so", ".pyd")) else _CAP):
        raise ValueError(f"{info.filename[:100]!a} has {info.file_size} bytes")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):  # bzip2 and LZMA unpack without a bound
        raise ValueError(f"{info.filename[:100]!a} is packed otherwise than wheels are")
    out = io.BytesIO()
    with archive.open(info) as stream:
        while data := stream.read(_STEP):  # all at once it would be held twice
            out.write(data)
    return out.getvalue()
