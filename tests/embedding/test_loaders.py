"""Real files of old and new writers, with a snapshot inside, in front of old and new loaders and tools."""

from __future__ import annotations

import pickle
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import joblib
import numpy
import pytest

import envaudit
from envaudit import embedding
from envaudit.embedding import Record, Sample
from envaudit.model import Snapshot
from tests.embedding import loads, stacks
from tests.embedding.loads import Made
from tests.embedding.stacks import Place
from tests.environments import environment

pytestmark = pytest.mark.network


@pytest.fixture(scope="module")
def snapshot() -> Snapshot:
    return envaudit.snapshot()


def written(places: list[Place], folder: Path, snapshot: Snapshot) -> list[Made]:
    """The files of all environments."""
    return [made for number, place in enumerate(places) for made in loads.write(place, folder / str(number), snapshot)]


def test_files_of_old_and_new_writers_are_loaded_by_old_and_new_loaders(tmp_path: Path, snapshot: Snapshot) -> None:
    places = [place for place in map(stacks.place, stacks.FEW) if place]
    if len(places) < 2:
        pytest.skip("this machine has none of the old Pythons")
    files = written(places, tmp_path, snapshot)
    found = [load for place in places for load in loads.load(place, [m for m in files if loads.meant(m, place)])]
    assert [load for load in found if not load.equal] == []
    counts = Counter(load.made.where for load in found if load.possible)
    assert set(counts) == {
        "behind the pickle", "in front of the pickle", "in the gzip header", "in a stream behind the model's",
        "in a frame behind the model's", "in a file beside it",
    }  # fmt: skip
    assert min(counts.values()) >= 4


def test_torch_files(tmp_path: Path, snapshot: Snapshot) -> None:
    places = stacks.torches()[-2:]
    if not places:
        pytest.skip("torch cannot be installed here")
    files = written(places, tmp_path, snapshot)
    script = next(made for made in reversed(files) if made.name == "extra.pt")
    files.append(script._replace(ways=("torch.jit.load, with the record",), where=""))
    found = [load for place in places for load in loads.load(place, files)]
    handed = [load for load in found if not load.made.where]
    assert [load for load in found if not load.equal and load.made.where] == []
    assert sum(load.possible for load in found if load.made.where == "in a member of the archive") >= 9
    assert any(len(set(load.outcomes)) == 3 for load in handed)  # torch hands the record out


def test_torch_does_not_mind_a_record_that_is_not_whole(tmp_path: Path, snapshot: Snapshot) -> None:
    """Large files are written at their end only: whoever loads one at that moment, or after a crash, is to load it."""
    places = stacks.torches()[-2:]
    if not places:
        pytest.skip("torch cannot be installed here")
    made = next(made for made in loads.write(places[0], tmp_path / "0", snapshot) if made.name == "module.pt")
    plain, whole = (made.path(form).read_bytes() for form in loads.FORMS[:2])
    more = len(whole) - len(plain)
    assert whole.startswith(plain)
    cuts = [1, 3, 4, 5, 29, 30, 31, 60, more // 2, more - 90, *range(more - 23, more, 5)]
    files: list[Made] = []
    for number, (first, second) in enumerate(zip(cuts, reversed(cuts), strict=True)):
        files.append(made._replace(name=f"{number}.pt"))
        for form, size in zip(loads.FORMS, (0, first, second), strict=True):
            files[-1].path(form).write_bytes(whole[: len(plain) + size])
    for place in places:
        found = [load for load in loads.load(place, files) if load.possible]
        assert len(found) >= 2 * len(files)  # both releases read them from a path and from an open file
        assert [load for load in found if not load.equal] == []


def model_files(folder: Path) -> list[Path]:
    """One of each way to ride."""
    value = {"weights": numpy.arange(500.0), "name": "forest"}
    made = []
    for how in ("zlib", "gzip", "bz2", "xz", "lzma", "lz4"):
        made.append(folder / f"model.{how}")
        joblib.dump(value, made[-1], compress=(how, 3))
    made.append(folder / "model.joblib")
    joblib.dump(value, made[-1])
    made.append(folder / "model.pkl")
    made[-1].write_bytes(pickle.dumps(value))
    made.append(folder / "model.pt")
    shutil.copy(Path(__file__).parents[2] / "fixtures/artifacts/torch/module.pt", made[-1])
    return made


@pytest.fixture
def pairs(tmp_path: Path, snapshot: Snapshot) -> dict[str, tuple[Path, Path]]:
    """Each file without and with a snapshot and a sample, by its ending, under the same name."""
    found = {}
    for form in ("without", "with"):
        (tmp_path / form).mkdir()
    for path in model_files(tmp_path / "without"):
        copy = tmp_path / "with" / path.name
        shutil.copy(path, copy)
        embedding.write(str(copy), Record(snapshot, Sample("X.csv", b"1,2\n")))
        found[path.name.partition(".")[2]] = (path, copy)
    return found


def said(path: Path, *command: Any) -> tuple[int, str]:
    """What a program says of a file."""
    done = subprocess.run([*command, path.name], cwd=path.parent, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("ending", "command"),
    [
        ("gzip", ["gzip", "-t", "-S", ".gzip"]),
        ("bz2", ["bzip2", "-t"]),
        ("xz", ["xz", "-t"]),
        ("lz4", ["lz4", "-t", "-q"]),
        ("pt", ["unzip", "-t", "-qq"]),
        ("pt", ["zip", "-T", "-q"]),
        ("pt", [sys.executable, "-m", "zipfile", "-t"]),
        ("pkl", [sys.executable, "-m", "pickletools"]),
    ],
    ids=lambda value: value[-1] if value[0] == sys.executable else value[0] if isinstance(value, list) else value,
)
def test_command_line_tools(ending: str, command: list[str], pairs: dict[str, tuple[Path, Path]]) -> None:
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not on this machine")
    without, having = (said(path, *command) for path in pairs[ending])
    assert without[0] == 0
    assert having == without


def test_the_lzma_command_is_the_one_that_minds(pairs: dict[str, tuple[Path, Path]]) -> None:
    """As docs/embedding.md says: behind the end of a .lzma file it wants nothing."""
    if shutil.which("xz") is None:
        pytest.skip("xz is not on this machine")
    assert [said(path, "xz", "--format=lzma", "-t", "-S", ".lzma")[0] for path in pairs["lzma"]] == [0, 1]


def test_an_archive_has_one_member_more(pairs: dict[str, tuple[Path, Path]]) -> None:
    without, having = (said(path, sys.executable, "-m", "zipfile", "-l")[1] for path in pairs["pt"])
    more = set(having.splitlines()) - set(without.splitlines())
    assert [line.split()[0] for line in more] == ["module/extra/envaudit.json"]


PICKLESCAN = """
import sys
from picklescan.scanner import scan_file_path
result = scan_file_path(sys.argv[1])
print(sorted(map(str, result.globals)), result.issues_count, result.infected_files, result.scan_err)
"""
FICKLING = """
import ast, sys
from fickling.analysis import check_safety
from fickling.fickle import StackedPickle
with open(sys.argv[1], "rb") as stream:
    first, *more = StackedPickle.load(stream, fail_on_decode_error=False)
print(check_safety(first).to_string(), sorted(map(ast.unparse, first.properties.imports)))
print([check_safety(one).to_string() for one in more if check_safety(one).severity.name != "LIKELY_SAFE"])
"""
SCANNERS = {"picklescan": ("picklescan", PICKLESCAN), "fickling": ("fickling typing-extensions", FICKLING)}


@pytest.mark.parametrize("name", SCANNERS)
@pytest.mark.parametrize("ending", ["pkl", "joblib", "pt"])
def test_scanners_say_what_they_said_before(name: str, ending: str, pairs: dict[str, tuple[Path, Path]]) -> None:
    if (name, ending) == ("fickling", "pt"):
        pytest.skip("fickling reads torch's archives only beside torch")
    packages, program = SCANNERS[name]
    python = environment(*packages.split()) / "bin/python"
    without, having = (said(path, python, "-c", program) for path in pairs[ending])
    assert without[0] == 0, without
    assert having == without


def test_a_scanner_still_sees_what_is_dangerous(tmp_path: Path, snapshot: Snapshot) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    picklescan = environment("picklescan") / "bin/picklescan"
    before = said(path, picklescan, "-p")
    embedding.write(str(path), Record(snapshot))
    assert before[0] == 1
    assert said(path, picklescan, "-p") == before


def test_nothing_follows_deflated_data(pairs: dict[str, tuple[Path, Path]]) -> None:
    """joblib takes memory without end where anything follows the end of a zlib or gzip file."""
    import zlib

    for ending, wbits in (("zlib", 15), ("gzip", 31)):
        decoder = zlib.decompressobj(wbits)
        decoder.decompress(pairs[ending][1].read_bytes())
        assert decoder.eof
        assert decoder.unused_data == b""
