"""Environments with envaudit in them, and a model that one of them wrote."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import envaudit
from tests.environments import environment, interpreters

ROOT = Path(envaudit.__file__).parent.parent
PYTHON = interpreters().get("3.11") or Path(sys.executable)
TRAIN = ("scikit-learn==1.4.2", "numpy==1.26.4", "scipy==1.13.1", "joblib==1.4.2")
SERVE = ("scikit-learn==1.2.2", "numpy==1.24.4", "scipy==1.11.4", "joblib==1.3.2")

FIT = """
import sys, envaudit, numpy
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
X = numpy.arange(80.0).reshape(20, 4) % 7
y = numpy.arange(20) % 2
for name, model in ("boosting", GradientBoostingClassifier(n_estimators=5)), ("bayes", GaussianNB()):
    print(*envaudit.dump(make_pipeline(StandardScaler(), model).fit(X, y), f"{sys.argv[1]}/{name}.joblib"))
numpy.save(f"{sys.argv[1]}/X.npy", X[:5])
"""


def place(requirements: tuple[str, ...]) -> Path:
    """An environment with these packages and envaudit, as it is in this checkout."""
    return environment(*requirements, "-e", str(ROOT), python=PYTHON)


def trained(folder: Path) -> Path:
    """A folder with ``boosting.joblib`` and ``bayes.joblib``, written by ``envaudit.dump``, and a sample, ``X.npy``."""
    done = run(place(TRAIN), FIT, str(folder))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [f"{folder}/boosting.joblib", f"{folder}/bayes.joblib"]
    return folder


def run(venv: Path, code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run code in an environment."""
    return subprocess.run(
        [str(venv / "bin/python"), "-c", code, *arguments], capture_output=True, text=True, timeout=300, check=False
    )
