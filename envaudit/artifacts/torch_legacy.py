"""torch's legacy form (torch < 1.6, ``_use_new_zipfile_serialization=False``): pickles in a row, then raw storages.

Format: torch/serialization.py (``_legacy_save``): magic number, protocol version, system information, the object, the
list of storage keys, then for each an element count and the bytes.
"""

from __future__ import annotations

from envaudit.artifacts._format import Format, Source
from envaudit.artifacts._machine import Machine
from envaudit.artifacts._nested import TORCH_MAGIC
from envaudit.artifacts._pickles import needs_of
from envaudit.artifacts._torch import note_storages
from envaudit.artifacts._versions import record
from envaudit.needs import Mapping, Needs


def matches(source: Source) -> bool:
    """Starts with torch's magic number as a pickle."""
    return source.head.startswith(TORCH_MAGIC)


def read(source: Source) -> Needs:
    """The needs of the object; the storages are only measured."""
    machine = Machine(source.reader())
    machine.load()
    version = machine.load()
    system = machine.load()
    root = machine.load()
    machine.load()
    if type(version) is int:
        record(machine, "torch file format", f"legacy {version}")
    if type(system) is Mapping and ("little_endian", False) in system.pairs:
        machine.note("the storages are big-endian")
    if not source.compression:
        machine.array_bytes += max(0, source.size - machine.reader.tell())
    note_storages(machine)
    return needs_of(source, "torch_legacy", "torch.load", machine, (root,))


FORMAT = Format("torch_legacy", matches, read)
