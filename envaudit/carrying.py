"""What a model is to carry: the snapshot of its training, and a sample with the answers that it gave there."""

from __future__ import annotations

import os

from envaudit import artifacts, recording, running
from envaudit.embedding import Record, Sample, is_model_folder
from envaudit.embedding.mlflow_folder import model_files
from envaudit.errors import EmbeddingError, UnreadFormatError, UsageError
from envaudit.evidence import Options
from envaudit.model import Snapshot
from envaudit.probing import fingerprint
from envaudit.take import is_mlflow_uri, resolve, take
from envaudit.training import contradiction

_SAVED = ("snapshot", "model")
"""Kinds of target that are no place in which a model could be run."""


def record_of(
    model: str, train: str | Snapshot, options: Options, sample: str | None, loader: str | None, *, unsafe: bool
) -> Record:
    """The snapshot of a place, or a snapshot, for one model: of the others that it knows nothing goes along.

    Raises :class:`~envaudit.errors.EnvauditError` where the place cannot be looked at or did not write the model, the
    sample is none, or a saved snapshot holds no answers to it.
    """
    if is_mlflow_uri(model):
        raise UsageError(
            f"{model}: a logged model is finished: log it with metadata=envaudit.mlflow.metadata(), or embed into its "
            "folder before it is logged (docs/mlflow.md)"
        )
    data = None if sample is None else running.small_sample(sample)
    if isinstance(train, Snapshot):
        found = train
    elif sample is None and loader is None:
        found = take(train, options)
    else:
        runs = sample is not None and resolve(train)[0].kind not in _SAVED
        record = running.recorder(train, options, sample, unsafe=unsafe) if sample is not None and runs else None
        described = [model] if record is not None or sample is None else []
        found = recording.take_with(train, options, described, loader=loader, record=record)
    _check_wrote(model, found)
    if found.artifacts:
        digests = {fingerprint(file)[1] for file in _files(model)}
        found = found._replace(artifacts=tuple(item for item in found.artifacts if item.sha256 in digests))
    if sample is None or data is None:
        return Record(found)
    where = train if isinstance(train, str) else "the snapshot"
    recording.recorded(found, where, model, sample, fingerprint(sample)[1])
    return Record(found, Sample(os.path.basename(sample), data))


def _check_wrote(model: str, train: Snapshot) -> None:
    """A snapshot of another environment than training's would let through what fails, and refuse what works."""
    for file in _files(model):
        try:
            other = contradiction(artifacts.read(file), train.versions())
        except UnreadFormatError:
            continue
        if other is not None:
            place = train.target.reference or (train.target.environment.prefix if train.target.environment else "")
            raise EmbeddingError(f"{model}: was not written in {place}, {other}: name the environment that trained it")


def _files(model: str) -> list[str]:
    """The model file; of a model folder those that are loaded. Another folder is refused when it is written to."""
    if is_model_folder(model):
        return [item.path for item in model_files(model)]
    return [] if os.path.isdir(model) else [model]
