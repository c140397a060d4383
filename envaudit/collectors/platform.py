"""What the interpreter stands on: OS release, C library, machine, kernel."""

from __future__ import annotations

from collections.abc import Iterator

from envaudit.evidence import Collector, Evidence, FileRequest, Request
from envaudit.model import Component, Gap, Json

OS_RELEASE = ("/etc/os-release", "/usr/lib/os-release")
"""In the order of os-release(5)."""
APK_INSTALLED = "/lib/apk/db/installed"
MUSL_LOADER = "/lib/ld-musl-*.so.1"


def collect(evidence: Evidence) -> Iterator[Component | Gap]:
    """Components ``os``, ``libc``, ``machine`` and ``kernel`` (attributes: docs/snapshot.md)."""
    yield _os_release(evidence)
    if "interpreter" not in evidence.offers:
        for kind in ("libc", "machine", "kernel"):
            yield Gap(kind, None, evidence.unseen)
        return
    found = evidence.interpreter
    yield _libc(evidence)
    yield Component("machine", "machine", None, {"architecture": found["machine"]})
    if not found["release"]:
        yield Gap("kernel", None, "only a running system tells its kernel")
    else:
        yield Component("kernel", "kernel", found["release"], {"system": found["sysname"]})


def _os_release(evidence: Evidence) -> Component | Gap:
    for path in OS_RELEASE:
        file = evidence.files.get(path)
        if file is None:
            continue
        if file.error:
            return Gap("os", None, f"{path}: {file.error}")
        fields = _fields(file.text)
        attributes: dict[str, Json] = {
            name: fields[key]
            for name, key in (
                ("id", "ID"),
                ("id_like", "ID_LIKE"),
                ("codename", "VERSION_CODENAME"),
                ("pretty", "PRETTY_NAME"),
            )
            if fields.get(key)
        }
        return Component("os", "release", fields.get("VERSION_ID"), attributes)
    return Gap("os", None, "there is no os-release file")


def _fields(text: str) -> dict[str, str]:
    """The assignments of os-release(5): shell-like, at most one pair of quotes around the value."""
    fields = {}
    for line in text.splitlines():
        key, separator, value = line.strip().partition("=")
        if separator and not key.startswith("#"):
            if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
                value = value[1:-1]
            fields[key] = value.replace("\\", "")
    return fields


def _libc(evidence: Evidence) -> Component | Gap:
    machine = evidence.interpreter["machine"]
    # confstr(CS_GNU_LIBC_VERSION): the C library that the interpreter itself runs on.
    family, _, version = (evidence.interpreter["libc"] or "").partition(" ")
    if family == "glibc":
        return _libc_component(family, version, f"manylinux_{version.replace('.', '_')}_{machine}")
    if any(name.startswith("/lib/ld-musl-") for name in evidence.names):
        version = _musl_version(evidence) or ""
        wheels = f"musllinux_{'_'.join(version.split('.')[:2])}_{machine}" if version else None
        return _libc_component("musl", version or None, wheels)
    return Gap("libc", None, "neither glibc (confstr) nor a musl loader in /lib")


def _libc_component(family: str, version: str | None, wheels: str | None) -> Component:
    attributes: dict[str, Json] = {"family": family}
    if wheels:
        attributes["wheels"] = wheels
    return Component("libc", "libc", version, attributes)


def _musl_version(evidence: Evidence) -> str | None:
    """The version of the ``musl`` package in the apk database, without the package revision."""
    file = evidence.files.get(APK_INSTALLED)
    inside = False
    for line in (file.text if file else "").splitlines():
        if line.startswith("P:"):
            inside = line == "P:musl"
        elif inside and line.startswith("V:"):
            return line[2:].partition("-")[0].partition("_")[0]
    return None


COLLECTOR = Collector(
    kinds=("os", "libc", "machine", "kernel"),
    needs=frozenset({"files", "names"}),
    request=Request(
        files=(*(FileRequest(path) for path in OS_RELEASE), FileRequest(APK_INSTALLED, cap=16 * 1024 * 1024)),
        names=(MUSL_LOADER,),
    ),
    collect=collect,
)
