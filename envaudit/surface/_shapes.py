"""What compiled code takes: records and arguments."""

from __future__ import annotations

from typing import NamedTuple


class Layout(NamedTuple):
    """How a C struct lies in memory."""

    fields: tuple[tuple[str, str, int], ...]
    """``(name, numpy dtype string, offset)``, in the order of declaration."""
    itemsize: int


class Signature(NamedTuple):
    """How a function of a module, or a method of one of its classes, may be called."""

    positional: tuple[str, ...]
    """Names of the arguments that can be given by position, ``self`` included."""
    required: int
    """How many of them have no default."""
    varargs: bool = False
    keyword_only: tuple[str, ...] = ()
    keywords: bool = False
    """Whether there is a ``**``."""
