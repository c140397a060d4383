"""``models:/NAME/VERSION``, ``models:/NAME@ALIAS``, ``models:/m-ID``, ``runs:/ID/PATH``: a model that MLflow keeps, by
the name that MLflow knows it by, and the snapshot of its training that it carries."""

from __future__ import annotations

from envaudit.evidence import Options, Request, Target
from envaudit.model import Snapshot


def gather(reference: str, request: Request, options: Options) -> Snapshot:
    """The snapshot as it was given to MLflow; nothing is looked at anew."""
    from envaudit import embedding
    from envaudit.mlflow import fetch

    with fetch(reference, options) as folder:
        return embedding.read(folder).record.snapshot


TARGET = Target(kind="model", schemes=("models", "runs"), gather=gather)
