"""Images that are not run: what they say agrees with what happens in them, also where nothing in them can be run."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from envaudit.errors import EngineError
from envaudit.evidence import Options
from envaudit.model import Json
from envaudit.take import take
from tests.engine.conftest import REQUIRED, Build
from tests.engine.test_probe import trained
from tests.environments import envaudit
from tests.images.conftest import registry, skopeo, tool

__all__ = ["registry", "skopeo", "tool", "trained"]

pytestmark = [pytest.mark.engine, pytest.mark.xdist_group("engine")]
Leftovers = Callable[[], list[str]]

FOREIGN = "envaudit-base:foreign"


@pytest.fixture(scope="session")
def saved(old: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What ``docker save`` makes of the image with scikit-learn 1.3."""
    path = tmp_path_factory.mktemp("static") / "fraud.tar"
    subprocess.run(["docker", "save", "--output", path, old], check=True)
    return path


def audited(target: str, model: str, cwd: Path, *options: str) -> tuple[int, Json]:
    """Exit code, findings and verdicts of a comparison, without what names the target or that it was not run."""
    done = envaudit("compare", "train.json", target, "--model", model, "--format", "json", *options, cwd=cwd)
    assert done.returncode in (0, 1), done.stderr
    found = json.loads(done.stdout)
    verdicts = [{key: value for key, value in item.items() if key != "target"} for item in found["verdicts"]]
    findings = [item for item in found["findings"] if item["code"] not in ("EA602", "EA603")]  # on the image's name
    return done.returncode, json.loads(json.dumps([findings, verdicts]).replace(target, "TARGET"))


@pytest.mark.parametrize("model", ["forest.joblib", "scaler.joblib"])
def test_findings_and_verdicts_are_those_of_the_running_container(
    model: str, trained: Path, old: str, saved: Path, registry: str, skopeo: Any, start: Any, leftovers: Leftovers
) -> None:
    running = start(old, "python", "-c", "import time; time.sleep(600)")
    code, live = audited(f"container://{running}", model, trained)
    assert code == (1 if model == "forest.joblib" else 0)
    assert live[1][0]["load"] == ("no" if model == "forest.joblib" else "yes")
    skopeo(f"docker-archive:{saved}", f"docker://{registry}/fraud:1.2", "--dest-tls-verify=false")
    skopeo(f"docker-archive:{saved}", f"oci:{saved.parent}/layout:1.2")
    for target in (str(saved), f"registry://{registry}/fraud:1.2", f"{saved.parent}/layout", f"image://{old}"):
        static = ("--static",) if target.startswith("image") else ()
        assert audited(target, model, trained, *static) == (code, live), target
    assert leftovers() == []


def test_without_an_engine(trained: Path, saved: Path, registry: str, skopeo: Any) -> None:
    """Nothing asks for one: DOCKER_HOST names a socket that is not there."""
    skopeo(f"docker-archive:{saved}", f"docker://{registry}/alone:1", "--dest-tls-verify=false")
    env = {"DOCKER_HOST": "unix:///nonexistent/docker.sock"}
    for target in (str(saved), f"registry://{registry}/alone:1"):
        done = envaudit("compare", "train.json", target, "--model", "forest.joblib", cwd=trained, env=env)
        assert done.returncode == 1, done.stderr
        assert "node array from the pickle has an incompatible dtype" in " ".join(done.stdout.split())


def test_no_python_in_it(build: Build, trained: Path, leftovers: Leftovers) -> None:
    release = 'ID="x"\nVERSION_ID="1"\n'
    tag = build("nopython", "FROM scratch\nCOPY os-release /etc/os-release\n", {"os-release": release})
    snapshot = take(tag)
    assert snapshot.of("os")["release"].version == "1"
    assert {gap.reason for gap in snapshot.gaps if gap.kind in ("python", "distribution", "libc")} == {
        "no Python found in it (tried python3, python); --python PATH names one"
    }
    done = envaudit("compare", "train.json", tag, cwd=trained)
    assert done.returncode == 1
    assert "ERROR EA101  Python" in done.stdout
    assert leftovers() == []


@pytest.fixture(scope="session")
def foreign(engine: Any, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An image for another architecture, with that architecture's wheels of scikit-learn 1.3."""
    images = engine.images(name=FOREIGN)
    if not images:
        reason = f"the engine lacks {FOREIGN}; .ci/engine.sh makes it"
        pytest.fail(reason) if os.environ.get(REQUIRED) else pytest.skip(reason)
    machine = "aarch64" if engine.inspect_image(FOREIGN)["Architecture"] == "arm64" else "x86_64"
    tag = f"envaudit-test/foreign-wheels:{images[0]['Id'][7:19]}"
    if not engine.images(name=tag):
        site = tmp_path_factory.mktemp("foreign")
        pins = ("scikit-learn==1.3.2", "numpy==1.26.4", "scipy==1.11.4", "joblib==1.3.2")
        uv = [str(Path(sys.executable).with_name("uv")), "pip", "install", "-q", "--target", str(site)]
        platform = ["--python-platform", f"{machine}-manylinux_2_28", "--python-version", "3.11"]
        subprocess.run([*uv, *platform, *pins], check=True)
        context = io.BytesIO()
        with tarfile.open(fileobj=context, mode="w") as archive:
            archive.add(site, "site")
            text = f"FROM {FOREIGN}\nCOPY site /usr/local/lib/python3.11/dist-packages\n".encode()
            member = tarfile.TarInfo("Dockerfile")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text))
        context.seek(0)
        for event in engine.build(fileobj=context, custom_context=True, tag=tag, rm=True, decode=True):
            assert "error" not in event, event
    return tag


def test_another_architecture(foreign: str, trained: Path, engine: Any, leftovers: Leftovers) -> None:
    snapshot = take(foreign)
    machine = {"arm64": "aarch64", "amd64": "x86_64"}[engine.inspect_image(foreign)["Architecture"]]
    assert snapshot.of("machine")["machine"].attributes["architecture"] == machine
    python = snapshot.of("python")["python"]
    assert str(python.version).startswith("3.11.")
    assert python.attributes["abi"] == f"cpython-311-{machine}-linux-gnu"
    assert snapshot.of("distribution")["scikit-learn"].version == "1.3.2"
    assert not snapshot.of("distribution")["scikit-learn"].attributes.get("modified")
    assert len(snapshot.of("os-package")) > 100
    code, (findings, verdicts) = audited(foreign, "forest.joblib", trained)
    assert code == 1
    assert {"EA304", "EA904"} <= {item["code"] for item in findings}
    assert verdicts[0]["load"] == "no"
    assert leftovers() == []


def test_a_platform_that_the_engine_does_not_have(old: str) -> None:
    why = rf"^{old}: the local engine has it for linux/.*, not for linux/s390x; docker pull --platform"
    with pytest.raises(EngineError, match=why):
        take(old, Options(platform="linux/s390x"))
    host = take(old).of("image")["config"].attributes["architecture"]
    assert take(old, Options(platform=f"linux/{host}")).of("python")


def test_two_tags_of_one_name(old: str, new: str, registry: str, skopeo: Any) -> None:
    for tag, image in (("1.2", old), ("1.3", new)):
        skopeo(f"docker-daemon:{image}", f"docker://{registry}/tags:{tag}", "--dest-tls-verify=false")
    done = envaudit("compare", f"registry://{registry}/tags:1.2", f"registry://{registry}/tags:1.3")
    assert done.returncode == 1
    assert "EA201  scikit-learn  1.3.2 -> 1.6.1" in done.stdout


def test_one_of_several_images_in_an_archive(old: str, new: str, tmp_path: Path) -> None:
    path = tmp_path / "both.tar"
    subprocess.run(["docker", "save", "--output", path, old, new], check=True)
    done = envaudit("snapshot", str(path))
    assert done.returncode == 2
    assert old in done.stderr
    assert new in done.stderr
    assert take(f"{path}#{new}").of("distribution")["scikit-learn"].version == "1.6.1"


def test_an_exported_container_and_a_folder(old: str, engine: Any, tmp_path: Path) -> None:
    path, root = tmp_path / "export.tar", tmp_path / "root"
    container = engine.create_container(old, ["true"])["Id"]
    try:
        with path.open("wb") as stream:
            stream.writelines(engine.export(container))
    finally:
        engine.remove_container(container)
    root.mkdir()
    subprocess.run(["tar", "-C", root, "--exclude=dev/*", "-xf", path], check=True)
    options = Options(python="/opt/venv/bin/python")
    of_archive, of_folder, of_image = take(str(path), options), take(str(root), options), take(old, options)
    assert (of_archive.target.kind, of_folder.target.kind) == ("archive", "root")
    assert of_archive.components == of_folder.components
    assert of_archive.gaps == of_folder.gaps
    same = of_archive.components.keys() & of_image.components.keys()
    assert {kind: of_archive.components[kind] for kind in same} == {kind: of_image.components[kind] for kind in same}
    assert of_image.components.keys() - same == {"image", "kernel", "setting"}
    unseen = {gap.kind: gap.reason for gap in of_archive.gaps}
    assert unseen["setting"] == "a root file system tells neither settings nor devices"
