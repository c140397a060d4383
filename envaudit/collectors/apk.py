"""Packages that apk installed (Alpine and what is built on it).

Format of the installed database: https://wiki.alpinelinux.org/wiki/Apk_spec and ``apk_db_fdb_read`` in
https://gitlab.alpinelinux.org/alpine/apk-tools (src/database.c): one letter and a colon per line, a blank line after
every package.
"""

from __future__ import annotations

from collections.abc import Iterator

from envaudit.collectors import _os_packages as databases
from envaudit.collectors._os_packages import KIND, Package, field
from envaudit.evidence import MIB, Collector, Evidence, FileRequest, Request
from envaudit.model import Component, Gap


def collect(evidence: Evidence) -> Iterator[Component | Gap]:
    """One ``os-package`` per entry of the first database found (the three paths may be one through links)."""
    for path in databases.APK_PATHS:
        file = evidence.files.get(path)
        if file is None:
            continue
        gap = databases.damage(path, file)
        if gap is not None:
            yield gap
        if file.error:
            continue
        blocks = file.text.split("\n\n")
        if file.truncated:
            del blocks[-1]
        elif file.text and file.text[-1] != "\n":
            yield Gap(KIND, None, f"{path}: ends in the middle of an entry")
            del blocks[-1]
        for block in blocks:
            if block and not block.isspace():
                yield _entry(path, "\n" + block)
        return


def _entry(path: str, block: str) -> Component | Gap:
    package = Package(field(block, "\nP:"), field(block, "\nV:"), field(block, "\nA:"))
    if not package.name or not package.version:
        return Gap(KIND, package.name or None, f"{path}: an entry lacks its name or version")
    if package.name.startswith("."):
        # A virtual package (apk add --virtual) holds nothing, and its version is the moment of its making.
        package = package._replace(version=None)
    return databases.component("apk", package, (package.architecture,))  # apk knows no foreign architectures


COLLECTOR = Collector(
    kinds=(KIND,),
    needs=frozenset({"files"}),
    request=Request(files=tuple(FileRequest(path, cap=16 * MIB) for path in databases.APK_PATHS)),
    collect=collect,
)
