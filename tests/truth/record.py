"""The executed outcomes as compressed data in fixtures/truth: what a benchmark reads instead of loading anything.

Two files of one shape for each part of the matrix, so that nobody meets a held-out outcome by accident:
`outcomes.jsonl.xz` and `held-out.jsonl.xz`. Line 1: {"environments": {name: {package: version}}}; line 2: the
distinct outcomes, each [kind, error, message, method]; then one line per training environment: {"train",
"files": [names], "serve": {name: [places in line 2]}}, with -1 where the other file has it.
"""

from __future__ import annotations

import functools
import itertools
import json
import lzma
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests import truth
from tests.truth import matrix, recipes


def paths(part: str) -> tuple[Path, Path]:
    """The two files of one part: of what may be looked at, and of what is held out."""
    folder = recipes.recorded(part)
    return folder / "outcomes.jsonl.xz", folder / "held-out.jsonl.xz"


def write(part: str) -> None:
    """Bring the outcomes that are on this machine into fixtures/truth."""
    names = recipes.part(part)
    recipes.recorded(part).mkdir(parents=True, exist_ok=True)
    for path, held_out in zip(paths(part), (False, True), strict=True):
        lines = _lines(names, held_out)
        text = "".join(json.dumps(line, separators=(",", ":"), ensure_ascii=False) + "\n" for line in lines)
        path.write_bytes(lzma.compress(text.encode(), preset=9 | lzma.PRESET_EXTREME))
    load.cache_clear()


def differences(names: Iterable[str]) -> tuple[int, int]:
    """How many outcomes of this machine were recorded, and how many of those otherwise (kind, exception or method)."""
    recorded = load()
    compared = changed = 0
    for train, serve in itertools.product(list(names), repeat=2):
        for name, kind, error, _, method in matrix.rows(train, serve):
            if outcome := recorded.get((train, serve), {}).get(name):
                compared += 1
                changed += (kind, error, method) != (outcome.kind, outcome.error, outcome.method)
    return compared, changed


def _lines(names: list[str], held_out: bool) -> list[Any]:
    known: dict[tuple[str, ...], int] = {}
    trains = []
    for train in names:
        found = {serve: {row[0]: tuple(row[1:]) for row in matrix.rows(train, serve)} for serve in names}
        listed = truth.files(train)
        serves = {
            serve: [
                known.setdefault(rows[file.name], len(known))
                if file.name in rows and truth.is_held_out(train, serve, file) is held_out
                else -1
                for file in listed
            ]
            for serve, rows in found.items()
        }
        trains.append({
            "train": train,
            "files": [file.name for file in listed],
            "serve": {serve: codes for serve, codes in serves.items() if set(codes) != {-1}},
        })  # fmt: skip
    made = recipes.made()
    return [{"environments": {name: made[name].packages for name in names}}, [list(key) for key in known], *trains]


def read(path: Path) -> list[Any]:
    """The lines of one of the two files."""
    return [json.loads(line) for line in lzma.decompress(path.read_bytes()).decode().splitlines()]


@functools.cache
def load() -> dict[tuple[str, str], dict[str, truth.Outcome]]:
    """Every recorded outcome: (train, serve) -> file name -> outcome."""
    found: dict[tuple[str, str], dict[str, truth.Outcome]] = {}
    for path in itertools.chain.from_iterable(map(paths, recipes.PARTS)):
        if not path.exists():
            continue
        _, known, *trains = read(path)
        distinct = [truth.Outcome(*fields) for fields in known]
        for line in trains:
            for serve, codes in line["serve"].items():
                pair = found.setdefault((line["train"], serve), {})
                for name, code in zip(line["files"], codes, strict=True):
                    if code >= 0:
                        pair[name] = distinct[code]
    return found
