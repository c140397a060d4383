"""rpm: a database that rpm really wrote, and what becomes of a damaged or hostile one."""

from __future__ import annotations

import shutil
import sqlite3
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envaudit.collectors import rpm
from envaudit.evidence import Evidence, FileText
from envaudit.model import Component, Gap
from tests.collectors.test_recorded import case, evidence

PATH = "/usr/lib/sysimage/rpm/rpmdb.sqlite"
MANIFEST = "/var/lib/rpmmanifest/container-manifest-2"
MAKE = Path(__file__).parents[2] / "fixtures" / "evidence" / "make_rpm.sh"
needs_deserialize = pytest.mark.skipif(sys.version_info < (3, 11), reason="needs sqlite3's deserialize")


def real() -> bytes:
    return evidence(case("rpm_sqlite")["input"]).files[PATH].data


def collect(data: bytes, **others: FileText) -> list[Component | Gap]:
    files = {PATH: FileText(data=data)}
    files.update({PATH.replace("rpmdb.sqlite", name): file for name, file in others.items()})
    return list(rpm.collect(Evidence(files=files)))


def components(items: list[Component | Gap]) -> dict[str, Component]:
    return {item.name: item for item in items if isinstance(item, Component)}


def gaps(items: list[Component | Gap]) -> list[Gap]:
    return [item for item in items if isinstance(item, Gap)]


@needs_deserialize
def test_epochs_architectures_and_several_versions() -> None:
    items = collect(real())
    found = components(items)
    assert not gaps(items)
    assert found["openssl-libs"].version == "1:3.0.7-27.el9"
    assert found["epoch-zero"].version == "0:1.0-1"
    assert found["glibc"].attributes == {"manager": "rpm", "architecture": "x86_64"}
    assert found["glibc:i686"].attributes == {"manager": "rpm", "architecture": "i686"}
    assert found["kernel-core"].version == "5.14.0-503.11.1.el9_5"
    assert found["kernel-core"].attributes["also"] == ["5.14.0-427.13.1.el9_4"]


@needs_deserialize
@pytest.mark.skipif(shutil.which("rpmbuild") is None, reason="no rpm on this machine")
def test_a_database_that_rpm_writes_now(tmp_path: Path) -> None:
    subprocess.run([str(MAKE), str(tmp_path)], check=True, capture_output=True)
    found = components(collect((tmp_path / "rpmdb.sqlite").read_bytes()))
    listed = {
        f"{one.name.partition(':')[0]} {version} {one.attributes['architecture']}"
        for one in found.values()
        for version in (one.version, *one.attributes.get("also", ()))
    }
    assert listed == set((tmp_path / "expected.txt").read_text().splitlines())


@needs_deserialize
def test_public_keys_are_no_packages() -> None:
    assert list(components(collect(database([header("gpg-pubkey"), header("bash")])))) == ["bash"]


@needs_deserialize
def test_an_empty_database_has_no_packages() -> None:
    assert collect(database([])) == []


def test_python_3_10_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    class Old:
        def close(self) -> None: ...

    monkeypatch.setattr(sqlite3, "connect", lambda path: Old())
    assert gaps(collect(b"x")) == [
        Gap("os-package", None, f"{PATH}: reading an rpm database needs Python 3.11 or newer")
    ]


@needs_deserialize
@pytest.mark.parametrize("data", [b"", b"garbage", b"SQLite format 3\0", b"SQLite format 3\0" + b"x" * 5000])
def test_no_database(data: bytes) -> None:
    assert len(gaps(collect(data))) == 1


@needs_deserialize
def test_cut_anywhere_is_a_gap() -> None:
    data = real()
    for length in range(0, len(data), 9973):
        items = collect(data[:length])
        assert gaps(items), length


@needs_deserialize
def test_what_was_not_read_is_a_gap() -> None:
    assert gaps(collect(real(), **{"rpmdb.sqlite-wal": FileText(data=b"\x37\x7f\x06\x82", truncated=True)})) == [
        Gap("os-package", None, f"{PATH}-wal: holds changes that were not read")
    ]
    assert not gaps(collect(real(), **{"rpmdb.sqlite-wal": FileText(data=b"")}))
    files = {PATH: FileText(error="Permission denied")}
    assert list(rpm.collect(Evidence(files=files))) == [Gap("os-package", None, f"{PATH}: Permission denied")]
    assert gaps(list(rpm.collect(Evidence(files={PATH: FileText(data=real()[:8192], truncated=True)}))))


def header(name: str, version: str = "1", release: str = "1", architecture: str = "x86_64") -> bytes:
    """A header after https://rpm-software-management.github.io/rpm/manual/format_header.html."""
    index, data = b"", b""
    for tag, text in ((1000, name), (1001, version), (1002, release), (1022, architecture)):
        index += struct.pack(">IIiI", tag, 6, len(data), 1)
        data += text.encode() + b"\0"
    return struct.pack(">II", len(index) // 16, len(data)) + index + data


def database(blobs: list[bytes], *statements: str) -> bytes:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE Packages (hnum INTEGER PRIMARY KEY AUTOINCREMENT, blob BLOB NOT NULL)")
    connection.executemany("INSERT INTO Packages (blob) VALUES (?)", [(blob,) for blob in blobs])
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    data: bytes = getattr(connection, "serialize", bytes)()  # new in Python 3.11
    connection.close()
    return data


@needs_deserialize
def test_a_database_that_would_keep_sqlite_busy_for_ever() -> None:
    endless = (
        "CREATE VIEW Packages AS WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c)"
        " SELECT n AS hnum, x'00' AS blob FROM c WHERE n < 0"
    )
    start = time.monotonic()
    items = collect(database([], "DROP TABLE Packages", endless))
    assert time.monotonic() - start < 20
    assert [gap.reason for gap in gaps(items)] == [f"{PATH}: damaged: interrupted"]


@needs_deserialize
@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 240_000), st.integers(0, 255)), min_size=1, max_size=50))
def test_a_damaged_database_never_raises(changes: list[tuple[int, int]]) -> None:
    data = bytearray(real())
    for at, value in changes:
        data[at % len(data)] = value
    for item in collect(bytes(data)):
        assert item.kind == "os-package"


@needs_deserialize
@settings(deadline=None)
@given(st.lists(st.binary()), st.integers(0, 200), st.binary(max_size=8))
def test_damaged_headers_never_raise(blobs: list[bytes], at: int, patch: bytes) -> None:
    good = header("bash", "5.2", "1")
    damaged = good[:at] + patch + good[at + len(patch) :]
    items = collect(database([*blobs, damaged, header("zlib")]))
    assert {"zlib", "zlib:x86_64"} & set(components(items))  # the damaged one may be of any architecture


@settings(deadline=None)
@given(st.text(), st.booleans())
def test_an_arbitrary_manifest_never_raises(text: str, truncated: bool) -> None:
    for item in rpm.collect(Evidence(files={MANIFEST: FileText(text, truncated=truncated)})):
        assert item.kind == "os-package"


def test_a_garbled_manifest_is_a_gap() -> None:
    (gap,) = rpm.collect(Evidence(files={MANIFEST: FileText("bash\t5.2-1\n")}))
    assert gap == Gap("os-package", None, f"{MANIFEST}: a line is not understood")
