"""Run all benchmarks, print the table, exit 1 where a figure got worse than what is held."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from envaudit import store
from tests.benchmarks.embedding import embedding
from tests.benchmarks.guard import guard
from tests.benchmarks.images import images
from tests.benchmarks.measure import Row, load, together
from tests.benchmarks.models import models
from tests.benchmarks.places import ROOT, installed
from tests.conftest import make_snapshot

SKLEARN = ("scikit-learn", "pandas", "pip")
"""With what they pull in about a dozen distributions; pip is there for its own ``inspect``."""
LARGE = (
    *SKLEARN[:-1],
    *"jupyterlab fastapi[standard] sphinx boto3 seaborn statsmodels plotly mlflow-skinny black pytest-xdist".split(),
    *"requests-oauthlib sqlalchemy alembic dask[complete] nltk typer pip".split(),
)
BUNDLED_PIP = "pip==23.2.1"
"""The pip that ``python -m venv`` of CPython 3.11 brings; newer ones are faster."""
FLOOR = (
    "import importlib.metadata as m\n"
    "for d in m.distributions(): d.metadata['Name'], d.version, d.read_text('RECORD'), d.read_text('INSTALLER')"
)


def start_up(envaudit: str, folder: Path) -> Iterator[Row]:
    """Start-up against ``python -c pass``."""
    before, after = str(folder / "a.json"), str(folder / "b.json")
    store.write(make_snapshot(500), before)
    store.write(make_snapshot(500, serving=True), after)
    costs = together(
        {
            "python": [str(Path(envaudit).with_name("python")), "-c", "pass"],
            "version": [envaudit, "--version"],
            "compare": [envaudit, "compare", before, after],
            "help": [envaudit, "--help"],
        },
        runs=25,
    )
    floor = costs["python"].cpu
    yield Row("envaudit --version", costs["version"].cpu, "python -c pass", floor, goal=1.5)
    yield Row("envaudit compare, 500 packages each", costs["compare"].cpu, "python -c pass", floor, goal=8)
    yield Row("envaudit --help (typer)", costs["help"].cpu, "python -c pass", floor)


def snapshots(envaudit: str, folder: Path, requirements: tuple[str, ...]) -> Iterator[Row]:
    """A snapshot from outside and from inside, against pip, mlenv-cli and plain importlib.metadata."""
    venv = installed(folder / "plain", *requirements).parent
    inside = installed(folder / "inside", *requirements, str(ROOT), "mlenv-cli").parent
    python = str(venv / "bin/python")
    bundled = installed(folder / "bundled", *requirements[:-1], BUNDLED_PIP).parent
    costs = together(
        {
            "outside": [envaudit, "snapshot", str(venv), "-o", "/dev/null"],
            "inside": [str(inside / "bin/envaudit"), "snapshot", "-o", "/dev/null"],
            "pip": [python, "-m", "pip", "inspect"],
            "bundled": [str(bundled / "bin/python"), "-m", "pip", "inspect"],
            "mlenv": [str(inside / "bin/mlenv"), "snapshot", "-o", "/dev/null"],
            "floor": [python, "-c", FLOOR],
        },
        runs=7,
    )
    count = len(list(venv.glob("lib/*/site-packages/*.dist-info")))
    for form in ("inside", "outside"):
        what = f"snapshot of {count} distributions, from {form}"
        cost = costs[form].cpu
        yield Row(what, cost, "pip inspect, newest", costs["pip"].cpu, goal=0.25, held=0.9)
        yield Row(what, cost, f"pip inspect, {BUNDLED_PIP}", costs["bundled"].cpu, goal=0.25, held=0.6)
        yield Row(what, cost, "mlenv snapshot", costs["mlenv"].cpu, goal=1)
        yield Row(what, cost, "importlib.metadata", costs["floor"].cpu)


def container(envaudit: str, image: str = "envaudit-base:bookworm") -> Iterator[Row]:
    """A snapshot of a running container against ``docker exec``, in wall time."""
    docker = shutil.which("docker")
    if (
        docker is None
        or subprocess.run([docker, "image", "inspect", image], capture_output=True, check=False).returncode
    ):
        print(f"container: skipped, no engine with the image {image} here")
        return
    name = "envaudit-bench"
    subprocess.run([docker, "rm", "-f", name], capture_output=True, check=False)
    subprocess.run(
        [docker, "run", "-d", "--name", name, "--network", "none", image, "sleep", "600"],
        check=True,
        capture_output=True,
    )
    try:
        costs = together(
            {
                "envaudit": [envaudit, "snapshot", f"container://{name}", "-o", "/dev/null"],
                "exec": [docker, "exec", name, "python3", "-c", "pass"],
            },
            runs=9,
        )
    finally:
        subprocess.run([docker, "rm", "-f", name], capture_output=True, check=False)
    yield Row(
        "snapshot of a running container (wall)",
        costs["envaudit"].wall,
        "docker exec",
        costs["exec"].wall,
        goal=2,
        held=4.5,
    )


def accuracy() -> None:
    """A sample of right and wrong predictions, where the environments that it takes are on this machine."""
    from tests import truth

    if not truth.environments():
        print("accuracy of predictions: `make truth` makes the environments that it is measured in, and prints it")
        return
    print("\naccuracy of predictions, in a sample of those that `make truth` prints:", flush=True)
    subprocess.run([sys.executable, "-m", "tests.truth.accuracy", "--every", "100", "--held-out"], check=True)


def main() -> int:
    """All figures, or those of the parts that are named; 1 where one got worse."""
    kept = True
    wanted = sys.argv[1:]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        envaudit = str(installed(folder / "tool", f"envaudit[docker] @ {ROOT.as_uri()}") / "envaudit")
        parts = {
            "start": start_up(envaudit, folder),
            "small": snapshots(envaudit, folder / "small", SKLEARN),
            "large": snapshots(envaudit, folder / "large", LARGE),
            "container": container(envaudit),
            "images": images(envaudit, folder / "images"),
            "models": models(envaudit, folder / "models"),
            "guard": guard(folder / "guard"),
            "embedding": embedding(folder / "embedding"),
        }
        for name in wanted or parts:
            for line in parts[name]:
                kept &= isinstance(line, str) or line.kept
                print(line, flush=True)
    print(load())
    if not wanted:
        accuracy()
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
