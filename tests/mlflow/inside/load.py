"""Load model folders with MLflow and say what they answer; with ``rewrite``, have MLflow rewrite what it can first."""

from __future__ import annotations

import json
import sys

import mlflow
import mlflow.models
import numpy
from sklearn.datasets import load_iris


def main(*folders: str) -> None:
    inputs = load_iris().data[::10]
    answers = {}
    for folder in folders:
        if folder == "rewrite":
            continue
        if "rewrite" in folders:
            mlflow.models.set_signature(folder, mlflow.models.infer_signature(inputs))
            mlflow.models.update_model_requirements(folder, "add", ["rich==13.0.0"])
        model = mlflow.pyfunc.load_model(folder)
        answers[folder] = numpy.asarray(model.predict(inputs)).tolist()
    print(json.dumps(answers))


main(*sys.argv[1:])
