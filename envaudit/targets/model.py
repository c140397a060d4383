"""A model that carries the snapshot of its training: ``model.joblib``, an MLflow model folder, or a model's sidecar.

The model is read as data; a snapshot of other bytes than the model's own is refused.
"""

from __future__ import annotations

import os

from envaudit.evidence import SIDECAR, Options, Request, Target
from envaudit.model import Snapshot


def gather(reference: str, request: Request, options: Options) -> Snapshot:
    """The snapshot as it was embedded; nothing is looked at anew."""
    from envaudit import embedding

    return embedding.read(embedding.model_of(reference)).record.snapshot


def claims(path: str) -> bool:
    """A model in which, or beside which, there is a snapshot, be it a damaged one; a folder with a model."""
    if path.endswith(SIDECAR) or os.path.lexists(path + SIDECAR) or os.path.isfile(os.path.join(path, "MLmodel")):
        return True
    if not os.path.isfile(path) or _is_text(path):
        return False
    from envaudit import embedding  # which two snapshots can do without
    from envaudit.errors import EmbeddingError

    try:
        return embedding.find(path) is not None
    except EmbeddingError:
        return True


def _is_text(path: str) -> bool:
    """Whether nothing can ride in a file: it begins as JSON, TOML and the like do, and no model does."""
    try:
        with open(path, "rb") as stream:
            first = stream.read(1)
            return first.isspace() or first in (b"{", b"[", b"#", b"\xef", b"")
    except OSError:
        return True


TARGET = Target(kind="model", schemes=("model",), gather=gather, claims_path=claims)
