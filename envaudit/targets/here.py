"""``here``: the environment that envaudit is started in; the default target of ``envaudit snapshot``.

Where envaudit lives in a tool environment of its own (pipx, uv tool, uvx), the environment it is *started in* is the
activated one: VIRTUAL_ENV, else CONDA_PREFIX. Otherwise it is the environment that envaudit is installed in, even
if VIRTUAL_ENV names another: that one is mentioned as another environment.
"""

from __future__ import annotations

import os
import sys

from envaudit.evidence import CommandOutput, Evidence, Options, Request, Target
from envaudit.model import Environment
from envaudit.targets import _live, _local

NAME = "here"


def gather(reference: str, request: Request, options: Options) -> Evidence:
    """Look at the own environment in process, or at the activated one through its interpreter."""
    if options.python is not None:
        return _local.inspect(_local.named_interpreter(options.python), request, options, "--python")
    activated = _activated()
    if activated is not None and _is_tool_environment(sys.prefix) and not options.in_process:
        variable, _, python = activated
        return _local.inspect(python, request, options, f"{variable} (envaudit runs in an environment of its own)")

    from envaudit.targets import inspector

    asked = request._replace(commands=()) if options.in_process else request
    path = [entry or _working_directory() for entry in sys.path] if options.in_process else _path()
    reply = inspector.serve(_live.as_json(asked, options.timeout), path)
    others = list(_left_behind(sys.prefix))
    if activated is not None and os.path.realpath(activated[1]) != os.path.realpath(sys.prefix):
        others.append(activated[1])
    environment = Environment(sys.executable, sys.prefix, "envaudit is installed in it", tuple(dict.fromkeys(others)))
    found = _live.evidence(reply, environment, request)
    if options.in_process:
        return found._replace(commands=_left_alone(request))
    return _local.with_pip(found, sys.executable, options)


def _path() -> list[str]:
    """``sys.path`` without its first entry where that belongs to how envaudit was started (the script's folder, or the
    working directory): a model trained in this environment does not see it."""
    started = ("", _working_directory(), *map(os.path.dirname, (os.path.realpath(sys.argv[0]), sys.argv[0])))
    return [entry for entry in (sys.path[1:] if sys.path[:1] and sys.path[0] in started else sys.path) if entry]


def _left_alone(request: Request) -> dict[tuple[str, ...], CommandOutput]:
    """The commands whose program is there, as ones that told nothing."""
    import shutil

    why = CommandOutput(None, "", "it is not started from within a process")
    return {arguments: why for arguments in request.commands if shutil.which(arguments[0]) is not None}


def _working_directory() -> str:
    try:
        return os.getcwd()
    except OSError:  # it has been removed
        return ""


def _activated() -> tuple[str, str, str] | None:
    for variable in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        folder = os.environ.get(variable)
        if folder:
            python = _local.interpreter_of(folder)
            if python is not None:
                return variable, folder, python
    return None


def _left_behind(chosen: str) -> tuple[str, ...]:
    """A ``.venv`` or ``venv`` of the working directory that is not the environment that is looked at."""
    folders = (os.path.join(_working_directory(), name) for name in (".venv", "venv"))
    return tuple(
        folder
        for folder in folders
        if os.path.isfile(os.path.join(folder, "pyvenv.cfg")) and os.path.realpath(folder) != os.path.realpath(chosen)
    )


def _is_tool_environment(prefix: str) -> bool:
    """pipx leaves pipx_metadata.json, ``uv tool`` uv-receipt.toml; uvx runs from uv's cache."""
    parts = prefix.split(os.sep)
    return (
        os.path.exists(os.path.join(prefix, "pipx_metadata.json"))
        or os.path.exists(os.path.join(prefix, "uv-receipt.toml"))
        or "archive-v0" in parts
        or "environments-v2" in parts
    )


TARGET = Target(kind="here", schemes=("here",), gather=gather)
