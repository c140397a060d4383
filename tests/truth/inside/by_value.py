"""Runs inside the environments (Python 3.8+): functions by value (cloudpickle) and functions of the training script."""
# mypy: ignore-errors

from __future__ import annotations

import sys

import datasets as d
import numpy as np
from estimators import METHODS
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

SCRIPT = """
import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

def doubled(values):
    return np.asarray(values) * 2.0

class Shift(BaseEstimator, TransformerMixin):
    def __init__(self, by=1.0):
        self.by = by
    def fit(self, X, y=None):
        self.mean_ = np.mean(X, axis=0)
        return self
    def transform(self, X):
        return np.asarray(X) - self.mean_ + self.by

def counted(rows):
    kept = []
    for row in rows:
        try:
            kept.append(sum(value for value in row if value > 0) / len(row))
        except ZeroDivisionError:
            kept.append(0.0)
    return np.array(kept)
"""


def _script(name):
    main = sys.modules["__main__"]
    if not hasattr(main, name):
        exec(compile(SCRIPT, "train.py", "exec"), main.__dict__)
    return getattr(main, name)


def _closure():
    factor = 3.0
    return lambda values: np.asarray(values) * factor


def _lambda_pipeline():
    step = FunctionTransformer(_by_value(lambda values: np.abs(values)))
    return make_pipeline(step, Ridge()).fit(d.X, d.Y)


def _by_value(function):
    function.__module__ = "__main__"  # as if the training script had defined it
    return function


def items():
    """(name, library, builder); the names of cloudpickle files end in .cloud."""
    plain = [(method, "plain") for method in METHODS]
    yield (
        "value.lambda.cloud",
        "cloudpickle",
        lambda: (_by_value(lambda values: np.asarray(values) + 1.0), [("()", "unit")]),
    )
    yield "value.closure.cloud", "cloudpickle", lambda: (_by_value(_closure()), [("()", "unit")])
    yield "value.loop.cloud", "cloudpickle", lambda: (_script("counted"), [("()", "plain")])
    yield "value.class.cloud", "cloudpickle", lambda: (_script("Shift")(2.0).fit(d.X), plain)
    yield "value.lambda_pipeline.cloud", "cloudpickle", lambda: (_lambda_pipeline(), plain)
    yield "value.class_pipeline.cloud", "cloudpickle", lambda: (
        make_pipeline(_script("Shift")(), Ridge()).fit(d.X, d.Y), plain)  # fmt: skip
    yield "main.function", "main", lambda: (_script("doubled"), [("()", "unit")])
    yield "main.class", "main", lambda: (_script("Shift")().fit(d.X), plain)
    yield "main.pipeline", "main", lambda: (
        make_pipeline(FunctionTransformer(_script("doubled")), Ridge()).fit(d.X, d.Y), plain)  # fmt: skip
