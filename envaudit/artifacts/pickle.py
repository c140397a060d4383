"""Pickles (``pickle.dump``, cloudpickle, ``pandas.to_pickle``) and the single-file form of ``joblib.dump``, which is a
pickle with arrays between its opcodes: only walking it tells one from the other."""

from __future__ import annotations

from envaudit.artifacts._format import Format, Source
from envaudit.artifacts._machine import Machine
from envaudit.artifacts._pickles import may_start_pickle, needs_of, walk
from envaudit.needs import Made, Needs, class_of


def matches(source: Source) -> bool:
    """Starts as a pickle does."""
    return may_start_pickle(source.head)


def read(source: Source) -> Needs:
    """The needs of a pickle."""
    machine = Machine(source.reader())
    roots = walk(machine)
    if machine.wrapped or source.compression in ("zlib", "lzma", "lz4"):
        return needs_of(source, "joblib", "joblib.load", machine, roots)
    loader = "joblib.load" if source.compression else "pickle.load"
    kind = class_of(roots[0]) if isinstance(roots[0], Made) else None
    if kind is not None and kind.module.partition(".")[0] == "pandas":
        loader = "pandas.read_pickle"
    return needs_of(source, "pickle", loader, machine, roots)


FORMAT = Format("pickle", matches, read)
