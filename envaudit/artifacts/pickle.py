"""Pickles (``pickle.dump``, cloudpickle, ``pandas.to_pickle``) and the single-file form of ``joblib.dump``, which is a
pickle with arrays between its opcodes: only walking it tells one from the other."""

from __future__ import annotations

from envaudit.artifacts._companion import find_companions
from envaudit.artifacts._format import Format, Source
from envaudit.artifacts._machine import Machine
from envaudit.artifacts._nested import TORCH_MAGIC
from envaudit.artifacts._pickles import may_start_pickle, needs_of, walk
from envaudit.errors import ArtifactError, UnreadFormatError
from envaudit.needs import Made, Needs, class_of


def matches(source: Source) -> bool:
    """Starts as a pickle does, and is neither a zip archive nor torch's legacy form."""
    return may_start_pickle(source.head) and not source.members and not source.head.startswith(TORCH_MAGIC)


def read(source: Source) -> Needs:
    """The needs of a pickle."""
    machine = Machine(source.reader())
    find_companions(machine, source)
    try:
        roots = walk(machine)
    except ArtifactError as error:
        if source.head.startswith(b"\x80"):
            raise
        # Without a PROTO opcode any text may look like the start of a pickle.
        start = f"it starts with {source.head[:16]!r}"
        why = str(error).removeprefix(f"{source.path}: ")
        raise UnreadFormatError(f"{source.path}: of no known format: {start}, and as a pickle it is {why}") from None
    if machine.wrapped or source.compression in ("zlib", "lzma", "lz4"):
        return needs_of(source, "joblib", "joblib.load", machine, roots)
    loader = "joblib.load" if source.compression else "pickle.load"
    kind = class_of(roots[0]) if isinstance(roots[0], Made) else None
    if kind is not None and kind.module.partition(".")[0] == "pandas":
        loader = "pandas.read_pickle"
    return needs_of(source, "pickle", loader, machine, roots)


FORMAT = Format("pickle", matches, read)
