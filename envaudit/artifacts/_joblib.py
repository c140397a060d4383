"""joblib's placeholders: at their BUILD the array's bytes follow raw in the stream.

Format: joblib/numpy_pickle.py (``NumpyArrayWrapper.read_array``) and numpy_pickle_compat.py (``NDArrayWrapper``).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from envaudit.artifacts._numpy import SMALL, fill_array, holds_objects, shape_of
from envaudit.needs import Array, DType, Items, Made, Value, class_of

if TYPE_CHECKING:
    from envaudit.artifacts._state import State

_MODULES: Final = ("joblib.numpy_pickle", "sklearn.externals.joblib.numpy_pickle")
_OLD: Final = (*_MODULES, "joblib.numpy_pickle_compat", "sklearn.externals.joblib.numpy_pickle_compat")


def is_wrapper(made: Made) -> bool:
    """Whether joblib would replace this object by an array."""
    kind = class_of(made)
    if kind is None or "joblib.numpy_pickle" not in kind.module:
        return False
    if kind.name == "NumpyArrayWrapper":
        return kind.module in _MODULES
    return kind.name in ("NDArrayWrapper", "ZNDArrayWrapper") and kind.module in _OLD


def read_wrapped(m: State, made: Made) -> Array:
    """The array that stands for the placeholder; the stream is moved behind its bytes."""
    found = Array("joblib", m.at)
    found.made = made
    state = made.attributes()
    found.subclass = state.get("subclass")
    kind = class_of(made)
    name = kind.name if kind else ""
    m.wrapped[name] = m.wrapped.get(name, 0) + 1
    if name != "NumpyArrayWrapper":
        return _companion(m, found, state)
    dtype, shape = state.get("dtype"), shape_of(state.get("shape"))
    if type(dtype) is not DType or shape is None:
        raise ValueError("a joblib array without dtype or shape")
    found.dtype, found.shape = dtype, shape
    found.order = "F" if state.get("order") == "F" else "C"
    found.padded = state.get("numpy_array_alignment_bytes") is not None
    if holds_objects(dtype):
        _nested(m, found)
        return found
    reader = m.reader
    if found.padded:
        reader.skip(reader.u1())
    found.at = reader.tell()
    found.nbytes = math.prod(shape) * dtype.itemsize
    if found.nbytes <= SMALL:
        found.data = reader.take(found.nbytes)
    else:
        reader.skip(found.nbytes)
    m.array_bytes += found.nbytes
    return found


def _nested(m: State, found: Array) -> None:
    """An array of objects is a pickle of its own within the stream, read with a fresh memo."""
    with m.inside():
        inner = m.load()
    if type(inner) is Array:
        found.items, found.nbytes = inner.items, inner.nbytes


def _companion(m: State, found: Array, state: dict[str, Value]) -> Array:
    """joblib < 0.10 wrote each array into a file of its own."""
    m.note("written by joblib < 0.10, each array in a file of its own beside this one")
    name, header = state.get("filename"), state.get("state")
    if type(header) is Items:  # ZNDArrayWrapper: (version, shape, dtype, is Fortran), the bytes in a Z-file
        if len(header.items) == 4 and type(header.items[2]) is DType:
            fill_array(m, found, header.items[2], header.items[1], "F" if header.items[3] else "C", None)
        return found
    known = m.companion(name) if type(name) is str else None
    if known is None:
        m.note(f"the companion file {str(name)[:100]!r} is not there or not readable")
    else:
        found.dtype, found.shape, found.order = known.dtype, known.shape, known.order
        found.nbytes, found.data, found.items = known.nbytes, known.data, known.items
    return found
