"""numpy's own pickling: dtypes and arrays. Format: ``dtype.__reduce__`` and ``ndarray.__reduce__``, ``__reduce_ex__``
(numpy/_core/src/multiarray/descriptor.c, methods.c) and ``numpy/_core/numeric.py`` (``_frombuffer``)."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from envaudit.needs import UNSET, Array, DType, Global, Items, Long, Made, Mapping, Value

if TYPE_CHECKING:
    from envaudit.artifacts._state import State

SMALL: Final = 512
"""Raw bytes of an array up to this many are kept."""

_SIZED: Final = re.compile(r"([?biufcmMOSaUV])(\d*)")
_SIZELESS: Final = {"?": 1, "b": 1, "O": 8}
_CODES: Final = {"int8": "i1", "int16": "i2", "int32": "i4", "int64": "i8", "uint8": "u1", "uint16": "u2",
                 "uint32": "u4", "uint64": "u8", "float16": "f2", "float32": "f4", "float64": "f8", "bool": "b1",
                 "bool_": "b1", "complex64": "c8", "complex128": "c16", "object_": "O", "object": "O", "str_": "U0",
                 "bytes_": "S0", "void": "V0", "datetime64": "M8", "timedelta64": "m8"}  # fmt: skip
"""numpy's scalar types, for a dtype that is pickled by its class."""


def make_dtype(m: State, made: Made) -> Value:
    """``numpy.dtype(spec, align, copy)``; the state follows."""
    given = made.args[0] if made.args else None
    if type(given) is Global and given.module == "numpy":
        given = _CODES.get(given.name, given)
    spec = str(given) if isinstance(given, (str, Global)) else (given.decode("latin-1") if type(given) is bytes else "")
    found = DType(spec, made.call)
    found.made = made
    _measure(found, None)
    return found


def spec_dtype(spec: str) -> DType:
    """The dtype that numpy writes as ``<f8``."""
    found = DType(spec)
    _measure(found, spec[:1])
    unit = re.search(r"\[.*\]$", spec)
    if unit:
        found.spec = f"{spec.partition('[')[0]}{unit[0]}"
    return found


def _measure(found: DType, order: Value) -> None:
    match = _SIZED.fullmatch(found.spec.lstrip("<>|=").partition("[")[0])
    if not match:
        return
    kind, digits = match.groups()
    size = int(digits[:18]) if digits else _SIZELESS.get(kind, 0)
    found.itemsize = size * 4 if kind == "U" else size
    if order in ("<", ">"):
        found.spec = f"{order}{match[0]}"
    else:
        found.spec = "|O" if kind == "O" else f"|{match[0]}" if size <= 1 or kind in "SaV" else f"<{match[0]}"


def set_dtype(found: DType, state: Value) -> None:
    """``__setstate__((version, byte order, subdtype, names, fields, itemsize, alignment, flags[, metadata]))``."""
    if found.made is not None:
        if found.made.state is UNSET:
            found.made.state = state
        else:
            return
    values = state.items if type(state) is Items else []
    if len(values) < 5:
        return
    _, order, subdtype, names, fields = values[:5]
    _measure(found, order)
    if len(values) > 5 and type(values[5]) is int and values[5] >= 0:
        found.itemsize = values[5]
    if type(subdtype) is Items and len(subdtype.items) == 2:
        found.subdtype = tuple(subdtype.items)
    if type(names) is Items and type(fields) is Mapping:
        offsets = dict(pair for pair in fields.pairs if type(pair[0]) is str)
        for name in names.items:
            field = offsets.get(name) if type(name) is str else None
            if type(field) is Items and len(field.items) >= 2 and type(field.items[0]) is DType:
                found.fields.append((name, field.items[0], field.items[1]))
    if len(values) > 8:
        unit = _unit(values[8])
        found.spec += unit


def _unit(metadata: Value) -> str:
    """``[ns]`` from the metadata ``({}, (b"ns", 1, 1, 1))`` of a datetime64 or timedelta64."""
    parts = metadata.items[-1] if type(metadata) is Items and metadata.items else None
    if type(parts) is not Items or len(parts.items) < 2:
        return ""
    name, count = parts.items[0], parts.items[1]
    name = text_of(name)
    if not name or name == "generic":
        return ""
    return f"[{count if count != 1 else ''}{name}]"


def text_of(value: Value) -> str:
    """A short name that may be str, bytes, or protocol 2's spelling of bytes."""
    if type(value) is Made and str(value.call) == "_codecs.encode" and value.args:
        value = value.args[0]
    if type(value) is bytes:
        return value.decode("latin-1")
    return value if type(value) is str else ""


def holds_objects(dtype: DType) -> bool:
    """``dtype.hasobject``."""
    queue, seen = [dtype], {id(dtype)}
    while queue:
        item = queue.pop()
        if item.spec.lstrip("<>|=").startswith("O"):
            return True
        inner = [kind for _, kind, _ in item.fields]
        if item.subdtype and type(item.subdtype[0]) is DType:
            inner.append(item.subdtype[0])
        queue += [kind for kind in inner if id(kind) not in seen and not seen.add(id(kind))]  # type: ignore[func-returns-value]
    return False


def shape_of(value: Value) -> tuple[int, ...] | None:
    """A shape: a tuple of numbers, or a single one."""
    if type(value) is int:
        return (value,)
    if type(value) is Items and all(type(item) is int and item >= 0 for item in value.items):
        return tuple(value.items)
    return None


def make_array(m: State, made: Made) -> Value:
    """``_reconstruct(subclass, (0,), b"b")``; the state follows."""
    found = Array("state", m.at)
    found.made = made
    found.subclass = made.args[0] if made.args else None
    return found


def set_array(m: State, found: Array, state: Value) -> None:
    """``ndarray.__setstate__((version, shape, dtype, is Fortran, raw bytes or list of objects))``."""
    made = found.made
    if made is None or found.how != "state":
        return
    if made.state is not UNSET:
        made.more_states.append(state)
        return
    made.state = state
    values = state.items if type(state) is Items else []
    if len(values) == 4:  # numpy < 1.0 wrote no version
        values = [0, *values]
    if len(values) != 5 or type(values[2]) is not DType:
        return
    _, shape, dtype, fortran, data = values
    fill_array(m, found, dtype, shape, "F" if fortran is True or fortran == 1 else "C", data)


def make_from_buffer(m: State, made: Made) -> Value:
    """``_frombuffer(buffer, dtype, shape, order[, axis order])``."""
    if len(made.args) < 4 or type(made.args[1]) is not DType:
        return made
    found = Array("buffer", m.at)
    found.made = made
    found.subclass = Global("numpy", "ndarray")
    data, dtype, shape, order = made.args[:4]
    fill_array(m, found, dtype, shape, order if type(order) is str else "C", data)
    return found


def fill_array(m: State, found: Array, dtype: DType, shape: Value, order: str, data: Value) -> None:
    """Set what a pickled array says of itself."""
    found.dtype, found.shape, found.order = dtype, shape_of(shape), order
    if type(data) is Made and str(data.call) == "_codecs.encode" and data.args and type(data.args[0]) is str:
        data = data.args[0].encode("latin-1", "replace")
    elif type(data) is str:
        data = data.encode("latin-1", "replace")
    if type(data) in (bytes, bytearray) and len(data) <= SMALL:
        found.data = bytes(data)
    elif type(data) is Items:
        found.items = data
    found.nbytes = size_of(found)
    if type(data) is Long:
        found.at = data.at
    m.array_bytes += found.nbytes


def size_of(found: Array) -> int:
    """Bytes that the elements take."""
    if found.shape is None or found.dtype is None:
        return 0
    return math.prod(found.shape) * found.dtype.itemsize


Maker = Callable[["State", Made], Value]
MAKERS: Final[dict[tuple[str, str], Maker]] = {
    ("numpy", "dtype"): make_dtype,
    ("numpy.core.multiarray", "_reconstruct"): make_array,
    ("numpy._core.multiarray", "_reconstruct"): make_array,
    ("numpy.core.numeric", "_frombuffer"): make_from_buffer,
    ("numpy._core.numeric", "_frombuffer"): make_from_buffer,
}
"""What is called -> how to read the call."""
