"""The model files of the load matrix with a snapshot in each: loaded and called, the outcome has to be what it was."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import envaudit
from envaudit import embedding
from envaudit.embedding import Record
from tests import truth

LOADER = Path(truth.__file__).parent / "inside/loader.py"
LIMIT = "20"
"""Seconds for one file."""
PAIRS = (("0.22.2", "0.22.2"), ("1.2.2", "1.3.2"), ("1.5.2", "1.5.2"), ("1.9.1", "1.9.1"))
"""Who wrote, and who loads: scikit-learn's release (docs/truth.md). Nothing that is set aside for measurement."""


def table(folder: Path) -> tuple[str, bool]:
    """In Markdown, of the pairs whose environments are on this machine; and whether all outcomes are the same."""
    made = truth.environments()
    lines = [
        "Models of the [load matrix](truth.md), loaded and called (`predict`, `transform`, ...) without a snapshot and",
        "with one:",
        "",
        "| written beside scikit-learn | loaded and called beside | files | with the same outcome and answers |",
        "|---|---|---|---|",
    ]
    right = True
    for train, serve in PAIRS:
        if train not in made or serve not in made:
            continue
        without, having = (_outcomes(serve, place) for place in _forms(train, folder / f"{train}-{serve}"))
        equal = sum(having[name] == outcome for name, outcome in without.items())
        fine = sum(kind == "fine" for kind, *_ in without.values())
        lines.append(f"| {train} | {serve} | {len(without):,} ({fine:,} fine) | {equal:,} |")
        right &= equal == len(without)
    return "\n".join(lines) + "\n", right


def _forms(train: str, folder: Path) -> list[Path]:
    """The files of an environment as they are, and with a snapshot in each."""
    snapshot = envaudit.snapshot()
    places = [folder / form for form in ("without", "with")]
    for place in places:
        shutil.copytree(truth.FILES / train, place)
    for file in truth.files(train):
        path = places[1] / file.path.relative_to(truth.FILES / train)
        embedding.write(str(path), Record(snapshot))
    return places


def _outcomes(serve: str, folder: Path) -> dict[str, list[str]]:
    """What became of each file: kind, error, message and method."""
    command = [str(truth.environments()[serve].python), str(LOADER), LIMIT]
    done = subprocess.run(command, input=f"{folder}\n", capture_output=True, text=True, check=True)
    found = {}
    for line in done.stdout.splitlines():
        _, name, *outcome = json.loads(line)
        found[name] = [str(part).replace(str(folder), "") for part in outcome]
    return found
