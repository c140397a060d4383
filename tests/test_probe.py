"""``probe`` and ``compare --model`` as a user meets them: real models of real environments, and what really happens."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

import envaudit as package
from envaudit import comparison, registry, store
from envaudit.errors import ArtifactError, UsageError
from envaudit.model import QUESTIONS, Answer, Component, Reason, Snapshot, TargetInfo, Verdict
from envaudit.registry import load
from envaudit.reports import Probe, Probed, Report, View
from tests.environments import envaudit, environment, interpreters
from tests.sandbox import hostile

PYTHON_311 = interpreters().get("3.11") or Path(sys.executable)
TRAIN = ("scikit-learn==1.4.2", "numpy==1.26.4", "scipy==1.13.1", "joblib==1.4.2", "pandas==2.0.3")
SERVE = ("scikit-learn==1.2.2", "numpy==1.24.4", "scipy==1.11.4", "joblib==1.3.2", "pandas==1.5.3")
SCHEMA = json.loads((Path(__file__).parent.parent / "docs" / "verdict.schema.json").read_text())

SCRIPT = """
import json, pickle, sys, joblib, numpy
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler
def clean(X): return X
X, y = load_iris(return_X_y=True)
folder = sys.argv[1]
joblib.dump(RandomForestClassifier(3, random_state=0).fit(X, y), folder + "/forest.joblib")
scaler = MinMaxScaler().fit(X)
joblib.dump(scaler, folder + "/scaler.joblib")
pickle.dump(FunctionTransformer(clean), open(folder + "/local.pkl", "wb"))
numpy.save(folder + "/sample.npy", X[::30])
json.dump({"transform": scaler.transform(X[::30]).tolist()}, open(folder + "/answers.json", "w"))
json.dump({"transform": (scaler.transform(X[::30]) + 1).tolist()}, open(folder + "/wrong.json", "w"))
"""


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models of the training environment, with a sample and its answers."""
    folder = tmp_path_factory.mktemp("trained")
    subprocess.run([environment(*TRAIN, python=PYTHON_311) / "bin/python", "-c", SCRIPT, str(folder)], check=True)
    return folder


@pytest.fixture(scope="session")
def train() -> str:
    return str(environment(*TRAIN, python=PYTHON_311))


@pytest.fixture(scope="session")
def serve() -> str:
    return str(environment(*SERVE, python=PYTHON_311))


def document(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(done.stdout)
    jsonschema.validate(found, SCHEMA)
    return found


def width(text: str) -> int:
    """The longest line that could have been broken."""
    return max(len(line) for line in text.splitlines() if " " in line.strip())


@pytest.mark.network
def test_the_first_screen_says_what_will_happen_and_why(trained: Path, serve: str) -> None:
    done = envaudit("probe", "forest.joblib", "--in", serve, cwd=trained)
    assert (done.returncode, done.stderr) == (1, "")
    lines = done.stdout.splitlines()
    assert lines[0].startswith("FAIL  forest.joblib will not load in")
    assert "a RandomForestClassifier (3 trees)" in " ".join(lines[:4])
    assert any(line.split()[:2] == ["load", "no"] for line in lines[:9])
    assert "ValueError: node array from the pickle has an incompatible dtype" in done.stdout
    assert "missing_go_to_left" in done.stdout
    assert "fix: pip install 'scikit-learn==1.4.2'" in done.stdout


@pytest.mark.network
def test_what_the_prediction_says_really_happens(trained: Path, serve: str) -> None:
    for name, loads in (("forest.joblib", False), ("scaler.joblib", True)):
        (verdict,) = package.probe(trained / name, serve).verdicts
        assert (verdict.load.value == "yes") == loads
        really = subprocess.run(
            [f"{serve}/bin/python", "-c", "import joblib, sys; joblib.load(sys.argv[1])", str(trained / name)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert (really.returncode == 0) == loads
        for reason in verdict.reasons[:1]:
            assert reason.error.partition(":")[0] in really.stderr


@pytest.mark.network
def test_many_files_in_one_process_and_one_that_is_none(trained: Path, serve: str, tmp_path: Path) -> None:
    (tmp_path / "short.joblib").write_bytes((trained / "forest.joblib").read_bytes()[:300])
    names = [str(trained / "forest.joblib"), "short.joblib", str(trained / "scaler.joblib")]
    done = envaudit("probe", *names, "--in", serve, "--format", "json", cwd=tmp_path)
    found = document(done)
    assert done.returncode == 2
    assert [item["artifact"] for item in found["verdicts"]] == [names[0], names[2]]
    assert [item["load"] for item in found["verdicts"]] == ["no", "yes"]
    assert found["verdicts"][0]["how"] == "proved"
    assert found["verdicts"][0]["reasons"][0]["cause"] == "record-layout"
    (error,) = found["errors"]
    assert error["artifact"] == "short.joblib"
    assert done.stderr == f"envaudit: error: {error['error']}\n"
    text = envaudit("probe", *names, "--in", serve, cwd=tmp_path)
    assert text.returncode == 2
    assert text.stdout.startswith("FAIL  1 of 3 model files will not work as in training in ")
    assert f"not read: {error['error'][:30]}" in text.stdout
    assert "fine there is" in text.stdout


@pytest.mark.network
def test_what_many_files_will_do_is_told_whatever_counts_as_failed(trained: Path, serve: str, tmp_path: Path) -> None:
    names = [str(trained / "scaler.joblib"), str(trained / "forest.joblib")]
    for fail_on, head in (("never", "PASS"), ("same", "FAIL")):
        done = envaudit("probe", *names, "--in", serve, "--fail-on", fail_on, cwd=tmp_path)
        assert done.stdout.startswith(f"{head}  1 of 2 model files will not work as in training in ")
        assert f"fine there is {names[0]}" in " ".join(done.stdout.split())
    done = envaudit("probe", names[0], names[0], "--in", serve, cwd=tmp_path)
    assert done.stdout.startswith("PASS  2 of 2 model files load and predict in ")


def test_one_file_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "model.pkl").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    for name in ("model.pkl", "nowhere.pkl", "."):
        done = envaudit("probe", name, cwd=tmp_path)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
        assert done.stderr.startswith("envaudit: error: ")
    with pytest.raises(ArtifactError, match=r"model\.pkl"):
        package.probe(tmp_path / "model.pkl")


@pytest.mark.network
def test_without_a_target_the_needs_are_told(trained: Path) -> None:
    done = envaudit("probe", "local.pkl", "forest.joblib", cwd=trained)
    assert done.returncode == 0
    assert "to bring   __main__.clean" in done.stdout
    assert "written by scikit-learn 1.4.2" in done.stdout
    assert width(done.stdout) <= 80
    assert "sklearn.tree._tree.Tree" not in done.stdout
    assert "sklearn.tree._tree.Tree" in envaudit("probe", "forest.joblib", "-v", cwd=trained).stdout
    found = document(envaudit("probe", "local.pkl", "--format", "json", cwd=trained))
    assert (found["target"], found["verdicts"]) == (None, [])
    (item,) = found["artifacts"]
    assert item["needs"]["local"] == ["__main__.clean"]
    assert item["needs"]["packages"] == ["scikit-learn"]
    assert item["needs"]["loader"] == "pickle.load"


@pytest.mark.network
def test_the_loader_can_be_named(trained: Path) -> None:
    done = envaudit("probe", "local.pkl", "--loader", "joblib.load", "--format", "json", cwd=trained)
    assert document(done)["artifacts"][0]["needs"]["loader"] == "joblib.load"


@pytest.mark.network
def test_fail_on_and_strict_choose_the_exit_code(trained: Path, serve: str) -> None:
    def code(*arguments: str) -> int:
        return envaudit("probe", *arguments, "--in", serve, cwd=trained).returncode

    assert code("scaler.joblib", "--strict") == 0
    assert code("forest.joblib", "--fail-on", "load") == 1
    assert code("forest.joblib", "--fail-on", "never") == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--run"], "a run needs a target (--in TARGET"),
        (["--sample", "x.npy"], "only matter to a run"),
        (["--sample", "x.npy", "--in", "here://"], "only matter to a run"),
        (["--run", "--in", "here://", "--expect", "x.json"], "name one (--sample FILE)"),
        (["--in", "./nowhere"], "./nowhere: no such file or folder"),
    ],
)
def test_a_call_that_cannot_be_meant_is_one_line(arguments: list[str], message: str, tmp_path: Path) -> None:
    model = hostile.write(tmp_path, "1")
    done = envaudit("probe", str(model), *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_hostile_file_does_nothing_unless_it_is_run(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    model = hostile.write(tmp_path, f"open({str(canary)!r}, 'w').close()")
    envaudit("probe", str(model))
    envaudit("probe", str(model), "--in", sys.executable)
    assert not canary.exists()


@pytest.mark.network
def test_a_run_stands_beside_the_prediction(trained: Path, serve: str) -> None:
    found = document(
        envaudit("probe", "forest.joblib", "--in", serve, "--run", "--unsafe", "--format", "json", cwd=trained)
    )
    (verdict,) = found["verdicts"]
    assert (verdict["load"], verdict["how"]) == ("no", "executed")
    assert verdict["predicted"]["load"] == verdict["executed"]["load"] == "no"
    first, *rest = verdict["reasons"]
    assert first["how"] == "executed"
    assert first["error"].startswith("ValueError: node array from the pickle has an incompatible dtype")
    assert any(reason["cause"] == "record-layout" and reason["fix"] for reason in rest)
    text = envaudit("probe", "forest.joblib", "--in", serve, "--run", "--unsafe", cwd=trained)
    assert text.returncode == 1
    assert "did not load" in text.stdout
    assert "(executed)  predicted: no" in text.stdout


@pytest.mark.network
@pytest.mark.parametrize(("answers", "same", "code"), [("answers.json", "yes", 0), ("wrong.json", "no", 1)])
def test_a_run_compares_answers(answers: str, same: str, code: int, trained: Path, serve: str) -> None:
    done = envaudit(
        "probe", "scaler.joblib", "--in", serve, "--run", "--unsafe", "--sample", "sample.npy", "--expect", answers,
        "--format", "json", cwd=trained,
    )  # fmt: skip
    (verdict,) = document(done)["verdicts"]
    assert [verdict[question] for question in QUESTIONS] == ["yes", "yes", same]
    assert set(verdict["hows"].values()) == {"executed"}
    assert done.returncode == code


@pytest.mark.network
def test_a_comparison_with_a_model_that_breaks(trained: Path, train: str, serve: str) -> None:
    done = envaudit("compare", train, serve, "--model", "forest.joblib", cwd=trained)
    assert done.returncode == 1
    assert "model  forest.joblib will not load in serving: ValueError: node array" in "\n".join(
        done.stdout.splitlines()[:5]
    )
    assert "ERROR EA904  forest.joblib" in done.stdout
    assert "ERROR EA201  scikit-learn  1.4.2 -> 1.2.2" in done.stdout


@pytest.mark.network
def test_a_version_that_the_model_survives_is_no_error(trained: Path, train: str, serve: str) -> None:
    assert envaudit("compare", train, serve, cwd=trained).returncode == 1
    done = envaudit("compare", train, serve, "--model", "scaler.joblib", "--format", "json", cwd=trained)
    found = json.loads(done.stdout)
    jsonschema.validate(
        found, json.loads((Path(__file__).parent.parent / "docs" / "comparison.schema.json").read_text())
    )
    assert done.returncode == 0
    (learn,) = [item for item in found["findings"] if item["subject"] == "scikit-learn"]
    assert learn["severity"] == "note"
    assert learn["consequence"].startswith("scaler.joblib was checked: by the prediction it loads and predicts there.")
    assert [item["load"] for item in found["verdicts"]] == ["yes"]
    both = envaudit("compare", train, serve, "--model", "scaler.joblib", "--model", "forest.joblib", cwd=trained).stdout
    assert "ERROR EA201  scikit-learn" in both
    assert "scaler.joblib loads and predicts in serving" in both


@pytest.mark.network
def test_the_python_api_takes_models(trained: Path, train: str, serve: str) -> None:
    result = package.compare(train, serve, models=trained / "forest.joblib")
    assert [item.code for item in result.at_least("error") if item.code.startswith("EA9")] == ["EA904"]
    assert package.compare(train, train, models=[trained / "forest.joblib"]).worst() is None
    probed = package.probe([trained / "forest.joblib", trained / "scaler.joblib"], serve)
    assert [verdict.load.value for verdict in probed.verdicts] == ["no", "yes"]
    with pytest.raises(UsageError, match="unknown loader"):
        package.probe(trained / "forest.joblib", loader="yaml.load")


def versions(**found: str) -> Snapshot:
    components = {name: Component("distribution", name, version) for name, version in found.items()}
    return Snapshot(TargetInfo("venv", "x"), {"distribution": components})


@pytest.mark.parametrize(
    ("answers", "severity"),
    [
        (("yes", "yes", "unknown"), "note"),
        (("yes", "yes", "no"), "note"),
        (("yes", "unknown", "unknown"), "error"),
        (("unknown", "unknown", "unknown"), "error"),
        (("yes", "no", "no"), "error"),
    ],
)
def test_only_a_file_that_loads_and_predicts_lowers_an_error(answers: tuple[Any, ...], severity: str) -> None:
    load, predict, same = (Answer(value, "likely") for value in answers)
    verdict = Verdict("m.joblib", "serve", load, predict, same)
    sides = (versions(**{"scikit-learn": "1.4.2"}), versions(**{"scikit-learn": "1.2.2"}))
    model = comparison.Model(verdict, frozenset({"scikit-learn", "numpy"}))
    (found,) = comparison.compare(*sides, [model]).findings
    assert (found.code, found.severity) == ("EA201", severity)
    (other,) = comparison.compare(*sides, [model._replace(packages=frozenset({"numpy"}))]).findings
    assert (other.severity, other.lowered) == ("error", "")
    result = comparison.compare(*sides, [model])
    assert result.verdicts == (verdict,)
    text = registry.module("reports", "as_text").REPORT.render(result, View())
    why = "no error: by the prediction m.joblib loads and predicts there"
    assert (f"  EA201  scikit-learn  1.4.2 -> 1.2.2\n         {why}" in text) == (severity == "note")


@pytest.mark.network
def test_a_lock_file_is_mended_by_a_line_in_it(trained: Path, train: str, tmp_path: Path) -> None:
    """Whichever command it is that predicts."""
    lock = tmp_path / "requirements.txt"
    lock.write_text("\n".join(SERVE))
    fix = f"write scikit-learn==1.4.2, which wrote the file, into {lock}"
    (verdict,) = package.probe(trained / "forest.joblib", lock).verdicts
    assert verdict.reasons[0].fix == fix
    saved = tmp_path / "saved.json"
    store.write(package.snapshot(lock), str(saved))
    (verdict,) = package.probe(trained / "forest.joblib", saved).verdicts
    assert verdict.reasons[0].fix == fix
    result = package.compare(train, lock, models=trained / "forest.joblib")
    assert [item.fix for item in result.findings if item.code == "EA904"] == [fix]
    assert [item.fix for item in result.at_least("error") if item.code == "EA201"] == [
        f"write scikit-learn==1.4.2 into {lock}"
    ]


@pytest.mark.parametrize(
    ("fix", "there"),
    [
        ("pip install 'a==1'", "write a==1 into x.txt"),
        ("pip install 'a==1' 'b==2'", "write a==1 and b==2 into x.txt"),
        ("pip install 'a==1' 'b==2' (or 3, 4)", "write a==1 and b==2 (or 3, 4) into x.txt"),
        ("pip install 'numpy>=2', which wrote it", "write numpy>=2, which wrote it, into x.txt"),
        ("pip install 'torch==2' --index-url https://x", "pip install 'torch==2' --index-url https://x"),
        ("train again", "train again"),
    ],
)
def test_a_fix_is_addressed_at_the_lock_file_and_at_no_environment(fix: str, there: str) -> None:
    assert comparison.addressed(fix, TargetInfo("requirements", "x.txt")) == there
    assert comparison.addressed(fix, TargetInfo("venv", "x")) == fix


def test_what_a_run_refutes_is_no_longer_predicted() -> None:
    yes, no, unknown = Answer("yes", "executed"), Answer("no", "proved"), Answer("unknown", "executed")
    gone = Reason("load", "no", "proved", "missing-module", "ModuleNotFoundError: x", "")
    item = Probed(
        "m", predicted=Verdict("m", "t", no, no, no, (gone,)), executed=Verdict("m", "t", yes, unknown, unknown)
    )
    assert item.verdict is not None
    assert [item.verdict.answer(question).value for question in QUESTIONS] == ["yes", "unknown", "unknown"]
    assert item.verdict.reasons == ()


words = st.text("abc xyz-./0129\n\té→\x1b\x9b", max_size=60)
answers = st.builds(
    Answer, st.sampled_from(["yes", "no", "unknown"]), st.sampled_from(["executed", "proved", "likely"])
)
reasons = st.builds(
    Reason,
    question=st.sampled_from(QUESTIONS),
    value=st.sampled_from(["no", "unknown"]),
    how=st.sampled_from(["executed", "proved", "likely"]),
    cause=st.sampled_from(["missing-module", "raises", "new"]),
    error=words,
    explanation=words,
    evidence=st.lists(words, max_size=8).map(tuple),
    fix=words,
    reference=st.none() | words,
    subject=words,
)
verdicts = st.builds(
    Verdict, words, words, answers, answers, answers, st.lists(reasons, max_size=8).map(tuple), words,
    st.lists(words, max_size=2).map(tuple),
)  # fmt: skip
FACTS: dict[str, Any] = {
    "format": "pickle", "loader": "pickle.load", "compression": None, "size": 1, "protocol": 4, "array_bytes": 0,
    "versions": {"x": ["1"]}, "packages": ["x"], "globals": [{"name": "a.b\x1b", "at": 1}], "local": ["__main__.f\x1b"],
    "unfitted": [], "bytecode": [{"name": "f\n", "python": None}], "notes": ["x\x1b"],
}  # fmt: skip
read = st.builds(Probed, words, words, st.just(FACTS), verdicts, st.none() | verdicts, st.none())
files = read | st.tuples(words, words).map(lambda pair: Probed(pair[0], error=pair[1]))
views = st.builds(
    View, st.none(), st.booleans(), questions=st.sampled_from([(), ("load",), QUESTIONS]), verbose=st.booleans()
)


@given(st.lists(files, min_size=1, max_size=6), words, views)
def test_every_report_renders_any_probe(found: list[Probed], target: str, view: View) -> None:
    place = Probe(tuple(found), target, "image", (target,))
    bare = Probe(tuple(item._replace(predicted=None, executed=None) for item in found))
    for record in load("reports", "REPORT").values():
        assert isinstance(record, Report)
        for probe in (place, bare):
            text = record.probe(probe, view._replace(color=False))
            assert text.endswith("\n")
            assert not {"\x1b", "\x9b", "\r"} & set(text)
    json_report = load("reports", "REPORT")["as_json"]
    assert isinstance(json_report, Report)
    for probe in (place, bare):
        jsonschema.validate(json.loads(json_report.probe(probe, view)), SCHEMA)


def loaded(*arguments: str) -> set[str]:
    """The modules of envaudit that a command line loads, in a process of its own."""
    code = (
        "import sys; from envaudit.__main__ import main; main();"
        "sys.stderr.write('\\n'.join(['LOADED', *(name for name in sys.modules if name.startswith('envaudit'))]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": str(Path(package.__file__).parent.parent)},
    )  # fmt: skip
    return set(done.stderr.partition("LOADED\n")[2].splitlines())


def test_comparing_without_a_model_loads_nothing_of_the_probe(two_snapshots: tuple[Path, Path]) -> None:
    found = loaded("compare", *map(str, two_snapshots))
    parts = ("probing", "prediction", "surface", "artifacts", "needs", "sandbox", "api", "reports._probe", "rules.ea9")
    assert not [name for name in found if name.startswith(tuple(f"envaudit.{part}" for part in parts))]


def test_a_probe_without_a_run_never_loads_the_sandbox(tmp_path: Path) -> None:
    model = str(hostile.write(tmp_path, "1"))
    for call in (["probe", model], ["probe", model, "--in", sys.executable]):
        found = loaded(*call)
        assert not [name for name in found if name.startswith("envaudit.sandbox")]
        assert "envaudit.probing" in found


def test_progress_is_shown_on_a_terminal_only(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    models = [str(hostile.write(folder, "1")) for folder in (tmp_path, tmp_path / "a")]
    assert envaudit("probe", *models).stderr == ""
    shown = subprocess.run(
        ["script", "-qec", f"{sys.executable} -m envaudit probe {' '.join(models)} >/dev/null", "/dev/null"],
        capture_output=True, check=False, env={**os.environ, "TERM": "xterm"},
    )  # fmt: skip
    assert b"2 of 2: reading" in shown.stdout


@pytest.mark.parametrize(
    ("target", "kind", "words"),
    [
        ("container://web", "container", "in container web\n"),
        ("here://", "here", "in this environment\n"),
        ("fraud:1.2", "image", "in image fraud:1.2\n"),
    ],
)
def test_a_place_is_named_without_repeating_its_kind(target: str, kind: str, words: str) -> None:
    yes = Answer("yes", "likely")
    found = Probe((Probed("m.pkl", predicted=Verdict("m.pkl", target, yes, yes, yes)),), target, kind)
    text = registry.module("reports", "as_text").REPORT.probe(found, View())
    assert text.startswith(f"PASS  m.pkl loads and predicts {words}")


def test_a_pickle_that_runs_commands_is_no_model(tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(b"cposix\nsystem\n(S'touch canary'\ntR.")
    done = envaudit("probe", "model.pkl", "--in", "here://", cwd=tmp_path)
    assert "DANGER: loading it can run any command (posix.system)" in done.stdout
    assert "PASS" not in done.stdout
    assert "it asks for posix.system" in envaudit("probe", "model.pkl", cwd=tmp_path).stdout
    assert envaudit("probe", "model.pkl", "--in", "here://", "--strict", cwd=tmp_path).returncode == 2
    assert os.listdir(tmp_path) == ["model.pkl"]
