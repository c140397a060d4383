"""The environments in which model files are written and loaded: old and new versions of the writers and loaders."""

from __future__ import annotations

import json
import os
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from tests import truth
from tests.environments import environment, interpreters


class Stack(NamedTuple):
    """One environment as it is declared."""

    python: str
    packages: str = ""

    @property
    def name(self) -> str:
        """``3.8 joblib 1.0.1 ...``."""
        return f"{self.python} {self.packages.replace('==', ' ')}".strip()


NEWEST = "joblib numpy pandas cloudpickle lz4 zstandard"
STACKS = (
    Stack("2.7"),
    Stack("3.6", "joblib==0.9.4 numpy==1.19.5"),
    Stack("3.6", "joblib==0.11 numpy==1.19.5 pandas==1.0.5 cloudpickle==1.2.2"),
    Stack("3.7", "joblib==0.14.1 numpy==1.21.6 pandas==1.3.5 cloudpickle==1.6.0 lz4==2.2.1"),
    Stack("3.8", "joblib==0.17.0 cloudpickle==1.2.2 lz4==3.0.2"),
    Stack("3.8", "joblib==1.0.1 numpy==1.24.4 pandas==1.5.3 cloudpickle==2.2.1 lz4==3.1.10"),
    Stack("3.8", "joblib==1.4.2 numpy==1.24.4 pandas==2.0.3 cloudpickle==3.1.1 lz4==4.3.3"),
    Stack("3.9", "joblib==1.2.0 numpy==1.26.4 pandas==2.2.3 cloudpickle==2.0.0 lz4==4.0.2"),
    Stack("3.10", "joblib==1.3.2 numpy==1.26.4 pandas==1.5.3 cloudpickle==3.0.0 lz4==4.3.2"),
    Stack("3.11", "joblib==1.2.0 numpy==1.26.4 pandas==2.1.4 cloudpickle==2.2.1 lz4==4.3.3"),
    Stack("3.11", NEWEST),
    Stack("3.12", "joblib==1.5.2 numpy==1.26.4 pandas==2.1.4 cloudpickle==3.1.2 lz4"),
    Stack("3.13", NEWEST),
)
"""All that the table in docs/embedding.md is of. numpy 2 writes names that numpy 1 lacks, and both are there."""
FEW = tuple(STACKS[index] for index in (0, 2, 9, 10))
"""Those of the tests."""
OLD_JOBLIB = Stack("3.8", "joblib==0.14.1")
"""Runs under Python 2.7 as well, and nothing of it has to be compiled."""


TORCH = ("torch==2.13.0+cpu", "numpy==2.2.6")


class Place(NamedTuple):
    """An environment as it was made."""

    name: str
    python: Path
    path: str = ""
    """``PYTHONPATH``."""
    versions: dict[str, str] = {}  # noqa: RUF012


def place(stack: Stack) -> Place | None:
    """The environment; None where the machine lacks the interpreter."""
    python = interpreters().get(stack.python)
    if python is None:
        return None
    if stack.python != "2.7":
        return _named(stack.name, environment(*stack.packages.split(), python=python) / "bin/python")
    base = place(OLD_JOBLIB)
    path = "" if base is None else str(next(base.python.parents[1].glob("lib/*/site-packages")))
    return _named(stack.name, python, path)


def torches() -> list[Place]:
    """The environments of the load matrix with torch, oldest first; a new one, where none of these is here."""
    made = [_named(name, found.python) for name, found in truth.environments("torch").items()]
    return made or _new_torch()


def _new_torch() -> list[Place]:
    """From where pip is told to look, or from torch's own index of builds without CUDA; none where that fails."""
    links = os.environ.get("UV_FIND_LINKS") or os.environ.get("PIP_FIND_LINKS")
    sources = [["--find-links", links]] if links else []
    for source in (*sources, ["--index", "https://download.pytorch.org/whl/cpu"]):
        with suppress(AssertionError):
            return [_named("torch", environment(*source, *TORCH, python=interpreters().get("3.11")) / "bin/python")]
    return []


_VERSIONS = """
import json, platform, sys
found = {"Python": platform.python_version()}
for name in sys.argv[1:]:
    try:
        found[name] = str(__import__(name).__version__)
    except (ImportError, AttributeError):
        pass
print(json.dumps(found))
"""


def _named(name: str, python: Path, path: str = "") -> Place:
    names = ["joblib", "pandas", "cloudpickle", "lz4", "torch", "numpy"]
    text = subprocess.run(
        [python, "-W", "ignore", "-c", _VERSIONS, *names], capture_output=True, check=True, env={"PYTHONPATH": path}
    ).stdout
    return Place(name, python, path, json.loads(text))
