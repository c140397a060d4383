"""Packages that dpkg installed: Debian, Ubuntu and what is built on them, and distroless images.

This collector also tells of a place where no package manager keeps any books.
"""

from __future__ import annotations

from collections.abc import Iterator

from envaudit.collectors import _os_packages as databases
from envaudit.collectors._os_packages import KIND, Package
from envaudit.evidence import Collector, Evidence, Request
from envaudit.model import Component, Gap


def collect(evidence: Evidence) -> Iterator[Component | Gap]:
    """One ``os-package`` per installed package, whatever is wanted of it (``install``, ``hold``, ``deinstall``).

    The native architecture is that of the package ``dpkg``; where that is not there (distroless), that of most
    packages. A package that dpkg left half way is a gap: some of its files may be there.
    """
    packages: list[Package] = []
    for path, file in databases.dpkg_files(evidence):
        gap = databases.damage(path, file)
        if gap is not None:
            yield gap
        if file.error:
            continue
        entries = list(databases.dpkg_entries(path, file))
        if path == databases.DPKG_STATUS and file.text and not file.truncated and file.text[-1] != "\n":
            yield Gap(KIND, None, f"{path}: ends in the middle of an entry")
            del entries[-1:]
        for entry in entries:
            problem = _problem(entry)
            if problem:
                yield Gap(KIND, entry.name or None, f"{path}: {problem}")
            elif entry.state in databases.INSTALLED:
                packages.append(entry)
    usual = ("all", databases.native(packages, "dpkg", "all"))
    for package in packages:
        yield databases.component("dpkg", package, usual)
    for place, why in evidence.errors:
        if place == databases.DPKG_FOLDER:
            yield Gap(KIND, None, f"{place}: {why}")
    if not _any_database(evidence):
        yield Gap(KIND, None, "no package database found (looked for dpkg, apk, rpm)")


def _problem(entry: Package) -> str:
    if not entry.name:
        return "an entry names no package"
    if not entry.state:
        return "the entry has no status"
    if entry.state in databases.NOT_CONFIGURED:
        return f"dpkg has it as {entry.state}"
    if entry.state in databases.INSTALLED and not entry.version:
        return "the entry has no version"
    return ""


def _any_database(evidence: Evidence) -> bool:
    known = set(databases.DATABASES)
    return (
        any(True for _ in databases.dpkg_files(evidence))
        or not known.isdisjoint(evidence.files)
        or not known.isdisjoint(evidence.names)
    )


COLLECTOR = Collector(
    kinds=(KIND,),
    needs=frozenset({"files"}),
    request=Request(files=databases.DPKG_FILES, names=databases.DATABASES),
    collect=collect,
)
