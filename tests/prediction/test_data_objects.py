"""Data objects of old and new pandas and scipy, whose load fails in compiled code: predicted, then really loaded."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from envaudit.artifacts import read
from envaudit.prediction.evaluation import Evaluation
from envaudit.prediction.outcome import predict
from envaudit.surface.open import open_surface
from tests.environments import environment, interpreters

pytestmark = [pytest.mark.network, pytest.mark.xdist_group("releases")]

OLD = ("3.9", "pandas==1.2.5", "numpy==1.20.3", "scipy==1.5.4")
MIDDLE = ("3.11", "pandas==2.3.3", "numpy==1.26.4", "scipy==1.11.4")
NEW = ("3.13", "pandas==3.0.0", "numpy==2.4.0", "scipy==1.18.1")
SAVE = """
import pickle, sys
import numpy as np, pandas as pd, scipy.interpolate, scipy.spatial
x = np.arange(10.0)
for name, made in {
    "periods": pd.period_range("2020-01", periods=3, freq="M"),
    "floats": pd.DataFrame({"a": [1.0, 2.0]}),
    "texts": pd.Series(["x", "y"]),
    "categories": pd.Series(["x", "y"]).astype("category"),
    "times": pd.Series(pd.date_range("2020-01-01", periods=3)),
    "tree": scipy.spatial.KDTree(np.c_[x, x]),
    "spline": scipy.interpolate.make_interp_spline(x, x),
    "polynomial": scipy.interpolate.PPoly(np.ones((2, 1)), [0.0, 1.0]),
}.items():
    pickle.dump(made, open(f"{sys.argv[1]}/{name}.pkl", "wb"), 4)
"""
LOAD = """
import glob, json, os, pickle, sys, warnings
warnings.simplefilter("ignore")
for path in sorted(glob.glob(sys.argv[1] + "/*.pkl")):
    error = ""
    try:
        pickle.load(open(path, "rb"))
    except Exception as raised:
        error = f"{type(raised).__name__}: {raised}"
    print(json.dumps([os.path.basename(path), error]))
"""


def place(recipe: tuple[str, ...]) -> Path:
    version, *packages = recipe
    found = interpreters().get(version)
    if found is None:
        pytest.skip(f"no Python {version} on this machine")
    return environment(*packages, python=found)


@pytest.mark.parametrize(
    ("train", "serve"), [(OLD, MIDDLE), (NEW, MIDDLE), (MIDDLE, NEW), (OLD, OLD)], ids=["old", "down", "up", "home"]
)
def test_predicted_is_what_happens(train: tuple[str, ...], serve: tuple[str, ...], tmp_path: Path) -> None:
    there = place(serve)
    subprocess.run([place(train) / "bin/python", "-c", SAVE, str(tmp_path)], check=True)
    done = subprocess.run([there / "bin/python", "-c", LOAD, str(tmp_path)], check=True, capture_output=True, text=True)
    world = Evaluation.world_of(open_surface(str(there)))
    happened, predicted = {}, {}
    for name, error in map(json.loads, done.stdout.splitlines()):
        verdict = predict(read(str(tmp_path / name))._replace(loader="pickle.load"), world)
        said = next((reason.error for reason in verdict.reasons if reason.question == "load"), "")
        happened[name] = error.split(" from '")[0].split(": (")[0]
        predicted[name] = said.split(" from '")[0].split(": (")[0]
    assert predicted == happened
    assert any(happened.values()) is (train != serve), "these releases are known to break some of the objects"
