"""The line for people, on files of real libraries."""

from __future__ import annotations

import pickle
import subprocess
from pathlib import Path

import joblib
import numpy
import pytest
import sklearn
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from envaudit import artifacts
from envaudit.artifacts.summary import local_modules, summarize, unfitted
from tests.environments import environment, interpreters

X = numpy.random.default_rng(0).random((60, 3))
Y = (X[:, 0] > 0.5).astype(int)


def line(model: object, folder: Path, compress: int = 0) -> str:
    """The summary of a model as joblib writes it."""
    joblib.dump(model, folder / "m.joblib", compress=compress)
    return summarize(artifacts.read(str(folder / "m.joblib")))


def test_a_pipeline(tmp_path: Path) -> None:
    columns = ColumnTransformer([("scale", StandardScaler(), [0, 1])])
    text = line(make_pipeline(columns, RandomForestClassifier(20)).fit(X, Y), tmp_path, compress=3)
    start = (
        f"a Pipeline of ColumnTransformer and RandomForestClassifier (20 trees), scikit-learn {sklearn.__version__}, "
    )
    assert text.startswith(start)
    assert "numpy 2 joblib, protocol " in text
    assert ", zlib, " in text
    assert text.endswith("kB of arrays")


def test_ensembles(tmp_path: Path) -> None:
    boosted = line(GradientBoostingClassifier(n_estimators=7).fit(X, Y), tmp_path)
    assert boosted.startswith("a GradientBoostingClassifier (7 trees), ")
    assert line(RandomForestClassifier(5).fit(X, Y), tmp_path).startswith("a RandomForestClassifier (5 trees), ")
    voting = VotingClassifier([("a", LogisticRegression()), ("b", LogisticRegression())]).fit(X, Y)
    assert "of LogisticRegression and LogisticRegression" in line(voting, tmp_path)
    search = GridSearchCV(LogisticRegression(), {"C": [1, 2]}).fit(X, Y)
    assert line(search, tmp_path).startswith("a GridSearchCV of LogisticRegression, ")


class Mine:
    """A class whose module is then called ``__main__``."""


def test_local_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "m.pkl"
    path.write_bytes(pickle.dumps(Mine(), 2).replace(b"tests.artifacts.test_summary", b"__main__"))
    needs = artifacts.read(str(path))
    assert [str(item) for item in local_modules(needs)] == ["__main__.Mine"]
    assert summarize(needs) == "a Mine, pickle, protocol 2, needs __main__"


def test_unfitted(tmp_path: Path) -> None:
    path = tmp_path / "m.joblib"
    for model, names in (
        (LogisticRegression(), ["LogisticRegression"]),
        (make_pipeline(StandardScaler(), LogisticRegression()), ["StandardScaler", "LogisticRegression"]),
        (LogisticRegression().fit(X, Y), []),
        (make_pipeline(StandardScaler(), LogisticRegression()).fit(X, Y), []),
        ({"a": 1}, []),
    ):
        joblib.dump(model, path)
        assert [item.name for item in unfitted(artifacts.read(str(path)))] == names


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"a": 1, "b": 2}, "a dict of 2 (a, b), pickle, protocol 4"),
        ([1, 2, 3], "a list of 3, pickle, protocol 4"),
        (numpy.zeros((3, 4)), "an array of <f8, 3 x 4, numpy 2 pickle, protocol 4, 96 bytes of arrays"),
        (5, "an int, pickle, protocol 4"),
        (len, "the name builtins.len, pickle, protocol 4"),
    ],
)
def test_other_things(value: object, text: str, tmp_path: Path) -> None:
    path = tmp_path / "m.pkl"
    path.write_bytes(pickle.dumps(value, 4))
    assert summarize(artifacts.read(str(path))) == text


BOOSTERS = """
import sys, pickle, numpy
x = numpy.random.rand(60, 2); y = (x[:, 0] > .5).astype(int)
if sys.argv[2] == "xgboost":
    import xgboost
    model = xgboost.XGBClassifier(n_estimators=int(sys.argv[3])).fit(x, y)
else:
    import lightgbm
    model = lightgbm.LGBMClassifier(n_estimators=3, verbose=-1).fit(x, y)
for protocol in (2, 4):
    pickle.dump(model, open("%s/b.p%d.pkl" % (sys.argv[1], protocol), "wb"), protocol=protocol)
"""


@pytest.mark.network
@pytest.mark.parametrize(
    ("library", "version", "minor", "trees", "expected"),
    [
        ("xgboost", "1.0.2", "3.7", "3", "xgboost 1.0.2"),
        ("xgboost", "1.7.6", "3.10", "3", "xgboost 1.7.6"),
        ("xgboost", "1.7.6", "3.10", "200", "xgboost 1.7.6"),
        ("xgboost", "2.1.4", "3.11", "100", "xgboost 2.1.4"),
        ("lightgbm", "3.3.5", "3.10", "3", "lightgbm model format v3"),
        ("lightgbm", "4.3.0", "3.11", "3", "lightgbm model format v4"),
    ],
)
def test_versions_inside_payloads(
    library: str, version: str, minor: str, trees: str, expected: str, tmp_path: Path
) -> None:
    python = interpreters().get(minor)
    if python is None:
        pytest.skip(f"no Python {minor}")
    numpy_pin = "numpy<1.24" if minor != "3.11" else "numpy<2"
    folder = environment(f"{library}=={version}", "scikit-learn<1.3", numpy_pin, python=python)
    command = [str(folder / "bin/python"), "-W", "ignore", "-c", BOOSTERS, str(tmp_path), library, trees]
    subprocess.run(command, check=True, timeout=120, capture_output=True)
    for path in (tmp_path / "b.p2.pkl", tmp_path / "b.p4.pkl"):
        assert f", {expected}, " in summarize(artifacts.read(str(path)))
