"""``snapshot --model --sample`` and ``probe --expect SNAPSHOT``: recorded in training, compared in serving."""

from __future__ import annotations

import json
import os
import pickle
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import envaudit as package
from envaudit import store
from envaudit.errors import SandboxError, UsageError
from envaudit.model import Artifact, RecordedAnswer, RecordedSample
from envaudit.probing import fingerprint
from tests.conftest import make_snapshot
from tests.environments import envaudit, environment, interpreters
from tests.sandbox import hostile

PYTHON_311 = interpreters().get("3.11") or Path(sys.executable)
TRAIN = ("scikit-learn==1.4.2", "numpy==1.26.4", "scipy==1.13.1", "joblib==1.4.2", "pandas==2.0.3")
SERVE = ("scikit-learn==1.2.2", "numpy==1.24.4", "scipy==1.11.4", "joblib==1.3.2", "pandas==1.5.3")
SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "snapshot.schema.json").read_text())
SCRIPT = """
import sys, joblib, numpy
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
X, y = load_iris(return_X_y=True)
joblib.dump(LogisticRegression(max_iter=1000).fit(X, y), sys.argv[1] + "/linear.joblib")
joblib.dump(RandomForestClassifier(3, random_state=0).fit(X, y), sys.argv[1] + "/forest.joblib")
numpy.save(sys.argv[1] + "/few.npy", X[::30])
numpy.save(sys.argv[1] + "/many.npy", numpy.tile(X, (40, 1)))
"""
ANSWERS = {"predict": "[len(row) for row in rows]", "predict_proba": "[float('nan')]", "transform": "1 / 0"}


class _Model:
    """An object that loading makes, whose methods are these expressions of ``rows``."""

    def __init__(self, **methods: str) -> None:
        self.methods = methods

    def __reduce__(self) -> tuple[object, tuple[str]]:
        body = ", ".join(f"{name!r}: lambda self, rows: {code}" for name, code in self.methods.items())
        return eval, (f"type('Model', (), {{{body}}})()",)


def write(folder: Path, **methods: str) -> Path:
    path = folder / "model.pkl"
    path.write_bytes(pickle.dumps(_Model(**methods), protocol=2))
    return path


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    path = tmp_path / "texts.json"
    path.write_text('["a", "bcd"]')
    return path


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two models and two samples."""
    folder = tmp_path_factory.mktemp("recorded")
    subprocess.run([environment(*TRAIN, python=PYTHON_311) / "bin/python", "-c", SCRIPT, str(folder)], check=True)
    return folder


def run(model: str, sample: str, expect: str, cwd: Path) -> tuple[int, Any]:
    """Exit code and verdict of a run in the serving environment."""
    done = envaudit(
        "probe", model, "--in", str(environment(*SERVE, python=PYTHON_311)), "--run", "--sample", sample,
        "--expect", expect, "--format", "json", cwd=cwd,
    )  # fmt: skip
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)["verdicts"][0]


@pytest.mark.network
@pytest.mark.usefixtures("bubblewrap")
def test_answers_of_training_are_compared_in_serving(trained: Path) -> None:
    train = str(environment(*TRAIN, python=PYTHON_311))
    call = ["snapshot", train, "--model", "linear.joblib", "--model", "forest.joblib", "--sample", "few.npy"]
    done = envaudit(*call, "-o", "train.json", cwd=trained)
    assert done.returncode == 0, done.stderr
    assert "kept what predict, predict_proba, decision_function answered to few.npy" in done.stderr
    assert envaudit(*call, cwd=trained).stdout == (trained / "train.json").read_text()
    document = json.loads((trained / "train.json").read_text())
    jsonschema.validate(document, SCHEMA)
    forest, linear = document["artifacts"]
    assert (forest["file"], linear["file"], linear["sample"]["form"]) == ("forest.joblib", "linear.joblib", "array")
    assert linear["answers"]["predict"]["values"] == [0, 0, 1, 1, 2]
    assert linear["needs"]["versions"] == {"scikit-learn": ["1.4.2"]}
    assert store.to_json(store.read(str(trained / "train.json"))) == document

    code, verdict = run("linear.joblib", "few.npy", "train.json", trained)
    assert (code, verdict["same"], verdict["hows"]["same"]) == (0, "yes", "executed")
    code, verdict = run("forest.joblib", "few.npy", "train.json", trained)
    assert (code, verdict["load"]) == (1, "no")
    linear["answers"]["predict"]["values"][1] = 2
    (trained / "changed.json").write_text(json.dumps(document))
    code, verdict = run("linear.joblib", "few.npy", "changed.json", trained)
    assert (code, verdict["same"], verdict["reasons"][0]["subject"]) == (1, "no", "predict")
    assert verdict["reasons"][0]["error"].startswith("predict: 1 of 5 values differ; the first, number 1, is 0, not 2")
    compared = envaudit("compare", "train.json", train, "--model", "linear.joblib", cwd=trained)
    assert (compared.returncode, compared.stderr) == (0, "")


@pytest.mark.parametrize(
    ("output", "why"),
    [
        ("nowhere/t.json", "No such file or directory"),
        (".", "Is a directory"),
        ("/dev/full", "No space left on device"),
    ],
)
def test_an_output_that_cannot_be_written_is_told_before_the_run(
    output: str, why: str, tmp_path: Path, sample: Path
) -> None:
    ran = tmp_path / "ran"
    model = write(tmp_path, predict=f"open({str(ran)!r}, 'w').close() or [1]")
    call = ["snapshot", sys.executable, "--model", str(model), "--sample", str(sample), "--unsafe", "-o"]
    done = envaudit(*call, output, cwd=tmp_path, env={"PATH": "/nowhere"})  # without bubblewrap it could be written
    assert (done.returncode, done.stderr) == (2, f"envaudit: error: {output}: cannot be written: {why}\n")
    assert ran.exists() == (output == "/dev/full")
    done = envaudit(*call, "t.json", cwd=tmp_path, env={"PATH": "/nowhere"})
    assert ran.exists()
    assert re.match(r"envaudit: wrote t\.json: .*\d+ distributions, .*1 Python", done.stderr)
    assert sorted(os.listdir(tmp_path)) == ["model.pkl", "ran", "t.json", "texts.json"]


@pytest.mark.network
@pytest.mark.usefixtures("bubblewrap")
def test_of_long_answers_the_first_rows_are_kept(trained: Path) -> None:
    train = environment(*TRAIN, python=PYTHON_311)
    taken = package.snapshot(train, models=trained / "linear.joblib", sample=trained / "many.npy")
    (artifact,) = taken.artifacts
    probabilities = artifact.answers["predict_proba"]
    assert (probabilities.rows, artifact.answers["predict"].rows) == (6000, 6000)
    assert 50 < len(probabilities.values) < 500
    assert len(store.dumps(taken)) - len(store.dumps(taken._replace(artifacts=()))) < 64 * 1024
    (verdict,) = package.probe(
        trained / "linear.joblib", train, run=True, sample=trained / "many.npy", expect=taken
    ).verdicts
    assert verdict.same.value == "yes"  # the digest tells that all rows are the same
    answers = {name: answer._replace(sha256="0" * 64) for name, answer in artifact.answers.items()}
    moved = taken._replace(artifacts=(artifact._replace(answers=answers),))
    (verdict,) = package.probe(
        trained / "linear.joblib", train, run=True, sample=trained / "many.npy", expect=moved
    ).verdicts
    assert {reason.subject: reason.value for reason in verdict.reasons} == {
        "predict": "no", "predict_proba": "unknown", "decision_function": "unknown"
    }  # fmt: skip


@pytest.mark.usefixtures("bubblewrap")
def test_a_method_that_fails_is_written_down_and_a_number_that_is_none_too(tmp_path: Path, sample: Path) -> None:
    model = write(tmp_path, **ANSWERS)
    done = envaudit(
        "snapshot", sys.executable, "--model", str(model), "--sample", str(sample), "-o", "t.json", cwd=tmp_path
    )
    assert "transform did not answer: ZeroDivisionError: division by zero" in done.stderr
    document = json.loads((tmp_path / "t.json").read_text(), parse_constant=pytest.fail)
    jsonschema.validate(document, SCHEMA)
    (artifact,) = document["artifacts"]
    assert artifact["failed"] == {"transform": "ZeroDivisionError: division by zero"}
    assert artifact["answers"] == {"predict": {"values": [1, 3]}, "predict_proba": {"values": [{"float": "nan"}]}}
    call = ["probe", str(model), "--in", sys.executable, "--run", "--sample", str(sample), "--expect", "t.json"]
    done = envaudit(*call, cwd=tmp_path)
    assert done.returncode == 0
    assert " ".join(done.stdout.split()).startswith(f"PASS {model} loads, predicts and answers as in training in ")


@pytest.mark.usefixtures("bubblewrap")
@pytest.mark.parametrize(
    ("methods", "message"),
    [
        ({"predict": "1 / 0"}, "gives no answers to record in .*: ZeroDivisionError: division by zero"),
        ({"predict": "__import__('os').abort()"}, "gives no answers to record in .*: Aborted"),
        ({"fit": "1"}, "has none of the methods that envaudit calls"),
    ],
)
def test_a_model_without_any_answer_is_one_line(
    methods: dict[str, str], message: str, tmp_path: Path, sample: Path
) -> None:
    with pytest.raises(SandboxError, match=message) as caught:
        package.snapshot(sys.executable, models=write(tmp_path, **methods), sample=sample)
    assert "\n" not in str(caught.value)


def test_without_a_sample_nothing_of_the_file_is_run(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    model = hostile.write(tmp_path, f"open({str(canary)!r}, 'w').close()")
    (artifact,) = package.snapshot(sys.executable, models=model).artifacts
    assert not canary.exists()
    assert (artifact.file, artifact.size, artifact.loader) == ("model.pkl", model.stat().st_size, "pickle.load")
    assert (artifact.sample, artifact.answers) == (None, {})
    assert artifact.needs["format"] == "pickle"
    loaded = "import sys, envaudit.cli; envaudit.cli.main(sys.argv[1:]); print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", loaded, "snapshot", "--model", str(model), "-o", "/dev/null"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "envaudit.artifacts" in done.stdout
    assert "envaudit.sandbox" not in done.stdout


def test_without_a_sandbox_nothing_is_run_but_with_unsafe(tmp_path: Path, sample: Path) -> None:
    model = write(tmp_path, predict="[1, 2]")
    call = ["snapshot", sys.executable, "--model", str(model), "--sample", str(sample), "-o", "t.json"]
    nowhere = {"PATH": str(tmp_path)}
    refused = envaudit(*call, cwd=tmp_path, env=nowhere)
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "--unsafe" in refused.stderr
    assert not (tmp_path / "t.json").exists()
    assert envaudit(*call, "--unsafe", cwd=tmp_path, env=nowhere).returncode == 0
    assert store.read(str(tmp_path / "t.json")).artifacts[0].answers == {"predict": RecordedAnswer([1, 2])}


def test_a_saved_snapshot_keeps_its_files_but_for_those_named_anew(tmp_path: Path) -> None:
    model = write(tmp_path, predict="rows")
    other = Artifact("other.pkl", "0" * 64, 1, "pickle.load")
    path = tmp_path / "old.json"
    store.write(make_snapshot(1)._replace(artifacts=(other,)), str(path))
    again = package.snapshot(path, models=[model, model], loader="joblib.load")
    assert [(item.file, item.loader) for item in again.artifacts] == [
        ("model.pkl", "joblib.load"), ("other.pkl", "pickle.load"),
    ]  # fmt: skip
    with pytest.raises(SandboxError, match="a model cannot be run in a snapshot"):
        package.snapshot(path, models=model, sample=write_sample(tmp_path))


def write_sample(folder: Path) -> Path:
    path = folder / "sample.csv"
    path.write_text("1,2\n")
    return path


@pytest.mark.parametrize(
    ("recorded", "message"),
    [
        ((), "holds no answers of .*model.pkl .*, nor of another model$"),
        (
            (Artifact("a.pkl", "1" * 64, 1, "pickle.load"),),
            r"holds no answers of .* but of a.pkl \(sha256 111111111111",
        ),
        (None, "holds no answers of .*model.pkl: it was taken without --sample$"),
        (
            RecordedSample("X.npy", "2" * 64, 1),
            r"holds the answers of .*model.pkl to X.npy \(sha256 22.* and .*sample.csv is another sample",
        ),
    ],
)
def test_a_snapshot_that_does_not_know_the_answers_is_one_line(recorded: Any, message: str, tmp_path: Path) -> None:
    model = write(tmp_path, predict="rows")
    taken = package.snapshot(sys.executable, models=model)
    if isinstance(recorded, tuple) and not isinstance(recorded, RecordedSample):
        taken = taken._replace(artifacts=recorded)
    else:
        taken = taken._replace(artifacts=(taken.artifacts[0]._replace(sample=recorded),))
    store.write(taken, str(tmp_path / "train.json"))
    with pytest.raises(package.SnapshotError, match=message) as caught:
        package.probe(model, sys.executable, run=True, sample=write_sample(tmp_path), expect=tmp_path / "train.json")
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(f"{tmp_path}/train.json: ")


@pytest.mark.parametrize(
    ("form", "answers", "message"),
    [
        (
            "array",
            {"__reduce__": RecordedAnswer([1])},
            "model.pkl: unknown method '__reduce__'; answers can be of predict",
        ),
        ("tensor", {"predict": RecordedAnswer([1])}, "model.pkl: the form is one of frame, array, list"),
        ("array", {}, "holds no answers of .*model.pkl to .*sample.csv$"),
    ],
)
def test_a_snapshot_that_nobody_recorded_calls_nothing(
    form: str, answers: dict[str, RecordedAnswer], message: str, tmp_path: Path
) -> None:
    canary = tmp_path / "canary"
    model, sample = hostile.write(tmp_path, f"open({str(canary)!r}, 'w').close()"), write_sample(tmp_path)
    taken = package.snapshot(sys.executable, models=model)
    source = RecordedSample(*fingerprint(str(sample)), form)
    artifact = taken.artifacts[0]._replace(sample=source, answers=answers)
    forged = taken._replace(artifacts=(artifact,))
    with pytest.raises(package.SnapshotError, match=f"^the snapshot: {message}") as caught:
        package.probe(model, sys.executable, run=True, sample=sample, expect=forged, unsafe=True)
    assert "\n" not in str(caught.value)
    assert not canary.exists()


def test_a_comparison_says_where_the_file_is_not_the_one_of_training(tmp_path: Path) -> None:
    model = tmp_path / "model.pkl"
    model.write_bytes(pickle.dumps([1, 2]))
    train = package.snapshot(sys.executable, models=model)
    assert package.compare(train, sys.executable, models=model).assumptions == ()
    model.write_bytes(pickle.dumps([1, 3]))
    assert package.compare(train, sys.executable, models=model).assumptions == (
        f"{model} was written in training, although the model.pkl that its snapshot knows is another file",
    )
    other = model.rename(tmp_path / "other.pkl")
    assert package.compare(train, sys.executable, models=other).assumptions == ()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"sample": "X.npy"}, "a sample only matters to a model file"),
        ({"loader": "pickle.load"}, "a loader only matters to a model file"),
        ({"unsafe": True}, "unsafe only matters to a run"),
        ({"models": "model.pkl", "loader": "yaml.load"}, "unknown loader 'yaml.load'"),
    ],
)
def test_a_call_that_cannot_be_meant_is_one_line(settings: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        package.snapshot(sys.executable, **settings)
