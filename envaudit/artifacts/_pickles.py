"""From a stream of pickles to needs: what the formats that are made of pickles share."""

from __future__ import annotations

from envaudit.artifacts._format import Source
from envaudit.artifacts._machine import Machine
from envaudit.needs import RECORD, Needs, Value, runs_commands

MAX_ROOTS = 1000
"""Pickles in a row that are read."""

_STARTS = frozenset(b"\x80(]})cNILFSVPKJGMXUTBC\x82\x83\x84\x88\x89\x8a\x8b\x8c\x8d\x8e\x8f\x96\x97")
"""Opcodes that a pickle can begin with."""


def may_start_pickle(head: bytes) -> bool:
    """Whether these could be the first bytes of a pickle."""
    return bool(head) and head[0] in _STARTS


def walk(machine: Machine) -> tuple[Value, ...]:
    """Every pickle of the stream, one after the other; what follows them is noted, unless envaudit put it there."""
    roots = [machine.load()]
    reader = machine.reader
    while not reader.at_end():
        if reader.pos > reader.soft:
            reader.refill()
        rest = reader.window[reader.pos : reader.end]
        if rest.startswith(RECORD) or (reader.ended and RECORD.startswith(rest)):
            machine.record_at = reader.tell()
            break
        if reader.window[reader.pos] != 0x80 or len(roots) >= MAX_ROOTS:
            what = "bytes that are no pickle" if len(roots) < MAX_ROOTS else "more pickles"
            machine.note(f"{what} follow at byte {reader.tell()}, which are not read")
            break
        roots.append(machine.load())
    return tuple(roots)


def needs_of(source: Source, name: str, loader: str, machine: Machine, roots: tuple[Value, ...]) -> Needs:
    """What a machine has seen, as needs."""
    for item in filter(runs_commands, machine.globals.values()):
        machine.note(f"loading it can run any command: it asks for {item}, which no model needs")
    return Needs(
        format=name,
        loader=loader,
        compression=source.compression,
        size=source.size,
        protocol=machine.protocol,
        roots=roots,
        globals=tuple(machine.globals.values()),
        codes=tuple(machine.codes),
        array_bytes=machine.array_bytes,
        versions={name: tuple(sorted(found)) for name, found in sorted(machine.versions.items())},
        nested=tuple(machine.opened),
        notes=tuple(machine.notes),
        record_at=machine.record_at,
    )
