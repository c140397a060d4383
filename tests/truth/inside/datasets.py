"""Runs inside the environments (Python 3.8+): small data, the same in every one of them.

Models are fitted on the arrays and tables here; what they are asked about are the INPUTS (values.build_input).
"""
# mypy: ignore-errors

from __future__ import annotations

import numpy as np
from values import build_input

ROWS = 60
ASKED = 8
NAMES = ("age", "income", "height", "weight", "score")
TEXTS = ("the cat sat on the mat", "a dog ate my homework", "cats and dogs make good pets", "stock markets fell today",
         "the bank raised its rates", "markets like lower rates")  # fmt: skip

_random = np.random.RandomState(7)
LABELS = np.arange(ROWS) % 3
X = np.round(_random.normal(size=(ROWS, 5)) + LABELS[:, None] * np.array([1.0, -1.0, 0.5, 2.0, 0.0]), 3)
Y = np.round(X @ np.array([1.0, 2.0, -1.0, 0.5, 0.3]) + _random.normal(size=ROWS) * 0.1, 3)
YY = np.round(np.column_stack([Y, X[:, 0] - X[:, 1]]), 3)
WORDS = np.array(["bad", "fair", "good"])[LABELS]
CITIES = np.array(["Paris", "Rome", "Oslo", "Bern"])[_random.randint(0, 4, ROWS)]
SIZES = np.array(["S", "M", "L"])[_random.randint(0, 3, ROWS)]
SEEN = np.array([f"2021-{month:02d}-15" for month in _random.randint(1, 13, ROWS)])
HOLED = np.where(_random.uniform(size=(ROWS, 5)) < 0.1, np.nan, X)
COUNTS = _random.poisson(2.0, size=(ROWS, 5))
CODES = _random.randint(0, 3, size=(ROWS, 5))


def _table(rows):
    return {name: {"dtype": "float", "data": X[rows, place].tolist()} for place, name in enumerate(NAMES)}


def _mixed(rows):
    columns = _table(rows)
    columns["income"] = {"dtype": "float", "data": HOLED[rows, 1].tolist()}
    columns["city"] = {"dtype": "text", "data": CITIES[rows].tolist()}
    columns["size"] = {"dtype": "category", "data": SIZES[rows].tolist()}
    return columns


def _array(values):
    return {"kind": "array", "dtype": str(values.dtype), "data": values[:ASKED].tolist()}


INPUTS = {
    "plain": _array(X),
    "float32": _array(X.astype("float32")),
    "positive": _array(np.abs(X)),
    "holed": _array(HOLED),
    "counts": _array(COUNTS),
    "codes": _array(CODES),
    "column": _array(X[:, 0]),
    "square": _array(X[:ASKED, :1] @ X[:ASKED, :1].T),
    "labels": _array(LABELS),
    "unit": _array(np.linspace(0.5, 8.5, ROWS)),
    "constant_column": _array(np.column_stack([np.ones(ROWS), X[:, :2]])),
    "frame": {"kind": "frame", "columns": _table(slice(0, ASKED))},
    "mixed": {"kind": "frame", "columns": _mixed(slice(0, ASKED))},
    "positive_frame": {"kind": "frame", "columns": {
        name: {"dtype": "float", "data": np.abs(X[:ASKED, place]).tolist()} for place, name in enumerate(NAMES)}},
    "sparse": {"kind": "sparse", "dtype": "float64", "data": np.abs(X[:ASKED]).tolist()},
    "texts": {"kind": "plain", "data": list(TEXTS)},
    "words": {"kind": "plain", "data": WORDS[:ASKED].tolist()},
    "sets": {"kind": "plain", "data": [["a"], ["a", "b"], ["c"]]},
    "dicts": {"kind": "plain", "data": [{"a": 1.0, "city": "Oslo"}, {"b": 2.0, "city": "Rome"}]},
    "strings2d": {"kind": "array", "dtype": "object", "data": np.column_stack([CITIES, SIZES])[:ASKED].tolist()},
    "images": {"kind": "array", "dtype": "float64", "data": X[:32].reshape(2, 8, 10).tolist()},
    "point": {"kind": "array", "dtype": "float64", "data": X[:4, :2].tolist()},
}  # fmt: skip


def frame(columns=None):
    """The whole training table as a DataFrame."""
    return build_input({"kind": "frame", "columns": columns or _table(slice(0, ROWS))})


def mixed_frame():
    """A table as people have it: numbers with holes, texts, a categorical column."""
    return frame(_mixed(slice(0, ROWS)))


def _filled(names):
    columns = {name: column for name, column in _mixed(slice(0, ASKED)).items() if name in names}
    return {"kind": "frame", "columns": {**columns, "income": {"dtype": "float", "data": X[:ASKED, 1].tolist()}}}


INPUTS["mixed_filled"] = _filled((*NAMES, "city", "size"))
INPUTS["city_filled"] = _filled((*NAMES, "city"))
