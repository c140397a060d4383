"""``--run`` in containers: the same outcomes as anywhere else, and nothing gets out or is left behind."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import envaudit as package
from envaudit import artifacts, sandbox
from envaudit.evidence import MIB, Options
from envaudit.model import Answer, Verdict
from envaudit.sandbox import Limits, _container
from envaudit.targets import _engine
from tests.engine.conftest import BASES, pip_settings, serving
from tests.environments import environment, interpreters
from tests.sandbox import hostile

pytestmark = [pytest.mark.engine, pytest.mark.xdist_group("engine")]
Leftovers = Callable[[], list[str]]

LIMITS = Limits(seconds=hostile.SECONDS, memory=256 * MIB, processes=64, disk=16 * MIB)

TRAIN = """
import sys, joblib, numpy
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
X, y = load_iris(return_X_y=True)
joblib.dump(RandomForestClassifier(3, random_state=0).fit(X, y), sys.argv[1] + "/forest.joblib")
joblib.dump(LogisticRegression(max_iter=1000).fit(X, y), sys.argv[1] + "/linear.joblib")
numpy.save(sys.argv[1] + "/sample.npy", X[::10])
"""


@pytest.fixture
def tiny(build: Any) -> str:
    return str(build("tiny", "FROM envaudit-base:bookworm\n"))


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The environment that models were trained in, and the folder with them."""
    python = interpreters().get("3.11")
    if python is None:
        pytest.skip("needs Python 3.11")
    place = environment("scikit-learn==1.2.2", "numpy==1.26.4", "scipy==1.11.4", "joblib==1.3.2", python=python)
    folder = tmp_path_factory.mktemp("trained")
    subprocess.run([place / "bin/python", "-c", TRAIN, str(folder)], check=True)
    return place, folder


def execute(model: Path, target: str, **settings: Any) -> Verdict:
    settings = {"loader": "pickle.load", "options": Options(), **settings}
    return sandbox.execute(str(model), target, **settings)


def said(verdict: Verdict) -> str:
    (reason,) = verdict.reasons
    return reason.error


@pytest.mark.parametrize("name", hostile.CASES)
def test_what_a_hostile_file_does_is_an_outcome(name: str, tiny: str, tmp_path: Path, leftovers: Leftovers) -> None:
    case = hostile.CASES[name]
    started = time.monotonic()
    verdict = execute(hostile.write(tmp_path, case.code), tiny, limits=LIMITS)
    assert time.monotonic() - started < hostile.SECONDS + 30
    assert verdict.load.value == "no"
    (reason,) = verdict.reasons
    assert reason.cause in case.causes
    assert case.error in reason.error
    assert leftovers() == []


def test_the_classic_breaks_with_the_message_that_the_target_prints(trained: tuple[Path, Path], old: str) -> None:
    place, folder = trained
    sample = sandbox.read_sample(str(folder / "sample.npy"))
    settings: dict[str, Any] = {"loader": "joblib.load", "sample": sample}
    linear, forest = folder / "linear.joblib", folder / "forest.joblib"
    expect = sandbox.record(
        str(linear), str(place), loader="joblib.load", options=Options(), sample=sample, unsafe=True
    )
    verdict = execute(linear, old, expect=expect, **settings)
    assert [verdict.answer(question).value for question in ("load", "predict", "same")] == ["yes"] * 3
    assert any("InconsistentVersionWarning" in note for note in verdict.notes)
    verdict = execute(forest, old, **settings)
    assert said(verdict) == "ValueError: node array from the pickle has an incompatible dtype:"
    assert any("missing_go_to_left" in line for line in verdict.reasons[0].evidence)


def test_it_is_shut_off(tiny: str, tmp_path: Path) -> None:
    code = """
import os
status = dict(line.split(':\\t', 1) for line in open('/proc/self/status') if ':\\t' in line)
found = []
for path in ('/canary', '/usr/canary', '/envaudit/canary', '/envaudit/model.pkl'):
    try: open(path, 'a').close(); found.append(path)
    except OSError: pass
raise RuntimeError(int(status['CapEff'], 16), status['NoNewPrivs'].strip(), os.listdir('/sys/class/net'), found)
"""
    assert said(execute(hostile.write(tmp_path, code), tiny)) == "RuntimeError: (0, '1', ['lo'], [])"


def test_it_runs_as_the_image_s_user_who_need_not_be_able_to_read_the_file(build: Any, tmp_path: Path) -> None:
    tag = build("user", "FROM envaudit-base:bookworm\nUSER 1234:1234\nWORKDIR /srv\n")
    model = hostile.write(tmp_path, "import os, sys; raise KeyError(os.getuid(), os.getcwd(), sys.path[0])")
    model.chmod(0o600)
    assert said(execute(model, tag)) == "KeyError: (1234, '/srv', '/srv')"


def test_an_engine_that_cannot_mount_gets_a_copy(
    tiny: str, tmp_path: Path, leftovers: Leftovers, engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = hostile.write(tmp_path, "raise KeyError(open('/envaudit/model.pkl', 'rb').read(2))")
    before = len(engine.volumes()["Volumes"] or ())
    settings = _container._settings

    def elsewhere(client: Any, job: Any, *rest: Any) -> Any:
        found = settings(client, job, *rest)
        for mount in found["host_config"].get("Mounts") or ():
            mount["Source"] = "/no/such/folder/model.pkl"
        return found

    monkeypatch.setattr(_container, "_settings", elsewhere)
    assert said(execute(model, tiny)) == "KeyError: b'\\x80\\x02'"
    assert leftovers() == []
    assert len(engine.volumes()["Volumes"] or ()) == before


def test_a_running_container_is_left_alone(
    tiny: str, tmp_path: Path, start: Callable[..., str], engine: Any, leftovers: Leftovers
) -> None:
    name = start(
        tiny, "python3", "-c", "import time; time.sleep(600)", mem_limit="1g",
    )  # fmt: skip
    before = engine.diff(name)
    model = hostile.write(tmp_path, "import os; raise KeyError(os.getpid() > 0, len(os.listdir('/proc')) > 0)")
    verdict = execute(model, f"container://{name}")
    assert said(verdict) == "KeyError: (True, True)"
    assert any("fresh container" in note for note in verdict.notes)
    assert engine.diff(name) == before
    assert leftovers() == []


def test_its_secrets_stay_in_it(tiny: str, tmp_path: Path, engine: Any) -> None:
    name = f"envaudit-test-secret-{time.monotonic_ns()}"
    engine.create_container(
        tiny, ["sleep", "600"], name=name, environment={"API_TOKEN": "hunter2", "OMP_NUM_THREADS": "3"},
        host_config=engine.create_host_config(network_mode="none"),
    )  # fmt: skip
    try:
        engine.start(name)
        model = hostile.write(
            tmp_path, "import os; raise KeyError('API_TOKEN' in os.environ, os.environ['OMP_NUM_THREADS'])"
        )
        assert said(execute(model, f"container://{name}")) == "KeyError: (False, '3')"
    finally:
        engine.remove_container(name, force=True, v=True)


def test_the_container_is_limited_and_labelled(
    engine: Any, tiny: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    converse = _engine.converse

    def spy(*arguments: Any) -> tuple[bytes, bytes]:
        for found in engine.containers(all=True, filters={"label": f"{_engine.LABEL}=sandbox"}):
            seen.append(engine.inspect_container(found["Id"]))
        return converse(*arguments)

    monkeypatch.setattr(_engine, "converse", spy)
    execute(hostile.write(tmp_path, "1"), tiny)
    (found,) = seen
    host = found["HostConfig"]
    assert host["NetworkMode"] == "none"
    assert host["ReadonlyRootfs"] is True
    assert host["CapDrop"] == ["ALL"]
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert host["PidsLimit"] == Limits().processes
    assert host["Memory"] == host["MemorySwap"] == Limits().memory
    assert host["AutoRemove"] is True
    assert [mount["ReadOnly"] for mount in host["Mounts"]] == [True]
    assert found["Config"]["Tty"] is False


def test_what_a_file_names_is_imported_where_the_file_never_gets(
    engine: Any, build: Any, tmp_path: Path, leftovers: Leftovers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the serving program would find it: in the image's packages and its working directory."""
    dockerfile = "FROM envaudit-base:bookworm\nWORKDIR /srv\nCOPY features.py /srv/\nUSER 1234:1234\n"
    code = "import os\nglobals().update(Scaler=type('Scaler', (), {}))\nif os.getuid() != 1234: raise OSError\n"
    tag = build("features", dockerfile, {"features.py": code})
    model = tmp_path / "model.pkl"
    model.write_bytes(b"\x80\x02cfeatures\nScaler\n0cfeatures\nEncoder\n0cno.such\nThing\n.")
    needs = artifacts.read(str(model))
    model.unlink()
    yes = Answer("yes", "likely")
    mounts = []
    converse = _engine.converse

    def spy(*arguments: Any) -> tuple[bytes, bytes]:
        for found in engine.containers(all=True, filters={"label": f"{_engine.LABEL}=sandbox"}):
            mounts.append(engine.inspect_container(found["Id"])["Mounts"])
        return converse(*arguments)

    monkeypatch.setattr(_engine, "converse", spy)
    verdict = sandbox.import_names(Verdict("model.pkl", tag, yes, yes, yes), needs, tag, options=Options())
    lacks = "Can't get attribute 'Encoder' on <module 'features' from '/srv/features.py'>"
    assert {reason.subject: reason.error for reason in verdict.reasons} == {
        "features.Encoder": f"AttributeError: {lacks}",
        "no.such.Thing": "ModuleNotFoundError: No module named 'no'",
    }
    assert verdict.notes[0] == "imported there: 2 of 4 names that loading asks for"
    assert mounts == [[]]
    assert leftovers() == []


def test_importing_leaves_a_proof_from_the_files_as_it_is(trained: tuple[Path, Path], old: str) -> None:
    (verdict,) = package.probe(trained[1] / "forest.joblib", old, imports=True).verdicts
    assert verdict.load == Answer("no", "proved")
    assert [reason.cause for reason in verdict.reasons] == ["record-layout"]
    assert verdict.notes[0].startswith("imported there: all ")


def test_a_library_that_the_image_lacks_fails_an_import_only(build: Any, tmp_path: Path) -> None:
    """LightGBM's wheel expects libgomp from the system, which a slim image lacks (LightGBM issue 2223)."""
    versions = ("lightgbm==4.3.0", "scikit-learn==1.4.2", "numpy==1.26.4", "scipy==1.13.1", "joblib==1.4.2")
    tag = build("lightgbm", serving(BASES[0], *versions), pip_settings())
    python = interpreters().get("3.11")
    if python is None:
        pytest.skip("needs Python 3.11")
    fit = (
        "import joblib, lightgbm, sys\n"
        "model = lightgbm.LGBMClassifier(n_estimators=2, min_child_samples=1, verbose=-1)\n"
        "joblib.dump(model.fit([[0.0], [1.0]] * 9, [0, 1] * 9), sys.argv[1])\n"
    )
    model = tmp_path / "model.joblib"
    subprocess.run([environment(*versions, python=python) / "bin/python", "-c", fit, str(model)], check=True)
    (before,), (after,) = (package.probe(model, tag, imports=imports).verdicts for imports in (False, True))
    assert (before.load.value, after.load) == ("yes", Answer("no", "executed"))
    first = after.reasons[0]
    assert first.cause == "import-error"
    assert first.error == "OSError: libgomp.so.1: cannot open shared object file: No such file or directory"
    assert first.fix == "apt-get install -y libgomp1 (on Debian and Ubuntu), which holds libgomp.so.1"
    (run,) = package.probe(model, tag, run=True).verdicts
    assert run.reasons[0].error == first.error
