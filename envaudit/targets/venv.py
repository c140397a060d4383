"""``venv://PATH``: a virtual environment, a conda prefix or any other installation prefix, by its folder."""

from __future__ import annotations

import os

from envaudit.errors import TargetError
from envaudit.evidence import Evidence, Options, Request, Target
from envaudit.targets import _local, root


def gather(reference: str, request: Request, options: Options) -> Evidence:
    """Run the inspector in the environment's interpreter, whatever is installed there."""
    if options.python is not None:
        return _local.inspect(_local.named_interpreter(options.python), request, options, "--python")
    python = _local.interpreter_of(reference)
    if python is None:
        if not os.path.isdir(reference):
            raise TargetError(f"{reference}: there is no such folder")
        for name in _local.INTERPRETERS:
            path = os.path.join(reference, name)
            if os.path.lexists(path):
                raise TargetError(f"{path}: the interpreter that this link names is gone; make the venv anew")
        raise TargetError(f"{reference}: no interpreter in it (looked for {', '.join(_local.INTERPRETERS[:2])})")
    # The link inside the venv, unresolved: it is what makes the interpreter look into this venv.
    return _local.inspect(os.path.abspath(python), request, options, "the folder given")


def claims(path: str) -> bool:
    """A folder with an interpreter, or a venv whose interpreter is gone."""
    if root.claims(path):  # /bin/python of a whole system is no environment of this machine
        return False
    return _local.is_environment(path) or os.path.isfile(os.path.join(path, "pyvenv.cfg"))


TARGET = Target(kind="venv", schemes=("venv", "conda"), gather=gather, claims_path=claims)
