"""For which Python and system a wheel is chosen."""

from __future__ import annotations

from typing import Final, NamedTuple

NEWEST_GLIBC: Final = 42
"""Minor version that stands for "any": wheels are built for older ones."""


class Platform(NamedTuple):
    """What decides which wheel of a release an installer takes."""

    python: tuple[int, int]
    machine: str = "x86_64"
    libc: str = f"glibc 2.{NEWEST_GLIBC}"
    """Family and version, as in ``musl 1.2``."""
