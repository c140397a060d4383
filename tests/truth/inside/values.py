"""Runs inside the environments (Python 3.8+): answers and inputs as plain JSON that no library version changes."""
# mypy: ignore-errors
# ruff: noqa: B905

from __future__ import annotations

import math

import numpy as np

WORDS = ("value", "index", "text", "()", "shift", "dmatrix", "dot")  # calls that are no methods


def canonical(value):
    """An answer as {"shape", "numbers"} or {"shape", "texts"}, whatever container it came in."""
    if isinstance(value, (list, tuple)) and value and all(_is_container(item) for item in value):
        return {"parts": [canonical(item) for item in value]}
    if isinstance(value, dict):
        return {"parts": [canonical(list(value.keys())), *(canonical(item) for item in value.values())]}
    if hasattr(value, "toarray"):
        value = value.toarray()
    elif hasattr(value, "to_numpy"):
        if getattr(value, "ndim", 1) == 2:
            return {"parts": [_array(_column(value.iloc[:, place])) for place in range(value.shape[1])]}
        value = _column(value)
    return _array(value)


def _is_container(value):
    return isinstance(value, (list, tuple, dict, np.ndarray)) or hasattr(value, "toarray") or hasattr(value, "to_numpy")


def _column(series):
    kind = getattr(series.dtype, "kind", "O")
    plain = kind in "bifc" and isinstance(series.dtype, np.dtype)
    return np.asarray(series) if plain else _objects(list(series))


def _objects(items):
    array = np.empty(len(items), object)
    array[:] = items
    return array


def _array(value):
    array = np.asarray(value)
    if array.dtype.names:
        return {"parts": [_array(array[name]) for name in array.dtype.names]}
    shape = list(array.shape)
    if array.dtype.kind == "c":
        return {"parts": [_array(array.real), _array(array.imag)]}
    if array.dtype.kind in "biuf":
        return {"shape": shape, "width": array.dtype.itemsize, "numbers": array.ravel().tolist()}
    if array.dtype.kind in "mM":
        array = array.astype(array.dtype.str[:2] + "8[ns]").astype("int64")
        return {"shape": shape, "texts": [str(item) for item in array.ravel().tolist()]}
    items = list(array.ravel())
    if items and all(isinstance(item, (bool, int, float, np.number, np.bool_)) or item is None for item in items):
        return {"shape": shape, "width": 8, "numbers": [math.nan if item is None else float(item) for item in items]}
    return {"shape": shape, "texts": [_text(item) for item in items]}


def _text(item):
    if item is None or item != item or str(item) in ("<NA>", "NaT"):
        return "nan"
    return item.isoformat() if hasattr(item, "isoformat") else str(item)


def same(expected, found):
    """Whether two canonical answers agree: numbers closely, everything else exactly."""
    if "parts" in expected:
        if "parts" not in found or len(expected["parts"]) != len(found["parts"]):
            return False
        return all(same(one, other) for one, other in zip(expected["parts"], found["parts"]))
    if expected["shape"] != found.get("shape"):
        return False
    if "numbers" in expected and "numbers" in found:
        narrow = min(expected["width"], found["width"]) <= 4 and any(isinstance(x, float) for x in expected["numbers"])
        close = {"rtol": 1e-4, "atol": 1e-6} if narrow else {"rtol": 1e-6, "atol": 1e-8}
        one, other = np.asarray(expected["numbers"], float), np.asarray(found["numbers"], float)
        return bool(np.allclose(other, one, equal_nan=True, **close))
    if "texts" in expected and "texts" in found:
        return expected["texts"] == found["texts"]
    return False


def build_input(spec):
    """The input that a specification describes, built with the libraries of this environment."""
    kind = spec["kind"]
    if kind == "array":
        return np.array(spec["data"], dtype=spec["dtype"])
    if kind == "frame":
        import pandas as pd

        return pd.DataFrame({name: _build_column(column) for name, column in spec["columns"].items()})
    if kind == "series":
        import pandas as pd

        return pd.Series(spec["data"], name=spec.get("name"))
    if kind == "sparse":
        import scipy.sparse

        return scipy.sparse.csr_matrix(np.array(spec["data"], dtype=spec["dtype"]))
    return spec["data"]  # "plain": lists, texts, numbers


def _build_column(column):
    import pandas as pd

    if column["dtype"] == "category":
        return pd.Categorical(column["data"])
    if column["dtype"] == "datetime":
        return pd.to_datetime(column["data"])
    return column["data"]


def call(thing, name, spec):
    """Use an object in one of the ways that a serving program does; `name` is a method or one of the words below."""
    given = build_input(spec) if spec is not None else None
    if name == "value":
        return thing
    if name == "index":
        return list(thing.index)
    if name == "text":
        return str(thing)
    if name == "()":
        return thing(given)
    if name == "shift":
        import pandas as pd

        return str(pd.Timestamp("2020-01-31 10:00") + thing)
    if name == "dmatrix":
        import xgboost

        return thing.predict(xgboost.DMatrix(given))
    if name == "dot":
        return thing @ np.ones(thing.shape[1])
    if name in ("random", "random_sample", "random_raw", "standard_normal"):
        return getattr(thing, name)(5)
    return getattr(thing, name)(given) if spec is not None else getattr(thing, name)()
