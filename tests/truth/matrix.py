"""Makes the load matrix: the files of every environment, and what every environment says to every file."""

from __future__ import annotations

import concurrent.futures
import hashlib
import itertools
import json
import operator
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from tests.truth import archive
from tests.truth.recipes import RECIPES, ROOT

FILES = ROOT / "files"
OUTCOMES = ROOT / "outcomes"
INSIDE = Path(__file__).parent / "inside"
LIMIT = 20.0  # seconds for one load with its calls
AT_ONCE = 2

# One thread each: two environments work at the same time, and a fork must not inherit a thread pool.
QUIET = {
    "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore",
    "PYTHONDONTWRITEBYTECODE": "",
}  # fmt: skip
Row = tuple[str, str, str, str, str]  # file name, kind, error, message, method


def make_files(names: Sequence[str]) -> None:
    """Fit and save everything in those of the environments whose files are missing or of other scripts than these."""
    archive.unpack(FILES, names)
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        for name, said in zip(names, pool.map(_make_files, names), strict=True):
            if said:
                print(f"{name}: {said}", file=sys.stderr, flush=True)


def _make_files(name: str) -> str:
    folder = FILES / name
    scripts = _scripts(_makers(name))
    if (folder / ".complete").exists() and (folder / ".complete").read_text() == scripts:
        return ""
    fresh = FILES / f".{name}"  # so that nobody finds a half-made folder
    shutil.rmtree(fresh, ignore_errors=True)
    command = [*_python(name), str(_script(name, "maker")), str(fresh)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=_environ())
    if done.returncode:
        raise RuntimeError(f"{name}: the maker ended with {done.returncode}\n{done.stderr[-3000:]}")
    _try_at_home(name, fresh)
    (fresh / ".complete").write_text(scripts)
    shutil.rmtree(folder, ignore_errors=True)
    fresh.rename(folder)
    return done.stdout.strip().splitlines()[-1]


def _try_at_home(name: str, folder: Path) -> None:
    """Drop what is not fine where it was made, and mark what answers differently from run to run."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    runs = [{row[0]: row for row in dict(_load(name, [folder]))[folder]} for _ in range(2)]
    for file in manifest["files"]:
        kinds = {run[file["name"]][1] for run in runs}
        # A function of the training script is broken in every other process: that is its truth, so it stays.
        if kinds & {"load_error", "predict_error"} and file["library"] != "main":
            file["dropped"] = True
        elif "different" in kinds:
            file["unstable"] = True
    path.write_text(json.dumps(manifest))


def make_outcomes(names: Sequence[str]) -> None:
    """Load the files of all these environments in all these of the same part, where that was not done yet."""
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        for _ in pool.map(lambda serve: _make_outcomes(serve, alike(serve, names)), names):
            pass


def alike(serve: str, names: Iterable[str]) -> list[str]:
    """Those environments that are of the same part as one of them."""
    return [name for name in names if RECIPES[name].part == RECIPES[serve].part]


def _make_outcomes(serve: str, names: Sequence[str]) -> None:
    scripts = _scripts(_loaders(serve))
    keys = {train: f"{scripts} {_manifest(train)}" for train in names}
    missing = [train for train in names if _key(_path(train, serve)) != keys[train]]
    if not missing:
        return
    for folder, rows in _load(serve, [FILES / train for train in missing]):
        train = folder.name
        path = _path(train, serve)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(line) + "\n" for line in [keys[train], *rows]))
    print(f"{serve}: loaded the files of {len(missing)} environments", file=sys.stderr, flush=True)


def _path(train: str, serve: str) -> Path:
    return OUTCOMES / serve / f"{train}.jsonl"


def _key(path: Path) -> str:
    if not path.exists():
        return ""
    with path.open() as stream:
        return str(json.loads(stream.readline()))


def complete(serve: str, names: Sequence[str]) -> bool:
    """Whether an environment has said what it says to the files of all these."""
    return all(_path(train, serve).exists() for train in names)


def rows(train: str, serve: str) -> list[Row]:
    """What was found for one pair on this machine; empty where it was not loaded."""
    path = _path(train, serve)
    return [tuple(json.loads(line)) for line in path.read_text().splitlines()[1:]] if path.exists() else []


def _load(serve: str, folders: Iterable[Path]) -> Iterator[tuple[Path, list[Row]]]:
    """What one environment says to the files of others, folder by folder as they are done."""
    with tempfile.TemporaryFile("w+") as jobs:
        jobs.write("".join(f"{folder}\n" for folder in folders))
        jobs.seek(0)
        command = [*_python(serve), str(_script(serve, "loader")), str(LIMIT)]
        with subprocess.Popen(command, stdin=jobs, stdout=subprocess.PIPE, text=True, env=_environ()) as loader:
            assert loader.stdout
            lines = map(json.loads, loader.stdout)
            for folder, rows in itertools.groupby(lines, key=operator.itemgetter(0)):
                yield Path(folder), [tuple(row[1:]) for row in rows]
    if loader.returncode:
        raise RuntimeError(f"{serve}: the loader ended with {loader.returncode}")


def _python(name: str) -> list[str]:
    return ["nice", "-n", "10", str(RECIPES[name].python)]


def _environ() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")} | QUIET


def _script(name: str, work: str) -> Path:
    """The script that does this work (``maker`` or ``loader``) in an environment: that of its part, if it has one."""
    own = INSIDE / f"parts/{RECIPES[name].part}_{work}.py"
    return own if own.exists() else INSIDE / f"{work}.py"


def _loaders(name: str) -> list[Path]:
    """The scripts that the outcomes in an environment depend on."""
    own = sorted(INSIDE.glob(f"parts/{RECIPES[name].part}_*.py"))
    return [INSIDE / "loader.py", INSIDE / "values.py", *(path for path in own if "_maker" not in path.name)]


def _makers(name: str) -> list[Path]:
    """The scripts that the files of an environment depend on."""
    common = sorted(path for path in INSIDE.glob("*.py") if path.name != "loader.py")
    own = sorted(INSIDE.glob(f"parts/{RECIPES[name].part}_*.py"))
    return common + [path for path in own if not path.name.endswith("_loader.py")]


def _manifest(name: str) -> str:
    return hashlib.sha256((FILES / name / "manifest.json").read_bytes()).hexdigest()[:16]


def _scripts(paths: Iterable[Path]) -> str:
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()[:16]
