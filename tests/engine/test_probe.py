"""``compare IMAGE --model`` and ``probe --in IMAGE``: what is predicted of an image then really happens in it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import envaudit as package
from envaudit import searching
from tests.environments import envaudit, environment, interpreters

pytestmark = [pytest.mark.engine, pytest.mark.xdist_group("engine")]

TRAIN = """
import sys, joblib
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.preprocessing import StandardScaler
X, y = load_iris(return_X_y=True)
joblib.dump(RandomForestClassifier(3, random_state=0).fit(X, y), sys.argv[1] + "/forest.joblib")
joblib.dump(StandardScaler().fit(X), sys.argv[1] + "/scaler.joblib")
"""

COLUMNS = """
import sys, joblib, pandas
from sklearn.compose import ColumnTransformer
from sklearn.preprocessing import MinMaxScaler
X = pandas.DataFrame({"age": [1.0, 2.0], "city": [0, 1], "rest": [3.0, 4.0]})
joblib.dump(ColumnTransformer([("age", MinMaxScaler(), ["age"])]).fit(X), sys.argv[1])
X.to_csv(sys.argv[1] + ".csv", index=False)
"""


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two models of scikit-learn 1.2 and the snapshot of the environment that trained them."""
    python = interpreters().get("3.11")
    if python is None:
        pytest.skip("needs Python 3.11")
    place = environment("scikit-learn==1.2.2", "numpy==1.26.4", "scipy==1.11.4", "joblib==1.3.2", python=python)
    folder = tmp_path_factory.mktemp("trained")
    subprocess.run([place / "bin/python", "-c", TRAIN, str(folder)], check=True)
    assert envaudit("snapshot", str(place), "-o", "train.json", cwd=folder).returncode == 0
    return folder


def test_a_comparison_with_an_image_prints_the_error_that_then_really_appears(
    trained: Path, old: str, leftovers: Callable[[], list[str]]
) -> None:
    done = envaudit("compare", "train.json", old, "--model", "forest.joblib", "--format", "json", cwd=trained)
    assert done.returncode == 1, done.stderr
    (verdict,) = json.loads(done.stdout)["verdicts"]
    assert (verdict["load"], verdict["target"]) == ("no", old)
    run = envaudit("probe", "forest.joblib", "--in", old, "--run", "--format", "json", cwd=trained)
    assert run.returncode == 1, run.stderr
    (found,) = json.loads(run.stdout)["verdicts"]
    assert found["how"] == "executed"
    message = "ValueError: node array from the pickle has an incompatible dtype"
    assert verdict["reasons"][0]["error"].startswith(message)
    assert found["executed"]["reasons"][0]["error"].startswith(message)
    assert leftovers() == []


def test_a_model_that_an_image_can_serve_passes_although_the_version_differs(
    trained: Path, old: str, start: Callable[..., str], leftovers: Callable[[], list[str]]
) -> None:
    running = start(old, "python3", "-c", "import time; time.sleep(600)")
    for place in (old, f"container://{running}"):
        done = envaudit("compare", "train.json", place, "--model", "scaler.joblib", cwd=trained)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "scaler.joblib loads and predicts in serving" in done.stdout
    assert leftovers() == []


@pytest.fixture(scope="session")
def columns(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of scikit-learn 1.5, which neither 1.4 nor 1.7 loads."""
    python = interpreters().get("3.11")
    if python is None:
        pytest.skip("needs Python 3.11")
    rest = ("numpy==1.26.4", "scipy==1.13.1", "joblib==1.4.2", "pandas==2.2.3")
    place = environment("scikit-learn==1.5.2", *rest, python=python)
    path = tmp_path_factory.mktemp("columns") / "columns.joblib"
    subprocess.run([place / "bin/python", "-c", COLUMNS, str(path)], check=True)
    return path


def test_releases_are_searched_for_an_image_and_a_container(
    columns: Path,
    old: str,
    new: str,
    start: Callable[..., str],
    leftovers: Callable[[], list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Those for the Python, the system and the packages that are in there; the image with 1.6 shows who is right."""
    monkeypatch.setattr(searching, "MOST", 5)
    running = start(old, "python3", "-c", "import time; time.sleep(600)")
    found = []
    for place in (old, f"container://{running}"):
        (file,) = package.probe(columns, place, find="scikit-learn").files
        assert file.search is not None
        assert file.predicted is not None
        assert (file.search.installed, file.search.stated) == ("1.3.2", "1.5.2")
        assert [item.version for item in file.search.works][:1] == ["1.5.2"]
        assert "1.6.1" in [item.version for item in file.search.works]
        assert file.predicted.reasons[0].fix.startswith("pip install 'scikit-learn==1.5.2' (or ")
        found.append([(item.version, item.works, item.error, item.also) for item in file.search.tried])
    assert found[0] == found[1]
    (file,) = package.probe(columns, new, find="scikit-learn", run=True, sample=f"{columns}.csv").files
    assert file.executed is not None
    assert (file.executed.load.value, file.executed.predict.value) == ("yes", "yes")
    assert file.search is not None
    assert any("have no wheel for Python 3.13 there" in words for words in file.search.skipped)
    assert leftovers() == []
