"""What the guard sees is the process that it runs in: its ``sys.path``, no other program, no network."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TRAIN = """
import pickle
import envaudit, shapes
with open("model.pkl", "wb") as stream:
    pickle.dump(shapes.Square(2), stream)
envaudit.embed("model.pkl")
"""
SERVE = """
import sys
import envaudit
try:
    print(*envaudit.verify(sys.argv[1]).verdicts[0].load)
except envaudit.EnvironmentSkewError as skew:
    print(*(finding.code for finding in skew.findings), skew)
"""


def python(code: str, *arguments: str, cwd: Path, path: str = "") -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PATH": path + os.environ["PATH"]},
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model of a class in a module that lies in the working directory, as that of many a service does."""
    (tmp_path / "shapes.py").write_text("class Square:\n    def __init__(self, side):\n        self.side = side\n")
    python(TRAIN, cwd=tmp_path)
    return tmp_path / "model.pkl"


def test_modules_are_found_where_the_process_finds_them(model: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    assert python(SERVE, str(model), cwd=model.parent).startswith("yes")
    said = python(SERVE, str(model), cwd=tmp_path_factory.mktemp("elsewhere"))
    assert said.startswith("EA9")
    assert "No module named 'shapes'" in said


def test_no_program_is_started_that_a_snapshot_would_start(model: Path, tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "nvidia-smi").write_text(f"#!/bin/sh\ntouch {tmp_path}/started\n")
    (programs / "nvidia-smi").chmod(0o755)
    assert python(SERVE, str(model), cwd=tmp_path, path=f"{programs}:").startswith("yes")
    assert not (tmp_path / "started").exists()
    gaps = "import envaudit, sys; print([gap for gap in envaudit.verify(sys.argv[1]).serve.gaps if gap.kind == 'gpu'])"
    assert "it is not started from within a process" in python(gaps, str(model), cwd=tmp_path, path=f"{programs}:")
    python("import envaudit; envaudit.snapshot()", cwd=tmp_path, path=f"{programs}:")
    assert (tmp_path / "started").exists()


ELSEWHERE = """
import sys
import envaudit
taken = envaudit.snapshot()
for component in taken.of("distribution").values():
    if "source" in component.attributes:
        component.attributes["source"] = {**component.attributes["source"], "where": "file:///elsewhere"}
        envaudit.embed(sys.argv[1], taken)
        print(component.name)
"""


def test_no_library_of_models_is_imported_whatever_differs(model: Path) -> None:
    """What tells structures apart may not bring numpy in, which the service has to import by itself."""
    assert "envaudit" in python(ELSEWHERE, str(model), cwd=model.parent)
    said = python(f"{SERVE}print(*sys.modules)", str(model), cwd=model.parent)
    heavy = set("numpy pandas joblib sklearn scipy docker rich typer click pydantic requests deepdiff".split())
    assert said.startswith(("yes", "EA"))
    assert not heavy & set(said.split())
