"""``probe --import``: what a file names is really imported in the target, and the file is not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import envaudit as package
from envaudit import artifacts, sandbox
from envaudit.errors import SandboxError, UsageError
from envaudit.evidence import MIB, Options
from envaudit.model import Answer, Reason, Verdict
from envaudit.needs import Global, Needs
from envaudit.sandbox import Limits, _imports, _outcome
from envaudit.sandbox._job import Job, Raw
from tests.environments import UV, envaudit, environment, interpreters

SUPPORTED = [name for name in interpreters() if tuple(map(int, name.split("."))) >= (3, 6)]
YES = Answer("yes", "likely")

MODULES = {
    "plain.py": "class Here: pass\n",
    "runtime.py": "def _make():\n    globals()['Ma' + 'de'] = type('Made', (), {})\n_make()\n",
    "lazy.py": "def __getattr__(name):\n    raise RuntimeError('not today')\n",
    "raises.py": "raise ValueError('no licence\\nin this house')\n",
    "gone.py": "import plain\nplain.there\n",
    "library.py": ("raise ImportError('libgomp.so.1: cannot open shared object file: No such file or directory')\n"),
    "compiled.py": (
        "raise ValueError('numpy.dtype size changed, may indicate binary incompatibility. Expected 96 from C header,'\n"
        "                 ' got 88 from PyObject')\n"
    ),
    "needy.py": "import absent_dependency\n",
    "half/__init__.py": "",
    "half/count.py": "import half\nhalf.tries = getattr(half, 'tries', 0) + 1\nraise KeyError(half.tries)\n",
    "leaves.py": "import sys\nsys.exit('bye')\n",
    "segfaults.py": "import ctypes\nctypes.string_at(0)\n",
    "hangs.py": "while True: pass\n",
    "hungry.py": "x = bytearray(100 << 30)\n",
    "writes.py": "open('/tmp/' + 'canary', 'w').close()\nopen('/canary', 'w')\n",
}
"""A small distribution, each module of which does on import what its name says."""


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with that distribution, installed from a wheel."""
    folder = tmp_path_factory.mktemp("imports")
    wheel = folder / "house-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in MODULES.items():
            archive.writestr(name, text)
        archive.writestr("house-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: house\nVersion: 1.0\n")
        archive.writestr("house-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr("house-1.0.dist-info/RECORD", "")
    subprocess.run([UV, "venv", "-q", "--python", sys.executable, str(folder / "venv")], check=True)
    python = str(folder / "venv/bin/python")
    subprocess.run([UV, "pip", "install", "-q", "--no-index", "--python", python, str(wheel)], check=True)
    return folder / "venv"


def asking(folder: Path, *names: str, protocol: int = 4) -> Path:
    """A pickle of None that names these on the way, each ``module:qualified.name``."""
    data = b"\x80" + bytes([protocol])
    for name in names:
        module, _, qualified = name.partition(":")
        if protocol < 4:
            data += f"c{module}\n{qualified}\n".encode()
        else:
            data += b"".join(b"\x8c" + bytes([len(word)]) + word.encode() for word in (module, qualified)) + b"\x93"
        data += b"0"
    path = folder / "model.pkl"
    path.write_bytes(data + b"N.")
    return path


def looked(model: Path, target: Path | str, **settings: Any) -> Verdict:
    """What importing alone says of a file of which nothing bad was predicted."""
    needs = artifacts.read(str(model))
    predicted = Verdict(str(model), str(target), YES, YES, YES)
    return sandbox.import_names(predicted, needs, str(target), options=Options(), **settings)


NAMES = {
    1: ["copy_reg:_reconstructor", "json:nosuch"],
    2: [
        "__builtin__:unicode",
        "itertools:izip",
        "collections:OrderedDict.fromkeys",
        "__builtin__:nosuch",
        "no.such:Thing",
    ],
    3: ["json:nosuch", "email:message.Message"],
    4: [
        "collections:OrderedDict.fromkeys",
        "collections:OrderedDict.nosuch",
        "json.nosuch:Thing",
        "email:message.Message",
    ],
}
"""By protocol: each depends on it whether a name of Python 2, or a qualified one, is found."""

LOADS = """
import pickle, sys
for name in sys.argv[1:]:
    try: pickle.load(open(name, 'rb')); print()
    except Exception as error: print('%s: %s' % (type(error).__name__, error))
"""


@pytest.mark.parametrize("name", SUPPORTED)
@pytest.mark.usefixtures("no_bubblewrap")
def test_every_python_finds_names_as_its_unpickler_does(name: str, tmp_path: Path) -> None:
    """Each answer is held against what this Python's own ``pickle.load`` does with a file of that name alone."""
    python = interpreters()[name]
    for protocol, names in NAMES.items():
        alone = [asking(tmp_path, one, protocol=protocol).rename(tmp_path / f"{at}") for at, one in enumerate(names)]
        done = subprocess.run([python, "-c", LOADS, *alone], stdout=subprocess.PIPE, check=True, encoding="utf-8")
        truth = {one.replace(":", "."): line for one, line in zip(names, done.stdout.splitlines(), strict=True) if line}
        assert truth
        verdict = looked(asking(tmp_path, *names, protocol=protocol), python, unsafe=True)
        assert {reason.subject: reason.error for reason in verdict.reasons} == truth


@pytest.mark.usefixtures("bubblewrap")
def test_names_of_python_2_within_a_newer_file_are_found(tmp_path: Path) -> None:
    """joblib writes an array of objects into a file of protocol 4 as a pickle of its own, of protocol 2."""
    verdict = looked(asking(tmp_path, "copy_reg:_reconstructor", "__builtin__:nosuch"), sys.executable)
    assert [reason.error for reason in verdict.reasons] == [
        f"AttributeError: Can't get attribute 'nosuch' on {sys.modules['builtins']!r}"
    ]


@pytest.mark.usefixtures("bubblewrap")
@pytest.mark.parametrize(
    ("name", "cause", "error", "explanation", "fix"),
    [
        ("plain:Gone", "missing-name", "AttributeError: Can't get attribute 'Gone' on <module 'plain' from ",
         "the file names plain.Gone; plain has no Gone", "install the version of plain that wrote the file"),
        ("plain:Here.inner", "missing-name", "AttributeError: Can't get attribute 'Here.inner' on <module 'plain'",
         "plain has no Here.inner", "install the version of plain"),
        ("absent.part:Thing", "missing-module", "ModuleNotFoundError: No module named 'absent'",
         "there is no module absent in the target", "install the version of absent that wrote the file"),
        ("half.nosuch:Thing", "missing-module", "ModuleNotFoundError: No module named 'half.nosuch'",
         "there is no module half.nosuch in the target", "install the version of half"),
        ("needy:Thing", "missing-module", "ModuleNotFoundError: No module named 'absent_dependency'",
         "importing needy needs absent_dependency", "pip install 'absent-dependency', which needy imports"),
        ("lazy:Thing", "import-error", "RuntimeError: not today", "importing lazy raises this", "of lazy"),
        ("raises:Thing", "import-error", "ValueError: no licence", "importing raises raises this", "of raises"),
        ("gone:Thing", "import-error", "AttributeError: module 'plain' has no attribute 'there'",
         "importing gone raises this", "of gone"),
        ("leaves:Thing", "import-error", "SystemExit: bye", "importing leaves raises this", "of leaves"),
        ("writes:Thing", "import-error", "OSError: [Errno 30] Read-only file system", "importing writes", "of writes"),
        ("library:Thing", "import-error", "ImportError: libgomp.so.1: cannot open shared object file",
         "importing library raises this", "apt-get install -y libgomp1 (on Debian and Ubuntu)"),
        ("compiled:Thing", "import-error", "ValueError: numpy.dtype size changed",
         "importing compiled meets a module that was compiled for another NumPy than the one that is there",
         "install releases of compiled and numpy that were built for each other, as in training"),
        ("segfaults:Thing", "crash", "Segmentation fault (SIGSEGV)",
         "importing segfaults: the process was ended by SIGSEGV", "install the version of segfaults"),
        ("hangs:Thing", "time-out", "not finished after 3 seconds", "importing hangs: it was not finished", ""),
        ("hungry:Thing", "out-of-memory", "MemoryError", "more than the 0.25 GiB of memory that are the limit", ""),
    ],
)  # fmt: skip
def test_what_an_import_does_is_an_outcome(
    name: str, cause: str, error: str, explanation: str, fix: str, place: Path, tmp_path: Path
) -> None:
    limits = Limits(seconds=3 if cause == "time-out" else 60, memory=256 * MIB)
    verdict = looked(asking(tmp_path, name), place, limits=limits)
    assert (verdict.load, verdict.predict.value) == (Answer("no", "executed"), "no")
    (reason,) = verdict.reasons
    assert (reason.question, reason.cause, reason.subject) == ("load", cause, name.replace(":", "."))
    assert reason.error.startswith(error)
    assert "\n" not in reason.error
    assert explanation in reason.explanation
    assert fix in reason.fix
    assert bool(reason.fix) == bool(fix)


@pytest.mark.usefixtures("bubblewrap")
def test_every_missing_name_is_told_and_what_fails_is_tried_once(place: Path, tmp_path: Path) -> None:
    names = ["plain:Here", "half.count:A", "half.count:B", "plain:Gone", "half:tries", "absent:A", "absent.sub:B"]
    verdict = looked(asking(tmp_path, *names), place)
    assert {reason.subject: reason.error.partition(" on ")[0] for reason in verdict.reasons} == {
        "half.count.A": "KeyError: 1",
        "half.count.B": "KeyError: 1",
        "plain.Gone": "AttributeError: Can't get attribute 'Gone'",
        "absent.A": "ModuleNotFoundError: No module named 'absent'",
        "absent.sub.B": "ModuleNotFoundError: No module named 'absent'",
    }
    assert verdict.notes[0] == "imported there: 3 of 8 names that loading asks for"
    assert verdict.reasons[0].evidence[0] == "byte 32 of the file names half.count.A"


@pytest.mark.usefixtures("bubblewrap")
def test_what_comes_after_a_crash_is_not_claimed(place: Path, tmp_path: Path) -> None:
    model = asking(tmp_path, "plain:Here", "plain:Gone", "segfaults:A", "absent:B", "runtime:Made")
    (verdict,) = package.probe(model, place, imports=True).verdicts
    assert {reason.subject: (reason.cause, reason.how) for reason in verdict.reasons} == {
        "plain.Gone": ("missing-name", "executed"),
        "segfaults.A": ("crash", "executed"),
        "absent.B": ("missing-module", "proved"),
        "runtime.Made": ("missing-name", "proved"),
    }
    assert verdict.notes[0] == "importing ended at segfaults.A: 2 names after it were not looked up"


@pytest.mark.usefixtures("bubblewrap")
def test_a_name_that_is_made_at_run_time_is_no_reason(place: Path, tmp_path: Path) -> None:
    model = asking(tmp_path, "runtime:Made", "plain:Here")
    (before,) = package.probe(model, place).verdicts
    assert [(reason.cause, reason.how, reason.subject) for reason in before.reasons] == [
        ("missing-name", "proved", "runtime.Made")
    ]
    (after,) = package.probe(model, place, imports=True).verdicts
    assert (after.load, after.reasons) == (YES, ())  # what was executed is no load
    assert after.notes[:2] == (
        "imported there: all 3 names that loading asks for",
        "runtime.Made is there, though reading did not find it: its code was not followed",
    )


@pytest.mark.usefixtures("bubblewrap")
def test_the_script_that_trained_is_looked_for_nowhere(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is anything imported from the folder that envaudit is started in."""
    for name in ("features", "__main__"):
        (tmp_path / f"{name}.py").write_text("class Clean: pass\n")
    model = asking(tmp_path, "__main__:Clean", "features:Clean")
    monkeypatch.chdir(tmp_path)
    (verdict,) = package.probe(model, place, imports=True).verdicts
    assert {reason.subject: (reason.cause, reason.how) for reason in verdict.reasons} == {
        "__main__.Clean": ("main-module", "likely"),
        "features.Clean": ("missing-module", "executed"),
    }
    (unsafe,) = package.probe(model, place, imports=True, unsafe=True).verdicts
    assert [reason.subject for reason in unsafe.reasons] == ["features.Clean", "__main__.Clean"]


@pytest.mark.usefixtures("no_bubblewrap")
def test_the_file_itself_goes_nowhere(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing would keep it from being read: it is gone before anything is imported."""
    ran = tmp_path / "ran"
    model = tmp_path / "model.pkl"
    model.write_bytes(b"\x80\x02cbuiltins\nopen\n(V%s\nVw\ntR." % str(ran).encode())
    needs = artifacts.read(str(model))
    model.unlink()
    predicted = Verdict(str(model), str(place), YES, YES, YES)
    verdict = sandbox.import_names(predicted, needs, str(place), options=Options(), unsafe=True)
    assert verdict.notes[0] == "imported there: all 2 names that loading asks for"
    assert not ran.exists()
    job = Job(str(model), "pickle.load", None, None, Limits(), (("a", "b"),))
    source, _ = _outcome.script(job, str(model), path=[], user=None, limits={})
    assert str(model).encode() not in source


@pytest.mark.usefixtures("no_bubblewrap")
def test_without_a_sandbox_nothing_is_imported(place: Path, tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match="without it what is imported could do anything here: --unsafe"):
        looked(asking(tmp_path, "plain:Here"), place)


@pytest.mark.network
@pytest.mark.usefixtures("bubblewrap")
def test_what_a_lock_file_says_is_built_and_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    lock = tmp_path / "requirements.txt"
    lock.write_text("joblib==1.4.2\n")
    model = asking(tmp_path, "joblib.memory:Memory", "sklearn.base:BaseEstimator")
    (verdict,) = package.probe(model, lock, imports=True).verdicts
    assert [(reason.error, reason.how) for reason in verdict.reasons] == [
        ("ModuleNotFoundError: No module named 'sklearn'", "executed")
    ]
    assert verdict.notes[0] == "imported there: 2 of 3 names that loading asks for"


def test_a_snapshot_has_nothing_to_import(tmp_path: Path, two_snapshots: tuple[Path, Path]) -> None:
    with pytest.raises(SandboxError, match="nothing can be imported in a snapshot; name an environment or an image"):
        looked(asking(tmp_path, "json:loads"), two_snapshots[0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "importing needs a target (--in TARGET; here:// is this environment)"),
        (["--in", "here://", "--run"], "a run imports what it needs, and tells more (--run without --import)"),
        (["--in", "here://", "--find", "numpy"], "what is not installed cannot be imported (--find without --import)"),
        (["--in", "here://", "--sample", "x.npy"], "only matter to a run (--run)"),
    ],
)
def test_a_call_that_cannot_be_meant_is_one_line(arguments: list[str], message: str, tmp_path: Path) -> None:
    done = envaudit("probe", str(asking(tmp_path, "json:loads")), "--import", *arguments)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert message in done.stderr


def test_the_api_refuses_the_same(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="a run imports what it needs"):
        package.probe(asking(tmp_path, "json:loads"), "here://", imports=True, run=True)


@pytest.mark.usefixtures("bubblewrap")
def test_the_first_screen_says_which_import_fails(place: Path, tmp_path: Path) -> None:
    model = asking(tmp_path, "library:A", "library:B", "compiled:C", "plain:Gone", "__main__:D")
    done = envaudit("probe", model.name, "--in", str(place), "--import", cwd=tmp_path)
    assert done.returncode == 1
    text = " ".join(done.stdout.split())
    assert text.startswith("FAIL model.pkl will not load in venv ")
    assert "load no (executed) predict no (executed)" in text
    assert "why it will not load ImportError: libgomp.so.1: cannot open shared object file" in text
    assert (
        "the same hits library.B fix: apt-get install -y libgomp1 (on Debian and Ubuntu), which holds libgomp" in text
    )
    assert "ValueError: numpy.dtype size changed" in text
    assert "what is predicted beside that AttributeError: Can't get attribute 'D' on <module '__main__'>" in text
    assert "did not load" not in text
    found = json.loads(envaudit("probe", str(model), "--in", str(place), "--import", "--format", "json").stdout)
    (verdict,) = found["verdicts"]
    assert (verdict["load"], verdict["how"], "executed" in verdict) == ("no", "executed", False)
    assert [reason["cause"] for reason in verdict["reasons"]] == [
        "import-error", "import-error", "import-error", "missing-name", "main-module"
    ]  # fmt: skip


PYTHON_311 = interpreters().get("3.11") or Path(sys.executable)
TRAIN = ("scikit-learn==1.4.2", "numpy==1.26.4", "scipy==1.13.1", "joblib==1.4.2", "pandas==2.0.3")
SERVE = ("scikit-learn==1.2.2", "numpy==1.24.4", "scipy==1.11.4", "joblib==1.3.2", "pandas==1.5.3")
FIT = """
import sys, joblib, numpy, pandas
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, TargetEncoder
frame = pandas.DataFrame({"colour": ["red", "blue", "red", "green"] * 9, "size": [1.0, 2.5, 3.0, 4.5] * 9})
y = numpy.array([0, 1, 0, 1] * 9)
folder = sys.argv[1]
encoded = make_pipeline(ColumnTransformer([("c", OneHotEncoder(), ["colour"])]), LogisticRegression()).fit(frame, y)
joblib.dump(encoded, folder + "/encoded.joblib")
joblib.dump(TargetEncoder().fit(frame[["colour"]], y), folder + "/target.joblib")
joblib.dump(HistGradientBoostingClassifier(max_iter=3).fit(frame[["size"]], y), folder + "/boosted.joblib")
frame.to_pickle(folder + "/frame.pkl")
"""


@pytest.mark.network
@pytest.mark.usefixtures("bubblewrap")
def test_real_models_of_another_release(tmp_path: Path) -> None:
    train, serve = (environment(*packages, python=PYTHON_311) for packages in (TRAIN, SERVE))
    subprocess.run([train / "bin/python", "-c", FIT, str(tmp_path)], check=True)
    files = sorted(os.listdir(tmp_path))
    at_home = package.probe([tmp_path / name for name in files], train, imports=True).verdicts
    assert {(verdict.load.value, verdict.notes[0].split(" names")[0][:19]) for verdict in at_home} == {
        ("yes", "imported there: all")
    }
    served = {
        Path(verdict.artifact).name: verdict
        for verdict in package.probe([tmp_path / name for name in files], serve, imports=True).verdicts
    }
    assert served["encoded.joblib"].load.value == "yes"
    (reason,) = [item for item in served["target.joblib"].reasons if item.how == "executed"]
    assert reason.cause == "missing-module"
    assert reason.error == "ModuleNotFoundError: No module named 'sklearn.preprocessing._target_encoder'"
    assert reason.fix == "pip install 'scikit-learn==1.4.2', which wrote the file"
    for name, verdict in served.items():  # what is claimed to be executed is what the load itself says
        loader = "pandas.read_pickle" if name.endswith(".pkl") else "joblib.load"
        code = f"import {loader.partition('.')[0]}, sys; {loader}(sys.argv[1])"
        done = subprocess.run(
            [serve / "bin/python", "-c", code, str(tmp_path / name)], capture_output=True, text=True, check=False
        )
        said = [item.error for item in verdict.reasons if item.how == "executed"]
        assert all(error == done.stderr.splitlines()[-1] for error in said)


@pytest.mark.network
@pytest.mark.usefixtures("bubblewrap")
def test_pandas_knows_where_its_names_have_gone(tmp_path: Path) -> None:
    place = environment(*TRAIN, python=PYTHON_311)
    names = [
        "pandas.core.indexes.numeric:Int64Index",
        "pandas.core.sparse.array:SparseArray",
        "pandas.core.panel:Panel",
    ]
    alone = [asking(tmp_path, name).rename(tmp_path / f"{at}.pkl") for at, name in enumerate(names)]
    code = LOADS.replace("import pickle", "import pandas").replace(
        "pickle.load(open(name, 'rb'))", "pandas.read_pickle(name)"
    )
    done = subprocess.run([place / "bin/python", "-c", code, *alone], stdout=subprocess.PIPE, check=True, text=True)
    assert [bool(line) for line in done.stdout.splitlines()] == [False, False, True]
    model = asking(tmp_path, *names)
    (verdict,) = package.probe(model, place, loader="pandas.read_pickle", imports=True).verdicts
    assert [reason.error for reason in verdict.reasons] == done.stdout.splitlines()[2:]
    assert verdict.notes[0] == "imported there: 3 of 4 names that loading asks for"


def test_what_could_not_be_read_stays_open_where_the_names_are_there() -> None:
    item = Global("unseen.part", "Thing", 5)
    needs = Needs("pickle", "pickle.load", None, 10, 4, (), (item,))
    hidden = Reason("load", "unknown", "likely", "missing-module", "ModuleNotFoundError: x", "", subject=str(item))
    unknown = Answer("unknown", "likely")
    before = Verdict("m", "t", unknown, unknown, unknown, (hidden,))
    job = Job("m", "pickle.load", None, None, Limits(), (("pickle", "load"), ("unseen.part", "Thing")))
    done = _outcome.Outcome("exit", phase="done", sought=2)
    after = _imports.correct(before, needs, None, job, done, ())
    assert after.load == unknown
    assert [(reason.cause, reason.fix) for reason in after.reasons] == [("not-read", "--run tries it")]


MESSAGES = st.lists(
    st.dictionaries(
        st.sampled_from(["finding", "missing", "like", "imported", "exception", "phase"]),
        st.integers(-2, 9) | st.none() | st.text(max_size=3) | st.just("done") | st.just({"type": "ImportError"}),
    )
    | st.integers(),
    max_size=8,
)


@given(MESSAGES, st.sampled_from(["exit", "signal", "silent"]))
def test_no_reply_can_break_envaudit(messages: list[Any], ended: str) -> None:
    reply = {"ended": ended, "code": 0, "messages": messages}
    outcome = _outcome.read(Raw(b"TOKEN" + json.dumps(reply).encode() + b"TOKEN", b""), b"TOKEN")
    needs = Needs("pickle", "pickle.load", None, 10, 4, (), (Global("a", "b", 1), Global("c", "d.e", 2)))
    names = tuple((item.module, item.name) for item in _imports.wanted(needs))
    job = Job("m", "pickle.load", None, None, Limits(), names)
    verdict = _imports.correct(Verdict("m", "t", YES, YES, YES), needs, None, job, outcome, ())
    assert verdict.load.value == ("no" if verdict.reasons else "yes")
    assert verdict.reasons or (outcome.was_done and len(names) == 3)
