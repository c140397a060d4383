"""The inspector on every Python found on this machine, and against targets that do their best to disturb it."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from envaudit.errors import InspectorError
from envaudit.evidence import FileRequest, Options, Request
from envaudit.targets import _live, _local, inspector
from tests.environments import environment, interpreters

REQUEST = Request(
    commands=(("true",),),
    files=(FileRequest("/etc/os-release"), FileRequest("{site}/*.dist-info/METADATA", headers=True)),
    names=("{prefix}/pyvenv.cfg", "/et?/os-release"),
    records=("{site}/*.dist-info/RECORD",),
    environ=("OMP_NUM_THREADS",),
)
OLD_ENOUGH_TO_REFUSE = [name for name in interpreters() if tuple(map(int, name.split("."))) < (3, 6)]
SUPPORTED = [name for name in interpreters() if name not in OLD_ENOUGH_TO_REFUSE]


def inspect(python: Path, request: Request = REQUEST, timeout: float = 60) -> object:
    return _local.inspect(str(python), request, Options(timeout=timeout), "test")


@pytest.mark.parametrize("name", SUPPORTED)
def test_every_python_answers(name: str) -> None:
    found = _local.inspect(str(interpreters()[name]), REQUEST, Options(), "test")
    assert found.interpreter["version"].startswith(name + ".")
    assert found.files["/etc/os-release"].text or not Path("/etc/os-release").exists()
    assert found.interpreter["extension_suffix"].endswith(".so")


@pytest.mark.skipif(not OLD_ENOUGH_TO_REFUSE, reason="no Python older than 3.6 on this machine")
@pytest.mark.parametrize("name", OLD_ENOUGH_TO_REFUSE)
def test_an_old_python_is_refused_with_one_clear_line(name: str) -> None:
    with pytest.raises(InspectorError, match=rf"Python {name}\.\d+ is too old to be inspected; Python 3.6 or newer"):
        inspect(interpreters()[name])


def test_only_the_standard_library_is_imported() -> None:
    tree = ast.parse(Path(inspector.__file__).read_text())
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert names == {"sys", "os"}  # both are loaded before any script runs; the rest comes through standard()
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    asked = {call.args[0].value for call in calls if call.func.id == "standard"}  # type: ignore[attr-defined]
    assert asked <= sys.stdlib_module_names
    assert not [call for call in calls if call.func.id == "__import__" and not isinstance(call.args[0], ast.Name)]  # type: ignore[attr-defined]


def test_its_syntax_is_that_of_python_3_6() -> None:
    ast.parse(Path(inspector.__file__).read_text(), feature_version=(3, 6))


def test_the_refusal_is_spelled_the_same_on_both_sides() -> None:
    assert (_live.REFUSED, _live.MARKER) == (inspector.REFUSED, inspector.MARKER)


def test_the_reply_has_the_same_keys_in_process_and_over_a_pipe() -> None:
    own = inspector.serve(_live.as_json(REQUEST))
    source, token = _live.script(REQUEST)
    done = subprocess.run([sys.executable, "-B", "-"], input=source, capture_output=True, check=True)
    other = _live.read_reply(done.stdout, done.stderr, done.returncode, token, "here")
    assert own.keys() == other.keys()
    assert own["interpreter"].keys() == other["interpreter"].keys()
    assert own["files"] == other["files"]
    assert own["records"] == other["records"]


@pytest.mark.parametrize(
    "noise",
    [
        "print('hello from sitecustomize')",
        "import sys; sys.stdout.write('no newline'); sys.stderr.write('and here')",
        "import sys; sys.stdout.buffer.write(bytes(range(256)))",
        "print('{\"interpreter\": {}}')",
    ],
)
def test_a_printing_sitecustomize_does_no_harm(noise: str, tmp_path: Path) -> None:
    venv = environment()
    (tmp_path / "sitecustomize.py").write_text(noise)
    source, token = _live.script(REQUEST)
    done = subprocess.run(
        [str(venv / "bin/python"), "-B", "-"],
        input=source,
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )
    reply = _live.read_reply(done.stdout, done.stderr, done.returncode, token, "there")
    assert reply["interpreter"]["prefix"] == str(venv)


def test_a_variable_that_python_itself_set_is_not_told() -> None:
    source, token = _live.script(Request(environ=("LC_CTYPE", "OMP_NUM_THREADS")))
    environ = {"PATH": os.environ["PATH"], "OMP_NUM_THREADS": "2"}
    for given in ({}, {"LC_CTYPE": "C.UTF-8"}):
        done = subprocess.run(
            [sys.executable, "-B", "-"], input=source, capture_output=True, check=False, env={**environ, **given}
        )
        reply = _live.read_reply(done.stdout, done.stderr, done.returncode, token, "there")
        assert reply["environ"] == {"OMP_NUM_THREADS": "2", **given}


@pytest.mark.parametrize("through", ["working directory", "PYTHONPATH"])
def test_shadowing_modules_are_not_picked_up(through: str, tmp_path: Path) -> None:
    for name in ("json", "binascii", "hashlib", "fnmatch", "subprocess", "re", "os"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('the shadow was imported')")
    (tmp_path / "os.py").unlink() if through == "PYTHONPATH" else None  # site itself imports os before any script
    environ = {**os.environ, "PYTHONPATH": str(tmp_path)} if through == "PYTHONPATH" else dict(os.environ)
    source, token = _live.script(REQUEST)
    done = subprocess.run(
        [sys.executable, "-B", "-"], input=source, capture_output=True, check=False, cwd=tmp_path, env=environ
    )
    reply = _live.read_reply(done.stdout, done.stderr, done.returncode, token, "there")
    assert reply["interpreter"]["version"]
    assert (str(tmp_path) in reply["interpreter"]["path"]) == (through == "PYTHONPATH")


def test_nothing_is_written_into_the_target(tmp_path: Path) -> None:
    python = _fresh_venv(tmp_path)
    before = _tree(tmp_path)
    inspect(python)
    assert _tree(tmp_path) == before


def test_an_unreadable_folder_is_told(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    secret.chmod(0)
    source, token = _live.script(REQUEST)
    done = subprocess.run(
        ["setpriv", "--reuid=65534", "--clear-groups", "--", "/usr/bin/env", "python3", "-B", "-"]
        if os.getuid() == 0
        else [sys.executable, "-B", "-"],
        input=source,
        capture_output=True,
        check=False,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(secret)},
    )
    if os.getuid() == 0 and done.returncode != 0 and not done.stdout:
        pytest.skip("no interpreter that an unprivileged user may run")
    _open_up(tmp_path)
    reply = _live.read_reply(done.stdout, done.stderr, done.returncode, token, "there")
    assert [str(secret), "Permission denied"] in reply["errors"]


def test_a_pipe_in_a_files_place_does_not_hang_it(tmp_path: Path) -> None:
    info = tmp_path / "demo-1.0.dist-info"
    info.mkdir()
    for name in ("METADATA", "RECORD"):
        os.mkfifo(info / name)
    reply = inspector.serve(_live.as_json(REQUEST), [str(tmp_path)])
    assert reply["files"][str(info / "METADATA")] == ["", False]


def test_a_damaged_record_is_counted_not_fatal(tmp_path: Path) -> None:
    info = tmp_path / "demo-1.0.dist-info"
    info.mkdir()
    (tmp_path / "demo.py").write_text("x = 1\n")
    (info / "RECORD").write_text(
        'demo.py,sha256=wrong,6\n"odd,name.py",sha256=BB,1\nshort\n,,\ndemo.py,sha256=x,notanumber\n'
    )
    record = inspector.Gatherer([str(tmp_path)], str(tmp_path)).record(str(info / "RECORD"))
    assert record["missing"] == ["odd,name.py"]


def test_the_record_digest_names_the_build_and_not_the_place() -> None:
    one = environment("joblib==1.4.2")
    other = environment("joblib==1.4.2", "six==1.16.0")
    another_build = environment("joblib==1.3.2")
    digests = [_record(venv, "joblib")["digest"] for venv in (one, other, another_build)]
    assert digests[0] == digests[1] != digests[2]


def test_a_patched_file_shows(tmp_path: Path) -> None:
    python = _fresh_venv(tmp_path, "six==1.16.0")
    venv = python.parent.parent
    assert _record(venv, "six")["modified"] == []
    six = next(venv.glob("lib/*/site-packages/six.py"))
    text = six.read_text()
    six.unlink()  # uv may have linked it to its cache
    six.write_text(text.replace("Benjamin", "Benjamim"))  # the same size
    os.utime(six, (six.stat().st_atime, six.stat().st_mtime + 60))
    assert _record(venv, "six")["modified"] == ["six.py"]


def test_a_hanging_interpreter_ends_with_a_clear_line(tmp_path: Path) -> None:
    hanging = tmp_path / "python3"
    hanging.write_text("#!/bin/sh\nexec sleep 30\n")
    hanging.chmod(0o755)
    with pytest.raises(InspectorError, match="no answer within 1 seconds"):
        inspect(hanging, timeout=1)


def test_something_else_than_python_ends_with_a_clear_line(tmp_path: Path) -> None:
    other = tmp_path / "python3"
    other.write_text("#!/bin/sh\necho 'I am no python' >&2; exit 3\n")
    other.chmod(0o755)
    with pytest.raises(InspectorError, match=r"did not answer \(exit code 3\): I am no python"):
        inspect(other)


def _fresh_venv(folder: Path, *requirements: str) -> Path:
    from tests.environments import UV, _run

    _run(UV, "venv", "--quiet", "--python", sys.executable, str(folder / "venv"))
    if requirements:
        _run(UV, "pip", "install", "--quiet", "--python", str(folder / "venv/bin/python"), *requirements)
    return folder / "venv/bin/python"


def _tree(folder: Path) -> list[tuple[str, float]]:
    return sorted((str(path), path.lstat().st_mtime) for path in folder.rglob("*"))


def _record(venv: Path, name: str) -> dict[str, object]:
    path = next(venv.glob(f"lib/*/site-packages/{name}-*.dist-info/RECORD"))
    record: dict[str, object] = inspector.Gatherer([str(path.parent.parent)], str(venv)).record(str(path))
    return record


def _open_up(folder: Path) -> None:
    for path in [folder, *folder.rglob("*")]:
        if path.is_dir():
            path.chmod(0o755)
