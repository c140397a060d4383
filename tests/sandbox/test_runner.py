"""The runner on every Python of this machine, and what envaudit makes of replies that are none."""

from __future__ import annotations

import ast
import json
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envaudit import sandbox
from envaudit.errors import SandboxError
from envaudit.model import RecordedAnswer, Verdict
from envaudit.sandbox import Expectation, Limits, Sample, _outcome, _verdict
from envaudit.sandbox._job import Job, Raw
from tests.environments import interpreters
from tests.sandbox import hostile
from tests.sandbox.conftest import Execute

SCRIPTS = [Path(sandbox.__file__).with_name(name) for name in ("runner.py", "finder.py")]
SUPPORTED = [name for name in interpreters() if tuple(map(int, name.split("."))) >= (3, 6)]


@pytest.mark.parametrize("name", SUPPORTED)
@pytest.mark.usefixtures("no_bubblewrap")
def test_every_python_loads_and_fails_as_it_should(name: str, tmp_path: Path, execute: Execute) -> None:
    model = tmp_path / "model.pkl"
    model.write_bytes(pickle.dumps({"a": [1, 2]}, protocol=2))
    verdict = execute(model, interpreters()[name], unsafe=True)
    assert [verdict.answer(question).value for question in ("load", "predict", "same")] == ["yes", "unknown", "unknown"]
    assert verdict.summary == "an object of the class dict"
    assert verdict.notes[0].startswith("ran without a sandbox (--unsafe): ")
    model.write_bytes(b"\x80\x02cno.such\nThing\n.")
    (reason,) = execute(model, interpreters()[name], unsafe=True).reasons
    assert (reason.cause, reason.error) == ("missing-module", "ModuleNotFoundError: No module named 'no'")


@pytest.mark.usefixtures("no_bubblewrap")
def test_without_a_sandbox_nothing_runs(tmp_path: Path, execute: Execute) -> None:
    canary = tmp_path / "canary"
    model = hostile.write(tmp_path, f"open({str(canary)!r}, 'w').close()")
    with pytest.raises(SandboxError, match=r"--unsafe runs it all the same, or name a container image") as caught:
        execute(model)
    assert "\n" not in str(caught.value)
    assert not canary.exists()
    assert execute(model, unsafe=True).load.value == "yes"
    assert canary.exists()


@pytest.mark.usefixtures("no_bubblewrap")
@pytest.mark.parametrize("name", ["loops", "allocates-100-GB", "segfaults", "exits", "kills-its-parent", "prints"])
def test_without_a_sandbox_the_limits_hold_all_the_same(name: str, tmp_path: Path, execute: Execute) -> None:
    case = hostile.CASES[name]
    (reason,) = execute(hostile.write(tmp_path, case.code), unsafe=True, limits=Limits(seconds=3)).reasons
    assert reason.cause in case.causes


@pytest.mark.usefixtures("bubblewrap")
@pytest.mark.parametrize(
    ("code", "cause", "error"),
    [
        ("import nosuch", "missing-module", "ModuleNotFoundError: No module named 'nosuch'"),
        ("from json import nosuch", "missing-name", "ImportError: cannot import name 'nosuch' from 'json'"),
        ("import json; json.nosuch", "missing-name", "AttributeError: module 'json' has no attribute 'nosuch'"),
        ("[].nosuch", "missing-attribute", "AttributeError: 'list' object has no attribute 'nosuch'"),
        ("raise ValueError('one\\ntwo')", "exception", "ValueError: one"),
    ],
)
def test_causes_have_the_names_of_predicted_ones(
    code: str, cause: str, error: str, tmp_path: Path, execute: Execute
) -> None:
    (reason,) = execute(hostile.write(tmp_path, code)).reasons
    assert reason.cause == cause
    assert reason.error.startswith(error)


@pytest.mark.usefixtures("bubblewrap")
def test_names_of_the_script_it_was_trained_in_are_missing(tmp_path: Path, execute: Execute) -> None:
    model = tmp_path / "model.pkl"
    model.write_bytes(b"\x80\x02c__main__\nWatch\n.")  # the runner has a class of that name
    (reason,) = execute(model).reasons
    assert reason.cause == "missing-name"
    assert reason.error.startswith("AttributeError: Can't get attribute 'Watch' on <module '__main__'")


@pytest.mark.usefixtures("bubblewrap")
def test_a_loader_that_is_not_there_is_an_outcome(tmp_path: Path, execute: Execute) -> None:
    model = hostile.write(tmp_path, "1")
    bare = next(path for name, path in interpreters().items() if name in SUPPORTED and path != Path(sys.executable))
    (reason,) = execute(model, bare, loader="torch.load").reasons
    assert reason.error == "ModuleNotFoundError: No module named 'torch'"


@pytest.mark.parametrize(
    ("model", "settings", "message"),
    [
        ("absent.pkl", {}, "absent.pkl: no such file"),
        ("model.pkl", {"loader": "yaml.load"}, "unknown loader 'yaml.load'; known are pickle.load, joblib.load, "),
    ],
)
def test_what_envaudit_cannot_do_is_one_line(
    model: str, settings: dict[str, Any], message: str, tmp_path: Path, execute: Execute
) -> None:
    (tmp_path / "model.pkl").write_bytes(b"N.")
    with pytest.raises(SandboxError) as caught:
        execute(tmp_path / model, **settings)
    assert message in str(caught.value)


def test_a_snapshot_cannot_run_anything(tmp_path: Path, two_snapshots: tuple[Path, Path], execute: Execute) -> None:
    with pytest.raises(SandboxError, match="a model cannot be run in a snapshot; name an environment or an image"):
        execute(hostile.write(tmp_path, "1"), two_snapshots[0])


def test_an_archive_is_only_read(tmp_path: Path, execute: Execute) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/os-release").write_text("ID=x\n")
    subprocess.run(["tar", "-C", tmp_path, "-cf", tmp_path / "root.tar", "etc"], check=True)
    with pytest.raises(SandboxError, match=r"cannot be run in an archive; load it into an engine \(docker load\)"):
        execute(hostile.write(tmp_path, "1"), tmp_path / "root.tar")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: str(path.name))
def test_it_imports_the_standard_library_only_and_no_unpickler_by_itself(script: Path) -> None:
    tree = ast.parse(script.read_text(), feature_version=(3, 6))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert names <= sys.stdlib_module_names
    assert not names & {"pickle", "marshal", "shelve"}


def test_what_is_sent_behind_the_runner_shares_no_name_with_it() -> None:
    """They become one script."""
    runner, finder = ({getattr(node, "name", "") for node in ast.parse(script.read_text()).body} for script in SCRIPTS)
    assert runner & finder == {""}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)
KEYS = st.sampled_from(
    "phase loaded form warning failed answered exception value cut method text frames type memory".split()
)
MESSAGE = st.dictionaries(KEYS, JSON | st.sampled_from(["load", "predict", "done", "sample"]), max_size=5) | JSON
REPLY = st.fixed_dictionaries(
    {},
    optional={
        "ended": st.sampled_from(["exit", "signal", "time-out", "too-much"]) | JSON,
        "code": st.integers(-1, 300) | JSON,
        "messages": st.lists(MESSAGE, max_size=6) | JSON,
        "stderr": JSON,
        "peak": JSON,
        "seconds": JSON,
        "python": JSON,
        "out_of_memory": JSON,
    },
)


@given(REPLY | JSON, st.booleans())
def test_no_reply_can_break_envaudit(reply: object, sampled: bool) -> None:
    raw = Raw(b"noise TOKEN" + json.dumps(reply).encode() + b"TOKEN", b"\xff said")
    outcome = _outcome.read(raw, b"TOKEN")
    sample = Sample("list", ("a",)) if sampled else None
    job = Job(
        "model.pkl",
        "pickle.load",
        sample,
        Expectation({"predict": RecordedAnswer([1.0])}) if sampled else None,
        Limits(),
    )
    verdict = _verdict.verdict(job, "here://", outcome)
    assert isinstance(verdict, Verdict)
    for question in ("load", "predict", "same"):
        assert verdict.answer(question).value == "yes" or verdict.reasons
    json.dumps(verdict)


@pytest.mark.parametrize(
    "stdout", [b"", b"TOKEN", b"TOKEN{TOKEN", b"TOKEN" + b"[" * 100000 + b"TOKEN", b"TOKEN\xffTOKEN"]
)
def test_no_reply_is_an_outcome(stdout: bytes) -> None:
    assert _outcome.read(Raw(stdout, b""), b"TOKEN").ended == "silent"
    assert _outcome.read(Raw(stdout, b"", late=True), b"TOKEN").ended == "time-out"


def test_a_target_that_prints_does_no_harm(tmp_path: Path, execute: Execute, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys; print('x' * 100000); sys.stderr.write('y' * 100000)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert execute(hostile.write(tmp_path, "1"), unsafe=True).load.value == "yes"


def test_colours_of_a_message_are_left_out() -> None:
    """torch makes words of its refusal bold (torch/serialization.py, ``UNSAFE_MESSAGE``)."""
    failure = _outcome._failure(
        {"type": "UnpicklingError", "text": "UnpicklingError: \033[1mdo not\033[0m.", "frames": []}
    )
    assert failure.line == "UnpicklingError: do not."
