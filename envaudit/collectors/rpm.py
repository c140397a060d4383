"""Packages that rpm installed: Fedora, RHEL and its kin, Amazon Linux, SUSE, Azure Linux.

Read is the SQLite form of the database (table ``Packages``, one header per package, as lib/backend/sqlite.c of
https://github.com/rpm-software-management/rpm writes it) and the manifest of distroless Azure Linux images
(https://github.com/microsoft/azurelinux, toolkit/docs/how_it_works/5_misc.md). Header format:
https://rpm-software-management.github.io/rpm/manual/format_header.html; tag numbers:
https://rpm-software-management.github.io/rpm/manual/tags.html.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from envaudit.collectors import _os_packages as databases
from envaudit.collectors._os_packages import KIND, Package
from envaudit.evidence import MIB, Collector, Evidence, FileRequest, Request
from envaudit.model import Component, Gap

NAME: Final = 1000
VERSION: Final = 1001
RELEASE: Final = 1002
EPOCH: Final = 1003
ARCHITECTURE: Final = 1022
WANTED: Final = frozenset({NAME, VERSION, RELEASE, EPOCH, ARCHITECTURE})
INT32: Final = 4
STRING: Final = 6

OLDER_FORMS: Final = {"Packages": "bdb", "Packages.db": "ndb"}
LARGEST_HEADER: Final = 64 * MIB
STEPS: Final = 500
"""How often 10 000 steps of SQLite's machine may pass (one package takes about five steps): a crafted file must not
keep it busy for ever."""

SQLITE_FILES: Final = tuple(f"{folder}/rpmdb.sqlite" for folder in databases.RPM_FOLDERS)


class _UnreadableError(Exception):
    """The database, or the rest of it, cannot be read; the message says why."""


def collect(evidence: Evidence) -> Iterator[Component | Gap]:
    """One ``os-package`` per installed package, with ``[epoch:]version-release`` as ``rpm -q --qf %{EVR}`` says it.

    The native architecture is that of the package ``rpm``, else that of most packages. Of a package that is
    installed in several versions (kernels) the last installed one counts; the others are its attribute ``also``.
    Public keys, which rpm books as packages of the name gpg-pubkey, are none and are left out.
    """
    packages: list[Package] = []
    seen: set[bytes] = set()
    for path in SQLITE_FILES:
        file = evidence.files.get(path)
        if file is None:
            continue
        gap = databases.damage(path, file)
        if gap is not None:
            yield gap
        elif file.data not in seen:  # the folders may be one folder through links
            seen.add(file.data)
            log = evidence.files.get(path + "-wal")
            if log is not None and (log.data or log.error):
                yield Gap(KIND, None, f"{path}-wal: holds changes that were not read")
            yield from _from_database(path, file.data, packages)
    yield from _from_manifest(evidence, packages)
    for folder in databases.RPM_FOLDERS:
        for name, form in OLDER_FORMS.items():
            if f"{folder}/{name}" in evidence.names and f"{folder}/rpmdb.sqlite" not in evidence.files:
                yield Gap(KIND, None, f"{folder}/{name}: an rpm database in {form} form is not read yet")
    yield from _components(packages)


def _components(packages: list[Package]) -> Iterator[Component]:
    usual = ("noarch", databases.native(packages, "rpm", "noarch"))
    found: dict[str, list[Component]] = {}
    for package in packages:
        one = databases.component("rpm", package, usual)
        found.setdefault(one.name, []).append(one)
    for copies in found.values():
        last = copies[-1]
        others = sorted({str(copy.version) for copy in copies} - {str(last.version)})
        yield last._replace(attributes={**last.attributes, "also": others}) if others else last


def _from_database(path: str, data: bytes, packages: list[Package]) -> Iterator[Gap]:
    try:
        for blob in _blobs(data):
            package = _package(blob)
            if package is None:
                yield Gap(KIND, None, f"{path}: an entry is not understood")
            elif package.name != "gpg-pubkey":
                packages.append(package)
    except _UnreadableError as error:
        yield Gap(KIND, None, f"{path}: {error}")


def _blobs(data: bytes) -> Iterator[bytes]:
    """The header blobs in the order of their installation."""
    try:
        import sqlite3
    except ImportError:
        raise _UnreadableError("reading an rpm database needs Python's sqlite3 module") from None
    connection = sqlite3.connect(":memory:")
    try:
        deserialize = getattr(connection, "deserialize", None)
        if deserialize is None:
            raise _UnreadableError("reading an rpm database needs Python 3.11 or newer")
        if data[:16] != b"SQLite format 3\0":
            raise _UnreadableError("this is no SQLite database")
        # rpm writes in WAL mode, which a database in memory cannot have: bytes 18 and 19 say so, and 1 means
        # "rollback journal" (https://www.sqlite.org/c3ref/deserialize.html).
        deserialize(data[:18] + b"\1\1" + data[20:])
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LARGEST_HEADER)  # type: ignore[attr-defined,unused-ignore]
        connection.execute("PRAGMA trusted_schema=OFF")
        connection.execute("PRAGMA cell_size_check=ON")
        left = iter(range(STEPS))
        connection.set_progress_handler(lambda: 0 if next(left, None) is not None else 1, 10_000)
        for (blob,) in connection.execute("SELECT blob FROM Packages ORDER BY hnum"):
            yield blob if isinstance(blob, bytes) else b""
    except (sqlite3.Error, ValueError, OverflowError, MemoryError) as error:
        raise _UnreadableError(f"damaged: {error}") from None
    finally:
        connection.close()


def _package(blob: bytes) -> Package | None:
    """The package that a header describes, None where it is damaged.

    In the database a header has no magic number; it starts with the number of index entries and of data bytes.
    """
    import struct

    if len(blob) < 8:
        return None
    entries, size = struct.unpack_from(">II", blob)
    start = 8 + 16 * entries
    if start + size > len(blob):
        return None
    tags: dict[int, str] = {}
    for tag, kind, offset, _ in struct.iter_unpack(">IIiI", memoryview(blob)[8:start]):
        if tag not in WANTED or tag in tags or not 0 <= offset < size:
            continue
        at = start + offset
        if kind == STRING:
            end = blob.find(b"\0", at, start + size)
            if end >= 0:
                tags[tag] = blob[at:end].decode("utf-8", "replace")
        elif kind == INT32 and offset + 4 <= size:
            tags[tag] = str(int.from_bytes(blob[at : at + 4], "big"))
    if not tags.get(NAME) or VERSION not in tags or RELEASE not in tags:
        return None
    epoch = f"{tags[EPOCH]}:" if EPOCH in tags else ""
    return Package(tags[NAME], f"{epoch}{tags[VERSION]}-{tags[RELEASE]}", tags.get(ARCHITECTURE, ""))


def _from_manifest(evidence: Evidence, packages: list[Package]) -> Iterator[Gap]:
    """``NAME VERSION-RELEASE INSTALLTIME BUILDTIME VENDOR EPOCH SIZE ARCH EPOCHNUM SOURCERPM``, tab separated."""
    path = databases.RPM_MANIFEST
    file = evidence.files.get(path)
    if file is None:
        return
    gap = databases.damage(path, file)
    if gap is not None:
        yield gap
    lines = file.text.split("\n")
    if file.truncated:
        del lines[-1]
    for line in lines:
        columns = line.split("\t")
        if len(columns) == 10 and columns[0] and columns[1]:
            epoch = f"{columns[8]}:" if columns[8] not in ("0", "(none)", "") else ""
            if columns[0] != "gpg-pubkey":
                packages.append(Package(columns[0], epoch + columns[1], columns[7]))
        elif line.strip():
            yield Gap(KIND, None, f"{path}: a line is not understood")


COLLECTOR = Collector(
    kinds=(KIND,),
    needs=frozenset({"files"}),
    request=Request(
        files=(
            *(FileRequest(path, cap=256 * MIB, binary=True) for path in SQLITE_FILES),
            # The log's header is 32 bytes long; whether there is one is all that matters.
            *(FileRequest(path + "-wal", cap=32, binary=True) for path in SQLITE_FILES),
            FileRequest(databases.RPM_MANIFEST, cap=16 * MIB),
        ),
        names=databases.RPM_NAMES,
    ),
    collect=collect,
)
