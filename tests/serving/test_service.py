"""The service of docs/serving.md refuses a model before it loads it, says why, and stays up."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from envaudit.model import Json
from tests.embedding.places import PYTHON, ROOT, SERVE, TRAIN
from tests.environments import environment

pytestmark = pytest.mark.network

SERVICE = ROOT / "fixtures/fastapi/service.py"
PRELOADED = SERVICE.with_name("preloaded.py")
UVICORN = ("uvicorn", "service:app", "--fd")
GUNICORN = (
    "gunicorn",
    "--preload",
    "--workers",
    "2",
    "--worker-class",
    "uvicorn_worker.UvicornWorker",
    "preloaded:app",
)
WEB = ("fastapi==0.116.1", "uvicorn==0.35.0", "uvicorn-worker==0.3.0", "gunicorn==23.0.0")
ROWS = [[0.0, 1.0, 2.0, 3.0], [4.0, 5.0, 6.0, 0.0], [1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 0.0, 1.0]]

FIT = """
import sys, envaudit, joblib, numpy
from sklearn.ensemble import GradientBoostingClassifier
X = numpy.arange(80.0).reshape(20, 4) % 7
model = GradientBoostingClassifier(n_estimators=5).fit(X, numpy.arange(20) % 2)
envaudit.dump(model, "model.joblib")
joblib.dump(model, "plain.joblib")
print(model.predict(numpy.array(eval(sys.argv[1]))).tolist())
"""


class Answer(NamedTuple):
    status: int
    body: Json


class Served(NamedTuple):
    """A service that is running."""

    port: int
    process: subprocess.Popen[bytes]

    def get(self, path: str) -> Answer:
        return self._ask("GET", path)

    def predict(self) -> Answer:
        return self._ask("POST", "/predict", json.dumps(ROWS))

    def _ask(self, method: str, path: str, body: str | None = None) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            connection.request(method, path, body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            return Answer(answer.status, json.loads(answer.read()))
        finally:
            connection.close()

    def has_loaded(self, library: str) -> bool:
        """Whether a compiled module of a library is mapped into the process."""
        return f"/{library}/" in Path(f"/proc/{self.process.pid}/maps").read_text()


@contextmanager
def service(venv: Path, model: Path, server: tuple[str, ...] = UVICORN) -> Iterator[Served]:
    """The service, with a socket that listens before it does: who asks waits until it is up."""
    listening = socket.create_server(("127.0.0.1", 0))
    with listening:
        number = str(listening.fileno())
        which = [number] if server is UVICORN else ["--bind", f"fd://{number}"]
        process = subprocess.Popen(
            [venv / "bin/python", "-m", *server, *which],
            cwd=SERVICE.parent,
            env={**os.environ, "MODEL": str(model)},
            pass_fds=[listening.fileno()],
        )
        try:
            yield Served(listening.getsockname()[1], process)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=60)


def web(requirements: tuple[str, ...]) -> Path:
    return environment(*requirements, *WEB, "-e", str(ROOT), python=PYTHON)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[int]]:
    """A folder with a model that carries its snapshot, ``model.joblib``, and one that does not; training's answers."""
    folder = tmp_path_factory.mktemp("trained")
    done = subprocess.run(
        [web(TRAIN) / "bin/python", "-c", FIT, repr(ROWS)], cwd=folder, capture_output=True, text=True, check=True
    )
    answers = json.loads(done.stdout)
    assert set(answers) == {0, 1}
    return folder, answers


def test_where_it_fits_it_serves_the_answers_of_training(trained: tuple[Path, list[int]]) -> None:
    folder, answers = trained
    with service(web(TRAIN), folder / "model.joblib") as served:
        assert served.get("/ready") == Answer(200, {"ready": True})
        assert served.get("/health") == Answer(200, {"status": "up"})
        assert served.predict() == Answer(200, {"answers": answers})
        assert served.has_loaded("sklearn")


def changed(folder: Path, to: Path) -> Path:
    """The model with one byte of its own changed, as long as it was."""
    path = Path(shutil.copy(folder / "model.joblib", to))
    data = bytearray(path.read_bytes())
    data[data.index(b"n_estimators")] ^= 1
    path.write_bytes(data)
    return path


def test_with_another_scikit_learn_it_is_refused_before_it_is_loaded(trained: tuple[Path, list[int]]) -> None:
    model = trained[0] / "model.joblib"
    with service(web(SERVE), model) as served:
        status, body = served.get("/ready")
        assert (status, body["ready"]) == (503, False)
        assert body["why"].startswith(f"{model}: EA")
        assert {"EA904", "EA201"} <= {finding["code"] for finding in body["findings"]}
        assert {finding["severity"] for finding in body["findings"]} == {"error"}
        layout = next(finding for finding in body["findings"] if finding["code"] == "EA904")
        assert layout["fix"].startswith("pip install 'scikit-learn==1.4.2'")
        assert served.get("/health") == Answer(200, {"status": "up"})
        assert served.predict().status == 503
        assert not served.has_loaded("sklearn")


@pytest.mark.parametrize("case", ["changed", "plain", "absent"])
def test_a_model_of_which_nothing_is_known_is_refused(
    case: str, trained: tuple[Path, list[int]], tmp_path: Path
) -> None:
    folder, _ = trained
    models = {"changed": changed(folder, tmp_path), "plain": folder / "plain.joblib", "absent": tmp_path / "none"}
    whys = {"changed": "it was changed since", "plain": "carries no snapshot", "absent": "No such file or directory"}
    with service(web(TRAIN), models[case]) as served:
        status, body = served.get("/ready")
        assert (status, body["ready"], body["findings"]) == (503, False, [])
        assert body["why"].startswith(f"{models[case]}: ")
        assert whys[case] in body["why"]
        assert served.get("/health").status == 200
        assert served.predict().status == 503
        assert not served.has_loaded("sklearn")


def test_several_workers_share_what_was_loaded_once(trained: tuple[Path, list[int]], tmp_path: Path) -> None:
    folder, answers = trained
    model = Path(shutil.copy(folder / "model.joblib", tmp_path))
    with service(web(TRAIN), model, GUNICORN) as served:
        assert served.get("/ready") == Answer(200, {"ready": True})
        model.unlink()  # a worker that looked for itself would not be ready
        before = workers(served)
        for worker in before:
            os.kill(worker, signal.SIGKILL)
        wait(lambda: len(workers(served) - before) == 2)
        for _ in range(4):
            assert served.get("/ready") == Answer(200, {"ready": True})
            assert served.predict() == Answer(200, {"answers": answers})


def workers(served: Served) -> set[int]:
    pid = served.process.pid
    return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}


def wait(until: Callable[[], bool], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < end, "the server did not start its workers again"
        time.sleep(0.05)


@pytest.mark.parametrize("path", [SERVICE, PRELOADED])
def test_what_is_documented_is_what_is_tested(path: Path) -> None:
    assert f"```python\n{path.read_text()}```" in (ROOT / "docs/serving.md").read_text()
