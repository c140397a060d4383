"""numpy's .npz: a zip archive of .npy members."""

from __future__ import annotations

from envaudit.artifacts._format import Format, Source
from envaudit.artifacts._machine import Machine
from envaudit.artifacts._npy import read_npy
from envaudit.artifacts._pickles import needs_of
from envaudit.needs import LISTED, Mapping, Needs, Value


def matches(source: Source) -> bool:
    """A zip archive of nothing but .npy members."""
    return bool(source.members) and all(name.endswith(".npy") for name in source.members)


def read(source: Source) -> Needs:
    """The needs of all arrays together."""
    found: list[tuple[Value, Value]] = []
    machine: Machine | None = None
    for name, member in source.members.items():
        reader = source.reader(member)
        if machine is None:
            machine = Machine(reader)
        machine.reader = reader
        array = read_npy(machine)
        if len(found) < LISTED:
            found.append((name.removesuffix(".npy"), array))
    assert machine is not None
    return needs_of(source, "npz", "numpy.load", machine, (Mapping(found, len(source.members)),))


FORMAT = Format("npz", matches, read)
