"""Snapshots without a line of code: MLflow asks this plugin for tags, and where ENVAUDIT_MLFLOW=1 is set gets one.

MLflow's entry point ``mlflow.run_context_provider`` (mlflow.org/docs/latest/plugins) is asked at each start of a run
and, from MLflow 3 on, at each logging of a model. From MLflow 3 on the model gets the tags, before that its run.

Nothing here may disturb a training run: without the variable nothing is done, and every failure is a warning.
"""

from __future__ import annotations

import os
import sys
from functools import lru_cache

VARIABLE = "ENVAUDIT_MLFLOW"
_SECONDS = 10.0
"""For which the environment is looked at: a driver that hangs must not hold up a training run."""


class RunContext:
    """``mlflow.tracking.context.abstract_context.RunContextProvider``, of which MLflow wants no more than these two."""

    def in_context(self) -> bool:
        """Whether tags are wanted here."""
        return os.environ.get(VARIABLE, "").lower() in ("1", "true", "yes", "on") and _is_wanted()

    def tags(self) -> dict[str, str]:
        """The tags of a snapshot of this environment, taken once for as long as nothing is installed."""
        try:
            own = (sys.path[0], os.getcwd())  # here the training run writes
            folders = (entry for entry in sys.path if os.path.isdir(entry) and entry not in own)
            return dict(_tags(tuple((entry, os.stat(entry).st_mtime_ns) for entry in folders)))
        except Exception as error:
            import warnings

            warnings.warn(f"envaudit: MLflow gets no snapshot of this environment: {error}", stacklevel=2)
            return {}


def _is_wanted() -> bool:
    """MLflow also asks for the tags of data sets and traces, which have little room: only who starts a run, or where
    there are such, makes a logged model, gets them."""
    caller = sys._getframe(3)  # of resolve_tags, which called in_context, which called this
    known = caller.f_globals
    if known.get("__name__") != "mlflow.tracking.fluent":
        return False
    return caller.f_code.co_name == ("_create_logged_model" if "_create_logged_model" in known else "start_run")


@lru_cache(maxsize=1)
def _tags(installed: tuple[tuple[str, int], ...]) -> dict[str, str]:
    from envaudit import mlflow
    from envaudit.evidence import Options
    from envaudit.take import HERE, take

    return mlflow.tags(take(HERE, Options(timeout=_SECONDS)))
