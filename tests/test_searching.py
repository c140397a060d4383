"""``probe --find``: the releases that are said to mend a file, and what really happens with them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

import envaudit as package
from envaudit import probing, searching, store
from envaudit.errors import TargetError
from envaudit.model import Answer, Component, Reason, Snapshot, TargetInfo, Verdict
from envaudit.registry import module
from envaudit.reports import Probed, Report, Search, Tried, View
from tests.environments import envaudit, environment, interpreters
from tests.test_probe import SCHEMA

PYTHON = interpreters().get("3.11") or Path(sys.executable)
REST = ("numpy==1.26.4", "scipy==1.13.1", "joblib==1.4.2", "pandas==2.2.3")
LOAD = """
import joblib, pandas, sys
joblib.load(sys.argv[1]).transform(pandas.DataFrame({"age": [1.0, 2.0], "city": ["a", "b"], "rest": [3.0, 4.0]}))
"""
TRAIN = """
import joblib, pandas, sys
from sklearn.compose import ColumnTransformer
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder
X = pandas.DataFrame({"age": [1.0, 2.0], "city": ["a", "b"], "rest": [3.0, 4.0]})
joblib.dump(MinMaxScaler().fit(X[["age"]]), sys.argv[1] + "/scaler.joblib")
columns = ColumnTransformer([("age", MinMaxScaler(), ["age"]), ("city", OneHotEncoder(), ["city"])])
joblib.dump(columns.fit(X), sys.argv[1] + "/columns.joblib")
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two models of scikit-learn 1.5."""
    folder = tmp_path_factory.mktemp("columns")
    subprocess.run([with_release("1.5.2") / "bin/python", "-c", TRAIN, str(folder)], check=True)
    return folder


def with_release(version: str) -> Path:
    return environment(f"scikit-learn=={version}", *REST, python=PYTHON)


@pytest.mark.network
def test_a_way_out_that_is_neither_an_upgrade_nor_a_downgrade(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """1.5 stored a class that 1.4 does not have yet and 1.7 no longer has."""
    monkeypatch.setattr(searching, "MOST", 6)
    result = package.probe(trained / "columns.joblib", with_release("1.7.2"), find="sklearn")
    report: Report = module("reports", "as_json").REPORT
    found = json.loads(report.probe(result, View()))
    jsonschema.validate(found, SCHEMA)
    search = found["verdicts"][0]["search"]
    assert (search["distribution"], search["installed"], search["stated"]) == ("scikit-learn", "1.7.2", "1.5.2")
    assert search["works"][0] == "1.5.2"
    assert {item.rpartition(".")[0] for item in search["works"]} == {"1.5", "1.6"}
    errors = {item["version"]: item["error"] for item in search["tried"]}
    assert errors["1.4.2"].startswith("AttributeError: Can't get attribute '_RemainderColsList'")
    assert any("no wheel for Python 3.11" in words for words in search["skipped"])
    text = module("reports", "as_text").REPORT.probe(result, View())
    assert "fix: pip install 'scikit-learn==1.5.2' (or " in text
    assert "releases of scikit-learn that could be there (it has 1.7.2)" in text
    for version, code in (("1.6.1", 0), ("1.7.2", 1)):
        really = [
            str(with_release(version) / "bin/python"),
            "-W",
            "ignore",
            "-c",
            LOAD,
            str(trained / "columns.joblib"),
        ]
        assert subprocess.run(really, capture_output=True, check=False).returncode == code


@pytest.mark.network
def test_a_release_comes_with_what_it_requires(trained: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """scikit-learn 1.3 forbids NumPy 2: searched for itself it brings an older one; it keeps a newer one away."""

    def tried(scikit_learn: str, numpy: str, find: str, stated: str) -> Tried:
        versions = {"scikit-learn": scikit_learn, "numpy": numpy, "scipy": "1.13.1", "joblib": "1.4.2"}
        pinned = {name: Component("distribution", name, version) for name, version in versions.items()}
        python = {"python": Component("python", "python", "3.11.9")}
        path = tmp_path / "serve.json"
        store.write(
            Snapshot(TargetInfo("venv", ".venv"), {"distribution": {**pinned}, "python": {**python}}), str(path)
        )
        model = str(trained / "scaler.joblib")
        (file,) = probing.probe([model], str(path), find=find, train={find: stated}).files
        assert file.search is not None
        (found,) = file.search.tried
        assert found.version == stated
        return found

    monkeypatch.setattr(searching, "MOST", 1)
    older = tried("1.5.2", "2.0.2", "scikit-learn", "1.3.2")
    assert "numpy 1.26.4" in older.also
    assert older.works
    clash = tried("1.3.2", "1.26.4", "numpy", "2.0.2")
    assert (clash.works, clash.verdict) == (False, None)
    assert "scikit-learn 1.3.2 there requires numpy<2.0" in clash.error


def test_without_an_index_it_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("envaudit.surface._http._PAUSE", 0.0)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("ENVAUDIT_CACHE", str(tmp_path))
    with pytest.raises(TargetError, match=r"^cannot search the releases of scikit-learn \(--find\): .*cannot be read"):
        package.probe("any.joblib", "here://", find="scikit-learn")


def test_a_search_needs_a_target() -> None:
    done = envaudit("probe", "any.joblib", "--find", "scikit-learn")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "--in TARGET" in done.stderr


def verdict(load: str, same: str = "yes", *reasons: Reason) -> Verdict:
    answer = Answer(load, "likely")  # type: ignore[arg-type]
    return Verdict("m", "t", answer, answer, Answer(same, "likely"), reasons)  # type: ignore[arg-type]


def test_the_fix_names_what_works_and_what_has_to_come_with_it() -> None:
    reason = Reason("load", "no", "proved", "c", "E: e", "x", fix="pip install 'a==1', which wrote the file")
    file = Probed("m", predicted=verdict("no", "no", reason))
    tried = (
        Tried("1", verdict("no"), error="E: e"),
        Tried("2", verdict("yes", "no")),
        Tried("3", verdict("yes"), ("numpy 1.26.4",)),
    )

    def fix(*found: Tried) -> str:
        mended = probing._mended(file, Search("a", "9", "1", found))
        assert mended.predicted is not None
        return mended.predicted.reasons[0].fix

    assert fix(*tried) == "pip install 'a==3' 'numpy==1.26.4' (or 2)"
    assert fix(tried[0]) == "none of the 1 releases of a that were tried would make it work there"
