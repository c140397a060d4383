"""``torch.load`` in run mode: whole modules, state dicts and TorchScript, with the default of torch 2.6 and newer."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import envaudit
from envaudit import artifacts, sandbox
from envaudit.evidence import Options
from envaudit.model import QUESTIONS, Answer, Verdict
from envaudit.needs import Global
from tests.environments import environment, interpreters

pytestmark = [pytest.mark.network, pytest.mark.usefixtures("bubblewrap")]

PYTHON = interpreters().get("3.11") or Path(sys.executable)
TORCH = ("torch==2.13.0+cpu", "numpy==2.2.6")
"""A build without CUDA: 190 MB instead of gigabytes."""
WHOLE = "torch.load(weights_only=False)"
TRAIN = """
import numpy, sys, torch
model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.Linear(3, 2))
torch.save(model, sys.argv[1] + "/module.pt")
torch.save(model, sys.argv[1] + "/legacy.pt", _use_new_zipfile_serialization=False)
torch.save(model.state_dict(), sys.argv[1] + "/state.pt")
torch.jit.script(model).save(sys.argv[1] + "/script.pt")
numpy.save(sys.argv[1] + "/sample.npy", numpy.arange(12.0).reshape(3, 4))
"""


@pytest.fixture(scope="module")
def place() -> Path:
    """An environment with torch, from where pip is told to look or from torch's own index of such builds."""
    links = os.environ.get("UV_FIND_LINKS") or os.environ.get("PIP_FIND_LINKS")
    sources = [["--find-links", links]] if links else []
    why = ""
    for source in (*sources, ["--index", "https://download.pytorch.org/whl/cpu"]):
        try:
            return environment(*source, *TORCH, python=PYTHON)
        except AssertionError as error:  # noqa: PERF203
            why = " ".join(str(error).split())
    pytest.skip(f"torch cannot be installed: {why[-300:]}")


@pytest.fixture(scope="module")
def trained(place: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("torch")
    subprocess.run([place / "bin/python", "-W", "ignore", "-c", TRAIN, str(folder)], check=True)
    return folder


def test_a_module_is_loaded_whole_and_answers_as_recorded(place: Path, trained: Path) -> None:
    models = [trained / "module.pt", trained / "legacy.pt"]
    sample = trained / "sample.npy"
    (script,) = envaudit.snapshot(place, models=[trained / "script.pt"], sample=sample).artifacts
    train = envaudit.snapshot(place, models=models, sample=sample, loader=WHOLE)
    assert [(item.loader, list(item.answers)) for item in (*train.artifacts, script)] == [
        (WHOLE, ["forward"]), (WHOLE, ["forward"]), ("torch.jit.load", ["forward"]),
    ]  # fmt: skip
    whole, legacy = (item.answers["forward"] for item in train.artifacts)
    assert whole == legacy == script.answers["forward"]
    assert (len(whole.values), len(whole.values[0])) == (3, 2)
    (verdict,) = envaudit.probe(models[0], place, run=True, sample=sample, expect=train, loader=WHOLE).verdicts
    assert [verdict.answer(question).value for question in QUESTIONS] == ["yes", "yes", "yes"]
    assert {verdict.answer(question).how for question in QUESTIONS} == {"executed"}


def test_what_torch_refuses_by_default_is_predicted(place: Path, trained: Path) -> None:
    for name, loads in (("module.pt", "no"), ("legacy.pt", "no"), ("state.pt", "yes"), ("script.pt", "yes")):
        (file,) = envaudit.probe(trained / name, place, run=True).files
        assert file.executed is not None
        assert file.predicted is not None
        assert (file.executed.load.value, file.predicted.load.value) == (loads, loads), name
        if loads == "no":
            really, said = file.executed.reasons[0], file.predicted.reasons[0]
            assert (really.cause, said.cause) == ("loader-policy", "loader-policy")
            assert f"GLOBAL {said.subject} was not an allowed global" in " ".join((really.error, *really.evidence))
    (whole,) = envaudit.probe(trained / "module.pt", place, loader=WHOLE).verdicts
    assert whole.load.value == "yes"


def test_a_state_dict_loads_by_default_and_has_nothing_to_call(place: Path, trained: Path) -> None:
    (file,) = envaudit.probe(trained / "state.pt", place, run=True, sample=trained / "sample.npy").files
    assert file.executed is not None
    assert [file.executed.answer(question).value for question in QUESTIONS] == ["yes", "unknown", "unknown"]
    assert file.executed.reasons[0].cause == "nothing-to-call"
    assert file.verdict is not None
    assert any(note.startswith("predict was not tried: an object of the class ") for note in file.verdict.notes)


def test_what_torch_files_name_is_found_as_torch_does(place: Path, trained: Path) -> None:
    """TorchScript's own classes are nowhere in Python; ``torch.tensor`` was a module before torch 1.9."""
    names = ("module.pt", "legacy.pt", "state.pt", "script.pt")
    for file in envaudit.probe([trained / name for name in names], place, imports=True).files:
        assert file.predicted is not None
        assert not [reason for reason in file.predicted.reasons if reason.how == "executed"]
        assert file.predicted.notes[0].startswith("imported there: all ")
    old = (Global("torch.tensor", "Tensor"), Global("torch.tensor", "Nothing"))
    needs = artifacts.read(str(trained / "state.pt"))._replace(globals=old)
    yes = Answer("yes", "likely")
    predicted = Verdict("state.pt", str(place), yes, yes, yes)
    (reason,) = sandbox.import_names(predicted, needs, str(place), options=Options()).reasons
    assert reason.subject == "torch.tensor.Nothing"
    assert reason.error.startswith("AttributeError: Can't get attribute 'Nothing' on <module 'torch._tensor' from ")
