"""Real models of one scikit-learn release in the next and back: predicted, then really loaded and called."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from envaudit.artifacts import read
from envaudit.model import Verdict
from envaudit.prediction.evaluation import Evaluation
from envaudit.prediction.outcome import predict
from envaudit.surface.open import open_surface
from tests.environments import environment

pytestmark = [pytest.mark.network, pytest.mark.xdist_group("releases")]

OLDER = ("scikit-learn==1.2.2", "numpy==1.26.4", "scipy==1.11.4", "joblib==1.3.2")
NEWER = ("scikit-learn==1.3.2", "joblib==1.3.2", "numpy==1.26.4", "scipy==1.11.4")
MODELS = """
RandomForestClassifier(3)
RandomForestClassifier(1500,max_depth=1)
GradientBoostingClassifier(n_estimators=3)
HistGradientBoostingClassifier(max_iter=3)
LogisticRegression()
make_pipeline(StandardScaler(),LinearSVC())
KNeighborsClassifier(algorithm="kd_tree")
OneHotEncoder()
OrdinalEncoder()
MinMaxScaler()
KMeans(2,n_init=1)
GridSearchCV(Ridge(),{"alpha":[1,2]})
StackingClassifier([("a",GaussianNB())],cv=2)
make_column_transformer((StandardScaler(),[0,1]),remainder="passthrough")
IsolationForest(n_estimators=3)
SplineTransformer()
PLSRegression()
GaussianProcessClassifier()
VotingClassifier([("a",GaussianNB()),("b",LogisticRegression())])
""".split()
IMPORTS = """
import json, pickle, sys, warnings
warnings.simplefilter("ignore")
import numpy as np
from sklearn.cluster import *
from sklearn.compose import *
from sklearn.cross_decomposition import *
from sklearn.ensemble import *
from sklearn.gaussian_process import *
from sklearn.linear_model import *
from sklearn.model_selection import *
from sklearn.naive_bayes import *
from sklearn.neighbors import *
from sklearn.pipeline import *
from sklearn.preprocessing import *
from sklearn.svm import *
X = np.random.RandomState(0).rand(40, 4)
"""
SAVE = """
y = (X[:, 0] > 0.5).astype(int)
for index, text in enumerate(json.loads(sys.argv[2])):
    pickle.dump(eval(text).fit(X, y), open(f"{sys.argv[1]}/{index}.pkl", "wb"))
"""
CALL = """
for index in range(int(sys.argv[2])):
    answer = ["yes", "yes"]
    try:
        made = pickle.load(open(f"{sys.argv[1]}/{index}.pkl", "rb"))
    except Exception as error:
        answer = ["no", "no"]
    else:
        for name in ("predict", "predict_proba", "decision_function", "transform", "kneighbors"):
            try:
                method = getattr(made, name, None)
                if method is not None:
                    method(X)
            except Exception as error:
                answer[1] = "no"
    print(json.dumps(answer))
"""


def python(folder: Path, code: str, *arguments: str) -> list[str]:
    env = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [str(folder / "bin/python"), "-c", IMPORTS + code, *arguments],
        capture_output=True,
        text=True,
        check=True,
        env=env,
    )
    return done.stdout.splitlines()


def causes(verdict: Verdict) -> list[tuple[str, ...]]:
    return [(item.question, item.value, item.how, item.cause, item.subject) for item in verdict.reasons]


@pytest.mark.parametrize(
    ("train", "serve"), [(OLDER, NEWER), (NEWER, OLDER), (OLDER, OLDER)], ids=["up", "down", "home"]
)
def test_predicted_is_what_happens(train: tuple[str, ...], serve: tuple[str, ...], tmp_path: Path) -> None:
    there = environment(*serve)
    python(environment(*train), SAVE, str(tmp_path), json.dumps(MODELS))
    happened = [tuple(json.loads(line)) for line in python(there, CALL, str(tmp_path), str(len(MODELS)))]
    lock = tmp_path / "requirements.txt"
    lock.write_text("\n".join(serve))
    own = (sys.version_info[0], sys.version_info[1])
    installed, locked = (
        Evaluation.world_of(surface) for surface in (open_surface(str(there)), open_surface(str(lock), python=own))
    )
    predicted = []
    for index in range(len(MODELS)):
        needs = read(str(tmp_path / f"{index}.pkl"))
        verdict, same = predict(needs, installed), predict(needs, locked)
        predicted.append((verdict.load.value, verdict.predict.value))
        assert causes(same) == causes(verdict), "its lock file tells what the environment tells"
    assert dict(zip(MODELS, predicted, strict=True)) == dict(zip(MODELS, happened, strict=True))
    assert (("no", "no") in happened) is (train != serve), "these releases are known to break some of the models"
