"""Runs inside the environments (Python 3.8+): functions by value (cloudpickle) and functions of the training script."""
# mypy: ignore-errors

from __future__ import annotations

import functools
import sys

import datasets as d
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

plus_one = lambda values: np.asarray(values) + 1.0
absolute = lambda values: np.abs(values)

def closure(factor):
    return lambda values: np.asarray(values) * factor

class Scale(BaseEstimator):
    def __init__(self, by=2.0):
        self.by = by
    def fit(self, X, y=None):
        self.mean_ = np.mean(X, axis=0)
        return self
    def transform(self, X):
        return (np.asarray(X) - self.mean_) * self.by

def counted(rows):
    kept = []
    for row in rows:
        try:
            kept.append(sum(value for value in row if value > 0) / len(row))
        except ZeroDivisionError:
            kept.append(0.0)
    return np.array(kept)
"""


@functools.lru_cache(None)
def _names():
    """What the training script defines; its path, which cloudpickle would keep, is nobody's."""
    names = {"__name__": "__main__"}
    exec(compile(SCRIPT, "train.py", "exec"), names)
    return names


def _script(name):
    thing = _names()[name]
    setattr(sys.modules["__main__"], name, thing)  # where pickle looks it up again
    return thing


def _piped(step):
    return make_pipeline(step, Ridge()).fit(d.X, d.Y)


def items():
    """(name, library, builder); the names of cloudpickle files end in .cloud.

    Their class has no TransformerMixin: its wrapped methods would bring the path of this machine's scikit-learn.
    """
    plain = [(method, "plain") for method in METHODS]
    for name, build, calls in (
        ("lambda", lambda: _script("plus_one"), [("()", "unit")]),
        ("closure", lambda: _script("closure")(3.0), [("()", "unit")]),
        ("loop", lambda: _script("counted"), [("()", "plain")]),
        ("class", lambda: _script("Scale")(3.0).fit(d.X), plain),
        ("lambda_pipeline", lambda: _piped(FunctionTransformer(_script("absolute"))), plain),
        ("class_pipeline", lambda: _piped(_script("Scale")()), plain),
    ):
        yield f"value.{name}.cloud", "cloudpickle", _builder(build, calls)
    for name, build, calls in (
        ("function", lambda: _script("doubled"), [("()", "unit")]),
        ("class", lambda: _script("Shift")().fit(d.X), plain),
        ("pipeline", lambda: _piped(FunctionTransformer(_script("doubled"))), plain),
    ):
        yield f"main.{name}", "main", _builder(build, calls)


def _builder(build, calls):
    return lambda: (build(), calls)
