"""The reader of tar archives agrees with the standard library's and with GNU tar, and takes any bytes."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from envaudit.images import _tar

KINDS = {
    tarfile.REGTYPE: _tar.REGULAR,
    tarfile.AREGTYPE: _tar.REGULAR,
    tarfile.CONTTYPE: _tar.REGULAR,
    tarfile.LNKTYPE: _tar.HARD,
    tarfile.SYMTYPE: _tar.SYMBOLIC,
    tarfile.DIRTYPE: _tar.FOLDER,
    tarfile.GNUTYPE_SPARSE: _tar.SPARSE,
    tarfile.CHRTYPE: _tar.SPECIAL,
    tarfile.BLKTYPE: _tar.SPECIAL,
    tarfile.FIFOTYPE: _tar.SPECIAL,
}
FORMATS = {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}
PARTS = st.text(st.characters(exclude_characters="/\0", codec="utf-8"), min_size=1, max_size=90).filter(
    lambda part: part not in (".", "..")
)
NAMES = st.lists(PARTS, min_size=1, max_size=4).map("/".join) | st.sampled_from(["a" * 100, "b" * 101, "c/" * 80 + "d"])
MEMBERS = st.lists(
    st.tuples(
        NAMES,
        st.sampled_from([kind for kind in KINDS if kind not in (tarfile.GNUTYPE_SPARSE, tarfile.AREGTYPE)]),
        st.binary(max_size=1500),
        st.integers(0, 2**33 - 1) | st.sampled_from([-1, -(2**31), 1.5, -0.25, 2**40]),
        NAMES,
    ),
    min_size=1,
    max_size=6,
)


def cursor(data: bytes, block: int = 700) -> _tar.Cursor:
    """Over bytes that come in blocks which fit no header."""
    stream = io.BytesIO(data)
    return _tar.Cursor(lambda: stream.read(block))


def read(data: bytes, block: int = 700) -> list[_tar.Member]:
    return list(_tar.members(cursor(data, block)))


def standard(data: bytes) -> list[_tar.Member]:
    """The members as :mod:`tarfile` reads them, without the slash at a folder's end, which it takes away."""
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return [
            _tar.Member(
                member.name,
                _tar.SPARSE if member.sparse is not None else KINDS[member.type],
                member.size if member.isreg() else 0,
                float(member.mtime),
                member.linkname if member.issym() or member.islnk() else "",
                member.offset_data,
            )
            for member in archive
        ]


def alike(members: list[_tar.Member]) -> list[_tar.Member]:
    """What two readers may write differently: a slash at the end; a link's text where there is no link."""
    return [
        member._replace(
            name=member.name.rstrip("/"),
            link=member.link if member.kind in (_tar.HARD, _tar.SYMBOLIC) else "",
            offset=member.offset if member.kind == _tar.REGULAR else 0,
        )
        for member in members
    ]


def written(
    members: list[tuple[str, bytes, bytes, float, str]], how: int, general: dict[str, str] | None = None
) -> bytes:
    """An archive of those members. Raises ValueError where the format has no room for one."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=how, pax_headers=general or {}) as archive:
        for name, kind, data, mtime, link in members:
            member = tarfile.TarInfo(name)
            member.type, member.mtime, member.mode = kind, mtime, 0o644
            if kind in (tarfile.LNKTYPE, tarfile.SYMTYPE):
                member.linkname = link
            if kind in (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE):
                member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return made.getvalue()


@given(MEMBERS, st.sampled_from(sorted(FORMATS)), st.integers(1, 3000), st.booleans())
@example([("a" * 300, tarfile.SYMTYPE, b"", 0, "b" * 300)], "gnu", 512, False)
@example([("x", tarfile.REGTYPE, b"1", 1.25, "")], "pax", 512, True)
def test_what_the_standard_library_writes(
    members: list[tuple[str, bytes, bytes, float, str]], how: str, block: int, general: bool
) -> None:
    try:
        data = written(members, FORMATS[how], {"comment": "of all", "mtime": "5.5"} if general else {})
    except ValueError:
        return
    assert alike(read(data, block)) == alike(standard(data))


def test_contents_lie_where_it_says() -> None:
    members = [(str(size), tarfile.REGTYPE, b"x" * size, 0.0, "") for size in range(0, 1600, 80)]
    data = written(members, tarfile.PAX_FORMAT)
    reader = cursor(data)
    for member in _tar.members(reader):
        assert reader.position == member.offset
        assert reader.take(member.size) == data[member.offset : member.offset + member.size] == b"x" * int(member.name)


@pytest.mark.parametrize("how", ["v7", "oldgnu", "gnu", "ustar", "pax", "posix"])
def test_what_gnu_tar_writes(tmp_path: Path, how: str) -> None:
    folder = tmp_path / "root"
    folder.mkdir()
    (folder / "file").write_bytes(b"content")
    (folder / "empty").touch()
    (folder / "inner").mkdir()
    (folder / "inner" / ("n" * 80)).write_bytes(b"1")
    (folder / "link").symlink_to("../file")
    (folder / "hard").hardlink_to(folder / "file")
    (folder / "space and\nnewline").write_bytes(b"2")
    (folder / b"not utf-8 \xff".decode("utf-8", "surrogateescape")).write_bytes(b"3")
    if how not in ("v7", "ustar"):
        (folder / ("l" * 255)).symlink_to("t" * 400)
    subprocess.run(["tar", "-C", folder, f"--format={how}", "-cf", tmp_path / "made.tar", "."], check=True)
    data = (tmp_path / "made.tar").read_bytes()
    assert alike(read(data)) == alike(standard(data))
    assert {member.name.rstrip("/") for member in read(data)} > {".", "./file", "./inner", "./link"}


@pytest.mark.parametrize("how", ["gnu", "oldgnu", "posix --sparse-version=0.0", "posix --sparse-version=0.1", "posix"])
@pytest.mark.parametrize("holes", [1, 30])
def test_sparse_members(tmp_path: Path, how: str, holes: int) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        for number in range(holes):
            file.seek(number * 1024 * 1024)
            file.write(b"data")
        file.truncate(holes * 1024 * 1024 + 5)
    (tmp_path / "after").write_bytes(b"after")
    subprocess.run(
        ["tar", "-C", tmp_path, "--sparse", *f"--format={how}".split(), "-cf", "made.tar", "sparse", "after"],
        check=True, cwd=tmp_path,
    )  # fmt: skip
    data = (tmp_path / "made.tar").read_bytes()
    sparse, after = read(data)
    assert sparse[:3] == ("sparse", _tar.SPARSE, holes * 1024 * 1024 + 5)
    assert after[:3] == ("after", _tar.REGULAR, 5)
    assert data[after.offset : after.offset + 5] == b"after"
    assert alike(read(data)) == alike(standard(data))


@pytest.mark.parametrize("size", [8 * 1024**3 - 1, 8 * 1024**3, 2**40])
@pytest.mark.parametrize("how", ["gnu", "pax"])
def test_large_sizes_are_told_before_the_archive_ends(size: int, how: str) -> None:
    member = tarfile.TarInfo("large")
    member.size = size
    header = member.tobuf(tarfile.GNU_FORMAT if how == "gnu" else tarfile.PAX_FORMAT)
    members = _tar.members(cursor(header + b"x" * 512))
    found = next(members)
    assert (found.name, found.size) == ("large", size)
    with pytest.raises(_tar.DamagedError, match="ends in the middle of 'large'"):
        next(members)


def test_the_end_needs_no_empty_blocks() -> None:
    data = written([("a", tarfile.REGTYPE, b"1", 0, "")], tarfile.USTAR_FORMAT)
    assert [member.name for member in read(data[:1024])] == ["a"]
    assert read(b"") == []


WHOLE = written(
    [
        ("folder", tarfile.DIRTYPE, b"", 0, ""),
        ("folder/" + "n" * 120, tarfile.REGTYPE, b"content" * 90, 1.5, ""),
        ("link", tarfile.SYMTYPE, b"", 0, "l" * 120),
        ("last", tarfile.REGTYPE, b"1", 0, ""),
    ],
    tarfile.PAX_FORMAT,
    {"comment": "of all"},
)
WHOLE = WHOLE[: read(WHOLE)[-1].offset + 512]
"""An archive without the empty blocks at its end."""


@pytest.mark.parametrize("length", range(0, len(WHOLE), 61))
def test_cut_off_it_is_damaged_or_ends_earlier(length: int) -> None:
    expected, found = read(WHOLE), []
    try:
        for member in _tar.members(cursor(WHOLE[:length])):
            found.append(member)  # noqa: PERF402  (those before the error count)
    except _tar.DamagedError:
        pass
    else:
        assert length % 512 == 0, "it ended within a block, and nobody said so"
    assert found == expected[: len(found)]


@given(st.integers(0, len(WHOLE) - 1), st.binary(min_size=1, max_size=12))
def test_changed_bytes_give_members_or_damage(at: int, new: bytes) -> None:
    _any(WHOLE[:at] + new + WHOLE[at + len(new) :])


@given(st.lists(st.tuples(st.integers(0, 511), st.binary(min_size=1, max_size=12)), max_size=6), st.integers(0, 8))
def test_headers_with_a_right_checksum_and_any_fields(changes: list[tuple[int, bytes]], block: int) -> None:
    header = bytearray(WHOLE[block * 512 : block * 512 + 512])
    for at, new in changes:
        header[at : at + len(new)] = new[: 512 - at]
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    _any(WHOLE[: block * 512] + bytes(header) + WHOLE[block * 512 + 512 :])


@given(st.binary(max_size=600))
def test_extended_headers_of_any_bytes(data: bytes) -> None:
    _any(_extended(b"x", data) + WHOLE)
    _any(_extended(b"g", data) + WHOLE)


@given(
    st.sampled_from(["size", "mtime", "path", "linkpath", "GNU.sparse.realsize", "GNU.sparse.size", "GNU.sparse.name"]),
    st.text(max_size=30) | st.sampled_from(["1e400", "nan", "-1", "-inf", "1_0", "9" * 400, "1e14", " 7", "٣"]),
)
def test_extended_headers_of_any_values(key: str, value: str) -> None:
    text = f" {key}={value}\n".encode("utf-8", "surrogatepass")
    length = next(n for n in range(len(text), len(text) + 9) if n == len(text) + len(str(n)))
    _any(_extended(b"x", b"%d" % length + text) + WHOLE)


def _extended(kind: bytes, data: bytes) -> bytes:
    member = tarfile.TarInfo("././@PaxHeader")
    member.type, member.size = kind, len(data)
    return member.tobuf(tarfile.USTAR_FORMAT) + data + bytes(-len(data) % 512)


def _any(data: bytes) -> None:
    """Members with sane fields, or one clear error."""
    try:
        for member in read(data):
            assert member.kind in {*KINDS.values()}
            assert member.size >= 0
            assert member.mtime == member.mtime
    except _tar.DamagedError as error:
        assert str(error).isprintable()  # noqa: PT017
