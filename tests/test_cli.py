"""The command line as a user meets it: real environments, exit codes, one line per mistake, nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from envaudit import store
from envaudit.model import Component, Snapshot
from tests.conftest import make_snapshot
from tests.environments import envaudit, environment, interpreters

PYTHON_311 = interpreters().get("3.11") or Path(sys.executable)
TRAIN = ("scikit-learn==1.4.2", "numpy==1.26.4", "scipy==1.13.1", "joblib==1.4.2", "pandas==2.0.3")
SERVE = ("scikit-learn==1.2.2", "numpy==1.24.4", "scipy==1.11.4", "joblib==1.3.2", "pandas==1.5.3")
NO_ENGINE = {"DOCKER_HOST": "unix:///nonexistent/docker.sock"}


@pytest.fixture
def train_json(tmp_path: Path) -> Path:
    path = tmp_path / "train.json"
    done = envaudit("snapshot", str(environment(*TRAIN, python=PYTHON_311)), "-o", str(path))
    assert done.returncode == 0, done.stderr
    return path


@pytest.mark.network
def test_the_classic_story_is_stopped(train_json: Path) -> None:
    done = envaudit("compare", str(train_json), str(environment(*SERVE, python=PYTHON_311)))
    assert done.returncode == 1
    assert done.stderr == ""
    first = done.stdout.splitlines()[0]
    assert first.startswith("FAIL  ")
    assert "scikit-learn  1.4.2 -> 1.2.2" in done.stdout
    assert "pandas  2.0.3 -> 1.5.3" in done.stdout
    assert "pip install 'scikit-learn==1.4.2'" in done.stdout
    assert max(map(len, (line for line in done.stdout.splitlines() if "://" not in line))) <= 80


@pytest.mark.network
def test_the_same_set_passes(train_json: Path) -> None:
    done = envaudit("compare", str(train_json), str(environment(*TRAIN, python=PYTHON_311)))
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, "PASS  serving has all that training used")


@pytest.mark.network
def test_the_same_set_in_another_venv_and_by_another_installer_passes(train_json: Path, tmp_path: Path) -> None:
    """Paths, script launchers, compiled bytecode and who installed it are no difference."""
    venv = environment(*TRAIN, "pip", python=PYTHON_311)
    other = tmp_path / "by-pip"
    subprocess.run([str(PYTHON_311), "-m", "venv", str(other)], check=True)
    subprocess.run([str(other / "bin/python"), "-m", "pip", "install", "-q", *TRAIN], check=True, capture_output=True)
    done = envaudit("compare", str(train_json), str(other), "--format", "json")
    document = json.loads(done.stdout)
    assert done.returncode == 0
    assert [item for item in document["findings"] if item["severity"] != "note"] == []
    assert venv.exists()


@pytest.mark.network
def test_the_acceptance_sentence_holds_inside_an_environment(tmp_path: Path) -> None:
    """``envaudit snapshot -o train.json && envaudit compare train.json TARGET`` with envaudit installed in it."""
    done = envaudit("snapshot", "-o", "train.json", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.startswith("envaudit: wrote train.json: ")
    again = envaudit("compare", "train.json", "here://", cwd=tmp_path)
    assert again.returncode == 0, again.stdout
    from_outside = envaudit("compare", "train.json", sys.executable, cwd=tmp_path)
    assert from_outside.returncode == 0, from_outside.stdout
    assert from_outside.stdout.splitlines()[0] == "PASS  serving has all that training used"


def test_snapshot_on_standard_output_is_the_file(tmp_path: Path) -> None:
    out = envaudit("snapshot", sys.executable)
    envaudit("snapshot", sys.executable, "-o", str(tmp_path / "x.json"))
    assert out.stdout == (tmp_path / "x.json").read_text()


def test_a_secret_in_the_environment_never_gets_out(tmp_path: Path) -> None:
    secrets = {
        "AWS_SECRET_ACCESS_KEY": "hunter2",
        "PIP_INDEX_URL": "https://user:hunter2@example.org/simple",
        "OMP_NUM_THREADS": "3",
        "HTTPS_PROXY": "http://user:hunter2@proxy.example.org:3128",
    }
    done = envaudit("snapshot", env=secrets)
    assert "hunter2" not in done.stdout + done.stderr
    assert json.loads(done.stdout)["components"]["setting"]["OMP_NUM_THREADS"] == {"version": "3"}


def test_fail_on_and_strict_choose_the_exit_code(tmp_path: Path) -> None:
    names = [str(tmp_path / name) for name in ("a.json", "b.json", "blind.json")]
    store.write(make_snapshot(10), names[0])
    store.write(make_snapshot(10, serving=True), names[1])
    blind = make_snapshot(10)
    store.write(blind._replace(components={"distribution": blind.of("distribution")}), names[2])
    codes = {
        limit: envaudit("compare", names[0], names[1], "--fail-on", limit).returncode
        for limit in ("error", "warning", "note", "never")
    }
    assert codes == {"error": 0, "warning": 0, "note": 1, "never": 0}
    assert envaudit("compare", names[0], names[2]).returncode == 0
    strict = envaudit("compare", names[0], names[2], "--strict")
    assert strict.returncode == 2
    assert "not judged: " in strict.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["snapshot", "./nowhere"], "./nowhere: no such file or folder"),
        (["snapshot", "nowhere.json"], "nowhere.json: no such file or folder"),
        (["snapshot", "nonsense://x"], "nonsense://x: unknown kind of target nonsense://; known are "),
        (["snapshot", "venv://empty"], "empty: no interpreter in it"),
        (["snapshot", "empty"], "empty: exists, but is no snapshot"),
        (["snapshot", "python://nowhere"], "nowhere: there is no such interpreter"),
        (["snapshot", "broken"], "broken/bin/python: the interpreter that this link names is gone"),
        (["snapshot", "--python", "no-such-python"], "--python no-such-python: no such program on PATH"),
        (["compare", "foreign.json", "foreign.json"], "foreign.json: is JSON, but no envaudit snapshot"),
        (["compare", "short.json", "short.json"], "short.json: line 1: is not whole JSON"),
        (["compare", "a", "b", "--loader", "pickle.load"], "a loader only matters to a model file (--model FILE)"),
        (["compare", "newer.json", "newer.json"], "was written by a newer envaudit"),
        (["snapshot", "here://", "-o", "no/such/folder.json"], "no/such/folder.json: cannot be written"),
        (["snapshot", "some-image:1.0"], "docker"),
        (["snapshot", "container://web"], "docker"),
        (["explain", "EA000"], "EA000"),
    ],
)
def test_bad_input_gets_one_clear_line(arguments: list[str], message: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken/bin").mkdir(parents=True)
    (tmp_path / "broken/pyvenv.cfg").touch()
    (tmp_path / "broken/bin/python").symlink_to("/nonexistent/python3")
    (tmp_path / "foreign.json").write_text('{"packages": []}')
    (tmp_path / "short.json").write_text('{"envaudit_snapshot": 1, "comp')
    (tmp_path / "newer.json").write_text('{"envaudit_snapshot": 7}')
    before = sorted(tmp_path.rglob("*"))
    done = envaudit(*arguments, cwd=tmp_path, env=NO_ENGINE)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("envaudit: error: ")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("timeout", ["nan", "inf", "-1", "0"])
def test_a_senseless_time_out_is_refused(timeout: str) -> None:
    done = envaudit("snapshot", sys.executable, "--timeout", timeout)
    assert (done.returncode, done.stdout) == (2, "")
    assert "makes no sense" in done.stderr


@pytest.mark.parametrize("arguments", [["snapshot", sys.executable], ["explain", "EA101"]])
def test_a_full_disk_is_told_and_never_taken_for_a_difference(arguments: list[str]) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "envaudit", *arguments], stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert done.returncode == 2
    assert b"standard output cannot be written: No space left on device" in done.stderr


def test_a_snapshot_may_come_through_a_pipe(tmp_path: Path) -> None:
    store.write(make_snapshot(3), str(tmp_path / "a.json"))
    done = subprocess.run(
        f"cat a.json | {sys.executable} -m envaudit compare a.json /dev/stdin",
        shell=True, capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, "PASS  serving has all that training used")


@pytest.mark.parametrize(
    "attributes",
    [
        '"tags": 7',
        '"source": "x"',
        '"unmet": 3',
        '"shadowed": ["x"]',
        '"candidates": "x"',
        '"label": ["x"]',
        '"modified": 7',
    ],
)
def test_an_attribute_of_the_wrong_type_is_refused_with_its_place(attributes: str, tmp_path: Path) -> None:
    text = '{"envaudit_snapshot": 1, "target": {"kind": "venv", "reference": "x"}, "gaps": [], "components": '
    numpy = '{"version": "1", ' + attributes + "}"
    (tmp_path / "a.json").write_text(text + '{"distribution": {"numpy": ' + numpy + "}}}")
    done = envaudit("compare", "a.json", "a.json", cwd=tmp_path)
    assert done.returncode == 2
    assert "a.json: components.distribution.numpy." in done.stderr


def test_what_an_inspected_place_prints_cannot_steer_the_terminal(tmp_path: Path) -> None:
    nasty = tmp_path / "python3"
    nasty.write_text("#!/bin/sh\nprintf '\\033]0;title\\007\\033[2J' >&2; exit 3\n")
    nasty.chmod(0o755)
    done = envaudit("snapshot", str(nasty))
    assert done.returncode == 2
    assert not {"\x1b", "\x07"} & set(done.stderr)


def test_a_foreign_reply_is_refused(tmp_path: Path) -> None:
    for reply in ("garbage", "{}", "[[[["):
        echo = tmp_path / "python3"
        echo.write_text(
            f"#!{sys.executable}\nimport re, sys\n"
            "token = re.findall(r\"'(envaudit-[0-9a-f]+)'\", sys.stdin.read())[-1]\n"
            f"print(token); print({reply!r}); print(token)\n"
        )
        echo.chmod(0o755)
        done = envaudit("snapshot", str(echo))
        assert done.returncode == 2
        assert "no reply of the inspector" in done.stderr


def test_a_reader_that_stops_reading_is_no_error() -> None:
    done = subprocess.run(
        f"{sys.executable} -m envaudit snapshot {sys.executable} | head -1; echo ${{PIPESTATUS[0]}}",
        shell=True,
        executable="/bin/bash",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "{\n0\n"
    assert done.stderr == ""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interruption_is_one_line_and_leaves_no_half_file(number: signal.Signals, tmp_path: Path) -> None:
    hanging = tmp_path / "python3"
    hanging.write_text("#!/bin/sh\nexec sleep 60\n")
    hanging.chmod(0o755)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in a job in the background: the child would inherit it
        signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        [sys.executable, "-m", "envaudit", "snapshot", str(hanging), "-o", str(tmp_path / "x.json")],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 20
    while not any(_started(child) for child in _children(process.pid)) and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.5)  # until the parent has noticed as well; before, only Popen itself knows of the child
    children = _children(process.pid)
    os.kill(process.pid, number)
    _, said = process.communicate(timeout=20)
    assert (process.returncode, said) == (130, "envaudit: interrupted\n")
    assert [path.name for path in tmp_path.iterdir()] == ["python3"]
    assert children
    deadline = time.monotonic() + 5  # the kernel may take its time to end a killed process
    while any(_running(child) for child in children) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not any(_running(child) for child in children)


def test_colour_only_on_a_terminal(tmp_path: Path) -> None:
    store.write(make_snapshot(3), str(tmp_path / "a.json"))
    done = envaudit("compare", "a.json", "a.json", cwd=tmp_path)
    assert "\033" not in done.stdout
    terminal = subprocess.run(
        ["script", "-qec", f"{sys.executable} -m envaudit compare a.json a.json", "/dev/null"],
        capture_output=True, cwd=tmp_path, check=False, env={**os.environ, "TERM": "xterm", "NO_COLOR": ""},
    )  # fmt: skip
    assert b"\033[32;1mPASS" in terminal.stdout


def test_the_module_can_be_run_and_tells_its_version() -> None:
    from envaudit import __version__

    for flag in ("--version", "-V"):
        assert envaudit(flag).stdout == f"envaudit {__version__}\n"


def test_the_python_api_is_the_command_line() -> None:
    import envaudit as package

    taken = package.snapshot(sys.executable)
    assert isinstance(taken, Snapshot)
    result = package.compare(taken, sys.executable)
    assert (result.findings, result.drift, result.worst()) == ((), (), None)
    older = taken.of("distribution") | {"pytest": Component("distribution", "pytest", "1.0")}
    changed = package.compare(taken, taken._replace(components={**taken.components, "distribution": older}))
    assert any(item.name == "pytest" for item in changed.drift) or any(
        item.subject == "pytest" for item in changed.findings
    )
    with pytest.raises(package.TargetError):
        package.snapshot("/no/such/place")


def _children(pid: int) -> list[int]:
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in path.read_text().split()] if path.exists() else []


def _started(pid: int) -> bool:
    """Whether a child has become the program that hangs."""
    path = Path(f"/proc/{pid}/cmdline")
    return path.exists() and path.read_bytes().startswith(b"sleep")


def _running(pid: int) -> bool:
    """Whether a process is there and no zombie (it is nobody's duty in a container to reap an orphan)."""
    path = Path(f"/proc/{pid}/stat")
    return path.exists() and path.read_text().rpartition(")")[2].split()[0] != "Z"
