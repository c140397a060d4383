"""Fetch models by their URIs and say what rides in them."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import envaudit.mlflow
from envaudit import embedding
from envaudit.embedding.mlflow_folder import model_files


def fetched(uri: str) -> dict[str, Any]:
    with envaudit.mlflow.fetch(uri) as folder:
        found = embedding.read(folder)
        files = [os.path.basename(item.path) for item in model_files(folder)]
        mlflow = found.record.snapshot.of("distribution")["mlflow"].version
        return {"bound": found.bound, "mlflow": mlflow, "files": files}


print(json.dumps({uri: fetched(uri) for uri in sys.argv[1:]}))
