"""Recreates silent changes: fits and pickles in one real environment, loads and calls in others, compares the answers.

A *case* is Python source that leaves ``model`` (fitted), ``X`` (what the calls are given; None for calls without an
argument) and ``calls`` (names of methods) behind. It runs on every interpreter since 3.6. :data:`DATA` stands before
each case.
"""

from __future__ import annotations

import json
import math
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

DATA = """
import numpy as np
rng = np.random.RandomState(0)
X = rng.normal(size=(120, 5)) * [1, 2, 3, .5, 1] + [0, 1, 2, 3, 4]
y2 = (X[:, 0] + .5 * X[:, 1] + rng.normal(size=120) * .8 > .5).astype(int)
y3 = y2 + (X[:, 2] > 3)
yr = X.dot([1., 2, -1, 0, .3]) + rng.normal(size=120) * .3
calls = ["predict"]
"""
"""120 rows of 5 features on unlike scales; targets of two and three overlapping classes, and a real one."""

_TOOLS = """
import json, os, pickle, sys, warnings
warnings.simplefilter("ignore")
import numpy as np
def ask(name, calls):
    found = {}
    for call in calls:
        try:
            with open(name + ".pickle", "rb") as file:
                model = pickle.load(file)
            with open(name + ".X", "rb") as file:
                X = json.load(file)
            if X is not None and not (X and isinstance(X[0], (str, dict))):
                X = np.array(X, dtype=float)
            answer = getattr(model, call)() if X is None else getattr(model, call)(X)
            answer = answer.toarray() if hasattr(answer, "toarray") else np.asarray(answer)
            found[call] = {"shape": answer.shape, "values": answer.ravel().tolist()}
        except Exception as error:
            found[call] = {"error": "%s: %s" % (type(error).__name__, error)}
    return found
"""

_TRAIN = """
found = {}
for name, case in json.load(sys.stdin).items():
    space = {}
    try:
        exec(case, space)
    except Exception as error:
        found[name] = {"fit": {"error": "%s: %s" % (type(error).__name__, error)}}
        continue
    X = space["X"]
    with open(name + ".pickle", "wb") as file:
        pickle.dump(space["model"], file, protocol=4)
    with open(name + ".X", "w") as file:
        json.dump(X.tolist() if hasattr(X, "tolist") else X, file)
    found[name] = ask(name, space["calls"])
print(json.dumps(found))
"""

_SERVE = """
print(json.dumps({name: ask(name, calls) for name, calls in json.load(sys.stdin).items()}))
"""

Outcomes = dict[str, dict[str, str]]
"""Case -> call -> ``same``, ``differs ...`` or the error; call ``fit`` where training itself failed."""


def recreate(cases: Mapping[str, str], train: Path, *serve: Path, keep: Path | None = None) -> list[Outcomes]:
    """What happens to each case in each serving environment, against what it answers in the training one.

    Environments are folders of virtual environments. With ``keep``, the files stay there: ``<case>.pickle``.
    """
    with tempfile.TemporaryDirectory() as temporary:
        folder = str(keep or temporary)
        first = _run(train, folder, _TRAIN, {name: DATA + case for name, case in cases.items()})
        fitted = {name: list(answers) for name, answers in first.items() if "fit" not in answers}
        failed = {name: {"fit": answers["fit"]["error"]} for name, answers in first.items() if "fit" in answers}
        return [
            failed
            | {
                name: {call: _compare(first[name][call], answer) for call, answer in answers.items()}
                for name, answers in _run(there, folder, _SERVE, fitted).items()
            }
            for there in serve
        ]


def _run(environment: Path, folder: str, script: str, given: object) -> dict[str, dict[str, Any]]:
    done = subprocess.run(
        [str(environment / "bin/python"), "-c", _TOOLS + script],
        cwd=folder,
        input=json.dumps(given),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answers: dict[str, dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return answers


def _compare(here: dict[str, Any], there: dict[str, Any]) -> str:
    if "error" in here:
        return f"fails in training: {here['error']}"
    if "error" in there:
        return str(there["error"])
    if here["shape"] != there["shape"]:
        return f"differs in shape: {here['shape']} and {there['shape']}"
    pairs = list(zip(here["values"], there["values"], strict=True))
    if any(isinstance(value, str) for pair in pairs for value in pair):
        return "same" if all(one == two for one, two in pairs) else "differs"
    if any(math.isnan(one) != math.isnan(two) for one, two in pairs):
        return "differs in missing values"
    gap = max((abs(one - two) for one, two in pairs if one != two and not math.isnan(one)), default=0.0)
    scale = max((abs(one) for one, _ in pairs if math.isfinite(one)), default=1.0)
    return "same" if gap <= 1e-6 * max(scale, 1.0) else f"differs by {gap:.3g}"
