"""Putting a snapshot into a model: beside writing the snapshot, beside hashing the file, beside loading it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks.apart import Apart, apart
from tests.benchmarks.images import HASH
from tests.benchmarks.measure import Figure, Row
from tests.benchmarks.places import ROOT, installed

MAKE = """
import sys, joblib, numpy
random = numpy.random.default_rng(0)
joblib.dump({"weights": [random.random(12_500_000) for _ in range(20)]}, sys.argv[1] + "/large.joblib")
some = {"weights": [random.integers(0, 1000, 1_000_000) / 8 for _ in range(8)]}
for how in ("zlib", "gzip", "bz2", "xz", "lzma", "lz4"):
    joblib.dump(some, sys.argv[1] + "/model." + how, compress=(how, 3))
joblib.dump(some, sys.argv[1] + "/model.joblib")
"""
"""2 GB that no compression makes smaller, and 64 MB in every form that joblib writes."""
LOAD = "import sys, joblib; joblib.load(sys.argv[1])"
RUNS = 4


def embedding(folder: Path) -> Iterator[Row | Figure | str]:
    """All figures about snapshots in models; the large file is gone when this returns."""
    tools = installed(folder / "train", f"envaudit[lz4] @ {ROOT.as_uri()}", "joblib", "numpy")
    models = folder / "models"
    models.mkdir()
    subprocess.run([tools / "python", "-c", MAKE, models], check=True)
    large = models / "large.joblib"
    yield from _large(tools, large)
    large.unlink()
    for path in sorted(models.iterdir()):
        if path.suffix != ".json":
            yield from _form(tools, path)


def _large(tools: Path, path: Path) -> Iterator[Row | Figure]:
    """What a large file costs beyond the snapshot, which is taken in both cases."""
    snapshot, embed, digest = _together(
        [str(tools / "envaudit"), "snapshot", "-o", str(path.with_name("snapshot.json"))],
        [str(tools / "envaudit"), "embed", str(path)],
        [str(tools / "python"), "-c", HASH, str(path)],
    )
    what = f"embed into {path.stat().st_size / 1e9:.1f} GB of joblib"
    yield Figure(f"{what}, memory", embed.megabytes, "MB", limit=50)
    beyond = embed.wall - snapshot.wall
    yield Figure(f"{what}, beyond `snapshot -o`", beyond, "s", f"{os.cpu_count()} cores", limit=1, held=2.5)
    yield Row(f"{what}, beyond, CPU", embed.cpu - snapshot.cpu, "SHA-256 of the file", digest.cpu, goal=1.2)


def _form(tools: Path, path: Path) -> Iterator[Row | Figure]:
    """What a file of a form costs beside loading it."""
    snapshot, embed, load = _together(
        [str(tools / "envaudit"), "snapshot", "-o", str(path.with_name("snapshot.json"))],
        [str(tools / "envaudit"), "embed", str(path)],
        [str(tools / "python"), "-c", LOAD, str(path)],
    )
    what = f"embed into {path.stat().st_size / 1e6:.0f} MB, {path.suffix[1:]}"
    beside = f"beyond `snapshot`: {embed.cpu - snapshot.cpu:.2f} s"
    yield Row(f"{what} ({beside})", embed.cpu, "joblib.load", load.cpu, goal=1, held=2)
    yield Figure(f"{what}, memory", embed.megabytes, "MB", f"joblib.load {load.megabytes:.0f} MB", limit=100)


def _together(*commands: list[str]) -> list[Apart]:
    """The least of each figure of each command, A B C A B C ...: other programs only ever make it more."""
    for command in commands:
        apart(command, os.environ)
    runs = [[apart(command, os.environ) for command in commands] for _ in range(RUNS)]
    return [Apart(*map(min, zip(*found, strict=True))) for found in zip(*runs, strict=True)]
