"""Snapshots through real MLflow: folders, stores in files, databases and a tracking server on loopback."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import envaudit as package
from envaudit import embedding, mlflow
from envaudit.embedding import Record
from envaudit.errors import EmbeddingError, UsageError
from envaudit.mlflow import client
from envaudit.model import Component, Snapshot, TargetInfo
from envaudit.take import take
from tests.conftest import make_snapshot
from tests.environments import envaudit, environment
from tests.mlflow.places import LIBRARIES, PYTHON, RELEASES, place, run, script

pytestmark = [pytest.mark.network, pytest.mark.xdist_group("mlflow")]


class Logged(NamedTuple):
    """What was logged to a store."""

    release: str
    kind: str
    store: str
    ways: dict[str, Any]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Path]]:
    """The folders that each release saves models to."""
    root = tmp_path_factory.mktemp("saved")
    return {
        release: [root / release / name for name in script(release, "save.py", str(root / release))["names"]]
        for release in RELEASES
    }


def test_a_folder_with_a_snapshot_is_loaded_by_old_and_new_mlflow(saved: dict[str, list[Path]], tmp_path: Path) -> None:
    folders = [folder for release in saved.values() for folder in release]
    carrying = {folder: tmp_path / folder.parent.name / folder.name for folder in folders}
    snapshots = {release: take(str(place(release))) for release in saved}
    for folder, goal in carrying.items():
        shutil.copytree(folder, goal)
        assert embedding.write(str(goal), Record(snapshots[folder.parent.name])) == "in its MLflow folder"
    for reader in RELEASES:
        known = [folder for folder in folders if folder.name != "skops" or reader == "3"]
        found = script(reader, "load.py", *map(str, known), *(str(carrying[folder]) for folder in known))
        for folder in known:
            assert found[str(folder)] == found[str(carrying[folder])]
    for folder, goal in carrying.items():
        assert embedding.read(str(goal)).record.snapshot == snapshots[folder.parent.name]
        embedding.remove(str(goal))
        done = subprocess.run(["diff", "-r", "-x", "__pycache__", folder, goal], capture_output=True, check=False)
        assert (done.returncode, done.stdout) == (0, b"")


def test_an_environment_that_did_not_write_the_model_in_a_folder_is_refused(saved: dict[str, list[Path]]) -> None:
    folder = saved["3"][0]
    with pytest.raises(EmbeddingError, match=f"{folder}: was not written in .*scikit-learn 1.2.2"):
        package.embed(folder, take(str(environment("scikit-learn==1.2.2", *LIBRARIES, python=PYTHON))))
    assert embedding.find(str(folder)) is None
    with pytest.raises(UsageError, match="models:/fraud/1: a logged model is finished"):
        package.embed("models:/fraud/1")


def test_what_mlflow_rewrites_in_a_folder_leaves_the_snapshot_tied_to_the_model(
    saved: dict[str, list[Path]], tmp_path: Path
) -> None:
    """MLflow 3 alone: 2.9 rewrites only what is in a store, in the same way."""
    folders = [Path(shutil.copytree(folder, tmp_path / folder.name)) for folder in saved["3"][:3]]
    before = {}
    for folder in folders:
        embedding.write(str(folder), Record(make_snapshot(9)))
        before[folder] = (folder / "MLmodel").read_text()
    script("3", "load.py", "rewrite", *map(str, folders))
    for folder in folders:
        assert (folder / "MLmodel").read_text() != before[folder]
        assert "rich==13.0.0" in (folder / "requirements.txt").read_text()
        assert embedding.read(str(folder)).bound
        assert embedding.remove(str(folder)) is not None
        assert "envaudit" not in (folder / "MLmodel").read_text()


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """A tracking server that hands out artifacts itself."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    (folder / "artifacts").mkdir()
    command = [str(place("3") / "bin/python"), "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--backend-store-uri", f"sqlite:///{folder}/server.db", "--workers", "1", "--serve-artifacts"]
    command += ["--artifacts-destination", str(folder / "artifacts")]
    environ = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environ, cwd=folder, start_new_session=True)
        try:
            for _ in range(240):
                try:
                    with urllib.request.urlopen(f"{address}/health", timeout=1):
                        break
                except OSError:
                    assert process.poll() is None, (folder / "log").read_text()
                    time.sleep(0.5)
            yield address
        finally:
            os.killpg(process.pid, 15)
            process.wait(30)


@pytest.fixture(scope="module", params=["3-server", "3-sqlite", "2-sqlite", "2-file"])
def logged(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Logged]:
    """What a release has logged to a kind of store."""
    release, _, kind = str(request.param).partition("-")
    folder = tmp_path_factory.mktemp(kind)
    if kind == "server":
        with server(folder) as address:
            yield Logged(release, kind, address, script(release, "log.py", address, cwd=folder))
    else:
        store = f"file://{folder}/runs" if kind == "file" else f"sqlite:///{folder}/mlflow.db"
        yield Logged(release, kind, store, script(release, "log.py", store, cwd=folder))


def test_a_logged_model_is_found_with_its_snapshot_by_its_uris(logged: Logged, tmp_path: Path) -> None:
    ways = logged.ways
    pickled, skops = ["model.pkl"], ["model.skops" if logged.release == "3" else "model.pkl"]
    wanted = {ways["hook"]["uris"]["run"]: pickled}
    if logged.kind != "sqlite":
        wanted[ways["line"]["uris"]["version"]] = skops
    if logged.kind == "server":  # MLflow tells them apart before it asks a store
        wanted |= {ways["line"]["uris"]["alias"]: skops, ways["hook"]["uris"]["version"]: pickled}
        wanted |= {ways["hook"]["uris"]["logged"]: pickled, ways["hook"]["uris"]["wrapped"]: ["python_model.pkl"]}
    environ = {"MLFLOW_TRACKING_URI": logged.store, "TMPDIR": str(tmp_path)}
    found = script(logged.release, "fetch.py", *wanted, env=environ)
    version = {"3": "3.17.2", "2": "2.9.2"}[logged.release]
    assert found == {uri: {"bound": False, "mlflow": version, "files": files} for uri, files in wanted.items()}
    assert list(tmp_path.iterdir()) == []


def test_logging_is_the_same_with_the_snapshot_in_either_way_and_where_it_fails(logged: Logged) -> None:
    answers = [way["answers"] for way in logged.ways.values()]
    assert answers[1:] == answers[:-1]
    for name, way in logged.ways.items():
        on_run, on_model = ({key for key in way[what] if key.startswith("envaudit")} for what in ("run", "model"))
        assert bool(on_run) == (name == "hook" and logged.release == "2")
        assert bool(on_model) == (name == "hook" and logged.release == "3")
        assert all(way[what][key] <= 5000 for what, keys in (("run", on_run), ("model", on_model)) for key in keys)
        assert way["source"] < 1000, "the tags of a data set are no place for it"
    assert [way for way, item in logged.ways.items() if item["warned"]] == ["failing"]


@pytest.mark.parametrize("logged", ["3-server"], indirect=True)
def test_one_uri_and_one_place_are_all_that_a_comparison_needs(logged: Logged) -> None:
    uri = logged.ways["hook"]["uris"]["version"]
    environ = {"MLFLOW_TRACKING_URI": logged.store}
    done = run("3", "-m", "envaudit", "verify", uri, env=environ)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"{uri}/model.pkl loads and predicts" in " ".join(done.stdout.split())
    other = environment("scikit-learn==1.2.2", *LIBRARIES, python=PYTHON)
    options = ("--format", "json", "--loader", "pickle.load")
    done = run("3", "-m", "envaudit", "compare", uri, str(other), *options, env=environ)
    assert (done.returncode, done.stderr) == (1, "")
    assert [item["artifact"] for item in json.loads(done.stdout)["verdicts"]] == [f"{uri}/model.pkl"]
    assert "/model/" not in done.stdout, "the temporary folder is nobody's business"


@contextmanager
def silent_server() -> Iterator[str]:
    """It takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://someone:hunter2@127.0.0.1:{listening.getsockname()[1]}"


def fetched(uri: str, store: str, folder: Path, **more: str) -> str:
    """The one line that is said of it."""
    environ = {"MLFLOW_TRACKING_URI": store, "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "TMPDIR": str(folder), **more}
    done = run("3", "-m", "envaudit", "snapshot", uri, cwd=folder, env=environ)
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert "hunter2" not in done.stderr
    assert not [path for path in folder.iterdir() if path.name.startswith("envaudit-") or path.name.endswith(".db")]
    return done.stderr


@pytest.mark.parametrize("logged", ["3-sqlite"], indirect=True)
def test_what_cannot_be_fetched_is_one_line(logged: Logged, tmp_path: Path) -> None:
    uri = logged.ways["neither"]["uris"]["version"]
    assert "Registered Model with name=nothing not found" in fetched("models:/nothing/1", logged.store, tmp_path)
    assert f"{uri}: carries no snapshot: log it with metadata=" in fetched(uri, logged.store, tmp_path)
    assert f"there is no {tmp_path}/typo.db" in fetched("models:/a/1", f"sqlite:///{tmp_path}/typo.db", tmp_path)


@pytest.mark.parametrize(
    ("store", "path"),
    {
        "sqlite:////nowhere/mlflow.db": "/nowhere/mlflow.db",
        "sqlite:///nowhere%20at/all.db?mode=ro": "nowhere at/all.db",
        "file:///nowhere/runs": "/nowhere/runs",
        "/nowhere/runs": "/nowhere/runs",
        "./nowhere": "./nowhere",
        "nowhere": "nowhere",
        "file:///tmp": None,
        "postgresql://user@host/db": None,
        "http://127.0.0.1:5000": None,
        "databricks": None,
        "databricks-uc://profile": None,
    }.items(),
)
def test_a_store_in_files_that_is_not_there_is_not_made(store: str, path: str | None) -> None:
    assert client.absent(store) == path


def test_a_server_that_does_not_answer_is_one_line_without_credentials(tmp_path: Path) -> None:
    with silent_server() as address:
        said = fetched("models:/fraud/1", address, tmp_path, MLFLOW_HTTP_REQUEST_TIMEOUT="2")
    assert f"the server at {address.rpartition('@')[2]} does not answer (" in said
    said = fetched("models:/fraud/1", address, tmp_path)  # nobody listens there any more
    assert f"the server at {address.rpartition('@')[2]} does not answer (ConnectionError)" in said


def test_without_mlflow_the_extra_is_named() -> None:
    done = envaudit("snapshot", "models:/fraud/1")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "envaudit: error: models:/fraud/1 needs an optional part of envaudit: pip install 'envaudit[mlflow]'\n"
    )


def test_tags_with_a_part_missing_are_damaged() -> None:
    tags = mlflow.tags(random_snapshot(300))
    parts = [key for key in tags if "-of-" in key]
    assert len(parts) == len(tags) - 1 > 2
    found = mlflow.of_tags({**tags, "mlflow.user": "a"}, "run 1")
    assert found is not None
    assert (found.snapshot, found.digest) == (random_snapshot(300), None)
    assert mlflow.of_tags({"mlflow.user": "a", mlflow.TAG: "summary"}, "run 1") is None
    with pytest.raises(EmbeddingError, match=f"run 1: .* not all of its {len(parts)} parts are there"):
        mlflow.of_tags({key: value for key, value in tags.items() if key != parts[1]}, "run 1")
    with pytest.raises(EmbeddingError, match="run 1: the snapshot in it is damaged"):
        mlflow.of_tags({**tags, parts[1]: tags[parts[1]][::-1]}, "run 1")
    with pytest.raises(EmbeddingError, match="too long for MLflow's tags"):
        mlflow.tags(random_snapshot(6000))


def random_snapshot(count: int) -> Snapshot:
    """Builds are digests, which do not get smaller."""
    builds = {str(number): hashlib.sha256(b"%d" % number).hexdigest() for number in range(count)}
    distributions = {name: Component("distribution", name, "1", {"build": build}) for name, build in builds.items()}
    return Snapshot(TargetInfo("venv", ".venv"), {"distribution": distributions})
