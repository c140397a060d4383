"""The functions of the public API: :func:`snapshot` and :func:`compare`."""

from __future__ import annotations

import os

from envaudit.evidence import Options
from envaudit.model import Comparison, Snapshot


def snapshot(
    target: str | os.PathLike[str] | None = None,
    *,
    python: str | None = None,
    timeout: float = 60.0,
    pull: bool = False,
    pip: bool = False,
) -> Snapshot:
    """Look at an environment.

    ``target`` is written as on the command line (docs/targets.md): a path, an image, ``container://NAME``, ...; None
    is the environment that this process runs in. ``python`` overrides which interpreter inside of the target is
    looked at; ``timeout`` is in seconds; ``pull`` allows an absent image to be pulled; ``pip`` asks pip as well.

    Raises :class:`~envaudit.errors.EnvauditError` where the target does not exist or cannot be looked at.
    """
    from envaudit.take import HERE, take

    text = HERE if target is None else os.fspath(target)
    return take(text, Options(python=python, timeout=timeout, pull=pull, pip=pip))


def compare(train: Snapshot | str | os.PathLike[str], serve: Snapshot | str | os.PathLike[str]) -> Comparison:
    """Compare what training used with what serving has. Each side is a snapshot, or a target to look at first.

    Raises :class:`~envaudit.errors.EnvauditError` where a target cannot be looked at.
    """
    from envaudit import comparison

    sides = [side if isinstance(side, Snapshot) else snapshot(side) for side in (train, serve)]
    return comparison.compare(*sides)
