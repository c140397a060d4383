"""``envaudit.verify`` in a service: the first call with nothing kept, the first with everything kept, and the next."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks.measure import Figure, Row
from tests.benchmarks.places import ROOT, installed

SERVE = (
    *"scikit-learn pandas mlflow fastapi uvicorn httpx requests rich typer black isort boto3 httptools".split(),
    *"websockets orjson ujson tenacity structlog prometheus-client redis tqdm tabulate jsonschema toolz".split(),
    *"filelock platformdirs psutil email-validator python-multipart pytest sphinx".split(),
)
"""About 150 distributions with what they pull in: what an image that serves a model with MLflow has."""

TRAIN = """
import numpy, pandas
from sklearn.compose import make_column_transformer
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
import envaudit

random = numpy.random.default_rng(0)
x = random.random((2000, 8))
y = (x.sum(1) > 4).astype(int)
frame = pandas.DataFrame(x, columns=list("abcdefgh")).assign(kind=numpy.where(y, "u", "v"))
numbers = make_pipeline(SimpleImputer(), StandardScaler())
columns = make_column_transformer((numbers, list("abcdefgh")), (OneHotEncoder(), ["kind"]))
envaudit.dump(make_pipeline(StandardScaler(), GradientBoostingClassifier()).fit(x, y), "boosting.joblib")
envaudit.dump(RandomForestClassifier(100).fit(x, y), "forest.joblib")
envaudit.dump(make_pipeline(columns, LogisticRegression()).fit(frame, y), "columns.joblib")
"""
TIMED = """
import json, sys, time
seconds = []
for _ in range(int(sys.argv[1])):
    start = time.process_time()
    {work}
    seconds.append(time.process_time() - start)
print(json.dumps([seconds[0], min(seconds[1:], default=None)]))
"""
VERIFY = "import envaudit; envaudit.verify(sys.argv[2])"
LISTING = (
    "import importlib.metadata\n"
    "    for item in importlib.metadata.distributions(): item.metadata['Name'], item.version, item.read_text('RECORD')"
)
"""The floor: whoever looks at the same distributions at all reads their metadata."""


def timed(python: Path, work: str, calls: int, cache: Path, *arguments: str) -> tuple[float, float]:
    """Seconds of CPU in a process of its own: the first of several calls, with what it imports, and the least of the
    others (infinite where there are none). Nothing is waited for, so with a core of one's own it is the wall time."""
    done = subprocess.run(
        [python, "-c", TIMED.format(work=work), str(calls), *arguments],
        capture_output=True, text=True, check=True, env={**os.environ, "ENVAUDIT_CACHE": str(cache)},
    )  # fmt: skip
    first, others = json.loads(done.stdout)
    return first, others or float("inf")


def guard(folder: Path, runs: int = 5) -> Iterator[Row | Figure | str]:
    """All figures about ``verify``, each the least of several processes that take turns."""
    python = installed(folder / "serve", *SERVE, str(ROOT)) / "python"
    subprocess.run([python, "-c", TRAIN], check=True, cwd=folder)
    count = len(list(folder.glob("serve/lib/*/site-packages/*.dist-info")))
    listings, found = [], dict[str, list[tuple[float, float, float]]]()
    for number in range(runs):
        for name in ("boosting", "forest", "columns"):
            model, cache = str(folder / f"{name}.joblib"), folder / f"cache-{name}-{number}"
            cold, _ = timed(python, VERIFY, 1, cache, model)
            first, others = timed(python, VERIFY, 8, cache, model)
            found.setdefault(name, []).append((cold, first, others))
        listings.append(timed(python, LISTING, 8, folder))
    first_listing, listing = (min(times) for times in zip(*listings, strict=True))
    for name, times in found.items():
        cold, first, others = (min(one) for one in zip(*times, strict=True))
        what = f"verify {name}, {count} distributions"
        yield Figure(f"{what}, nothing kept (CPU)", cold, "s", limit=1, held=2)
        yield Row(f"{what}, first call", first, "importlib.metadata, first", first_listing)
        yield Figure(f"{what}, next call (CPU)", others * 1000, "ms", limit=100, held=200)
        yield Row(f"{what}, next call", others, "importlib.metadata, again", listing)
