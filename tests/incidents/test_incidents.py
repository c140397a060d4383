"""Real failures from the public record: what was recorded of them holds together, and envaudit says what happened."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from envaudit.prediction.evaluation import Evaluation
from envaudit.prediction.world import World
from envaudit.surface.open import open_surface
from tests.environments import environment, interpreters
from tests.incidents import LOADERS, Incident, environments, incidents, record
from tests.incidents.measure import foresees, is_hit, judge
from tests.incidents.replay import Outcome, happens, same

# The environments whose incidents the suite looks at: few, small, and with most of the causes among them. What the
# others say is measured by `python -m tests.incidents`.
SERVED = ("sklearn-0.22.2", "sklearn-0.24.2", "sklearn-1.3.2", "sklearn-1.5.2", "numpy-1.26")
HERE = [
    pytest.param(item, id=item.id, marks=[pytest.mark.xfail(reason=item.miss, strict=True)] if item.miss else [])
    for item in incidents().values()
    if item.serve in SERVED
]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("incidents")
    record.unpack(folder)
    return folder


@pytest.fixture(scope="module")
def worlds() -> dict[str, World]:
    return {}


def world_of(name: str, worlds: dict[str, World]) -> World:
    made = environments()[name]
    if name not in worlds:
        python = interpreters().get(made.python)
        if python is None:
            pytest.skip(f"Python {made.python} is not on this machine")
        folder = environment("--no-deps", "--only-binary=:all:", *made.packages, python=python)
        worlds[name] = Evaluation.world_of(open_surface(str(folder)))
    return worlds[name]


@pytest.mark.network
@pytest.mark.xdist_group("incidents")
@pytest.mark.parametrize("incident", HERE)
def test_what_happened_is_foreseen_with_its_cause(incident: Incident, files: Path, worlds: dict[str, World]) -> None:
    happened = record.load()[incident.id].served
    said = judge(files / incident.file, incident.load, world_of(incident.serve, worlds))
    assert is_hit(said, incident, happened), (happened, said.kind, said.reasons, said.refusal)


@pytest.mark.network
@pytest.mark.xdist_group("incidents")
@pytest.mark.parametrize(
    "incident",
    [pytest.param(item, id=item.id) for item in incidents().values() if item.train in SERVED and item.load in LOADERS],
)
def test_at_home_nothing_is_wrong_with_it(incident: Incident, files: Path, worlds: dict[str, World]) -> None:
    happened = record.load()[incident.id].home
    said = judge(files / incident.file, incident.home_load or incident.load, world_of(incident.train, worlds))
    assert foresees(said, happened), (happened, said.kind, said.reasons)


def test_every_incident_is_recorded_as_the_thread_tells_it_or_says_why_not() -> None:
    recorded = record.load()
    assert set(recorded) == set(incidents())
    other = {name for name, one in incidents().items() if recorded[name].served.kind != one.happened}
    assert other <= {name for name, one in incidents().items() if one.deviates}


def test_at_home_every_file_works_but_those_that_no_other_process_can_use() -> None:
    broken = {name for name, replay in record.load().items() if replay.home.kind != "fine"}
    assert {name for name in broken if incidents()[name].failure != "main_module"} == {"INC-093", "INC-231"}
    assert not [name for name, one in incidents().items() if one.failure == "main_module" and name not in broken]


def test_a_failure_has_a_cause_and_what_works_has_none() -> None:
    for name, replay in record.load().items():
        failed = replay.served.kind != "fine"
        assert (bool(incidents()[name].cause), bool(incidents()[name].named)) == (failed, failed), name


def test_incidents_name_known_environments_and_a_thread() -> None:
    for incident in incidents().values():
        assert {incident.train, incident.serve} <= set(environments()), incident.id
        repository, _, number = incident.source.partition("#")
        assert repository.count("/") == 1, incident.id
        assert number.isdigit(), incident.id


def test_what_is_recorded_names_no_machine_and_stays_small(files: Path) -> None:
    root = Path(__file__).resolve().parents[2]
    contents = [record.OUTCOMES.read_bytes(), *(path.read_bytes() for path in files.iterdir())]
    assert len(contents) == len(incidents()) + 1
    assert not [place for place in (root, Path.home()) if any(f"{place}/".encode() in text for text in contents)]
    assert sum(path.stat().st_size for path in (record.OUTCOMES, record.ARCHIVE)) < 3_000_000


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        ([1.0, [2.0]], [1.0 + 1e-9, [2.0]], True),
        ([1.0], [1.001], False),
        ([1.0], [1.0, 2.0], False),
        (float("nan"), float("nan"), True),
        (["a"], ["b"], False),
        (0.0, 1e-9, True),
    ],
)
def test_answers_are_compared_closely(one: object, other: object, equal: bool) -> None:
    assert same(one, other) is equal


CRASH = "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)"


@pytest.mark.parametrize("version", ["3.6", "3.13"])
@pytest.mark.parametrize(
    ("load", "call", "outcome", "answer"),
    [
        ("pickle.load", "model[0]", Outcome("fine"), 1),
        ("model = open(path)", "import json\njson.load(model)", Outcome("predict_error", "UnicodeDecodeError"), None),
        ("model = {}[0]", "model", Outcome("load_error", "KeyError", "0"), None),
        (CRASH, "model", Outcome("load_error", "SIGSEGV"), None),
        ("model = 1", CRASH, Outcome("predict_error", "SIGSEGV"), None),
        ("import warnings\nwarnings.warn('of version 1')\nmodel = 1", "", Outcome("fine", warned="of version 1"), None),
    ],
)
def test_what_a_process_of_its_own_does_is_told(
    version: str, load: str, call: str, outcome: Outcome, answer: object, tmp_path: Path
) -> None:
    python = interpreters().get(version)
    if python is None:
        pytest.skip(f"Python {version} is not on this machine")
    path = tmp_path / "file"
    path.write_bytes(pickle.dumps([1, b"\xff"], 2))
    found, told = happens(python, path, load, call)
    assert (found._replace(message=outcome.message), told) == (outcome, answer)
    assert outcome.message in found.message
    assert str(tmp_path) not in found.message
