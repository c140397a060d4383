"""Containers and images, as far as it can be tested without an engine: choices, streams, messages, redaction."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import docker
import pytest
import requests

from envaudit.collectors import image as collector
from envaudit.errors import EngineError, MissingExtraError
from envaudit.evidence import Evidence, Options, Request
from envaudit.model import Component, Json
from envaudit.targets import _active, _engine, container, image

INTERPRETER = {"prefix": "/opt/venv", "base_prefix": "/usr", "path": ["/opt/venv/lib/python3.11/site-packages"]}


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, [("python3", "PATH"), ("python", "PATH")]),
        ({"env": {"VIRTUAL_ENV": "/v"}}, [("/v/bin/python", "VIRTUAL_ENV")]),
        ({"env": {"CONDA_PREFIX": "/c"}}, [("/c/bin/python", "CONDA_PREFIX")]),
        ({"env": {"CONDA_PREFIX": "/c", "VIRTUAL_ENV": "/v"}}, [("/v/bin/python", "VIRTUAL_ENV")]),
        ({"entrypoint": ["/usr/bin/python3.11", "a.py"]}, [("/usr/bin/python3.11", "entrypoint")]),
        ({"entrypoint": ["/e/bin/gunicorn"], "env": {"VIRTUAL_ENV": "/v"}}, [("/e/bin/python3", "entrypoint")]),
        ({"entrypoint": ["tini", "--", "/e/bin/gunicorn"]}, [("/e/bin/python3", "entrypoint")]),
        ({"entrypoint": ["/usr/bin/tini", "-g", "--"], "cmd": ["/e/bin/x"]}, [("/e/bin/python3", "entrypoint")]),
        ({"entrypoint": ["env", "-i", "A=b", "/e/bin/python"]}, [("/e/bin/python", "entrypoint")]),
        ({"entrypoint": ["gosu", "app", "/e/bin/python"]}, [("/e/bin/python", "entrypoint")]),
        ({"entrypoint": ["/usr/local/bin/entry.sh"], "cmd": ["/e/bin/x"]}, [("/e/bin/python3", "command")]),
        ({"entrypoint": ["/usr/local/bin/entry.sh"], "env": {"VIRTUAL_ENV": "/v"}}, [("/v/bin/python", "VIRTUAL_ENV")]),
        ({"cmd": ["sh", "-c", "/e/bin/python a.py"]}, [("/e/bin/python", "command")]),
        ({"cmd": ["sh", "-c", "cd /app && python a.py"]}, [("python3", "PATH")]),
        ({"cmd": ["/opt/conda/bin/conda", "run", "-n", "ml", "python", "a.py"]}, [("python3", "PATH")]),
        ({"cmd": ["setpriv", "--reuid=1000", "/e/bin/python", "a.py"]}, [("/e/bin/python", "command")]),
        ({"cmd": ["nice", "-n", "10", "/e/bin/python", "a.py"]}, [("/e/bin/python", "command")]),
        ({"cmd": ["python", "a.py"], "env": {"VIRTUAL_ENV": "/v"}}, [("python", "command, through PATH")]),
        ({"cmd": ["bin/python"]}, [("python3", "PATH")]),
        ({"cmd": ["pypy3", "a.py"]}, [("pypy3", "command, through PATH")]),
    ],
)
def test_the_first_candidate(config: dict[str, Json], expected: list[tuple[str, str]]) -> None:
    found = _active.candidates(config, None)
    assert found[: len(expected)] == expected
    assert {python for python, _ in found} >= {"python3", "python"}
    assert _active.candidates(config, "/x") == [("/x", "--python")]


def test_other_environments() -> None:
    places = _active.places({"workdir": "/web/app/", "env": {"VIRTUAL_ENV": "/odd/env"}})
    names = ["/opt/venv/pyvenv.cfg", "/odd/env/pyvenv.cfg", "/web/app/.venv/pyvenv.cfg", "/usr/bin/python3",
             "/usr/local/bin/python3", "/opt/conda/conda-meta", "/etc/other"]  # fmt: skip
    assert _active.others(names, places, INTERPRETER) == ("/odd/env", "/opt/conda", "/usr/local", "/web/app/.venv")


def test_names_that_only_this_module_wanted_are_taken_out() -> None:
    places = _active.places({})
    names = ["/opt/venv/pyvenv.cfg", "/opt/conda/conda-meta", "/usr/bin/python3", "/etc/x",
             "/opt/venv/lib/python3.11/site-packages/a.pth"]  # fmt: skip
    asked = ("{prefix}/pyvenv.cfg", "/etc/*", "{site}/*.pth")
    assert _active.without(names, places, asked, INTERPRETER) == [
        "/opt/venv/pyvenv.cfg", "/etc/x", "/opt/venv/lib/python3.11/site-packages/a.pth",
    ]  # fmt: skip


@pytest.mark.parametrize("size", [1, 3, 8, 9, 1000])
def test_streams_are_told_apart_however_they_arrive(size: int) -> None:
    data = b"".join(bytes([number, 0, 0, 0]) + len(text).to_bytes(4, "big") + text
                    for number, text in ((1, b"out"), (2, b"err"), (1, b""), (1, b"put" * 100)))  # fmt: skip
    streams = _engine.Streams()
    for start in range(0, len(data), size):
        streams.feed(data[start : start + size])
    assert (bytes(streams.stdout), bytes(streams.stderr)) == (b"out" + b"put" * 100, b"err")
    assert streams.size == len(data)


def test_a_message_outside_of_the_frames_is_kept() -> None:
    streams = _engine.Streams()
    streams.feed(b"OCI runtime exec failed: ")
    streams.feed(b"no such file or directory\r\n")
    assert _engine.is_missing_program(streams.stderr.decode())


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The path of a socket that DOCKER_HOST names."""
    pytest.importorskip("docker")
    path = tmp_path / "engine.sock"
    monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
    return path


def test_no_engine(host: Path) -> None:
    with pytest.raises(EngineError, match=rf"^no container engine answers at unix://{host}; start one .*DOCKER_HOST"):
        image.gather("x", Request(), Options())
    assert image.claims("x") is False
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(host))
        with pytest.raises(EngineError, match="no container engine answers"):
            container.gather("x", Request(), Options())
        assert image.claims("x") is False


def test_an_engine_that_does_not_answer(host: Path) -> None:
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(str(host))
        deaf.listen()
        with pytest.raises(
            EngineError, match=rf"^the container engine at unix://{host} did not answer within 0.3 seconds$"
        ):
            image.gather("x", Request(), Options(timeout=0.3))


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("tcp://127.0.0.1:9", "no container engine answers at tcp://127.0.0.1:9"),
        ("nonsense://x", "the container engine at nonsense://x: .+"),
        ("tcp://", "the container engine at tcp://: .+"),
    ],
)
def test_a_bad_docker_host(host: Path, monkeypatch: pytest.MonkeyPatch, address: str, expected: str) -> None:
    monkeypatch.setenv("DOCKER_HOST", address)
    with pytest.raises(EngineError, match=f"^{expected}") as caught:
        image.gather("x", Request(), Options(timeout=2))
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become someone else")
def test_permission_denied_on_the_socket(host: Path) -> None:
    code = (
        "import os; from envaudit.errors import EngineError; from envaudit.evidence import *\n"
        "from envaudit.targets import _engine, image; import docker, requests; docker.from_env\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "try: image.gather('x', Request(), Options())\n"
        "except EngineError as error: print(error)\n"
    )
    with socket.socket(socket.AF_UNIX) as closed:
        closed.bind(str(host))
        closed.listen()
        host.chmod(0o660)
        for folder in (host.parent, host.parent.parent, host.parent.parent.parent):
            folder.chmod(0o755)
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith(f"unix://{host}: permission denied; add this user to the docker group"), done.stderr
    assert "sudo" in done.stdout
    assert done.stdout.count("\n") == 1


def test_without_the_sdk(monkeypatch: pytest.MonkeyPatch, host: Path) -> None:
    monkeypatch.setitem(sys.modules, "docker", None)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(host))
        listening.listen()
        with pytest.raises(MissingExtraError, match=r"pip install 'envaudit\[docker\]'"):
            image.gather("x", Request(), Options())
        assert image.claims("x") is False


@pytest.mark.parametrize(
    "text",
    ["./x", "/x", "~/x", "x.json", "x.txt", "x.toml", "x.lock", "Model", "a b", "a..b", "a:b:c", "", "-x", "a/", "é"],
)
def test_what_cannot_be_an_image_asks_nobody(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(timeout: float) -> None:
        raise AssertionError("the engine was asked")

    monkeypatch.setattr(_engine, "connect", connect)
    assert image.claims(text) is False


@pytest.mark.parametrize(
    "text",
    ["a", "a:1", "a/b:1.2-x", "host:5000/a/b", "reg.io/a__b@sha256:" + "0" * 64, "a@sha256:" + "0" * 64, "localhost/a"],
)
def test_what_can_be_an_image_is_asked_for(text: str, host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def connect(timeout: float) -> None:
        asked.append(timeout)
        raise EngineError("nobody there")

    monkeypatch.setattr(_engine, "connect", connect)
    assert image.claims(text) is False
    assert asked


def collected(found: dict[str, Json]) -> dict[str, Json]:
    (component,) = collector.COLLECTOR.collect(Evidence(image=found))
    assert isinstance(component, Component)
    assert component[:3] == ("image", "config", None)
    return component.attributes


def test_the_collector_leaves_out_what_is_empty_and_every_variable() -> None:
    assert collected({"os": "linux", "user": "", "cmd": [], "env": {"A": "b"}, "id": "sha256:1", "tags": ["a:1"]}) == {
        "os": "linux",
        "id": "sha256:1",
    }
    assert collected({"digests": ["b@sha256:2", "a@sha256:3", "<none>@<none>"]}) == {
        "digest": "sha256:2",
        "digests": ["a@sha256:3", "b@sha256:2"],
    }


def test_the_collector_hides_secrets() -> None:
    attributes = collected(
        {
            "labels": {"API_TOKEN": "s3cret", "url": "https://me:s3cret@example.org/x", "version": "1.2"},
            "entrypoint": ["env", "DB_PASSWORD=s3cret", "serve", "--token", "s3cret", "--port", "80"],
            "cmd": ["sh", "-c", "export API_KEY=s3cret; exec serve --secret=s3cret"],
        }
    )
    assert attributes["labels"] == {"API_TOKEN": "***", "url": "https://***@example.org/x", "version": "1.2"}
    assert attributes["entrypoint"] == ["env", "DB_PASSWORD=***", "serve", "--token", "***", "--port", "80"]
    assert attributes["cmd"] == ["sh", "-c", "export API_KEY=***; exec serve --secret=***"]


def test_a_container_is_removed_although_it_ends_by_itself_at_that_moment() -> None:
    """An old engine then refuses, and forgets about removing it by itself."""

    class Client:
        answers: ClassVar = [
            (500, "Could not kill running container 1e, cannot remove - Container 1e is not running"),
            (409, "removal of container 1e is already in progress"),
            (404, "No such container: 1e"),
            (500, "not asked any more"),
        ]

        def remove_container(self, name: str, **options: bool) -> None:
            response = requests.Response()
            response.status_code, text = self.answers.pop(0)
            raise docker.errors.APIError("", response, text)

    _engine.remove(Client(), "envaudit-1e", created=True)
    assert len(Client.answers) == 1
    with pytest.raises(docker.errors.APIError, match="not asked"):
        _engine.remove(Client(), "envaudit-1e", created=True)
