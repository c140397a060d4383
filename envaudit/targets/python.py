"""``python://PATH``: an interpreter by the path of its executable (``python:///usr/bin/python3``)."""

from __future__ import annotations

import os
import re

from envaudit.errors import TargetError
from envaudit.evidence import Evidence, Options, Request, Target
from envaudit.targets import _local

_NAME = re.compile(r"(python|pypy)[0-9.]*t?d?(\.exe)?$")


def gather(reference: str, request: Request, options: Options) -> Evidence:
    """Run the inspector in that interpreter."""
    if options.python is not None:
        return _local.inspect(_local.named_interpreter(options.python), request, options, "--python")
    if not os.path.isfile(reference):
        raise TargetError(f"{reference}: there is no such interpreter")
    return _local.inspect(os.path.abspath(reference), request, options, "the path given")


def claims(path: str) -> bool:
    """An executable file that is called like an interpreter."""
    return bool(_NAME.match(os.path.basename(path))) and os.path.isfile(path) and os.access(path, os.X_OK)


TARGET = Target(kind="python", schemes=("python",), gather=gather, claims_path=claims)
