"""embed, show, verify, compare and dump as a user meets them, between real environments."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path

import jsonschema
import pytest

import envaudit as package
from envaudit import embedding, store
from envaudit.errors import EmbeddingError, EnvironmentSkewError, UsageError
from tests.embedding.places import PYTHON, ROOT, SERVE, TRAIN, place, run, trained
from tests.environments import envaudit, environment

pytestmark = pytest.mark.network


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(tmp_path_factory.mktemp("models"))


@pytest.fixture
def boosting(models: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(models / "boosting.joblib", tmp_path))


@pytest.fixture
def bayes(models: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(models / "bayes.joblib", tmp_path))


VERIFY = """
import sys
FORBIDDEN = set("pickle.find_class subprocess.Popen os.exec os.fork os.posix_spawn os.system socket.connect".split())
done = []
sys.addaudithook(lambda event, arguments: done.append(event) if event in FORBIDDEN else None)
import envaudit
try:
    result = envaudit.verify(sys.argv[1])
    print("served", result.worst(), [str(verdict.load.value) for verdict in result.verdicts])
except envaudit.EnvironmentSkewError as error:
    print("refused", error)
    for finding in error.findings:
        print(finding.code, finding.severity, finding.subject)
heavy = set("docker rich typer click requests pip_api numpy sklearn scipy joblib pandas torch".split())
print(sorted(done), sorted(heavy & set(sys.modules)))
"""


def test_a_model_is_refused_by_the_guard_where_it_would_not_load_and_nothing_is_run(models: Path) -> None:
    done = run(place(SERVE), VERIFY, str(models / "boosting.joblib"))
    assert done.returncode == 0, done.stderr
    first, *rest = done.stdout.splitlines()
    assert first.startswith(f"refused {models}/boosting.joblib: EA")
    assert "EA904 error GradientBoostingClassifier" in done.stdout or "EA904 error" in done.stdout
    assert rest[-1] == "[] []"
    loaded = run(place(SERVE), "import sys, joblib; joblib.load(sys.argv[1])", str(models / "boosting.joblib"))
    assert "node array from the pickle has an incompatible dtype" in loaded.stderr


def test_a_model_that_survives_is_let_through(models: Path) -> None:
    for venv in (place(SERVE), place(TRAIN)):
        done = run(venv, VERIFY, str(models / "bayes.joblib"))
        assert done.stdout.splitlines()[0].startswith("served "), done.stdout + done.stderr
        assert done.stdout.splitlines()[-1] == "[] []"
        code = "import sys, joblib; print(joblib.load(sys.argv[1]).predict([[0, 1, 2, 3]]))"
        assert run(venv, code, str(models / "bayes.joblib")).returncode == 0


def test_verify_on_the_command_line(models: Path) -> None:
    serve = str(environment(*SERVE, python=PYTHON))
    done = envaudit("verify", str(models / "boosting.joblib"), "--in", serve)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith("FAIL  ")
    assert "node array from the pickle has an incompatible dtype" in " ".join(done.stdout.split())
    assert envaudit("verify", str(models / "bayes.joblib"), "--in", serve).returncode == 0
    assert envaudit("verify", str(models / "bayes.joblib"), "--in", serve, "--fail-on", "note").returncode == 1


def test_the_model_is_training_and_artifact_of_a_comparison(models: Path, tmp_path: Path) -> None:
    serve = str(environment(*SERVE, python=PYTHON))
    apart = tmp_path / "train.json"
    store.write(embedding.read(str(models / "boosting.joblib")).record.snapshot, str(apart))
    one = envaudit("compare", str(models / "boosting.joblib"), serve, "--format", "json")
    two = envaudit("compare", str(apart), serve, "--model", str(models / "boosting.joblib"), "--format", "json")
    assert (one.returncode, one.stdout) == (two.returncode, two.stdout)
    assert json.loads(one.stdout)["verdicts"][0]["load"] == "no"
    result = package.compare(models / "boosting.joblib", serve)
    assert [verdict.load.value for verdict in result.verdicts] == ["no"]


def test_what_compares_two_models_compares_their_trainings(models: Path) -> None:
    done = envaudit("compare", str(models / "bayes.joblib"), f"model://{models / 'boosting.joblib'}")
    assert done.returncode == 0, done.stdout + done.stderr


def test_embedding_a_place_or_a_saved_snapshot(bayes: Path, tmp_path: Path) -> None:
    original = tmp_path / "original.joblib"
    assert envaudit("embed", "--remove", str(bayes)).returncode == 0
    shutil.copy(bayes, original)
    train = environment(*TRAIN, python=PYTHON)
    done = envaudit("embed", str(bayes), str(train))
    assert done.returncode == 0
    assert done.stderr.startswith(f"envaudit: {bayes}: carries a snapshot behind the pickle: ")
    by_place = embedding.read(str(bayes)).record.snapshot
    envaudit("snapshot", str(train), "-o", str(tmp_path / "train.json"))
    assert envaudit("embed", str(bayes), str(tmp_path / "train.json")).returncode == 0
    assert embedding.read(str(bayes)).record.snapshot == by_place
    done = envaudit("embed", str(bayes), "--remove")
    assert "removed the snapshot behind the pickle" in done.stderr
    assert bayes.read_bytes() == original.read_bytes()
    done = envaudit("embed", str(bayes), "--remove")
    assert (done.returncode, "carried no snapshot" in done.stderr) == (0, True)


def test_a_sample_rides_along_with_the_answers_of_training(bayes: Path, models: Path) -> None:
    train = str(environment(*TRAIN, python=PYTHON))
    done = envaudit("embed", str(bayes), train, "--sample", str(models / "X.npy"))
    assert done.returncode == 0, done.stderr
    record = embedding.read(str(bayes)).record
    assert record.sample is not None
    assert (record.sample.file, record.sample.data) == ("X.npy", (models / "X.npy").read_bytes())
    assert set(record.snapshot.artifacts[0].answers) >= {"predict", "predict_proba"}
    done = envaudit("verify", str(bayes), "--in", str(environment(*SERVE, python=PYTHON)), "--run", "--format", "json")
    verdict = json.loads(done.stdout)["verdicts"][0]
    assert [verdict[question] for question in ("load", "predict", "same")] == ["yes"] * 3
    assert set(verdict["hows"].values()) == {"executed"}
    done = envaudit("probe", str(bayes), "--in", train, "--run")
    assert "answers as in training" in " ".join(done.stdout.split())


def test_other_answers_than_those_of_training_are_noticed(bayes: Path, models: Path) -> None:
    train = str(environment(*TRAIN, python=PYTHON))
    assert envaudit("embed", str(bayes), train, "--sample", str(models / "X.npy")).returncode == 0
    record = embedding.read(str(bayes)).record
    artifact = record.snapshot.artifacts[0]
    wrong = artifact.answers["predict"]._replace(values=[7, 7, 7, 7, 7])
    changed = record.snapshot._replace(artifacts=(artifact._replace(answers={**artifact.answers, "predict": wrong}),))
    embedding.write(str(bayes), record._replace(snapshot=changed))
    done = envaudit("verify", str(bayes), "--in", train, "--run", "--format", "json")
    assert json.loads(done.stdout)["verdicts"][0]["same"] == "no"


def test_a_saved_snapshot_gives_the_answers_that_it_recorded(bayes: Path, models: Path, tmp_path: Path) -> None:
    train, saved = str(environment(*TRAIN, python=PYTHON)), str(tmp_path / "train.json")
    sample = ("--sample", str(models / "X.npy"))
    assert envaudit("snapshot", train, "--model", str(bayes), *sample, "-o", saved).returncode == 0
    done = envaudit("embed", str(bayes), saved, *sample)
    assert done.returncode == 0, done.stderr
    assert embedding.read(str(bayes)).record.snapshot.artifacts[0].answers
    without = str(tmp_path / "without.json")
    assert envaudit("snapshot", train, "-o", without).returncode == 0
    done = envaudit("embed", str(bayes), without, *sample)
    assert done.returncode == 2
    assert f"{without}: holds no answers of {bayes}" in done.stderr


def test_the_digest_of_a_model_is_that_of_its_own_bytes(bayes: Path) -> None:
    carried = package.snapshot(environment(*TRAIN, python=PYTHON), models=bayes)
    embedding.remove(str(bayes))
    plain = package.snapshot(environment(*TRAIN, python=PYTHON), models=bayes)
    assert carried.artifacts[0].sha256 == plain.artifacts[0].sha256 == hashlib.sha256(bayes.read_bytes()).hexdigest()
    assert carried.artifacts[0].size == plain.artifacts[0].size


def test_a_changed_model_is_refused_and_shown_with_a_warning(bayes: Path) -> None:
    data = bytearray(bayes.read_bytes())
    at = data.index(b"GaussianNB")
    data[at : at + 10] = b"GaussianMB"
    bayes.write_bytes(data)
    for call in (["verify", str(bayes)], ["compare", str(bayes), "here://"]):
        done = envaudit(*call)
        assert (done.returncode, done.stdout) == (2, "")
        assert "its snapshot belongs to other bytes of the same length" in done.stderr
    shown = envaudit("show", str(bayes))
    assert shown.returncode == 0
    assert "WARNING its snapshot belongs to other bytes" in " ".join(shown.stdout.split())
    with pytest.raises(EmbeddingError, match="was changed since"):
        package.verify(bayes)


def test_a_snapshot_of_another_model_is_refused(bayes: Path, boosting: Path) -> None:
    own = embedding.identity(str(bayes)).size
    pasted = bayes.read_bytes()[:own] + boosting.read_bytes()[embedding.identity(str(boosting)).size :]
    bayes.write_bytes(pasted)
    with pytest.raises(EmbeddingError, match="another model's"):
        package.verify(bayes)


def test_show_says_what_is_inside(bayes: Path, tmp_path: Path) -> None:
    done = envaudit("show", str(bayes))
    assert (done.returncode, done.stderr) == (0, "")
    text = " ".join(done.stdout.split())
    assert f"{bayes} carries a snapshot behind the pickle, written by envaudit" in text
    assert "a Pipeline of StandardScaler and GaussianNB, scikit-learn 1.4.2" in text
    assert "scikit-learn 1.4.2" in text
    assert f"it belongs to this very model: {embedding.identity(str(bayes)).size} bytes" in text
    saved = tmp_path / "train.json"
    store.write(embedding.read(str(bayes)).record.snapshot, str(saved))
    assert " ".join(envaudit("show", str(saved)).stdout.split()).startswith(f"{saved}: a snapshot train environment")
    schema = json.loads((ROOT / "docs/shown.schema.json").read_text())
    jsonschema.validate(json.loads(envaudit("show", str(saved), "--format", "json").stdout), schema)
    document = json.loads(envaudit("show", str(bayes), "--format", "json").stdout)
    jsonschema.validate(document, schema)
    assert document["carried"]["bound"] is True
    assert document["components"]["distribution"]["scikit-learn"]["version"] == "1.4.2"
    embedding.remove(str(bayes))
    done = envaudit("show", str(bayes))
    assert (done.returncode, done.stdout) == (2, "")
    assert "no model that carries its snapshot (envaudit embed)" in done.stderr


def test_the_report_fits_a_terminal(models: Path) -> None:
    for call in (["show"], ["verify", "--in", str(environment(*SERVE, python=PYTHON))]):
        done = envaudit(call[0], str(models / "boosting.joblib"), *call[1:])
        assert max(map(len, (line for line in done.stdout.splitlines() if "/" not in line))) <= 80


def test_a_model_in_which_nothing_rides_gets_a_sidecar(tmp_path: Path) -> None:
    model = tmp_path / "model.onnx"
    model.write_bytes(b"\x08\x07\x12\x07pytorch" + bytes(range(256)))
    before = model.read_bytes()
    done = envaudit("embed", str(model), str(environment(*TRAIN, python=PYTHON)))
    assert (done.returncode, model.read_bytes()) == (0, before)
    assert "in a file beside it" in done.stderr
    for train in (str(model), f"{model}.envaudit.json"):
        done = envaudit("compare", train, str(environment(*SERVE, python=PYTHON)))
        assert done.returncode == 1
        assert "only the environments were compared" in " ".join(done.stdout.split())
    model.write_bytes(before + b"x")
    done = envaudit("verify", str(model))
    assert (done.returncode, done.stdout) == (2, "")
    assert envaudit("embed", "--remove", str(model)).returncode == 0
    assert os.listdir(tmp_path) == ["model.onnx"]


def test_mistakes_in_the_call_are_one_line(bayes: Path, models: Path, tmp_path: Path) -> None:
    large = tmp_path / "large.json"
    large.write_text(json.dumps([[0.123456789] * 100] * 1000))
    assert large.stat().st_size > embedding.MAX_SAMPLE
    for call, words in {
        ("embed", str(tmp_path / "none.joblib")): "none.joblib: cannot be read: No such file or directory",
        ("embed", str(tmp_path)): "a folder, and not an MLflow model",
        ("embed", str(bayes), "--remove", "--sidecar"): "what is removed needs no snapshot",
        ("embed", str(bayes), "--sample", str(large)): "a few rows do",
        ("embed", str(bayes), "--sample", str(bayes)): "a sample is an .npy, .csv or .json file",
        ("embed", str(bayes), str(tmp_path / "none.json")): "none.json: no such file or folder",
        ("verify", str(tmp_path / "none.joblib")): "none.joblib: cannot be read: No such file or directory",
        ("verify", str(tmp_path)): "a folder, and not an MLflow model",
        ("verify", str(models / "X.npy")): "carries no snapshot",
        ("compare", str(tmp_path / "none.joblib"), "here://"): "none.joblib: no such file or folder",
        ("show", str(models / "X.npy")): "no model that carries its snapshot",
    }.items():
        done = envaudit(*call)
        assert (done.returncode, done.stdout) == (2, ""), call
        assert done.stderr.count("\n") == 1, done.stderr
        assert words in done.stderr, done.stderr
    with pytest.raises(UsageError):
        package.embed(bayes, sample=large)


def test_the_error_of_the_guard_carries_the_findings(models: Path) -> None:
    with pytest.raises(EnvironmentSkewError) as caught:
        package.verify(models / "boosting.joblib", environment(*SERVE, python=PYTHON))
    error = caught.value
    assert not isinstance(error, package.EnvauditError)
    assert {finding.severity for finding in error.findings} == {"error"}
    assert error.comparison.findings[: len(error.findings)] == error.findings
    assert str(error).startswith(f"{models}/boosting.joblib: EA904 sklearn.tree._tree.Tree: It will not load")
    assert "\n" not in str(error)
    result = package.verify(models / "boosting.joblib", environment(*SERVE, python=PYTHON), fail_on=None)
    assert result.findings == error.comparison.findings


DUMP = """
import io, os, sys, envaudit, joblib, numpy
from envaudit import embedding
value = {"a": numpy.arange(1000.0), "b": [1, 2]}
folder = sys.argv[1]
for number, compress in enumerate((0, 3, "gzip", ("zlib", 9), ("bz2", 3), ("xz", 3), ("lzma", 3))):
    path = f"{folder}/{number}.joblib"
    assert envaudit.dump(value, path, compress) == [path]
    assert (joblib.load(path)["a"] == value["a"]).all()
    joblib.dump(value, f"{folder}/plain", compress)
    assert embedding.find(path) is not None
    embedding.remove(path)
    assert open(path, "rb").read() == open(f"{folder}/plain", "rb").read(), compress
    os.unlink(path)
os.unlink(f"{folder}/plain")
for name in ("m.gz", "m.pkl.z", "m.xz"):  # by the ending
    envaudit.dump(value, f"{folder}/{name}")
    joblib.dump(value, f"{folder}/plain-{name}")
    embedding.remove(f"{folder}/{name}")
    assert open(f"{folder}/{name}", "rb").read() == open(f"{folder}/plain-{name}", "rb").read()
stream = io.BytesIO()
assert envaudit.dump(value, stream, protocol=2) == []
stream.seek(0)
assert (joblib.load(stream)["a"] == value["a"]).all()
open(f"{folder}/kept.joblib", "wb").write(b"before")
os.chmod(f"{folder}/kept.joblib", 0o600)
try:
    envaudit.dump(lambda: 0, f"{folder}/kept.joblib")
except Exception as error:
    print(type(error).__name__)
assert open(f"{folder}/kept.joblib", "rb").read() == b"before"
envaudit.dump(value, f"{folder}/kept.joblib")
assert os.stat(f"{folder}/kept.joblib").st_mode & 0o777 == 0o600
try:
    envaudit.dump(value, f"{folder}/none/x.joblib")
except envaudit.EnvauditError as error:
    print(error)
print(sorted(name for name in os.listdir(folder) if name.startswith(".")))
"""


def test_the_guard_does_with_the_packaging_that_other_tools_hold_back(models: Path, tmp_path: Path) -> None:
    old = place((*TRAIN, "packaging==22.0"))
    done = run(old, VERIFY, str(models / "boosting.joblib"))
    assert done.stdout.splitlines()[0].startswith("served "), done.stdout + done.stderr
    (tmp_path / "pylock.toml").write_text('lock-version = "1.0"\ncreated-by = "x"\npackages = []\n')
    (tmp_path / "requirements.txt").write_text("numpy==1.26.4\n")
    for lock in ("pylock.toml", "requirements.txt"):
        code = "import sys; from envaudit.__main__ import main; sys.exit(main())"
        done = run(old, code, "snapshot", str(tmp_path / lock))
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.endswith(
            "reading lock files needs an optional part of envaudit: pip install 'envaudit[lockfile]'\n"
        )


def test_dump_is_joblibs_with_a_snapshot_inside(tmp_path: Path) -> None:
    done = run(place(TRAIN), DUMP, str(tmp_path))
    assert done.returncode == 0, done.stderr
    kind, error, left = done.stdout.splitlines()
    assert kind == "PicklingError"
    assert error == f"{tmp_path}/none/x.joblib: cannot be written: No such file or directory"
    assert left == "[]"


def test_an_environment_that_did_not_write_the_model_is_refused(bayes: Path) -> None:
    before, other = bayes.read_bytes(), str(environment(*SERVE, python=PYTHON))
    done = envaudit("embed", str(bayes), other)
    assert (done.returncode, done.stdout, bayes.read_bytes()) == (2, "", before)
    which = "which has scikit-learn 1.2.2 where the file states 1.4.2"
    assert (
        done.stderr
        == f"envaudit: error: {bayes}: was not written in {other}, {which}: name the environment that trained it\n"
    )


def test_a_probe_knows_the_versions_of_training_by_the_model(bayes: Path) -> None:
    """The file itself states scikit-learn's version, and not numpy's."""
    empty = str(environment(python=PYTHON))

    def told() -> str:
        return envaudit("probe", str(bayes), "--in", empty, "--format", "json").stdout

    assert "pip install 'numpy==1.26.4'" in told()
    bayes.write_bytes(bayes.read_bytes().replace(b"GaussianNB", b"GaussianMB", 1))
    assert "numpy==1.26.4" not in told()
    embedding.remove(str(bayes))
    assert "numpy==1.26.4" not in told()
