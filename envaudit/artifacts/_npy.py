"""The .npy layout. Format: numpy/lib/_format_impl.py (``read_array_header_1_0``)."""

from __future__ import annotations

import ast
import math
import re
from typing import Any, Final

from envaudit.artifacts._numpy import SMALL, holds_objects, spec_dtype
from envaudit.artifacts._reader import Reader
from envaudit.artifacts._state import State
from envaudit.errors import ArtifactError
from envaudit.needs import Array, DType, Global

MAGIC: Final = b"\x93NUMPY"
MAX_HEADER: Final = 1 << 16
MAX_DEPTH: Final = 32

_TOKEN: Final = re.compile(r"""\s+|'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|\d{1,20}L?|True|False|None|[()\[\]{},:]""")


def read_npy(m: State) -> Array:
    """The array that starts at the reader's position; its bytes are skipped, a pickle of objects is walked."""
    reader = m.reader
    m.at = at = reader.tell()
    header = _header(reader)
    found = Array("npy", at)
    found.subclass = Global("numpy", "ndarray")
    try:
        found.dtype = dtype_of(header["descr"])
        found.shape = tuple(int(part) for part in header["shape"])
        found.order = "F" if header["fortran_order"] else "C"
    except (KeyError, TypeError, ValueError, AttributeError):
        raise ArtifactError(f"{reader.name}: the .npy header at byte {at} is not sound") from None
    found.at = reader.tell()
    if holds_objects(found.dtype):
        with m.inside(reader):
            inner = m.load()
        if type(inner) is Array:
            found.items, found.nbytes = inner.items, inner.nbytes
        return found
    found.nbytes = math.prod(found.shape) * found.dtype.itemsize
    if found.nbytes < 0:
        raise ArtifactError(f"{reader.name}: the .npy header at byte {at} has a negative shape")
    if found.nbytes <= SMALL:
        found.data = reader.take(found.nbytes)
    else:
        reader.skip(found.nbytes)
    m.array_bytes += found.nbytes
    return found


def _header(reader: Reader) -> dict[str, Any]:
    if reader.take(6) != MAGIC:
        raise ArtifactError(f"{reader.name}: no .npy magic at byte {reader.tell() - 6}")
    major = reader.u1()
    reader.u1()
    length = reader.u2() if major == 1 else reader.u4()
    if major not in (1, 2, 3) or length > MAX_HEADER:
        raise ArtifactError(f"{reader.name}: an .npy header of version {major} and {length} bytes is not read")
    text = reader.take(length).decode("utf-8" if major == 3 else "latin-1", "replace")
    value = _literal(text)
    if not isinstance(value, dict):
        raise ArtifactError(f"{reader.name}: the .npy header is not a dict: {text[:60]!r}")
    return value


def _literal(text: str) -> object:
    """A Python literal of the few kinds that numpy writes. Checked first: deep nesting can crash the parser."""
    at = depth = 0
    parts = []
    while at < len(text):
        match = _TOKEN.match(text, at)
        if not match:
            return None
        part, at = match[0], match.end()
        depth += (part in "([{") - (part in ")]}")
        if depth > MAX_DEPTH:
            return None
        parts.append(part.rstrip("L") if part[0].isdigit() else part)
    try:
        return ast.literal_eval("".join(parts).strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None


def dtype_of(descr: Any) -> DType:
    """A dtype as .npy headers describe it: a string, a list of fields, or ``(dtype, shape)``."""
    if isinstance(descr, str):
        return spec_dtype(descr)
    if isinstance(descr, tuple):
        inner, shape = dtype_of(descr[0]), descr[1]
        found = DType("|V0")
        found.subdtype = (inner, tuple(shape) if isinstance(shape, tuple) else (shape,))
        found.itemsize = inner.itemsize * math.prod(found.subdtype[1])
        found.spec = f"|V{found.itemsize}"
        return found
    if not isinstance(descr, list):
        raise ValueError("not a dtype")
    found = DType("|V0")
    for field in descr:
        name = field[0][1] if isinstance(field[0], tuple) else field[0]
        kind = dtype_of((field[1], field[2]) if len(field) > 2 else field[1])
        if name:  # padding has no name
            found.fields.append((str(name), kind, found.itemsize))
        found.itemsize += kind.itemsize
    found.spec = f"|V{found.itemsize}"
    return found
