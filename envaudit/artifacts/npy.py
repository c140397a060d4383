"""numpy's .npy: one array, with a pickle in it where its elements are objects."""

from __future__ import annotations

from envaudit.artifacts._format import Format, Source
from envaudit.artifacts._machine import Machine
from envaudit.artifacts._npy import MAGIC, read_npy
from envaudit.artifacts._pickles import needs_of
from envaudit.needs import Needs


def matches(source: Source) -> bool:
    """Starts with numpy's magic."""
    return source.head.startswith(MAGIC)


def read(source: Source) -> Needs:
    """The needs of one array, or of several in a row."""
    machine = Machine(source.reader())
    roots = [read_npy(machine)]
    if not machine.reader.at_end():
        machine.note(f"bytes follow the array at byte {machine.reader.tell()}")
    return needs_of(source, "npy", "numpy.load", machine, tuple(roots))


FORMAT = Format("npy", matches, read)
