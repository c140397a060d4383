"""Snapshots that several tests use."""

from __future__ import annotations

import os
from pathlib import Path

import hypothesis
import pytest

from envaudit import store
from envaudit.model import Component, Snapshot, TargetInfo

# Real environments are imported over and over: with the bytecode kept, in a third of the time.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# Each worker has a core at most: threads that wait for each other would take ten times as long.
os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

# The first example may import a library that takes a second; how fast things are is the benchmarks' business.
# In CI the same examples every time: a new one that fails is for whoever runs the tests, not for who waits for CI.
hypothesis.settings.register_profile("envaudit", deadline=None, derandomize=bool(os.environ.get("CI")))
hypothesis.settings.load_profile("envaudit")


def make_snapshot(count: int, *, serving: bool = False) -> Snapshot:
    """A snapshot of ``count`` distributions; the serving one differs in 30 of them and in the Python patch."""
    distributions = {}
    for index in range(count):
        version = f"1.{index % 7}.{index % 5}"
        if serving and index % (count // 30 or 1) == 0:
            version = f"1.{index % 7}.{index % 5 + 1}"
        name = f"package-{index:03}"
        distributions[name] = Component(
            "distribution",
            name,
            version,
            {"installer": "pip", "build": f"{hash((index, version)) & 0xFFFFFFFF:064x}", "tags": ["py3-none-any"]},
        )
    python = Component(
        "python",
        "python",
        "3.11.2" if serving else "3.11.7",
        {"implementation": "cpython", "abi": "cpython-311-x86_64-linux-gnu", "pointer_bits": 64, "byteorder": "little"},
    )
    return Snapshot(
        TargetInfo("venv", ".venv"), {"distribution": distributions, "python": {"python": python}, "setting": {}}
    )


@pytest.fixture
def two_snapshots(tmp_path: Path) -> tuple[Path, Path]:
    """Two snapshot files of 500 distributions each."""
    paths = (tmp_path / "train.json", tmp_path / "serve.json")
    store.write(make_snapshot(500), str(paths[0]))
    store.write(make_snapshot(500, serving=True), str(paths[1]))
    return paths
