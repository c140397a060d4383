"""``compare IMAGE --model`` and ``probe --in IMAGE``: what is predicted of an image then really happens in it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

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
