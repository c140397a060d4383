"""Log models to a store in each way, register them, and say what MLflow then has."""

from __future__ import annotations

import json
import logging
import os
import sys
import warnings
from typing import Any

import mlflow
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

import envaudit.mlflow

NEW = mlflow.__version__ >= "3"
WAYS = ("line", "hook", "neither", "failing")


class Doubled(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
    def predict(self, context: Any, model_input: Any, params: Any = None) -> Any:
        return model_input * 2


def log(way: str, model: Any, inputs: Any) -> dict[str, Any]:
    name = {"name": "model"} if NEW else {"artifact_path": "model"}
    formats = {} if NEW and way == "line" else {"serialization_format": "cloudpickle"}
    metadata = envaudit.mlflow.metadata() if way == "line" else None
    with mlflow.start_run() as run:
        mlflow.log_input(mlflow.data.from_numpy(inputs))
        common = {"registered_model_name": f"fraud-{way}", "pip_requirements": ["scikit-learn"]}
        info = mlflow.sklearn.log_model(model, metadata=metadata, **common, **formats, **name)
        name = dict.fromkeys(name, "wrapped")
        options = {"python_model": Doubled(), "metadata": metadata, "pip_requirements": ["numpy"]}
        mlflow.pyfunc.log_model(**options, **name)
    client = mlflow.MlflowClient()
    client.set_registered_model_alias(f"fraud-{way}", "champion", "1")
    found = client.get_run(run.info.run_id)
    registered = f"models:/fraud-{way}"
    uris = {"version": f"{registered}/1", "alias": f"{registered}@champion"}
    uris |= {"run": f"runs:/{run.info.run_id}/model", "wrapped": f"runs:/{run.info.run_id}/wrapped"}
    return {
        "uris": uris | ({"logged": info.model_uri} if NEW else {}),
        "run": {key: len(value) for key, value in found.data.tags.items()},
        "model": {key: len(value) for key, value in client.get_logged_model(info.model_id).tags.items()} if NEW else {},
        "source": max(len(item.dataset.source) for item in found.inputs.dataset_inputs),
        "answers": mlflow.pyfunc.load_model(uris["version"]).predict(inputs[::10]).tolist(),
    }


def main(store: str) -> None:
    logging.getLogger("mlflow").setLevel(logging.ERROR)
    mlflow.set_tracking_uri(store)
    inputs, outputs = load_iris(return_X_y=True)
    model = LogisticRegression(max_iter=500).fit(inputs, outputs)
    told = {}
    for way in WAYS:
        os.environ["ENVAUDIT_MLFLOW"] = "1" if way in ("hook", "failing") else ""
        if way == "failing":  # no snapshot is that small
            from envaudit.mlflow import plugin

            plugin._tags.cache_clear()
            vars(envaudit.mlflow)["MOST_TAGS"] = 0
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            told[way] = log(way, model, inputs)
        told[way]["warned"] = any("gets no snapshot" in str(item.message) for item in caught)
    print(json.dumps(told))


main(sys.argv[1])
