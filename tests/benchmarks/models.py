"""Model files: what reading one costs beside really loading it, and beside tools that scan pickles."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.benchmarks.measure import Figure, Row, once
from tests.benchmarks.places import installed

TRAIN = ("scikit-learn", "joblib")
SERVE = ("scikit-learn==1.5.2", "joblib==1.4.2")
"""Where the small model is to be served: one of the releases that most installations still have."""

MAKE = """
import pickle, sys
import joblib, numpy
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

random = numpy.random.default_rng(0)
x, y = random.random((9700, 4)).astype("float32"), random.integers(0, 100, 9700)
# Labels that nothing explains, and many of them: the leaves are pure only when they are small, and each is wide.
joblib.dump(RandomForestClassifier(100, max_features=1, random_state=0, n_jobs=-1).fit(x, y), "forest.joblib")
small = make_pipeline(StandardScaler(), LogisticRegression()).fit(x[:200], y[:200] % 2)
joblib.dump(small, "small.joblib")
joblib.dump(HistGradientBoostingClassifier(max_iter=5).fit(x[:200], y[:200] % 2), "other.joblib")
with open("small.pkl", "wb") as stream:
    pickle.dump(small, stream)
"""
"""A forest of 100 trees of 10 MB each, fitted in a quarter of a minute, and a small model, as people save them."""

FRAME = """
import json, sys, time
{imports}
path = sys.argv[2]
{work}
path = sys.argv[1]
start = time.process_time()
{work}
cpu = time.process_time() - start
peak = next(int(line.split()[1]) / 1000 for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(json.dumps([cpu, peak, sorted(found), said]))
"""
IMPORTS_ENVAUDIT = "from envaudit.artifacts import read"
ENVAUDIT = """
found, said = {str(item) for item in read(path).globals}, ""
"""
IMPORTS_JOBLIB = """
import joblib.numpy_pickle, sklearn.ensemble

class Recording(joblib.numpy_pickle.NumpyUnpickler):
    def find_class(self, module, name):
        found.add(f"{module}.{name}")
        return super().find_class(module, name)

joblib.numpy_pickle.NumpyUnpickler = Recording
"""
JOBLIB = """
found, said = set(), ""
joblib.load(path)
"""
IMPORTS_PICKLESCAN = "from picklescan.scanner import scan_file_path"
PICKLESCAN = """
result = scan_file_path(path)
found = {f"{item.module}.{item.name}" for item in result.globals}
said = f"{result.infected_files} infected, " + ("error flag set" if result.scan_err else "no error")
"""
IMPORTS_FICKLING = """
import logging
from fickling.analysis import check_safety
from fickling.fickle import StackedPickle
"""
FICKLING = """
with open(path, "rb") as stream:
    pickles = StackedPickle.load(stream, fail_on_decode_error=False)
found = {f"{item.module}.{name.name}" for one in pickles for item in one.properties.imports for name in item.names}
said = ", ".join(check_safety(one).severity.name for one in pickles)
"""
"""As its command line reads a file: what cannot be decoded is left out without a word."""
PEERS = {"picklescan": (IMPORTS_PICKLESCAN, PICKLESCAN), "fickling": (IMPORTS_FICKLING, FICKLING)}


class Reading(NamedTuple):
    """What it cost to read a file in a process that has read another one, a small one, and what was found."""

    cpu: float
    megabytes: float  # the process at its largest
    found: frozenset[str]
    said: str


def reading(python: Path, imports: str, work: str, path: Path, runs: int = 3) -> Reading:
    """The cheapest of several processes that read a file; the peak is the largest of them."""
    program = FRAME.format(imports=imports, work=work)
    results = []
    for _ in range(runs):
        first = path.with_name("small.pkl")  # what is imported with the first file is not what a file costs
        done = subprocess.run([python, "-c", program, path, first], capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(done.stderr)
        cpu, peak, found, said = json.loads(done.stdout.splitlines()[-1])
        results.append(Reading(cpu, peak, frozenset(found), said))
    return min(results)._replace(megabytes=max(item.megabytes for item in results))


def models(envaudit: str, folder: Path) -> Iterator[Row | Figure | str]:
    """All figures about model files; the large file is gone when this returns."""
    train = installed(folder / "train", *TRAIN) / "python"
    peers = {
        "picklescan": installed(folder / "picklescan", "picklescan") / "python",
        "fickling": installed(folder / "fickling", "fickling", "typing-extensions") / "python",
    }
    own = Path(envaudit).with_name("python")
    with tempfile.TemporaryDirectory(dir=folder) as place:
        subprocess.run([train, "-c", MAKE], check=True, cwd=place)
        for name in ("forest.joblib", "small.joblib", "small.pkl"):
            yield from _one(Path(place, name), own, train, peers)
        yield from _probes(envaudit, folder, Path(place, "small.joblib"), Path(place, "other.joblib"))


def _one(path: Path, own: Path, train: Path, peers: dict[str, Path]) -> Iterator[Row | Figure | str]:
    large = path.name == "forest.joblib"
    size = path.stat().st_size
    what = f"{path.name} of {size / 1e9:.2f} GB" if large else f"{path.name} of {size / 1e3:.1f} kB"
    loaded = reading(train, IMPORTS_JOBLIB, JOBLIB, path)
    read = reading(own, IMPORTS_ENVAUDIT, ENVAUDIT, path)
    yield Row(f"read {what}", read.cpu, "joblib.load", loaded.cpu, goal=0.1 if large else None)
    if large:
        yield Figure(f"read {what}, memory", read.megabytes, "MB", f"joblib.load {loaded.megabytes:.0f} MB", limit=150)
    tools = {"envaudit": read}
    for name, python in peers.items():
        imports, work = PEERS[name]
        tools[name] = reading(python, imports, work, path)
        yield Row(f"read {what}", read.cpu, name, tools[name].cpu)
    for name, tool in tools.items():
        named = len(tool.found & loaded.found)
        text = f"  {name} names {named} of the {len(loaded.found)} globals that a real load looks up"
        if wrong := len(tool.found - loaded.found):
            text += f", and {wrong} that it does not"
        yield f"{text}; {tool.megabytes:.0f} MB" + (f"; says: {tool.said}" if tool.said else "")


def _probes(envaudit: str, folder: Path, small: Path, other: Path) -> Iterator[Figure]:
    """A verdict from nothing, and again: whatever envaudit keeps between two runs lies in a folder of its own here."""
    serve = installed(folder / "serve", *SERVE).parent
    runs = {"cold": small, "warm": small, "of another model on a warm target": other, "of that one again": other}
    found: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(5):
        cache = folder / f"cache-{number}"
        for name, model in runs.items():
            command = ["env", f"ENVAUDIT_CACHE={cache}", envaudit, "probe", str(model), "--in", str(serve)]
            found[name].append(once(command, codes=(0, 1)).cpu)
    files = [path.stat().st_size for path in folder.glob("cache-0/**/*") if path.is_file()]
    kept = f"{len(files)} files, {sum(files) / 1e3:.0f} kB are kept"
    limits = (2, 0.5, 2, 0.5)
    for (name, costs), limit, note in zip(found.items(), limits, ("", "", "", kept), strict=True):
        yield Figure(f"probe MODEL --in VENV, {name} (CPU)", min(costs), "s", note, limit=limit)
