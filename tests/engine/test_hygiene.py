"""How an image is built can harm: tags that move, packages installed over each other, changed files, secrets."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from envaudit import store
from envaudit.comparison import compare
from envaudit.model import Finding, Snapshot, TargetInfo
from envaudit.take import take
from tests.engine.conftest import BASES, Build, pip_settings
from tests.environments import envaudit
from tests.images.conftest import tool
from tests.images.serving import registry

pytestmark = [pytest.mark.engine, pytest.mark.xdist_group("engine")]

CANARY = "hunter2-do-not-tell"
PIP = "PIP_CONFIG_FILE=/build/pip.conf /usr/bin/python3 -m pip --python /opt/venv/bin/python"


def environment(name: str, *requirements: str) -> str:
    """The beginning of a stage: a virtual environment with what pip installs there."""
    return (
        f"FROM {BASES[0]} AS {name}\nCOPY pip.conf ca.pem /build/\n"
        "RUN python3 -m venv --without-pip /opt/venv"
        f" && {PIP} install --no-cache-dir --no-compile {' '.join(requirements)}\n"
        "ENV PATH=/opt/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
    )


OLDER = environment("older", "joblib==1.3.2")
NEWER = environment("newer", "joblib==1.4.2")


@pytest.fixture(scope="module")
def plain(build: Build) -> str:
    """joblib 1.4.2 and nothing else; it runs as root."""
    return build("hygiene-plain", NEWER, pip_settings())


def findings(train: str | Snapshot, serve: str | Snapshot) -> dict[str, Finding]:
    """By code; what the image rules judge is not told again as drift."""
    train, serve = (take(side) if isinstance(side, str) else side for side in (train, serve))
    result = compare(train, serve)
    found = {finding.code: finding for finding in result.findings}
    assert len(found) == len(result.findings)
    judged = {key for finding in result.findings for key in finding.covers}
    assert not {(item.kind, item.name, item.attribute.partition(".")[0]) for item in result.drift} & judged
    return found


@pytest.fixture(scope="module")
def elsewhere() -> Snapshot:
    """A training side that is no image and of which little is known."""
    return Snapshot(TargetInfo("venv", ".venv"), {"distribution": {}})


def test_secrets_are_named_and_never_shown(build: Build, plain: str, tmp_path: Path) -> None:
    token = "ghp" + "_" + "aB3dEfGh1JkLmN0pQrStUvWxYz7aBcDeFgHi"
    secrets = {
        "DB_PASSWORD": CANARY,
        "PIP_INDEX_URL": f"https://ci:{CANARY}@pypi.example/simple",
        "MODEL_SETTINGS": f"--token={token}",
    }
    lines = "".join(f'ENV {name}="{value}"\n' for name, value in secrets.items())
    open_ones = "ENV GPG_KEY=A035C8C19219BA821ECEA86B64E628F8D684696D DB_PASSWORD_FILE=/run/secrets/db\n"
    label = f'LABEL note="see {token}"\nCMD ["python", "-c", "import time; time.sleep(600)", "{token}"]\n'
    tag = build("hygiene-secrets", f"FROM {plain}\n{lines}{open_ones}{label}")
    assert take(tag).of("image")["config"].attributes["secrets"] == sorted(secrets)
    assert envaudit("snapshot", plain, "-o", "train.json", cwd=tmp_path).returncode == 0
    assert envaudit("snapshot", tag, "-o", "serve.json", cwd=tmp_path).returncode == 0
    said = (tmp_path / "serve.json").read_text()
    for arguments in ((), ("--format", "json"), ("--format", "json", "--drift"), ("--drift",)):
        done = envaudit("compare", "train.json", tag, *arguments, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert "DB_PASSWORD" in done.stdout
        said += done.stdout + done.stderr
    wrong = envaudit("snapshot", tag, "--python", "/nowhere/python", cwd=tmp_path)
    assert wrong.returncode == 2
    said += wrong.stdout + wrong.stderr
    assert CANARY not in said
    assert token not in said
    finding = findings(plain, tag)["EA605"]
    assert (finding.severity, finding.serve) == ("note", "DB_PASSWORD, MODEL_SETTINGS and PIP_INDEX_URL")
    assert "EA605" not in findings(tag, tag)


@pytest.mark.parametrize(
    ("lines", "root"),
    [("", True), ("USER root\n", True), ("USER 0:0\n", True), ("RUN useradd --create-home app\nUSER app\n", False)],
)
def test_the_user(build: Build, plain: str, elsewhere: Snapshot, lines: str, root: bool) -> None:
    tag = build("hygiene-user", f"FROM {plain}\n{lines}")
    assert ("EA604" in findings(elsewhere, tag)) is root
    assert "EA604" not in findings(plain, tag)  # training's image does it as well


def test_a_package_that_one_layer_puts_over_another(build: Build, plain: str) -> None:
    merged = OLDER + NEWER.replace("FROM", "\nFROM", 1) + "FROM older\nCOPY --from=newer /opt/venv /opt/venv\n"
    tag = build("hygiene-twice", merged, pip_settings())
    attributes = take(tag).of("distribution")["joblib"].attributes
    assert attributes["shadowed"] == [
        {"version": "1.3.2", "where": "/opt/venv/lib/python3.11/site-packages", "beside": True}
    ]
    finding = findings(plain, tag)["EA208"]
    assert (finding.severity, finding.subject) == ("warning", "joblib")
    assert finding.serve == "1.4.2 beside 1.3.2"
    assert "files of both are mixed" in finding.consequence
    # The fix, as it stands, in that environment.
    mended = f'FROM {tag}\nRUN pip() {{ {PIP} "$@"; }} && {finding.fix} && rm -r /build\n'
    after = take(build("hygiene-once", mended)).of("distribution")["joblib"]
    assert after.version == "1.4.2"
    assert not {"shadowed", "modified", "missing_files"} & after.attributes.keys()


def test_a_wheel_for_the_other_c_library(
    build: Build, start: Callable[..., str], engine: Any, elsewhere: Snapshot
) -> None:
    """The way round that can be had here: musllinux on glibc."""
    right = environment("right", "numpy==1.26.4")
    musl = "--platform musllinux_1_1_x86_64 --only-binary :all: --target /opt/venv/lib/python3.11/site-packages"
    wrong = f"{environment('wrong', 'joblib==1.4.2')}RUN {PIP} install {musl} numpy==1.26.4\n"
    tag = build("hygiene-musl", wrong, pip_settings())
    finding = findings(elsewhere, tag)["EA302"]
    assert (finding.severity, finding.serve) == ("error", "glibc 2.36 with musllinux wheels")
    assert finding.consequence.startswith("numpy in serving: ")

    def imports(image: str) -> bool:
        name = start(image, "sleep", "60")
        number = engine.exec_create(name, ["python", "-c", "import numpy"])["Id"]
        engine.exec_start(number)
        return bool(engine.exec_inspect(number)["ExitCode"] == 0)

    assert imports(build("hygiene-glibc", right, pip_settings()))
    assert not imports(tag)
    assert imports(build("hygiene-glibc-again", f'FROM {tag}\nRUN pip() {{ {PIP} "$@"; }} && {finding.fix}\n'))


def test_a_file_that_a_layer_changed(build: Build, plain: str) -> None:
    where = "/opt/venv/lib/python3.11/site-packages/joblib"
    tag = build("hygiene-patched", f"FROM {plain}\nRUN echo '# patched' >> {where}/hashing.py && rm {where}/disk.py\n")
    train, serve = take(plain), take(tag)
    said = [(one.code, one.severity, one.subject) for one in compare(train, serve).findings if one.code == "EA205"]
    assert said == [("EA205", "warning", "joblib")] * 2
    attributes = serve.of("distribution")["joblib"].attributes
    assert attributes["modified"] == ["joblib/hashing.py"]
    assert attributes["missing_files"] == ["joblib/disk.py"]


@pytest.fixture
def moving(engine: Any, plain: str) -> Iterator[str]:
    """A tag that a test may move."""
    name = "envaudit-test-moving:1"
    engine.tag(plain, name)
    yield name
    engine.remove_image(name)


def test_a_tag_that_was_built_again(engine: Any, build: Build, plain: str, moving: str) -> None:
    train = store.loads(store.dumps(take(moving)).encode(), "train.json")
    assert not {"EA602", "EA603"} & findings(train, moving).keys()
    engine.tag(build("hygiene-user", f"FROM {plain}\nUSER 0:0\n"), moving)
    finding = findings(train, f"image://docker.io/library/{moving}")["EA603"]
    assert finding.severity == "warning"
    assert finding.train == engine.inspect_image(plain)["Id"]
    assert finding.serve == engine.inspect_image(moving)["Id"]
    # The fix: docker tag IMAGE NAME.
    command, verb, image, name = finding.fix.split()
    assert (command, verb, name) == ("docker", "tag", moving)
    engine.tag(image, name)
    assert not {"EA602", "EA603"} & findings(train, moving).keys()


def test_what_pins_an_image(engine: Any, plain: str, elsewhere: Snapshot) -> None:
    identity = engine.inspect_image(plain)["Id"]
    named = findings(elsewhere, plain)["EA602"]
    assert (named.severity, named.serve) == ("note", f"{plain} (no digest)")
    assert named.fix.startswith(f"docker push {plain} ")
    for pinned in (identity, identity.removeprefix("sha256:")[:12]):
        assert "EA602" not in findings(elsewhere, f"image://{pinned}")


def test_a_tag_in_a_registry(engine: Any, build: Build, plain: str, elsewhere: Snapshot, tmp_path: Path) -> None:
    tool("docker-registry")
    with registry(tool("docker-registry"), tmp_path / "registry") as host:
        name = f"{host}/fraud"

        def push(image: str) -> None:
            engine.tag(image, f"{name}:1.2")
            assert "error" not in engine.push(name, tag="1.2")

        try:
            push(plain)
            before = findings(elsewhere, f"{name}:1.2")["EA602"]
            train = take(f"{name}:1.2")
            push(build("hygiene-user", f"FROM {plain}\nUSER 0:0\n"))
            moved = findings(train, f"{name}:1.2")["EA603"]
            assert (moved.train, moved.severity) == (train.of("image")["config"].attributes["digest"], "warning")
            assert moved.serve != moved.train
            assert findings(train, f"registry://{name}:1.2")["EA603"] == moved
            # The fix of either names what training had, and an engine finds it there.
            assert before.fix == moved.fix == f"Deploy {name}@{moved.train}"
            again = findings(train, moved.fix.removeprefix("Deploy "))
            assert not {"EA602", "EA603"} & again.keys()
        finally:
            engine.remove_image(f"{name}:1.2")
            for left in engine.images(name=name):
                engine.remove_image(next(text for text in left["RepoDigests"] if text.startswith(name)))


def test_nothing_of_it_fails_a_build(plain: str, tmp_path: Path) -> None:
    """Notes only, each of one line."""
    assert envaudit("snapshot", plain, "-o", "train.json", cwd=tmp_path).returncode == 0
    document = json.loads((tmp_path / "train.json").read_text())
    del document["components"]["image"]
    document["target"] = {"kind": "venv", "reference": ".venv"}
    (tmp_path / "train.json").write_text(json.dumps(document))
    done = envaudit("compare", "train.json", plain, "--fail-on", "warning", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"EA602  image reference  absent -> {plain}" in done.stdout
    assert "EA604  image user  absent -> root" in done.stdout
