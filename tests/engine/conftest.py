"""A container engine and the images that the tests in this folder look at."""

from __future__ import annotations

import configparser
import fcntl
import hashlib
import io
import os
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from envaudit.errors import EnvauditError
from envaudit.targets import _engine

REQUIRED = "ENVAUDIT_REQUIRE_ENGINE"
BASES = ("envaudit-base:bookworm", "envaudit-base:trixie")
LABEL = "envaudit-test"

Build = Callable[..., str]


@pytest.fixture(scope="session")
def engine() -> Iterator[Any]:
    """The engine's API client; without an engine a skip, or a failure where one is required."""
    with ExitStack() as stack:
        try:
            client = stack.enter_context(_engine.connect(120))
        except EnvauditError as error:
            _missing(str(error))
        missing = [name for name in BASES if not client.images(name=name)]
        if missing:
            _missing(f"the engine lacks {', '.join(missing)}; .ci/engine.sh makes them")
        yield client


def _missing(reason: str) -> None:
    if os.environ.get(REQUIRED):
        pytest.fail(f"{reason}, and {REQUIRED} is set")
    pytest.skip(reason)


@pytest.fixture(autouse=True)
def turn(request: pytest.FixtureRequest) -> Iterator[None]:
    """One test at a time on one engine, whoever else runs these tests: they look for containers left behind."""
    if request.node.get_closest_marker("engine") is None or request.node.get_closest_marker("together"):
        yield
        return
    with alone():
        yield


@contextmanager
def alone() -> Iterator[None]:
    """No other test looks for containers of envaudit meanwhile."""
    with (Path(tempfile.gettempdir()) / "envaudit-test-engine.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def build(engine: Any) -> Build:
    """``build(name, dockerfile, **files)``: the tag of an image; built once for its content, on any worker."""

    def build(name: str, dockerfile: str, files: dict[str, str | bytes] | None = None) -> str:
        contents = {
            "Dockerfile": dockerfile.encode(),
            **{name: text.encode() if isinstance(text, str) else text for name, text in (files or {}).items()},
        }
        identity = hashlib.sha256(repr(sorted(contents.items())).encode()).hexdigest()[:12]
        tag = f"envaudit-test/{name}:{identity}"
        with (Path(tempfile.gettempdir()) / "envaudit-test-images.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not engine.images(name=tag):
                _build(engine, tag, contents)
        return tag

    return build


def _build(engine: Any, tag: str, contents: dict[str, bytes]) -> None:
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as archive:
        for name, data in contents.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), 0o755
            archive.addfile(member, io.BytesIO(data))
    context.seek(0)
    proxies = {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")}
    said = []
    for event in engine.build(
        fileobj=context, custom_context=True, tag=tag, network_mode="host", rm=True, forcerm=True, buildargs=proxies,
        decode=True,
    ):  # fmt: skip
        said.append(event.get("stream", ""))
        if "error" in event:
            pytest.fail(f"{tag} cannot be built: {''.join(said[-20:])}{event['error']}")


def pip_settings() -> dict[str, str | bytes]:
    """pip.conf and ca.pem that let pip inside of a build reach the same index as here."""
    settings = {"disable-pip-version-check": "true"}
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
    )
    for line in listed.stdout.splitlines():
        key, _, value = line.partition("=")
        section, _, name = key.partition(".")
        if section in ("global", "install", ":env:"):
            settings[name] = value.strip("'\"")
    local = {"cert", "find-links", "cache-dir", "log", "config-file", "target", "prefix", "user", "require-virtualenv"}
    kept = {name: value for name, value in settings.items() if name not in local and "file:" not in value}
    authorities = b""
    for path in (settings.get("cert"), os.environ.get("SSL_CERT_FILE"), os.environ.get("REQUESTS_CA_BUNDLE")):
        if path and Path(path).is_file():
            authorities = Path(path).read_bytes()
            kept["cert"] = "/build/ca.pem"
            break
    config = configparser.RawConfigParser()
    config["global"] = kept
    text = io.StringIO()
    config.write(text)
    return {"pip.conf": text.getvalue(), "ca.pem": authorities}


def serving(base: str, *requirements: str) -> str:
    """A Dockerfile of a venv at /opt/venv on PATH, filled by the pip of the base image."""
    return f"""\
FROM {base}
COPY pip.conf ca.pem /build/
RUN python3 -m venv --without-pip /opt/venv \\
 && PIP_CONFIG_FILE=/build/pip.conf python3 -m pip --python /opt/venv/bin/python install --no-cache-dir \\
    {" ".join(requirements)} \\
 && rm -r /build
ENV PATH=/opt/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin OMP_NUM_THREADS=3
LABEL org.opencontainers.image.version=1.2
WORKDIR /app
CMD ["python", "-c", "import time; time.sleep(3600)"]
"""


@pytest.fixture(scope="session")
def old(build: Build) -> str:
    """Debian 12, Python 3.11, scikit-learn 1.3 with its contemporaries."""
    return build(
        "old",
        serving(
            BASES[0],
            "scikit-learn==1.3.2", "numpy==1.26.4", "scipy==1.11.4", "joblib==1.3.2", "pandas==2.0.3",
        ),
        pip_settings(),
    )  # fmt: skip


@pytest.fixture(scope="session")
def new(build: Build) -> str:
    """Debian 13, Python 3.13, scikit-learn 1.6."""
    return build(
        "new",
        serving(BASES[1], "scikit-learn==1.6.1", "numpy==2.2.6", "scipy==1.15.3", "joblib==1.4.2", "pandas==2.2.3"),
        pip_settings(),
    )


@pytest.fixture(scope="session")
def hanging(build: Build) -> str:
    """A Python that never gets through its start-up."""
    return build(
        "hanging", f"FROM {BASES[0]}\nCOPY custom /etc/python3.11/sitecustomize.py\n",
        {"custom": "import time\ntime.sleep(600)\n"},
    )  # fmt: skip


@pytest.fixture
def start(engine: Any) -> Iterator[Callable[..., str]]:
    """``start(tag, *command)``: the name of a running container, removed after the test."""
    names = list[str]()

    def start(tag: str, *command: str, **settings: Any) -> str:
        host = engine.create_host_config(network_mode="none", **settings)
        name = f"envaudit-test-{os.getpid()}-{len(names)}-{time.monotonic_ns()}"
        names.append(name)
        engine.create_container(tag, list(command) or None, name=name, labels={LABEL: "1"}, host_config=host)
        engine.start(name)
        return name

    yield start
    for name in names:
        engine.remove_container(name, force=True, v=True)


@pytest.fixture
def leftovers(engine: Any) -> Callable[[], list[str]]:
    """The containers that envaudit made and that are still there, once the engine had time to finish removing them."""

    def leftovers() -> list[str]:
        for _ in range(50):
            found = [found["Names"][0] for found in engine.containers(all=True, filters={"label": "envaudit"})]
            if not found:
                return []
            time.sleep(0.1)
        return found

    return leftovers
