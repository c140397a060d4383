"""Versions as PEP 440 spells them."""

from __future__ import annotations

from functools import cache

from packaging.version import InvalidVersion, Version


@cache
def parsed(text: str | None) -> Version | None:
    """The version that a text states; None where it states none that PEP 440 knows."""
    try:
        return Version(text) if text else None
    except InvalidVersion:
        return None
