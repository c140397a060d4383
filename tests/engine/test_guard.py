"""A model written with ``envaudit.dump``, copied alone into containers: refused by its own snapshot before it is loaded
where the environment is another one, served where it fits."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.embedding.places import ROOT, SERVE, TRAIN, trained
from tests.engine.conftest import BASES, pip_settings, serving
from tests.environments import UV, envaudit

pytestmark = [pytest.mark.engine, pytest.mark.network, pytest.mark.xdist_group("engine")]
Serve = Callable[[str, Path, str], tuple[int, str]]

SERVICE = """
import sys, envaudit
try:
    envaudit.verify("/model.joblib")
except envaudit.EnvironmentSkewError as error:
    print("refused:", error, "joblib" in sys.modules)
    sys.exit(7)
import joblib
print("served:", joblib.load("/model.joblib").predict([[0, 1, 2, 3]]).shape)
"""


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def images(build: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An image whose packages are training's, and one that has others; envaudit is in both."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([UV, "build", "--quiet", "--wheel", "-o", str(folder), str(ROOT)], check=True)
    wheel = next(folder.glob("*.whl"))
    found = {}
    for name, packages in {"fits": TRAIN, "differs": SERVE}.items():
        # The layer with the packages stays when envaudit changes.
        head, _, tail = serving(BASES[0], *packages).partition(" \\\n && rm -r /build\n")
        more = f"COPY {wheel.name} /build/\nRUN PIP_CONFIG_FILE=/build/pip.conf python3 -m pip"
        install = f"{more} --python /opt/venv/bin/python install --no-cache-dir /build/{wheel.name} && rm -r /build\n"
        files = {**pip_settings(), wheel.name: wheel.read_bytes()}
        found[name] = build(f"guard-{name}", f"{head}\n{install}{tail}", files)
    return found


@pytest.fixture
def serve(engine: Any) -> Serve:
    """``serve(image, model, code)``: what code says in a container without network, into which the model alone is
    copied; its exit code first."""

    def serve(image: str, model: Path, code: str) -> tuple[int, str]:
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            archive.add(model, "model.joblib")
        host = engine.create_host_config(network_mode="none")
        container = engine.create_container(image, ["python", "-c", code], host_config=host)["Id"]
        try:
            engine.put_archive(container, "/", packed.getvalue())
            engine.start(container)
            status = engine.wait(container)["StatusCode"]
            return int(status), engine.logs(container).decode()
        finally:
            engine.remove_container(container, force=True)

    return serve


COMMAND = "import sys; from envaudit.__main__ import main; sys.argv[1:] = ['verify', '/model.joblib']; sys.exit(main())"


def test_a_model_is_refused_where_other_packages_are(images: dict[str, str], models: Path, serve: Serve) -> None:
    code, said = serve(images["differs"], models / "boosting.joblib", COMMAND)
    assert code == 1, said
    assert said.startswith("FAIL  ")
    assert "node array from the pickle has an incompatible dtype" in " ".join(said.split())
    assert "pip install 'scikit-learn==1.4.2'" in said
    code, said = serve(images["differs"], models / "boosting.joblib", SERVICE)
    assert code == 7, said
    assert said.startswith("refused: /model.joblib: EA")
    assert said.endswith(" False\n")


def test_it_is_served_where_the_environment_fits(images: dict[str, str], models: Path, serve: Serve) -> None:
    code, said = serve(images["fits"], models / "boosting.joblib", COMMAND)
    assert code == 0, said
    assert serve(images["fits"], models / "boosting.joblib", SERVICE) == (0, "served: (1,)\n")


def test_a_model_that_survives_the_other_packages_is_served_with_them(
    images: dict[str, str], models: Path, serve: Serve
) -> None:
    code, said = serve(images["differs"], models / "bayes.joblib", SERVICE)
    assert (code, said.splitlines()[-1]) == (0, "served: (1,)")


def test_one_file_and_one_image_are_all_that_ci_needs(images: dict[str, str], models: Path) -> None:
    done = envaudit("compare", str(models / "boosting.joblib"), images["differs"])
    assert done.returncode == 1, done.stderr
    assert "will not load" in " ".join(done.stdout.split())
    assert envaudit("compare", str(models / "boosting.joblib"), images["fits"]).returncode == 0
    static = envaudit("compare", str(models / "boosting.joblib"), images["differs"], "--static")
    assert static.returncode == 1


def test_a_sample_of_training_is_answered_in_the_image(images: dict[str, str], models: Path, tmp_path: Path) -> None:
    model = tmp_path / "bayes.joblib"
    model.write_bytes((models / "bayes.joblib").read_bytes())
    done = envaudit("embed", str(model), images["fits"], "--sample", str(models / "X.npy"))
    assert done.returncode == 0, done.stderr
    done = envaudit("verify", str(model), "--in", images["differs"], "--run", "--format", "json")
    verdict = json.loads(done.stdout)["verdicts"][0]
    assert [verdict["same"], verdict["hows"]["same"]] == ["yes", "executed"]
