"""Fetch models by their URIs and say what rides in them."""

import json
import os
import sys

import envaudit.mlflow
from envaudit import embedding
from envaudit.embedding.mlflow_folder import model_files


def fetched(uri):
    with envaudit.mlflow.fetch(uri) as folder:
        files = [os.path.basename(item.path) for item in model_files(folder)]
        found = embedding.find(folder)
        if found is None:
            return {"bound": None, "files": files}
        distributions = found.record.snapshot.of("distribution")
        return {"bound": found.bound, "files": files, "mlflow": distributions["mlflow"].version}


print(json.dumps({uri: fetched(uri) for uri in sys.argv[1:]}))
