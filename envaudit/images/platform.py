"""Platforms, ``OS/ARCHITECTURE[/VARIANT]``, in Go's words (image-index.md: GOOS, GOARCH), and which of them fits.

Spellings that mean the same and the order in which variants fit: github.com/containerd/platforms (``database.go``,
``compare.go``). Other than there, an architecture that a machine could run as well (386 on amd64, arm on arm64) never
stands in for its own: what such an image holds says nothing about what is served.
"""

from __future__ import annotations

import platform as machine
import re
from typing import Final, NamedTuple

from envaudit.errors import UsageError
from envaudit.model import Json

_ALIASES: Final = {
    "x86_64": "amd64",
    "x86-64": "amd64",
    "i386": "386",
    "i486": "386",
    "i586": "386",
    "i686": "386",
    "aarch64": "arm64",
    "loongarch64": "loong64",
    "armhf": "arm/v7",
    "armel": "arm/v6",
    "armv5l": "arm/v5",
    "armv6l": "arm/v6",
    "armv7l": "arm/v7",
    "armv8l": "arm/v8",
}
"""Other spellings, those of ``uname -m`` among them."""

_SILENT: Final = {"amd64": "v1", "arm64": "v8", "arm": "v7"}
"""The variant that is meant where none is written."""

_WORD: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}", re.IGNORECASE)


class Platform(NamedTuple):
    """A platform; made by :func:`normal`, so that equal ones are equal."""

    os: str
    architecture: str
    variant: str = ""
    """Empty for the one that an architecture has where none is written: amd64/v1, arm64/v8; never empty for arm."""

    def __str__(self) -> str:
        return "/".join(filter(None, self))


def normal(system: str, architecture: str, variant: str = "") -> Platform:
    """The platform that these words mean, whoever wrote them."""
    system, architecture, variant = system.lower(), architecture.lower(), variant.lower()
    architecture, _, implied = _ALIASES.get(architecture, architecture).partition("/")
    variant = variant or implied
    if variant[:1].isdigit():
        variant = f"v{variant}"
    silent = _SILENT.get(architecture, "")
    if architecture == "arm":
        return Platform(system, architecture, variant or silent)
    return Platform(system, architecture, "" if variant == silent else variant)


def stated(described: dict[str, Json]) -> Platform | None:
    """The platform that a document states (``os``, ``architecture``, ``variant``); None where it states none."""
    system, architecture = described.get("os") or "linux", described.get("architecture")
    variant = described.get("variant") or ""
    for word in (system, architecture, variant or "v1"):
        if not isinstance(word, str) or not _WORD.fullmatch(word):
            return None
    return normal(system, str(architecture), variant)


def parse(text: str) -> Platform:
    """Take apart what ``--platform`` says.

    Raises :class:`~envaudit.errors.UsageError` where it is not ``OS/ARCHITECTURE[/VARIANT]``.
    """
    words = text.split("/")
    if len(words) not in (2, 3) or not all(map(_WORD.fullmatch, words)):
        raise UsageError(f"--platform {text}: write it as OS/ARCHITECTURE[/VARIANT], for example linux/arm64")
    return normal(*words)


def here() -> Platform:
    """What an engine on this machine would take: containers are Linux's, also where a virtual machine runs them."""
    return normal("linux", machine.machine())


def fitting(wanted: Platform) -> list[Platform]:
    """The platforms whose images run where ``wanted`` is, the best first: its own variant, then the older ones."""
    return [wanted._replace(variant=variant) for variant in _variants(wanted.architecture, wanted.variant)]


def _variants(architecture: str, variant: str) -> list[str]:
    found = re.fullmatch(r"v([0-9]{1,2})(?:\.([0-9]{1,2}))?", variant)
    if found is None:
        return [variant]
    major, minor = int(found[1]), int(found[2] or 0)
    if architecture == "amd64":
        return [*(f"v{level}" for level in range(major, 1, -1)), ""]
    if architecture == "arm":
        return [f"v{level}" for level in range(major, 4, -1)] or [variant]
    if architecture == "arm64" and major in (8, 9):
        nine = [f"v9.{level}" if level else "v9" for level in range(minor, -1, -1)] if major == 9 else []
        # ARMv9.x is ARMv8.(x+5) and more.
        eight = [f"v8.{level}" if level else "" for level in range(minor + (5 if nine else 0), -1, -1)]
        return nine + eight
    return [variant]
