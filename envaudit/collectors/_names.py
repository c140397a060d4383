"""Names of distributions."""

from __future__ import annotations

import re

_SEPARATORS = re.compile(r"[-_.]+")


def normalise(name: str) -> str:
    """The normalised form of a distribution's name (PEP 503)."""
    return _SEPARATORS.sub("-", name.strip()).lower()
