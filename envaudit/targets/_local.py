"""Environments of this machine: their interpreters, and running the inspector in them."""

from __future__ import annotations

import os

from envaudit.errors import InspectorError, TargetError
from envaudit.evidence import Evidence, Options, Request
from envaudit.model import Environment
from envaudit.targets import _live

INTERPRETERS = ("bin/python", "bin/python3", "Scripts/python.exe")


def interpreter_of(folder: str) -> str | None:
    """The interpreter of a venv, a virtualenv or a conda prefix; None where the folder holds none."""
    for name in INTERPRETERS:
        path = os.path.join(folder, name)
        if os.path.isfile(path):
            return path
    return None


def is_environment(folder: str) -> bool:
    """Whether a folder is a venv (PEP 405), a conda prefix or another installation prefix with an interpreter."""
    return interpreter_of(folder) is not None and (
        os.path.isfile(os.path.join(folder, "pyvenv.cfg"))
        or os.path.isdir(os.path.join(folder, "conda-meta"))
        or any(name.startswith("python3") for name in _names(os.path.join(folder, "lib")))
    )


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def inspect(python: str, request: Request, options: Options, chosen_by: str) -> Evidence:
    """Run the inspector in an interpreter of this machine.

    Raises :class:`~envaudit.errors.InspectorError` where it cannot be started, is too old, or hangs.
    """
    import subprocess

    source, token = _live.script(request, options.timeout)
    options.progress(f"inspecting {python}")
    try:
        done = subprocess.run(
            [python, *_live.ARGUMENTS],
            input=source,
            capture_output=True,
            timeout=options.timeout,
            check=False,
            env=_environ(),
        )
    except subprocess.TimeoutExpired:
        raise InspectorError(
            f"{python}: no answer within {options.timeout:g} seconds (--timeout sets the limit)"
        ) from None
    except OSError as error:
        raise InspectorError(f"{python}: cannot be started: {error.strerror or error}") from None
    reply = _live.read_reply(done.stdout, done.stderr, done.returncode, token, python)
    found = reply["interpreter"]
    environment = Environment(python, found["prefix"], chosen_by)
    return with_pip(_live.evidence(reply, environment, request), python, options)


def with_pip(evidence: Evidence, python: str, options: Options) -> Evidence:
    """Add pip's own view of the environment where it is asked for."""
    if not options.pip:
        return evidence
    from envaudit.targets import _pip_view

    options.progress(f"asking pip of {python}")
    return evidence._replace(pip=_pip_view.installed(python, options.timeout))


def _environ() -> dict[str, str]:
    """The environment as it was before this Python changed it: where the locale is C it exports LC_CTYPE (PEP 538)."""
    from envaudit.targets import inspector

    environ = dict(os.environ)
    if "LC_CTYPE" in environ and not inspector.started_with("LC_CTYPE"):
        del environ["LC_CTYPE"]
    return environ


def named_interpreter(text: str) -> str:
    """The interpreter that ``--python`` names: a path, or a program on PATH."""
    if os.sep in text:
        return text
    import shutil

    found = shutil.which(text)
    if found is None:
        raise TargetError(f"--python {text}: no such program on PATH; give its path")
    return found
