"""Package databases of operating systems: where they lie, and how a dpkg database reads.

Formats: deb-control(5) and dpkg(1) (package states) of https://man7.org/linux/man-pages/; the ``status.d`` folder is
what https://github.com/GoogleContainerTools/distroless leaves of it. Where rpm keeps its database: the ``%_dbpath``
of the distributions, as listed by https://github.com/anchore/syft (rpm database cataloger).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from envaudit.evidence import MIB, Evidence, FileRequest, FileText
from envaudit.model import Component, Gap

KIND: Final = "os-package"

DPKG_STATUS: Final = "/var/lib/dpkg/status"
DPKG_FOLDER: Final = "/var/lib/dpkg/status.d"
DPKG_FILES: Final = (FileRequest(DPKG_STATUS, cap=16 * MIB), FileRequest(DPKG_FOLDER + "/*"))

APK_PATHS: Final = ("/lib/apk/db/installed", "/usr/lib/apk/db/installed", "/var/lib/apk/db/installed")

RPM_FOLDERS: Final = ("/var/lib/rpm", "/usr/lib/sysimage/rpm", "/usr/share/rpm")
RPM_MANIFEST: Final = "/var/lib/rpmmanifest/container-manifest-2"
RPM_NAMES: Final = tuple(
    f"{folder}/{name}" for folder in RPM_FOLDERS for name in ("rpmdb.sqlite", "Packages", "Packages.db")
)

DATABASES: Final = (DPKG_STATUS, DPKG_FOLDER, *APK_PATHS, *RPM_NAMES, RPM_MANIFEST)
"""Every path whose being there means that some package manager keeps its books here."""

NOT_CONFIGURED: Final = ("half-installed", "unpacked", "half-configured")
INSTALLED: Final = ("installed", "triggers-awaited", "triggers-pending")


class Package(NamedTuple):
    """One entry of a package database."""

    name: str
    version: str | None
    architecture: str
    state: str = "installed"
    """dpkg's package state; ``""`` where the entry names none."""


def dpkg_files(evidence: Evidence) -> Iterator[tuple[str, FileText]]:
    """The files of the dpkg database that were handed over, by path."""
    for path, file in evidence.files.items():
        if path == DPKG_STATUS or (path.startswith(DPKG_FOLDER + "/") and not path.endswith(".md5sums")):
            yield path, file


def dpkg_entries(path: str, file: FileText) -> Iterator[Package]:
    """The entries of one dpkg file, whatever their state; a part that is missing is ``""``.

    The last entry of a file that was cut is left out: its version may be cut as well.
    """
    blocks = file.text.split("\n\n")
    if file.truncated:
        del blocks[-1]
    unsaid = "" if path == DPKG_STATUS else "installed"
    for block in blocks:
        if not block or block.isspace():
            continue
        block = "\n" + block
        status = field(block, "\nStatus:")
        yield Package(
            field(block, "\nPackage:"),
            field(block, "\nVersion:"),
            field(block, "\nArchitecture:"),
            status.rpartition(" ")[2] if status else unsaid,
        )


def field(block: str, start: str) -> str:
    """The rest of the line that starts so; ``""`` where there is none."""
    at = block.find(start)
    if at < 0:
        return ""
    end = block.find("\n", at + 1)
    return block[at + len(start) : end if end >= 0 else len(block)].strip()


def native(packages: Iterable[Package], manager: str, independent: str) -> str:
    """The architecture of the system: that of the package manager itself, else that of most packages.

    ``independent`` is the word for packages that fit everywhere (``all``, ``noarch``).
    """
    counts: dict[str, int] = {}
    for package in packages:
        if package.architecture not in ("", independent):
            if package.name == manager:
                return package.architecture
            counts[package.architecture] = counts.get(package.architecture, 0) + 1
    return min(counts, key=lambda name: (-counts[name], name), default="")


def component(manager: str, package: Package, usual: tuple[str, ...]) -> Component:
    """The component of an installed package; a foreign architecture becomes part of its name."""
    foreign = package.architecture and package.architecture not in usual
    name = f"{package.name}:{package.architecture}" if foreign else package.name
    attributes = {"manager": manager}
    if package.architecture:
        attributes["architecture"] = package.architecture
    return Component(KIND, name, package.version, attributes)


def damage(path: str, file: FileText) -> Gap | None:
    """Why a database file was not seen as a whole, if it was not."""
    if file.error:
        return Gap(KIND, None, f"{path}: {file.error}")
    if file.truncated:
        return Gap(KIND, None, f"{path}: too large, only its beginning was read")
    return None
