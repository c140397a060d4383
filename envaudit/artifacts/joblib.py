"""The compressed form that joblib < 0.10 wrote ("Z-file"): a header with the length, then zlib; arrays in companions.

Format: joblib/numpy_pickle_compat.py (``read_zfile``). All later files of joblib begin as any pickle does, or are
compressed as a whole: ``pickle.py`` reads them.
"""

from __future__ import annotations

from envaudit.artifacts._companion import find_companions
from envaudit.artifacts._format import Format, Source
from envaudit.artifacts._machine import Machine
from envaudit.artifacts._pickles import needs_of
from envaudit.artifacts._zip import Member
from envaudit.errors import ArtifactError
from envaudit.needs import Needs

PREFIX = b"ZF"
LENGTH = 19
"""Characters of the length in hexadecimal; joblib 0.8.4 under Python 2 wrote one more blank."""


def matches(source: Source) -> bool:
    """Starts with the header of a Z-file."""
    return source.head.startswith(PREFIX + b"0x")


def read(source: Source) -> Needs:
    """The needs of the pickle inside."""
    start = len(PREFIX) + LENGTH
    start += source.head[start : start + 1] == b" "
    if source.size <= start:
        raise ArtifactError(f"{source.path}: truncated: a joblib Z-file that ends in its header")
    machine = Machine(source.reader(Member("Z-file", start, source.size - start, "zlib")))
    find_companions(machine, source)
    root = machine.load()
    machine.note("compressed as joblib < 0.10 did")
    return needs_of(source, "joblib", "joblib.load", machine, (root,))._replace(compression="zlib")


FORMAT = Format("joblib", matches, read)
