"""``verify(model)``: may this model be loaded here? Asked by the service that is about to do so.

Nothing of the model is executed, no process is started, no network is used, and no model library, container SDK or
terminal library is imported: the answer comes from files.
"""

from __future__ import annotations

import os

from envaudit.audit import audit
from envaudit.errors import EnvironmentSkewError
from envaudit.evidence import Options
from envaudit.model import Comparison, Severity
from envaudit.reports import failed
from envaudit.take import HERE

Path = str | os.PathLike[str]


def verify(
    model: Path,
    target: Path | None = None,
    *,
    fail_on: Severity | None = "error",
    loader: str | None = None,
    timeout: float = 60.0,
) -> Comparison:
    """Compare the environment in which a model was trained, whose snapshot it carries, with this one, and predict
    whether it will load, predict and answer the same here.

    ``target`` is another place than this process's environment, ``fail_on`` the severity from which on a finding is
    a refusal (None: never), ``loader`` the call that will read the model, ``timeout`` is in seconds.

    Returns the comparison, where nothing speaks against loading the model.

    Raises :class:`~envaudit.errors.EnvironmentSkewError` with the findings where something does, and
    :class:`~envaudit.errors.EnvauditError` where that could not be found out: the model carries no snapshot, one of
    other bytes than its own, or cannot be read.
    """
    path, place = os.fspath(model), HERE if target is None else os.fspath(target)
    result = audit(f"model://{path}", place, loader=loader, there=Options(timeout=timeout, in_process=target is None))
    if failed(result, fail_on):
        raise EnvironmentSkewError(path, result, tuple(result.at_least(fail_on or "error")))
    return result
