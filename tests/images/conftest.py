"""Real tools around real images: skopeo, a registry, an engine."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.engine.conftest import REQUIRED, Build, build, engine, turn
from tests.images import making, serving

__all__ = ["build", "engine", "turn"]

Skopeo = Callable[..., None]


def tool(name: str) -> str:
    """The path of a program; without it a skip, or a failure where nothing may be skipped."""
    found = shutil.which(name)
    if found is None:
        reason = f"there is no {name}; .ci/engine.sh installs it"
        if os.environ.get(REQUIRED):
            pytest.fail(f"{reason}, and {REQUIRED} is set")
        pytest.skip(reason)
    return found


@pytest.fixture(scope="session")
def skopeo() -> Skopeo:
    """``skopeo(source, destination, *options)`` copies an image."""
    path = tool("skopeo")

    def copy(source: str, destination: str, *options: str) -> None:
        command = [path, "--insecure-policy", "copy", "--quiet", *options, source, destination]
        subprocess.run(command, check=True, capture_output=True, text=True)

    return copy


TWO_LAYERS = """\
FROM scratch
COPY first /first
COPY second /second
ENV GREETING=hello
CMD ["/first"]
"""


@pytest.fixture(scope="session")
def two_layers(build: Build) -> str:
    """The tag of an image of the engine that holds two files, a layer each."""
    return build("two-layers", TWO_LAYERS, {"first": "1\n", "second": b"2" * 100_000})


@pytest.fixture(scope="session")
def saved(two_layers: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What ``docker save`` makes of it."""
    path = tmp_path_factory.mktemp("saved") / "image.tar"
    subprocess.run(["docker", "save", "--output", path, two_layers], check=True, capture_output=True)
    return path


@pytest.fixture
def small() -> making.Made:
    """An image of two layers."""
    return making.image({"etc/os-release": b'ID="debian"\n'}, {"app/data": bytes(range(256)) * 4000})


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """``HOST:PORT`` of a registry that lets everybody in; its storage holds nothing at first."""
    with serving.registry(tool("docker-registry"), tmp_path_factory.mktemp("registry")) as host:
        yield host


@pytest.fixture
def docker_config(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The Docker configuration of this test, empty at first, and a ~/.netrc for every host that must not be used."""
    (tmp_path / "netrc").write_text("default login me password hunter2\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    return tmp_path / "config.json"
