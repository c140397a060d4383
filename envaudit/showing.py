"""``shown(path)``: a snapshot, or what a model carries, to be looked at. Nothing of a model is loaded."""

from __future__ import annotations

from envaudit import embedding, store
from envaudit.errors import ArtifactError, EmbeddingError
from envaudit.reports import Shown
from envaudit.take import is_mlflow_uri, resolve


def shown(path: str) -> Shown:
    """What is in a file.

    Raises :class:`~envaudit.errors.EnvauditError` where there is no snapshot in it, or a damaged one. One that
    belongs to other bytes is shown, and :attr:`Shown.error` says so.
    """
    if is_mlflow_uri(path):
        from envaudit.mlflow import fetch, renamed

        with fetch(path) as folder:
            return renamed(shown(folder), folder, path)
    kind = resolve(path)[0].kind if not embedding.is_model_folder(path) else "model"
    if kind == "snapshot":
        return Shown(path, store.read(path))
    model = embedding.model_of(path)
    found = embedding.find(model)
    if found is None:
        raise EmbeddingError(f"{path}: is no snapshot, and carries none (envaudit embed {path} puts one in)")
    error = ""
    try:
        embedding.check(model, found)
    except EmbeddingError as mismatch:
        error = str(mismatch)
    record = found.record
    sample = "" if record.sample is None else record.sample.file
    return Shown(
        *(path, record.snapshot, record.written_by, found.where, _summary(model), found.bound, error),
        *(record.digest, record.size, sample),
    )


def _summary(model: str) -> str:
    """What a model is, or why that is not known."""
    from envaudit import artifacts
    from envaudit.artifacts.summary import summarize

    if embedding.is_model_folder(model):
        from envaudit.embedding.mlflow_folder import model_files

        files = [item.path for item in model_files(model)]
        return _summary(files[0]) if files else "MLmodel names no model file that is read"
    try:
        return summarize(artifacts.read(model))
    except ArtifactError as error:
        return str(error)
