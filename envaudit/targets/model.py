"""A model that carries the snapshot of its training: ``model.joblib``, an MLflow model folder, or a model's sidecar.

The model is read as data; a snapshot of other bytes than the model's own is refused.
"""

from __future__ import annotations

from envaudit import embedding
from envaudit.errors import EmbeddingError
from envaudit.evidence import Options, Request, Target
from envaudit.model import Snapshot


def gather(reference: str, request: Request, options: Options) -> Snapshot:
    """The snapshot as it was embedded; nothing is looked at anew."""
    return embedding.read(embedding.model_of(reference)).record.snapshot


def claims(path: str) -> bool:
    """A model in which, or beside which, there is a snapshot, be it a damaged one."""
    try:
        return path.endswith(embedding.ENDING) or embedding.find(path) is not None
    except EmbeddingError:
        return embedding.is_model_folder(path)


TARGET = Target(kind="model", schemes=("model",), gather=gather, claims_path=claims)
