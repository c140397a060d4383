"""The environment that a lock file describes, built with uv and kept for the next time."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from envaudit.errors import SandboxError
from envaudit.evidence import MIB, Options

_CAP: Final = 64 * MIB
_BUILDING: Final = 1800.0
"""Seconds that installing may take; torch with its CUDA wheels is four gigabytes."""

COMPLETE: Final = ".envaudit-complete"


def build(kind: str, reference: str, options: Options) -> str:
    """The interpreter of the environment for a ``requirements`` or ``pylock`` file.

    Raises :class:`~envaudit.errors.SandboxError` where uv is not there, or cannot install what the file says.
    """
    uv = _uv()
    python = options.python or sys.executable
    content, lasting = _content(kind, reference)
    version = ".".join(map(str, sys.version_info[:3])) if options.python is None else ""
    key = hashlib.sha256("\0".join([kind, python, version, content]).encode()).hexdigest()[:24]
    folder = os.path.join(cache(), key)
    interpreter = os.path.join(folder, "bin", "python")
    with _alone(folder):
        if os.path.exists(os.path.join(folder, COMPLETE)) and lasting and os.path.exists(interpreter):
            return interpreter
        shutil.rmtree(folder, ignore_errors=True)
        options.progress(f"building the environment of {reference} with uv")
        _run([uv, "venv", "--quiet", "--no-config", "--python", python, folder], reference)
        # A pylock.toml is installed as it is; -r also reads that form.
        _run([uv, "pip", "install", "--quiet", "--python", interpreter, "-r", os.path.abspath(reference)], reference)
        with open(os.path.join(folder, COMPLETE), "w", encoding="utf-8") as stream:
            stream.write(f"{os.path.abspath(reference)}\n")
    return interpreter


def cache() -> str:
    """The folder of the environments that were built; removing any of them does no harm."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.path.join(base, "envaudit", "environments")


def _uv() -> str:
    found = shutil.which("uv", path=os.path.dirname(sys.executable)) or shutil.which("uv")
    if found is None:
        raise SandboxError("running a model in what a lock file describes needs uv: pip install uv")
    return found


def _content(kind: str, reference: str) -> tuple[str, bool]:
    """All that decides what is installed, and whether that lasts (a local project may change without notice)."""
    if kind == "requirements":
        from envaudit.targets import _requirement_lines

        lines = [line.text for line in _requirement_lines.read(reference).lines]
        local = any(line.startswith(("-e", "--editable", ".", "/", "file:")) or "@ file:" in line for line in lines)
        return "\n".join(lines), not local
    from envaudit.targets import _lock_file

    try:
        text = _lock_file.read(reference, _CAP).decode("utf-8", "replace")
    except FileNotFoundError:
        raise SandboxError(f"{reference}: no such file") from None
    return text, "directory" not in text


@contextmanager
def _alone(folder: str) -> Iterator[None]:
    """One process at a time builds an environment; the others wait and then find it."""
    import fcntl

    try:
        os.makedirs(os.path.dirname(folder), exist_ok=True)
        lock = open(f"{folder}.lock", "w", encoding="utf-8")  # noqa: SIM115
    except OSError as error:
        raise SandboxError(f"{cache()}: cannot be written: {error.strerror or error}") from None
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _run(command: list[str], reference: str) -> None:
    import subprocess

    try:
        done = subprocess.run(command, capture_output=True, timeout=_BUILDING, check=False)
    except subprocess.TimeoutExpired:
        raise SandboxError(f"{reference}: uv was not done after {_BUILDING:g} seconds") from None
    except OSError as error:
        raise SandboxError(f"{command[0]}: cannot be started: {error.strerror or error}") from None
    if done.returncode:
        words = " ".join(done.stderr.decode("utf-8", "replace").replace("\u2570\u2500\u25b6", " ").split())
        raise SandboxError(f"{reference}: uv cannot make its environment: {words[:1000]}")
