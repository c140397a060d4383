"""What :mod:`envaudit.mlflow` has MLflow do, in a process of its own: the only code here that imports MLflow."""

from __future__ import annotations

import json
import os
import re
from typing import Any
from urllib.parse import unquote, urlsplit

from envaudit.embedding import mlflow_folder
from envaudit.model import Json


def main(uri: str, scratch: str, answer: str) -> None:
    """Download a model below a folder and write what came of it as JSON: ``folder`` and ``tags``, or ``error``, or
    ``missing`` where MLflow is not installed."""
    reply = _reply(uri, scratch)
    with open(answer, "w", encoding="utf-8") as stream:
        json.dump(reply, stream)


def _reply(uri: str, scratch: str) -> dict[str, Json]:
    try:
        import mlflow
        import mlflow.artifacts
    except ImportError as error:
        return {"missing": str(error)}
    try:
        for store in dict.fromkeys((mlflow.get_tracking_uri(), mlflow.get_registry_uri())):
            where = absent(store)
            if where is not None:
                return {"error": f"there is no {where}: MLFLOW_TRACKING_URI says where MLflow keeps its models"}
        goal = os.path.join(scratch, "model")
        os.mkdir(goal)
        folder = mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=goal)
        return {"folder": os.path.normpath(folder), "tags": _tags(mlflow, folder)}
    except Exception as error:
        return {"error": _unanswered(error) or f"MLflow says: {error}"}


def _unanswered(error: BaseException | None) -> str | None:
    """The address of a server that did not answer, where that is what went wrong."""
    from requests.exceptions import ConnectionError, Timeout  # noqa: A004  (MLflow needs it itself)

    while error is not None:
        if isinstance(error, (ConnectionError, Timeout)):
            host = urlsplit(getattr(error.request, "url", None) or "").netloc.rpartition("@")[2]
            return f"the server at {host} does not answer ({type(error).__name__})"
        error = error.__cause__ or error.__context__
    return None


def absent(store: str) -> str | None:
    """The path of a store in files that is not there: MLflow would make an empty one. None for any other store."""
    if store.startswith("sqlite:///"):
        path = unquote(store[len("sqlite:///") :].partition("?")[0])
    elif store.startswith("file:"):
        path = unquote(urlsplit(store).path)
    elif ":" in store or store.startswith("databricks"):
        return None
    else:
        path = store
    return None if os.path.exists(path) else path


def _tags(mlflow: Any, folder: str) -> dict[str, str]:
    """The tags of the logged model (MLflow 3), else of the run; none where they cannot be had."""
    try:
        described = mlflow_folder.description(folder)
        client = mlflow.MlflowClient()
        model, run = (str(described.get(key) or "") for key in ("model_id", "run_id"))
        found: dict[str, str] = {}
        if re.fullmatch(r"m-[\w-]+", model) and hasattr(client, "get_logged_model"):
            found = dict(client.get_logged_model(model).tags)
        if re.fullmatch(r"\w+", run) and not any(key.startswith("envaudit.") for key in found):
            found = dict(client.get_run(run).data.tags)
        return {key: value for key, value in found.items() if key.startswith("envaudit.")}
    except Exception:  # the model is here; what else the server knows of it is not needed
        return {}
