"""Files of every kind, written by real environments, given a snapshot, and loaded by real environments."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from envaudit import embedding
from envaudit.embedding import Record, Sample
from envaudit.model import Snapshot
from tests.embedding.stacks import Place

INSIDE = Path(__file__).parent / "inside"
FORMS = ("without", "with", "with a sample")
"""A file as it was written, with a snapshot, and with a snapshot and a sample."""


class Made(NamedTuple):
    """A file that an environment wrote."""

    writer: Place
    name: str
    family: str
    """``pickle``, ``joblib``, ``cloudpickle``, ``pandas`` or ``torch``."""
    ways: tuple[str, ...]
    folder: Path
    """Of the forms."""
    where: str = ""
    """How the snapshot rides."""

    def path(self, form: str) -> Path:
        """The file in one of the forms."""
        return self.folder / form / self.name


class Load(NamedTuple):
    """One file, loaded in one way in one environment, in all forms."""

    made: Made
    loader: Place
    way: str
    outcomes: tuple[str, ...]
    """A digest of what was loaded in each of the forms, or ``!`` and the error's class."""

    @property
    def possible(self) -> bool:
        """Whether the file without a snapshot is loaded so at all."""
        return not self.outcomes[0].startswith("!")

    @property
    def equal(self) -> bool:
        """Whether the snapshot makes no difference."""
        return len(set(self.outcomes)) == 1


def write(place: Place, folder: Path, snapshot: Snapshot) -> list[Made]:
    """The files of an environment in all forms. Each is restored once, and has to be what it was."""
    plain = folder / FORMS[0]
    plain.mkdir(parents=True)
    options = ["torch"] if "torch" in place.versions else []
    done = _run(place, ["make.py", str(plain), *options], "")
    for form in FORMS[1:]:
        shutil.copytree(plain, folder / form)
    found = []
    for line in done.splitlines():
        name, family, ways = json.loads(line)
        made = Made(place, name, family, tuple(ways), folder)
        before = made.path(FORMS[0]).read_bytes()
        path = str(made.path(FORMS[1]))
        embedding.write(path, Record(snapshot, Sample("other.csv", b"x,y\n1,2\n")))
        embedding.remove(path)
        assert Path(path).read_bytes() == before, f"{place.name}: {name}"
        where = embedding.write(path, Record(Snapshot(snapshot.target, {})))
        assert embedding.write(path, Record(snapshot)) == where
        embedding.write(str(made.path(FORMS[2])), Record(snapshot, Sample("sample.csv", b"x,y\n1,2\n" * 200)))
        assert embedding.read(path).record.snapshot == snapshot
        found.append(made._replace(where=where))
    return found


def load(place: Place, files: Iterable[Made]) -> list[Load]:
    """What comes of the files in an environment, by each of the ways that are meant for them."""
    files = list(files)
    jobs = [(str(made.path(form)), made.ways) for made in files for form in FORMS]
    options = ["torch"] if "torch" in place.versions else []
    lines = iter(_run(place, ["load.py", *options], json.dumps(jobs)).splitlines())
    found = []
    for made in files:
        answers = [json.loads(next(lines)) for _ in FORMS]
        for way, outcomes in zip(made.ways, zip(*answers, strict=True), strict=True):
            found.append(Load(made, place, way, outcomes))
    return found


def meant(made: Made, loader: Place) -> bool:
    """Whether an environment is asked to load a file at all: a function by value is bytecode of one Python."""
    minors = {found.versions["Python"].rpartition(".")[0] for found in (made.writer, loader)}
    return made.family != "cloudpickle" or len(minors) == 1


def _run(place: Place, arguments: list[str], given: str) -> str:
    """Run a script of the folder ``inside`` there."""
    script, *rest = arguments
    done = subprocess.run(
        [place.python, INSIDE / script, *rest],
        input=given.encode(), capture_output=True, check=False, timeout=600,
        env={**os.environ, "PYTHONPATH": place.path, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, f"{place.name}: {done.stderr.decode(errors='replace')[-3000:]}"
    return done.stdout.decode()
