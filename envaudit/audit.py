"""``audit(train, serve, models)``: what ``compare`` and ``verify`` have in common, from two places to a comparison.

No model file is unpickled here. Who wants it to be really loaded hands a way to do so over, which
:mod:`envaudit.running` makes.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from envaudit import comparison
from envaudit.errors import UnreadFormatError
from envaudit.evidence import Options
from envaudit.model import Comparison, Snapshot
from envaudit.take import HERE, Look, is_mlflow_uri, look, resolve

if TYPE_CHECKING:
    from envaudit.embedding.mlflow_folder import ModelFile
    from envaudit.probing import Execute

_MODEL: Final = "model"


def audit(
    train: str | Snapshot,
    serve: str | Snapshot,
    models: Sequence[str] = (),
    *,
    loader: str | None = None,
    at_home: Options | None = None,
    there: Options | None = None,
    execute: Execute | None = None,
) -> Comparison:
    """Compare training with serving, each a snapshot or a target; with models, also what will happen to them there.

    Where training is a model that carries its snapshot, that model is meant if none is named. ``loader`` is the call
    that reads the models, ``at_home`` how training is looked at, ``there`` how serving is, ``execute`` really loads a
    model in serving.

    Raises :class:`~envaudit.errors.EnvauditError` where a place cannot be looked at or a model file cannot be read.
    """
    at_home, there = at_home or Options(), there or Options()
    uri = train.removeprefix("model://") if isinstance(train, str) else ""
    if is_mlflow_uri(uri):
        from envaudit import mlflow

        with mlflow.fetch(uri, at_home) as folder:
            given = (f"model://{folder}", serve, models)
            result = audit(*given, loader=loader, at_home=at_home, there=there, execute=execute)
        return mlflow.renamed(result, folder, uri)
    itself = carrier(train) if isinstance(train, str) else None
    named = models or [item.path for item in itself or ()]
    if loader is not None:
        from envaudit.probing import check_loader

        check_loader(loader, named)
    elif not models:
        loader = next((item.loader for item in itself or () if item.loader is not None), None)
    before = look(train, at_home) if isinstance(train, str) else Look(train)
    after = look(serve, there) if isinstance(serve, str) else Look(serve)
    found: tuple[comparison.Model, ...] = ()
    why = ""
    if named:
        from envaudit import probing

        place = f"snapshot://{serve.target.reference}" if isinstance(serve, Snapshot) else serve
        home = None if itself is not None or not isinstance(train, str) else probing.Place(train, at_home, before)
        try:
            found = probing.audit(
                named, place, before, after,
                loader=loader, options=there, home=home, execute=execute, digests=_checked(itself or ()),
            )  # fmt: skip
        except UnreadFormatError as error:
            if models:
                raise
            why = f"{error}: only the environments were compared"
    elif itself is not None:
        why = f"{train}: names no model file that is read: only the environments were compared"
    result = comparison.compare(before.snapshot, after.snapshot, found, leaves=not there.in_process)
    return result._replace(assumptions=(*result.assumptions, why)) if why else result


def _checked(models: Sequence[ModelFile]) -> dict[str, str]:
    """A large file whose own bytes were digested when the snapshot in it was read: once is enough. Of a model folder
    that was one digest of all."""
    from envaudit import embedding, probing

    path = models[0].path if len(models) == 1 else ""
    if not os.path.isfile(path) or os.path.getsize(path) <= probing.SMALL:
        return {}
    carried = None if embedding.is_model_folder(os.path.dirname(path)) else embedding.find(path)
    return {path: f"own {carried.record.digest} {carried.record.size}"} if carried is not None and carried.bound else {}


def carrier(target: str) -> tuple[ModelFile, ...] | None:
    """The model that a target is, of a model folder those of its files that are loaded; None for other targets."""
    if target == HERE:
        return None
    found, reference = resolve(target)
    if found.kind != _MODEL:
        return None
    from envaudit import embedding
    from envaudit.embedding.mlflow_folder import ModelFile, model_files

    model = embedding.model_of(reference)
    return model_files(model) if embedding.is_model_folder(model) else (ModelFile(model),)
