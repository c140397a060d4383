"""Makes an incident again: both environments, the file, and what really happens to it in each of the two."""

from __future__ import annotations

import json
import math
import os
import resource
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from tests.environments import UV, interpreters
from tests.incidents import HERE, LOADERS, Environment, Incident, environments

ROOT = Path(__file__).resolve().parents[2] / ".truth/incidents"
LIMIT = 120  # seconds for one load with its call, imports included
MEMORY = 8 << 30  # bytes of address space
QUIET = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONHASHSEED": "0", "CUDA_VISIBLE_DEVICES": ""}


class Outcome(NamedTuple):
    """What happened to a file in one environment."""

    kind: str
    """``fine``, ``different``, ``predict_error`` or ``load_error``."""
    error: str = ""
    """The exception's class; a signal's name or ``timeout`` for a process that ended otherwise."""
    message: str = ""
    warned: str = ""
    """The first warning that speaks of versions."""


class Replay(NamedTuple):
    """What happened to the file of an incident where it was made, and where it was served."""

    home: Outcome
    served: Outcome


def python_of(environment: Environment) -> Path:
    """The interpreter of an environment, which is made where it is missing. Raises LookupError without its Python."""
    folder = ROOT / environment.name
    python = folder / "bin/python"
    stamp, said = folder / ".complete", " ".join((environment.python, *environment.packages))
    if stamp.exists() and stamp.read_text() == said:
        return python
    base = interpreters().get(environment.python)
    if base is None:
        raise LookupError(f"Python {environment.python} is not on this machine")
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    _run([UV, "venv", "--quiet", "--python", str(base), str(folder)])
    _run(
        [
            UV,
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            "--only-binary",
            ":all:",
            "--python",
            str(python),
            *environment.packages,
        ]
    )
    stamp.write_text(said)
    return python


def replay(incident: Incident, folder: Path) -> Replay:
    """Make the file of an incident below a folder, and load it at home and where it is served."""
    known = environments()
    path = folder / incident.file
    train, serve = python_of(known[incident.train]), python_of(known[incident.serve])
    with tempfile.TemporaryDirectory() as scratch:
        # Not a file: its name would stand in stored bytecode, the folder before it.
        _run([str(train), "-c", f"import sys\npath = sys.argv[1]\n{incident.make}", str(path)], cwd=scratch)
    home, answer = happens(train, path, incident.home_load or incident.load, incident.call)
    served, other = happens(serve, path, incident.load, incident.call)
    if served.kind == "fine" and home.kind == "fine" and not same(answer, other):
        served = served._replace(kind="different", message=f"{str(answer)[:120]} became {str(other)[:120]}")
    return Replay(home, served)


def happens(python: Path, path: Path, load: str, call: str) -> tuple[Outcome, Any]:
    """What an interpreter makes of a file, and its answer: loaded and called in a process of its own, with limits."""
    job = {"path": str(path), "load": LOADERS.get(load, load), "call": call}
    with tempfile.TemporaryDirectory() as scratch:
        result = Path(scratch, "result")
        try:
            done = subprocess.run(
                [str(python), str(HERE / "inside/loader.py"), str(result)],
                input=json.dumps(job), capture_output=True, text=True, check=False, cwd=scratch, timeout=LIMIT,
                env=_environ(), preexec_fn=_limit,
            )  # fmt: skip
            ended = signal.Signals(-done.returncode).name if done.returncode < 0 else f"exit {done.returncode}"
        except subprocess.TimeoutExpired:
            ended = "timeout"
        lines = [json.loads(line) for line in result.read_text().splitlines()]
    last = lines[-1]
    if isinstance(last, str):  # it died in that phase
        return Outcome(last, ended), None
    answer = last.pop("answer", None)
    return Outcome(**last), answer


def same(one: Any, other: Any) -> bool:
    """Whether two answers agree: numbers closely, everything else exactly."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    numbers = (int, float)
    if isinstance(one, numbers) and isinstance(other, numbers):
        return math.isclose(one, other, rel_tol=1e-6, abs_tol=1e-8) or (one != one and other != other)
    return bool(one == other)


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _environ() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")} | QUIET


def _run(command: list[str], cwd: str | None = None) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd, env=_environ(), timeout=1800)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)[:200]}\n{done.stdout[-1500:]}{done.stderr[-1500:]}")
