"""The recorded load matrix says what it claims to say."""

from __future__ import annotations

import json
import lzma
from pathlib import Path

import pytest

from tests.truth import archive, recipes, record
from tests.truth.recipes import HELD_OUT_LIBRARIES, PARTS, RECIPES

KINDS = {"fine", "different", "predict_error", "load_error"}
RECORDED = [path for part in PARTS for path in record.paths(part)]


def test_every_pair_is_recorded() -> None:
    pairs = record.load()
    assert set(pairs) == {
        (train, serve) for part in PARTS for train in recipes.part(part) for serve in recipes.part(part)
    }
    assert {outcome.kind for found in pairs.values() for outcome in found.values()} == KINDS


def test_at_home_every_file_is_fine_but_those_of_the_training_script() -> None:
    for (train, serve), found in record.load().items():
        if train == serve:
            broken = {name for name, outcome in found.items() if outcome.kind != "fine"}
            assert {name.partition(".")[0] for name in broken} <= {"main"}


@pytest.mark.parametrize("part", PARTS)
def test_what_is_held_out_lies_in_a_file_of_its_own(part: str) -> None:
    _, _, *trains = record.read(record.paths(part)[0])
    assert trains
    for line in trains:
        serves = {serve for serve, codes in line["serve"].items() if set(codes) != {-1}}
        assert not [name for name in serves | {line["train"]} if RECIPES[name].held_out and serves]
        for codes in line["serve"].values():
            seen = {name.partition(".")[0] for name, code in zip(line["files"], codes, strict=True) if code >= 0}
            assert not seen & HELD_OUT_LIBRARIES


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_no_machine_is_named(path: Path) -> None:
    text = lzma.decompress(path.read_bytes()).decode()
    assert not [place for place in (str(recipes.ROOT.parent), str(Path.home())) if f"{place}/" in text]


@pytest.mark.parametrize(
    ("train", "serve"), [("1.5.2", "1.9.1"), ("catboost-1.2.2", "catboost-1.2.8"), ("torch-1.8.1", "torch-2.13")]
)
def test_the_archive_gives_the_files_back(tmp_path: Path, train: str, serve: str) -> None:
    assert archive.unpack(tmp_path, [train]) == [train]
    recorded = {name.removesuffix(".whole") for name in record.load()[train, serve]}  # once, though loaded in two ways
    listed = json.loads((tmp_path / train / "manifest.json").read_text())["files"]
    dropped = {file["path"] for file in listed if file.get("dropped")}
    unpacked = {path.name for path in (tmp_path / train).iterdir()}
    assert recorded == unpacked - dropped - {"manifest.json", ".complete"}
    assert archive.unpack(tmp_path, [train]) == []
