"""What a model is to carry: the snapshot of its training, and a sample with the answers that it gave there."""

from __future__ import annotations

import os
from contextlib import suppress

from envaudit import artifacts, recording, running
from envaudit.embedding import Record, Sample, is_model_folder, write
from envaudit.embedding.mlflow_folder import model_files
from envaudit.errors import EmbeddingError, UnreadFormatError, UsageError
from envaudit.evidence import Options
from envaudit.model import Snapshot
from envaudit.needs import Needs
from envaudit.probing import fingerprint
from envaudit.take import is_mlflow_uri, resolve, take
from envaudit.training import contradiction

_SAVED = ("snapshot", "model")
"""Kinds of target that are no place in which a model could be run."""


def embed(
    model: str,
    train: str | Snapshot,
    options: Options,
    *,
    sample: str | None = None,
    loader: str | None = None,
    sidecar: bool = False,
    unsafe: bool = False,
) -> tuple[Record, str]:
    """Put the snapshot of a place, or a snapshot, into a model: what was put there, and where it rides.

    Raises :class:`~envaudit.errors.EnvauditError` where the place cannot be looked at or did not write the model, the
    sample is none, a saved snapshot holds no answers to it, or the model cannot be written.
    """
    if is_mlflow_uri(model):
        raise UsageError(
            f"{model}: a logged model is finished: log it with metadata=envaudit.mlflow.metadata(), or embed into its "
            "folder before it is logged (docs/mlflow.md)"
        )
    record = _record_of(model, train, options, sample, loader, unsafe=unsafe)
    snapshot = record.snapshot

    def check(needs: Needs) -> None:
        # A snapshot of another environment than training's would let through what fails, and refuse what works.
        other = contradiction(needs, snapshot.versions())
        if other is not None:
            at = snapshot.target.environment
            place = snapshot.target.reference or (at.prefix if at else "")
            raise EmbeddingError(f"{model}: was not written in {place}, {other}: name the environment that trained it")

    for file in _files(model) if is_model_folder(model) else ():
        with suppress(UnreadFormatError):
            check(artifacts.read(file))
    return record, write(model, record, sidecar=sidecar, check=check)


def _record_of(
    model: str, train: str | Snapshot, options: Options, sample: str | None, loader: str | None, *, unsafe: bool
) -> Record:
    """What is to ride in a model: of other models that the snapshot knows nothing goes along."""
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
    if found.artifacts:
        digests = {fingerprint(file)[1] for file in _files(model)}
        found = found._replace(artifacts=tuple(item for item in found.artifacts if item.sha256 in digests))
    if sample is None or data is None:
        return Record(found)
    where = train if isinstance(train, str) else "the snapshot"
    recording.recorded(found, where, model, sample, fingerprint(sample)[1])
    return Record(found, Sample(os.path.basename(sample), data))


def _files(model: str) -> list[str]:
    """The model file; of a model folder those that are loaded. Another folder is refused when it is written to."""
    if is_model_folder(model):
        return [item.path for item in model_files(model)]
    return [] if os.path.isdir(model) else [model]
