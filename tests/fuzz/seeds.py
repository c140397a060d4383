"""Small real files by which each target begins: what the tests make, and the fixtures."""

from __future__ import annotations

import io
import os
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

FIXTURES = Path(__file__).parents[2] / "fixtures"
SMALL = 4096
LONGEST_WORD = 64
"""Bytes that libFuzzer takes of a word."""
RECORDED = 200
"""Every so many small files of the load matrix is one."""


def artifacts() -> Iterator[bytes]:
    """Model files: one of each kind, of the load matrix, of joblib's and torch's history."""
    from tests.artifacts.test_hostile import valid_files

    yield from valid_files().values()
    for path in sorted(FIXTURES.glob("artifacts/*/*")):
        if path.suffix not in (".py", ".txt") and path.stat().st_size < 4 * SMALL:
            yield path.read_bytes()
    count = 0
    with tarfile.open(FIXTURES / "truth/models.tar.xz") as archive:
        for member in archive:
            small = member.isfile() and 100 < member.size < SMALL
            count += small
            if small and count % RECORDED == 0 and (stream := archive.extractfile(member)):
                yield stream.read()


def words() -> Iterator[bytes]:
    """Parts of pickles: what builds objects, and the globals of the seeds."""
    from envaudit.artifacts import read
    from envaudit.errors import ArtifactError

    yield from (
        b")R",
        b")\x81",
        b"\x85R",
        b"\x86R",
        b"}b",
        b"}\x94b",
        b"(lp0\n",
        b"]a",
        b"}s",
        b"N}\x86b",
        b"\x93",
        b"h\0",
    )
    found: set[bytes] = set()
    with tempfile.NamedTemporaryFile() as file:
        for data in artifacts():
            Path(file.name).write_bytes(data)
            with suppress(ArtifactError):
                found.update(f"c{used.module}\n{used.name}\n".encode() for used in read(file.name).globals)
    yield from sorted(word for word in found if len(word) <= LONGEST_WORD)


def embedding() -> Iterator[bytes]:
    """Models with a record in them, one for each way."""
    from tests.embedding.kinds import INSIDE, carrying, kinds, record

    with tempfile.TemporaryDirectory() as folder:
        for name in INSIDE:
            yield carrying(Path(folder) / "model", kinds()[name], record(0))


def binaries() -> Iterator[bytes]:
    """Small compiled modules of the environment that runs."""
    for folder in filter(os.path.isdir, sys.path):
        for pattern in ("*.so", "numpy/**/*.so", "sklearn/**/*.so"):
            small = (path for path in sorted(Path(folder).glob(pattern)) if path.stat().st_size < 40 * SMALL)
            yield from (path.read_bytes() for path in small)


def wheels() -> Iterator[bytes]:
    """Archives as an index offers them."""
    from tests.surface.test_wheels import WHEELS

    yield from (data for files in WHEELS.values() for data in files.values() if len(data) < 4 * SMALL)


def pages() -> Iterator[bytes]:
    """Pages of an index, as JSON and as HTML."""
    digest = "0" * 64
    yield (
        b'{"files":[{"filename":"a-1.0-cp311-cp311-manylinux_2_17_x86_64.whl","url":"../a.whl","hashes":{"sha256":"%s"},'
        b'"requires-python":">=3.8","yanked":false},{"filename":"a-1.0.tar.gz","url":"a"}]}' % digest.encode()
    )
    yield b'<!DOCTYPE html><a href="a-1.0-py3-none-any.whl#sha256=%s" data-yanked="x">a</a>' % digest.encode()


def snapshots() -> Iterator[bytes]:
    """Snapshot files."""
    for path in sorted((FIXTURES / "snapshots").iterdir()):
        yield path.read_bytes()[: 16 * SMALL]
    yield (
        b'{"envaudit_snapshot":1,"target":{"kind":"venv","reference":"v"},"components":{"distribution":'
        b'{"a":{"version":"1.0","source":{"kind":"vcs"},"tags":["py3-none-any"]}}},"gaps":[],"artifacts":[]}'
    )


def requirements() -> Iterator[bytes]:
    """Requirements files."""
    for path in sorted(FIXTURES.glob("lockfiles/*/*")):
        if path.suffix in (".txt", ".in"):
            yield path.read_bytes()[:SMALL]


def pylock() -> Iterator[bytes]:
    """Lock files."""
    for path in sorted(FIXTURES.glob("lockfiles/*/pylock*")):
        yield path.read_bytes()[: 4 * SMALL]


def sources() -> Iterator[bytes]:
    """Declarations of Cython's."""
    yield (
        b"from ._types cimport small, wide as broad\nctypedef unsigned char flag\ncdef packed struct A:\n    flag a\n"
        b"    broad b, c  # two\n    small[3] d\ncdef class C(B):\n"
        b"    cpdef int f(self, int a=1, *, b: 'x' = None) except -1:\n"
        b"        pass\ndef g(object a not None, int[:, ::1] b, **c):\n    pass\n"
    )


def cache() -> Iterator[bytes]:
    """What entries of the cache hold."""
    yield b'{"read": 1.0, "files": [["a-1.0-py3-none-any.whl", "a", null, ">=3.8", false]]}'
    yield b'["a/__init__.py", "a/b.py"]'
    yield b'["0", {"names": ["a b", "a", ""], "types": null, "checksums": {}, "unpicklers": {}, "structs": {}}]'


def layers() -> Iterator[bytes]:
    """Layers of an image with a Python, in every format, plain and packed."""
    from tests.images.layers import DEVICE, FOLDER, HARD, LINK, Member, layer
    from tests.images.test_hostile import SITE, SYSTEM

    more: list[Member] = [
        (f"{SITE}/a.pth", b"/srv\n"),
        ("srv", FOLDER, ""),
        ("etc/.wh.x", b""),
        ("l" * 120, LINK, "t" * 120),
        ("a", HARD, "etc/os-release"),
        ("dev", DEVICE, ""),
    ]
    for how in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        members = [member for member in (*SYSTEM, *more) if how != tarfile.USTAR_FORMAT or len(member[0]) < 100]
        data = layer(members, how)
        yield from (data + b"\0", data + b"\1")


def archive(files: dict[str, bytes]) -> bytes:
    """A zip archive."""
    import zipfile

    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as out:
        for name, data in files.items():
            out.writestr(name, data)
    return stream.getvalue()
