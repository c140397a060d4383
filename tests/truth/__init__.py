"""The load matrix: real environments, real model files, and what really happened when each was loaded everywhere else.

    python -m tests.truth build [--env NAME ...]   makes what is missing: environments, files, outcomes
    python -m tests.truth prepare                  the environments and the files only: enough for a benchmark
    python -m tests.truth show                     prints outcome counts (see --help)

The first part of the matrix is that of scikit-learn and what stands beside it; `--part catboost` and `--part torch` are
the others, small ones with environments of their own.

Everything heavy lives in `.truth/` at the repository root (not in git): `environments/NAME` are virtual environments,
`files/NAME` the files that were saved there. What happened is kept in `fixtures/truth/`, and so are the files, in one
archive for each part that is unpacked when they are first asked for: a benchmark needs no refit and no load. It asks:

    from tests import truth

    environments = truth.environments("scikit-learn")      # {"1.5.2": Environment(python, held_out, packages), ...}
    for train in environments:
        for file in truth.files(train):                    # File(name, path, loader, klass, library, calls)
            for serve in environments:
                outcome = truth.outcomes(train, serve).get(file.name)  # None: was not loaded there
                if truth.is_held_out(train, serve, file):  # count it, never look at it
                    ...

`Outcome.kind` is "fine", "different", "predict_error" or "load_error"; `error` is the exception's class ("SIGSEGV" and
"timeout" for a crash and a hang), `message` its first line, `method` the call that failed or answered differently.
A call that the serving class does not offer at all is not made, for the file is not at fault: "fine" with the error
"not offered" and the last such method. Outcomes in the file's own environment (train == serve) are there too, and are
"fine" by construction, but for `main.*`: functions of the training script, which no other process has.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path

from tests.truth import archive
from tests.truth.recipes import HELD_OUT_LIBRARIES, PARTS, RECIPES, ROOT, Environment, made, part

__all__ = ["Environment", "File", "Outcome", "environments", "files", "is_held_out", "outcomes"]

FILES = ROOT / "files"


@dataclass(frozen=True)
class File:
    """One model file as it was saved in one environment."""

    name: str  # the same in every environment: "Ridge.array.p5.pkl"
    path: Path
    loader: str  # "pickle.load", "joblib.load", "torch.load", "torch.load(weights_only=False)" or "torch.jit.load"
    klass: str  # "sklearn.linear_model._ridge.Ridge"
    library: str  # "sklearn", "pandas", "numpy", "scipy", "xgboost", "lightgbm", "imblearn", "torch", ...
    calls: tuple[str, ...]  # what a loaded object is asked for: "predict", "transform", "()", "value", ...


@dataclass(frozen=True)
class Outcome:
    """What happened to one file in one environment."""

    kind: str
    error: str = ""
    message: str = ""
    method: str = ""


def environments(chosen: str = PARTS[0]) -> dict[str, Environment]:
    """The environments of one part of the matrix that are made on this machine, oldest first."""
    return {name: environment for name, environment in made().items() if RECIPES[name].part == chosen}


@functools.cache
def files(env: str) -> list[File]:
    """The files that were saved in an environment; those that were not fine at home are not among them."""
    archive.unpack(FILES, part(RECIPES[env].part))
    manifest = json.loads((FILES / env / "manifest.json").read_text())
    return [
        File(
            item["name"], FILES / env / item["path"], item["loader"], item["class"], item["library"],
            tuple(probe["call"] for probe in item["probes"]),
        )
        for item in manifest["files"]
        if not item.get("dropped")
    ]  # fmt: skip


def is_held_out(train: str, serve: str, file: File) -> bool:
    """Whether an outcome is set aside for measurement (docs/truth.md)."""
    return RECIPES[train].held_out or RECIPES[serve].held_out or file.library in HELD_OUT_LIBRARIES


def outcomes(train: str, serve: str) -> dict[str, Outcome]:
    """What happened to the files of one environment in another, by file name."""
    from tests.truth.record import load

    return load().get((train, serve), {})
