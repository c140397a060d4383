"""torch's zip files: in a member of their own, ``extra/envaudit.json``, where torch keeps files that are not its own.

``torch.jit.load(FILE, _extra_files={"envaudit.json": ""})`` hands it out; ``torch.load`` asks for members by name and
never sees it. The member stands behind the archive's end, with a directory of all members behind it: readers look
for the last one (APPNOTE.TXT, section 4.3), and what stood there before is restored by cutting the file.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from functools import partial
from typing import Final, NamedTuple

from envaudit.embedding._embedding import MAX_PACKED, MAX_TEXT
from envaudit.embedding._file import File, Split, cut_off, embedding
from envaudit.embedding._pieces import Pieces, Span
from envaudit.errors import EmbeddingError
from envaudit.needs import Needs

MEMBER: Final = b"extra/envaudit.json"
_LOCAL: Final = struct.Struct("<IHHHHHIIIHH")
_ENTRY: Final = struct.Struct("<IHHHHHHIIIHHHHHII")
_END: Final = struct.Struct("<IHHHHIIH")
_END64: Final = struct.Struct("<IQHHIIQQQQ")
_LOCATOR64: Final = struct.Struct("<IIQI")
_LONGEST_COMMENT: Final = 0xFFFF
_MAX_DIRECTORY: Final = 32 << 20
_DEFLATE: Final = 8
_EPOCH: Final = 0x21
"""1980-01-01, the earliest date of the format: when it was embedded is no part of what is embedded."""
_WIDE: Final = 0xFFFFFFFF
_BEGIN: Final = _LOCAL.pack(0x04034B50, 20, 0, _DEFLATE, 0, _EPOCH, 0, 0, 0, 0, 0)[:14]
"""How the record's member begins."""


class _Directory(NamedTuple):
    """The central directory of an archive."""

    entries: bytes
    members: int
    wide: bool
    """Whether it has the 64-bit form (section 4.3.14)."""
    comment: bytes
    """The archive's."""


class _Entry(NamedTuple):
    name: bytes
    checksum: int
    packed: int
    """Bytes in the file."""
    start: int


def _directory(file: File, end: int) -> _Directory | None:
    """The directory of the archive that ends at ``end``; None where none does."""
    first = max(0, end - _END.size - _LONGEST_COMMENT)
    tail = file.part(first, end - first)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < _END.size:
        return None
    _, _, _, _, count, size, start, comment = _END.unpack_from(tail, at)
    if at + _END.size + comment != len(tail):
        return None
    locator = tail[at - _LOCATOR64.size : at] if at >= _LOCATOR64.size else b""
    wide = locator.startswith(b"PK\x06\x07")
    if wide:
        last = file.part(_LOCATOR64.unpack(locator)[2], _END64.size)
        if len(last) < _END64.size or not last.startswith(b"PK\x06\x06"):
            return None
        *_, count, size, start = _END64.unpack(last)
    if size > _MAX_DIRECTORY or start + size > end:
        return None
    return _Directory(file.part(start, size), count, wide, tail[at + _END.size :])


def _entries(directory: _Directory) -> Iterator[_Entry]:
    at, data = 0, directory.entries
    while at + _ENTRY.size <= len(data) and data.startswith(b"PK\x01\x02", at):
        fields = _ENTRY.unpack_from(data, at)
        checksum, packed, name, extra, comment, start = *fields[7:9], *fields[10:13], fields[16]
        at += _ENTRY.size
        if at + name + extra + comment > len(data):
            return
        more = data[at + name : at + name + extra]
        if start == _WIDE and len(more) >= 12 and more[:2] == b"\x01\0":
            (start,) = struct.unpack_from("<Q", more, 4)
        yield _Entry(data[at : at + name], checksum, packed, start)
        at += name + extra + comment


def claims(path: str, head: bytes) -> bool:
    """A zip archive; that it is torch's, reading it has shown."""
    return head.startswith(b"PK\x03\x04")


def split(file: File) -> Split:
    """The record's member, and the archive before it."""
    directory = _directory(file, file.size)
    if directory is None or MEMBER not in directory.entries:
        return Split(None, (Span(0, file.size),))
    last = directory.entries[directory.entries.rfind(b"PK\x01\x02") :]
    found = next(_entries(directory._replace(entries=last)), None)
    if found is None or found.name.rpartition(b"extra/")[1:] != MEMBER.partition(b"extra/")[1:]:
        raise EmbeddingError(f"{file.path}: was rewritten by another program after the snapshot was embedded")
    local = file.part(found.start, _LOCAL.size)
    if found.packed > MAX_PACKED or len(local) < _LOCAL.size or not local.startswith(b"PK\x03\x04"):
        raise EmbeddingError(f"{file.path}: the snapshot in it is damaged: {found.packed} bytes at {found.start}")
    *_, name, extra = _LOCAL.unpack(local)
    at = found.start + _LOCAL.size + name + extra
    packed = file.part(at, found.packed)
    before, end = _directory(file, found.start), at + found.packed
    closing = b""
    if before is not None:
        closing = _closing(before, before.entries + directory.entries[len(before.entries) :], end)
    # The directory at the end is what loaders go by: it has to say what that of the model's own bytes says.
    if len(closing) != file.size - end or closing != file.part(end, len(closing)):
        raise EmbeddingError(f"{file.path}: was rewritten by another program after the snapshot was embedded")
    return Split(partial(_inflated, packed, found.checksum, file.path), (Span(0, found.start),))


def _inflated(packed: bytes, checksum: int, where: str) -> bytes:
    decoder = zlib.decompressobj(-15)
    try:
        text = decoder.decompress(packed, MAX_TEXT)
    except zlib.error:
        text = b""
    if not decoder.eof or zlib.crc32(text) != checksum:
        raise EmbeddingError(f"{where}: the snapshot in it is damaged: its checksum is wrong")
    return text


def mend(path: str, needs: Needs | None) -> bool:
    """What begins as a record's member behind the end of the archive, and has no directory behind it."""
    return cut_off(path, _remnant)


def _remnant(file: File) -> int | None:
    if _directory(file, file.size) is not None:
        return None
    first = max(0, file.size - _END.size - _LONGEST_COMMENT)
    tail = file.part(first, file.size - first)
    at = tail.rfind(b"PK\x05\x06", 0, max(0, len(tail) - _END.size + 4))
    while at >= 0:
        end: int = at + _END.size + _END.unpack_from(tail, at)[-1]
        if end < len(tail) and _directory(file, first + end):
            return first + end if _BEGIN.startswith(tail[end : end + len(_BEGIN)]) else None
        at = tail.rfind(b"PK\x05\x06", 0, at)
    return None


def place(file: File, own: Pieces, text: bytes) -> Pieces | None:
    """The archive, one member more behind its end, and a directory of all."""
    end = sum(piece.length for piece in own if isinstance(piece, Span))
    directory = _directory(file, end)
    if directory is None:
        return None
    pickles = (item.name for item in _entries(directory) if item.name.rpartition(b"/")[2] == b"data.pkl")
    folder, slash, _ = next(pickles, b"").rpartition(b"/")
    name = folder + slash + MEMBER
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    data = packer.compress(text) + packer.flush()
    common = (0, _DEFLATE, 0, _EPOCH, zlib.crc32(text), len(data), len(text), len(name))
    member = _LOCAL.pack(0x04034B50, 20, *common, 0) + name + data
    far = end >= _WIDE
    extra = struct.pack("<HHQ", 1, 8, end) if far else b""
    start = _WIDE if far else end
    version = 45 if far else 20
    entry = _ENTRY.pack(0x02014B50, version, version, *common, len(extra), 0, 0, 0, 0, start) + name + extra
    return (*own, member + _closing(directory, directory.entries + entry, end + len(member)))


def _closing(directory: _Directory, entries: bytes, at: int) -> bytes:
    """The directory at ``at``, with one entry more than before, and the archive's end."""
    count, data = directory.members + 1, entries
    if directory.wide or at >= _WIDE or count >= 0xFFFF:
        end = at + len(entries)
        data += _END64.pack(0x06064B50, _END64.size - 12, 45, 45, 0, 0, count, count, len(entries), at)
        data += _LOCATOR64.pack(0x07064B50, 0, end, 1)
    few, near = min(count, 0xFFFF), min(at, _WIDE)
    comment = directory.comment
    return data + _END.pack(0x06054B50, 0, 0, few, few, len(entries), near, len(comment)) + comment


EMBEDDING = embedding(
    "in a member of the archive",
    claims,
    split,
    place,
    formats=("torch_zip",),
    in_place=_LONGEST_COMMENT,  # so far from the end loaders look for the archive's own end
)._replace(mend=mend)
