"""``venv://PATH``: a virtual environment, a conda prefix or any other installation prefix, by its folder."""

from __future__ import annotations

import os
from pathlib import Path

from envaudit.errors import TargetError
from envaudit.evidence import Evidence, Options, Request, Target
from envaudit.targets import _local


def gather(reference: str, request: Request, options: Options) -> Evidence:
    """Run the inspector in the environment's interpreter, whatever is installed there."""
    folder = Path(reference)
    if options.python is not None:
        return _local.inspect(_local.named_interpreter(options.python), request, options, "--python")
    python = _local.interpreter_of(folder)
    if python is None:
        if not folder.is_dir():
            raise TargetError(f"{reference}: there is no such folder")
        broken = [name for name in _local.INTERPRETERS if os.path.lexists(folder / name)]
        if broken:
            raise TargetError(f"{folder / broken[0]}: the interpreter that this link names is gone; make the venv anew")
        raise TargetError(f"{reference}: no interpreter in it (looked for {', '.join(_local.INTERPRETERS[:2])})")
    # The link inside the venv, unresolved: it is what makes the interpreter look into this venv.
    return _local.inspect(python.absolute(), request, options, "the folder given")


def claims(path: str) -> bool:
    """A folder with an interpreter, or a venv whose interpreter is gone."""
    folder = Path(path)
    return folder.is_dir() and (_local.is_environment(folder) or (folder / "pyvenv.cfg").is_file())


TARGET = Target(kind="venv", schemes=("venv", "conda"), gather=gather, claims_path=claims)
