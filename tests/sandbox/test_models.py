"""Real models of real environments: the classic breaks, executed."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from envaudit import sandbox
from envaudit.errors import SandboxError
from envaudit.evidence import Options
from envaudit.model import Reason, RecordedAnswer, Verdict
from envaudit.sandbox import Expectation
from tests.environments import environment, interpreters
from tests.sandbox.conftest import Execute

pytestmark = [pytest.mark.network, pytest.mark.usefixtures("bubblewrap")]

COMMON = ("numpy==1.26.4", "scipy==1.11.4", "joblib==1.3.2", "pandas==2.0.3")

TRAIN = """
import os, sys, pickle, joblib, numpy, pandas
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
from sklearn.datasets import load_iris
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
os.chdir(sys.argv[1])
X, y = load_iris(return_X_y=True)
joblib.dump(RandomForestClassifier(3, random_state=0).fit(X, y), "forest.joblib")
joblib.dump(LogisticRegression(max_iter=1000).fit(X, y > 0), "binary.joblib")
joblib.dump(LogisticRegression(max_iter=1000).fit(X, y), "linear.joblib", compress=3)
numpy.save("sample.npy", X[::10])
frame = pandas.DataFrame({"colour": ["red", "blue", "red", "green"], "size": [1.0, 2.5, 3.0, 4.5]})
joblib.dump(make_pipeline(
    ColumnTransformer([("c", OneHotEncoder(), ["colour"]), ("s", StandardScaler(), ["size"])]), LogisticRegression(),
).fit(frame, [0, 1, 0, 1]), "frame.joblib")
frame.to_csv("frame.csv", index=False)
text = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(["a cat", "the dog"], [0, 1])
pickle.dump(text, open("text.pkl", "wb"))
open("texts.json", "w").write('["the cat", "a dog"]')
frame.to_pickle("table.pkl.gz")
numpy.savez("arrays.npz", a=X, b=numpy.array([{}, None], dtype=object))
"""


def place(release: str) -> Path:
    python = interpreters().get("3.11")
    if python is None:
        pytest.skip("needs Python 3.11")
    return environment(f"scikit-learn=={release}", *COMMON, python=python)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """``trained(release)``: the folder of what was trained with that release, once."""
    folders = dict[str, Path]()

    def trained(release: str) -> Path:
        if release not in folders:
            folders[release] = tmp_path_factory.mktemp(release)
            subprocess.run([place(release) / "bin/python", "-c", TRAIN, str(folders[release])], check=True)
        return folders[release]

    return trained


def recorded(model: Path, sample: Path, release: str, loader: str = "joblib.load") -> dict[str, Any]:
    """What the training environment answers: the settings to compare with it."""
    read = sandbox.read_sample(str(sample))
    expect = sandbox.record(str(model), str(place(release)), loader=loader, options=Options(), sample=read)
    return {"sample": read, "expect": expect, "loader": loader}


def values(verdict: Verdict) -> tuple[str, str, str]:
    return verdict.load.value, verdict.predict.value, verdict.same.value


def only(verdict: Verdict) -> Reason:
    (reason,) = verdict.reasons
    return reason


def test_a_forest_of_another_layout_does_not_load(trained: Any, execute: Execute) -> None:
    folder = trained("1.2.2")
    settings = recorded(folder / "forest.joblib", folder / "sample.npy", "1.2.2")
    assert values(execute(folder / "forest.joblib", place("1.2.2"), **settings)) == ("yes", "yes", "yes")
    verdict = execute(folder / "forest.joblib", place("1.3.2"), **settings)
    assert values(verdict) == ("no", "no", "no")
    reason = only(verdict)
    assert reason.error == "ValueError: node array from the pickle has an incompatible dtype:"
    assert any("missing_go_to_left" in line for line in reason.evidence)
    assert any(note.startswith("warned: InconsistentVersionWarning: ") for note in verdict.notes)


def test_a_forest_that_lacks_an_attribute_loads_and_does_not_predict(trained: Any, execute: Execute) -> None:
    folder = trained("1.3.2")
    settings = recorded(folder / "forest.joblib", folder / "sample.npy", "1.3.2")
    verdict = execute(folder / "forest.joblib", place("1.5.2"), **settings)
    assert values(verdict) == ("yes", "no", "no")
    reasons = {reason.subject: reason for reason in verdict.reasons}
    assert set(reasons) == {"predict", "predict_proba"}
    assert reasons["predict"].cause == "missing-attribute"
    assert (
        reasons["predict"].error == "AttributeError: 'DecisionTreeClassifier' object has no attribute 'monotonic_cst'"
    )
    assert "/sklearn/tree/" in reasons["predict"].evidence[-1]


def test_answers_that_change_silently_are_found(trained: Any, execute: Execute) -> None:
    folder = trained("1.5.2")
    settings = recorded(folder / "binary.joblib", folder / "sample.npy", "1.5.2")
    verdict = execute(folder / "binary.joblib", place("1.3.2"), **settings)
    assert values(verdict) == ("yes", "yes", "no")
    reason = only(verdict)
    assert (reason.subject, reason.cause) == ("predict_proba", "different-answers")
    assert "the largest difference is" in reason.error


def test_neighbours_that_agree_are_fine(trained: Any, execute: Execute) -> None:
    folder = trained("1.2.2")
    settings = recorded(folder / "linear.joblib", folder / "sample.npy", "1.2.2")
    assert set(settings["expect"].answers) == {"predict", "predict_proba", "decision_function"}
    assert values(execute(folder / "linear.joblib", place("1.3.2"), **settings)) == ("yes", "yes", "yes")
    del settings["expect"]
    verdict = execute(folder / "linear.joblib", place("1.3.2"), **settings)
    assert values(verdict) == ("yes", "yes", "unknown")
    assert only(verdict).cause == "no-expectation"
    del settings["sample"]
    verdict = execute(folder / "linear.joblib", place("1.3.2"), **settings)
    assert values(verdict) == ("yes", "unknown", "unknown")
    assert only(verdict).cause == "no-sample"


def test_a_table_is_handed_over_as_the_model_was_fitted(trained: Any, execute: Execute) -> None:
    folder = trained("1.2.2")
    settings = recorded(folder / "frame.joblib", folder / "frame.csv", "1.2.2")
    assert settings["expect"].form == "frame"
    assert values(execute(folder / "frame.joblib", place("1.3.2"), **settings)) == ("yes", "yes", "yes")
    numbers = folder / "numbers.csv"
    numbers.write_text("a,b,c,d\n5.1,3.5,1.4,0.2\n6.2,3.4,5.4,2.3\n")
    assert recorded(folder / "linear.joblib", numbers, "1.2.2")["expect"].form == "array"


def test_texts_are_handed_over_as_a_list(trained: Any, execute: Execute) -> None:
    folder = trained("1.2.2")
    settings = recorded(folder / "text.pkl", folder / "texts.json", "1.2.2", "pickle.load")
    assert settings["expect"].form == "list"
    assert values(execute(folder / "text.pkl", place("1.3.2"), **settings)) == ("yes", "yes", "yes")


def test_every_loader_is_the_target_s_own(trained: Any, execute: Execute) -> None:
    folder = trained("1.2.2")
    verdict = execute(folder / "table.pkl.gz", place("1.3.2"), loader="pandas.read_pickle")
    assert verdict.summary == "an object of the class pandas.core.frame.DataFrame"
    assert values(verdict) == ("yes", "unknown", "unknown")
    assert execute(folder / "arrays.npz", place("1.3.2"), loader="numpy.load").load.value == "yes"
    assert only(execute(folder / "table.pkl.gz", place("1.3.2"))).error.startswith("_pickle.UnpicklingError: ")
    sample = sandbox.read_sample(str(folder / "sample.npy"))
    verdict = execute(folder / "table.pkl.gz", place("1.3.2"), loader="pandas.read_pickle", sample=sample)
    assert only(verdict._replace(reasons=verdict.reasons[:1])).question == "predict"


def test_expected_answers_may_be_written_by_hand(trained: Any, execute: Execute, tmp_path: Path) -> None:
    folder = trained("1.2.2")
    settings = recorded(folder / "linear.joblib", folder / "sample.npy", "1.2.2")
    answers = settings["expect"].answers
    path = tmp_path / "expect.json"
    path.write_text(json.dumps({"predict": answers["predict"].values}))
    settings["expect"] = sandbox.read_expectation(str(path))
    assert values(execute(folder / "linear.joblib", place("1.3.2"), **settings)) == ("yes", "yes", "yes")
    settings["expect"] = Expectation({"predict": RecordedAnswer(answers["predict"].values[1:])})
    assert "its shape is (15,), not (14,)" in only(execute(folder / "linear.joblib", place("1.3.2"), **settings)).error
    settings["expect"] = Expectation({"transform": RecordedAnswer([[1.0]])})
    reason = only(execute(folder / "linear.joblib", place("1.3.2"), **settings)._replace(same=None))  # type: ignore[arg-type]
    assert reason.error == "AttributeError: 'LogisticRegression' object has no attribute 'transform'"


def test_what_answers_nothing_in_training_is_an_error(trained: Any) -> None:
    folder = trained("1.2.2")
    with pytest.raises(SandboxError, match=r"gives no answers to record in .*: an object of the class dict has"):
        recorded(folder / "arrays.npz", folder / "sample.npy", "1.2.2", "numpy.load")


def test_a_lock_file_is_built_once_and_then_kept(
    trained: Any, execute: Execute, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = trained("1.2.2")
    lock = tmp_path / "requirements.txt"
    (tmp_path / "base.txt").write_text("\n".join(COMMON))
    lock.write_text("-r base.txt\nscikit-learn==1.3.2\n")
    said = list[str]()
    settings = {
        "loader": "joblib.load",
        "options": Options(python=str(interpreters()["3.11"]), progress=said.append),
    }
    for _ in range(2):
        reason = only(execute(folder / "forest.joblib", lock, **settings))
        assert reason.error == "ValueError: node array from the pickle has an incompatible dtype:"
    assert len([line for line in said if line.startswith("building the environment of")]) == 1
    (tmp_path / "base.txt").write_text("\n".join([*COMMON, "six==1.16.0"]))
    execute(folder / "forest.joblib", lock, **settings)
    assert len([line for line in said if line.startswith("building the environment of")]) == 2


def test_a_pylock_is_built_too(execute: Execute, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    lock = tmp_path / "pylock.toml"
    (tmp_path / "in.txt").write_text("six==1.16.0\n")
    subprocess.run(
        ["uv", "pip", "compile", "--quiet", "--format", "pylock.toml", "-o", str(lock), str(tmp_path / "in.txt")],
        check=True,
    )
    model = tmp_path / "model.pkl"
    model.write_bytes(b"\x80\x02csix\nStringIO\n.")
    assert execute(model, lock).load.value == "yes"


def test_a_lock_file_that_cannot_be_installed_is_one_line(
    execute: Execute, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    lock = tmp_path / "requirements.txt"
    lock.write_text("six==0.0.0.1\n")
    (tmp_path / "model.pkl").write_bytes(b"N.")
    with pytest.raises(SandboxError, match=r"uv cannot make its environment: .*six") as caught:
        execute(tmp_path / "model.pkl", lock)
    assert "\n" not in str(caught.value)
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    with pytest.raises(SandboxError, match=r"needs uv: pip install uv$"):
        execute(tmp_path / "model.pkl", lock)
