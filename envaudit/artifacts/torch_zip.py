"""torch's zip form (torch >= 1.6, TorchScript): a pickle beside the raw bytes of its storages.

Format: torch/serialization.py (``_save``) and caffe2/serialize/inline_container.h.
"""

from __future__ import annotations

from envaudit.artifacts._format import Format, Source
from envaudit.artifacts._machine import Machine
from envaudit.artifacts._pickles import needs_of
from envaudit.artifacts._torch import note_storages
from envaudit.artifacts._versions import record
from envaudit.needs import Needs

MAX_FACT = 100


def matches(source: Source) -> bool:
    """A zip archive with a data.pkl in its one folder."""
    return _prefix(source) is not None


def _prefix(source: Source) -> str | None:
    for name in source.members:
        folder, _, last = name.rpartition("/")
        if last == "data.pkl" and "/" not in folder:
            return f"{folder}/" if folder else ""
    return None


def read(source: Source) -> Needs:
    """The needs of the pickle; the storages are only measured."""
    prefix = _prefix(source) or ""
    members = source.members
    machine = Machine(source.reader(members[f"{prefix}data.pkl"]))
    root = machine.load()
    machine.array_bytes += sum(
        member.length for name, member in members.items() if name.startswith((f"{prefix}data/", f"{prefix}constants/"))
    )
    for name in ("version", ".data/version", ".format_version"):
        member = members.get(f"{prefix}{name}")
        if member is not None and member.length < MAX_FACT:
            text = source.stream(member).read(MAX_FACT).decode("latin-1").strip()
            record(machine, "torch file format" if name.rpartition("/")[2] == "version" else "torch format", text)
    order = members.get(f"{prefix}byteorder")
    if order is not None and source.stream(order).read(MAX_FACT).strip() == b"big":
        machine.note("the storages are big-endian")
    script = f"{prefix}constants.pkl" in members or any(name.startswith(f"{prefix}code/") for name in members)
    if script:
        machine.note("a TorchScript archive: its classes come with it as code")
    note_storages(machine)
    return needs_of(source, "torch_zip", "torch.jit.load" if script else "torch.load", machine, (root,))


FORMAT = Format("torch_zip", matches, read)
