"""Small libraries in two versions: what is predicted from the files is what really happens, to the word."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from envaudit.artifacts import read
from envaudit.prediction.evaluation import Evaluation
from envaudit.prediction.outcome import predict
from envaudit.surface import Surface

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

CASES = tomllib.loads((Path(__file__).parent / "cases.toml").read_text())
LOAD = """
import json, pickle, sys
answer = {"load": "", "predict": ""}
try:
    made = pickle.load(open(sys.argv[1], "rb"))
except Exception as error:
    answer["load"] = f"{type(error).__name__}: {error}"
else:
    try:
        made.predict([1, 2, 3])
    except Exception as error:
        answer["predict"] = f"{type(error).__name__}: {error}"
print(json.dumps(answer))
"""


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        (path.parent / "__init__.py").touch()


def python(folder: Path, code: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-B", "-c", f"import sys; sys.path.insert(0, {str(folder)!r})\n{code}", *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("name", CASES)
def test_case(name: str, protocol: int, tmp_path: Path) -> None:
    case = CASES[name]
    if name in ("nested-class",) and protocol < 4:
        pytest.skip("older protocols reach nested classes through getattr")
    train, serve, model = tmp_path / "train", tmp_path / "serve", tmp_path / "model.pkl"
    write(train, case["train"])
    write(serve, case["serve"])
    python(train, f"import pickle\n{case['make']}\npickle.dump(made, open(sys.argv[1], 'wb'), {protocol})", str(model))
    happened = json.loads(python(serve, LOAD, str(model)))

    surface = Surface.of_folders(sys.version_info[:2], [str(serve), *filter(None, sys.path)], "serving")
    verdict = predict(read(str(model)), Evaluation.world_of(surface), "model.pkl")

    assert happened["load"] or happened["predict"] or case["expect"] == "fine", "the case itself is off"
    assert verdict.load.value == ("no" if happened["load"] else "yes"), verdict.reasons
    assert verdict.predict.value == ("no" if happened["load"] or happened["predict"] else "yes"), verdict.reasons
    error = happened["load"] or happened["predict"]
    if error and not case.get("inexact"):
        question = "load" if happened["load"] else "predict"
        said = [reason.error for reason in verdict.reasons if reason.question == question]
        assert error == said[0]
    assert verdict == predict(read(str(model)), Evaluation.world_of(surface), "model.pkl"), "not the same twice"
