"""Save models as folders, and say what they answer."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import mlflow
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression


class Doubled(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
    def predict(self, context: Any, model_input: Any, params: Any = None) -> Any:
        return model_input * 2


def main(folder: str) -> None:
    inputs, outputs = load_iris(return_X_y=True)
    model = LogisticRegression(max_iter=500).fit(inputs, outputs)
    mine = {"team": "fraud", "stage": {"name": "a: b", "step": 2}, "notes": "long " * 40, "lines": "a\nb\n"}
    common = {"pip_requirements": ["scikit-learn"]}
    formats: dict[str, dict[str, Any]] = {"plain": {}, "described": {"metadata": mine}, "empty": {"metadata": {}}}
    for name, options in formats.items():
        options = {**options, **common, "serialization_format": "cloudpickle"}
        mlflow.sklearn.save_model(model, os.path.join(folder, name), **options)
    example = {"input_example": inputs[:2], "serialization_format": "pickle"}
    mlflow.sklearn.save_model(model, os.path.join(folder, "example"), **example, **common)
    mlflow.pyfunc.save_model(os.path.join(folder, "wrapped"), python_model=Doubled(), pip_requirements=["numpy"])
    names = [*formats, "example", "wrapped"]
    if mlflow.__version__ >= "3":
        mlflow.sklearn.save_model(model, os.path.join(folder, "skops"), serialization_format="skops", **common)
        names.append("skops")
    print(json.dumps({"names": names}))


main(sys.argv[1])
