"""Zip archives by their directory: nothing is unpacked to disk, so names in them have no power over paths."""

from __future__ import annotations

import struct
import zipfile
from typing import BinaryIO, Final, NamedTuple

from envaudit.errors import ArtifactError

MAX_DIRECTORY: Final = 32 << 20
"""Bytes of a directory that are read."""
MAX_MEMBERS: Final = 200_000

_TAIL: Final = (1 << 16) + 22 + 20
_LOCAL: Final = 30
_KINDS: Final = {
    zipfile.ZIP_STORED: None,
    zipfile.ZIP_DEFLATED: "deflate",
    zipfile.ZIP_BZIP2: "bz2",
}


class Member(NamedTuple):
    """Where the bytes of a file lie in another one."""

    name: str
    start: int
    length: int
    compression: str | None


def members_of(file: BinaryIO, size: int, name: str) -> dict[str, Member]:
    """The members by name; of two with the same name the last, as zipfile has it."""
    _check_directory(file, size, name)
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
        return {entry.filename: _member(file, size, entry) for entry in entries if not entry.filename.endswith("/")}
    except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error, OverflowError, OSError) as error:
        raise ArtifactError(f"{name}: a damaged or truncated zip archive: {error}; copy it again") from None


def _check_directory(file: BinaryIO, size: int, name: str) -> None:
    """zipfile reads the whole directory into memory: look at its declared size first."""
    file.seek(max(0, size - _TAIL))
    tail = file.read(_TAIL)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) < at + 22:
        raise ArtifactError(f"{name}: a truncated zip archive: its directory, which stands at the end, is missing")
    count, length = struct.unpack_from("<HI", tail, at + 10)
    wide = tail.rfind(b"PK\x06\x07", 0, at)
    if wide >= 0 and (count == 0xFFFF or length == 0xFFFFFFFF):
        file.seek(min(struct.unpack_from("<Q", tail, wide + 8)[0], size))
        record = file.read(56)
        if len(record) == 56:
            count, length = struct.unpack_from("<QQ", record, 32)
    if count > MAX_MEMBERS or length > MAX_DIRECTORY:
        raise ArtifactError(f"{name}: a zip directory of {count} members and {length} bytes is beyond the limits")


def _member(file: BinaryIO, size: int, entry: zipfile.ZipInfo) -> Member:
    if entry.flag_bits & 1:
        raise ValueError(f"{entry.filename[:100]!a} is encrypted")
    if entry.compress_type not in _KINDS:
        raise ValueError(f"{entry.filename[:100]!a} is compressed in a way that is not read ({entry.compress_type})")
    file.seek(entry.header_offset)
    local = file.read(_LOCAL)
    if len(local) < _LOCAL or local[:4] != b"PK\x03\x04":
        raise ValueError(f"{entry.filename[:100]!a} is not where the directory says")
    name_length, extra_length = struct.unpack_from("<HH", local, 26)
    start = entry.header_offset + _LOCAL + name_length + extra_length
    if start + entry.compress_size > size:
        raise ValueError(f"{entry.filename[:100]!a} is not all there")
    return Member(entry.filename, start, entry.compress_size, _KINDS[entry.compress_type])
