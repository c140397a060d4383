"""Real MLflow, old and new, with envaudit beside it as an installation leaves it: its entry points are found."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from tests.environments import UV, environment, interpreters

ROOT = Path(__file__).parents[2]
INSIDE = Path(__file__).parent / "inside"
PYTHON = interpreters().get("3.11") or Path(sys.executable)
LIBRARIES = ("numpy==1.26.4", "scipy==1.13.1")
SHARED = ("scikit-learn==1.5.2", *LIBRARIES, "typer", "deepdiff")
"""The same libraries in both, so that what one saves the other can load."""
RELEASES = {
    "3": ("mlflow==3.17.2", *SHARED),
    # What 2.9 did not foresee: SQLAlchemy 2.1, and a setuptools without pkg_resources.
    "2": ("mlflow==2.9.2", "sqlalchemy<2.1", "setuptools<70", *SHARED),
}


def place(release: str) -> Path:
    """The environment with that major release."""
    return environment(*RELEASES[release], python=PYTHON)


@cache
def installed() -> str:
    """A folder with envaudit's metadata, which names the entry points: the environments are made once, whatever the
    checkout's dependencies and entry points become."""
    folder = tempfile.mkdtemp(prefix="envaudit-test-metadata-")
    options = ["--quiet", "--no-deps", "--python", str(PYTHON), "--target", folder]
    subprocess.run([UV, "pip", "install", *options, "-e", str(ROOT)], check=True)
    return folder


def run(
    release: str, *arguments: str, cwd: Path | None = None, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """A process of that environment's Python."""
    return subprocess.run(
        [str(place(release) / "bin/python"), *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env=_environ(env),
        cwd=cwd or installed(),
    )


def script(release: str, name: str, *arguments: str, cwd: Path | None = None, env: dict[str, str] | None = None) -> Any:
    """What a script of the folder ``inside`` prints as its last line, as JSON."""
    done = run(release, str(INSIDE / name), *arguments, cwd=cwd, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def _environ(more: dict[str, str] | None) -> dict[str, str]:
    path = os.pathsep.join((installed(), str(ROOT)))
    quiet = {"MLFLOW_ALLOW_FILE_STORE": "true", "MLFLOW_DISABLE_TELEMETRY": "true", "GIT_PYTHON_REFRESH": "quiet"}
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("MLFLOW_", "ENVAUDIT_MLFLOW"))}
    return {**kept, "PYTHONPATH": path, **quiet, **(more or {})}
