"""What is kept between two looks at one place is right, or it is not used: predictions, and what evidence told."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from envaudit import cache, interpretations, probing, verdicts
from envaudit.evidence import CommandOutput, Evidence, FileText, Options, RecordDigest
from envaudit.model import Component, Gap, Json, Verdict
from envaudit.probing import File, Place
from envaudit.surface._trace import Trace
from envaudit.surface.tree import FolderTree
from tests.collectors.test_recorded import CASES, case, evidence, run
from tests.environments import UV

pytestmark = pytest.mark.network

PACKAGE = "sortedcontainers"
DUMP = """
import pickle, sys, sortedcontainers
pickle.dump(sortedcontainers.SortedKeyList([2, 1], abs), open(sys.argv[1], "wb"))
"""


@dataclasses.dataclass
class Scene:
    """An environment of its own and a model that loads there."""

    venv: Path
    model: Path

    @property
    def site(self) -> Path:
        return next(self.venv.glob("lib/*/site-packages"))

    @property
    def source(self) -> Path:
        return self.site / PACKAGE / "sortedlist.py"

    def look(self, train: dict[str, str] | None = None, loader: str | None = None) -> tuple[Verdict, bool]:
        """The verdict, and whether it was one that had been kept: then no module of the place was looked up."""
        place = Place(str(self.venv), Options())
        verdict = place.foretell(File(str(self.model), loader), train).verdict
        return verdict, place._world is None

    def install(self, *requirements: str) -> None:
        python = str(self.venv / "bin/python")
        subprocess.run([UV, "pip", "install", "-q", "--link-mode=copy", "-p", python, *requirements], check=True)


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    monkeypatch.setenv("ENVAUDIT_CACHE", str(tmp_path / "cache"))
    venv = tmp_path / "venv"
    subprocess.run([UV, "venv", "-q", "-p", sys.executable, str(venv)], check=True)
    made = Scene(venv, tmp_path / "model.pkl")
    made.install(f"{PACKAGE}==2.4.0")
    subprocess.run([venv / "bin/python", "-B", "-c", DUMP, made.model], check=True)
    return made


def settle(scene: Scene) -> None:
    """Wait until the last change is long enough ago for a stamp to be trusted."""
    time.sleep(2.1)


def edit_in_place(scene: Scene) -> None:
    """Other contents of the same length, written into the same file, whose dates are put back."""
    before = scene.source.stat()
    with scene.source.open("r+b") as stream:
        data = stream.read()
        stream.seek(0)
        stream.write(data.replace(b"SortedKeyList", b"SortedKeyL1st"))
    os.utime(scene.source, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = scene.source.stat()
    assert (after.st_size, after.st_mtime_ns, after.st_ino) == (before.st_size, before.st_mtime_ns, before.st_ino)


def downgrade(scene: Scene) -> None:
    scene.install(f"{PACKAGE}==1.5.10")  # where it was called SortedListWithKey


def remove(scene: Scene) -> None:
    subprocess.run([UV, "pip", "uninstall", "-q", "-p", str(scene.venv / "bin/python"), PACKAGE], check=True)


def put_in_front(scene: Scene) -> None:
    """A .pth file that puts a folder first on sys.path, in which there is another package of that name."""
    front = scene.venv / "front"
    (front / PACKAGE).mkdir(parents=True)
    (front / PACKAGE / "__init__.py").write_text("")
    (scene.site / "front.pth").write_text(f"import sys; sys.path.insert(0, {str(front)!r})\n")


def hide(scene: Scene) -> None:
    """A package comes before a module of its name."""
    folder = scene.source.with_suffix("")
    folder.mkdir()
    (folder / "__init__.py").write_text("")


@pytest.mark.parametrize("wait", [settle, lambda scene: None], ids=["settled", "young"])
@pytest.mark.parametrize("change", [edit_in_place, downgrade, remove, put_in_front, hide])
def test_what_changed_is_noticed(change: Callable[[Scene], None], wait: Callable[[Scene], None], scene: Scene) -> None:
    wait(scene)
    assert scene.look()[0].load.value == "yes"
    change(scene)
    verdict, recalled = scene.look()
    assert (verdict.load.value, recalled) == ("no", False)
    assert verdict == fresh(scene)
    assert scene.look() == (verdict, True)


def fresh(scene: Scene) -> Verdict:
    """The verdict of somebody who keeps nothing."""
    shutil.rmtree(Path(os.environ["ENVAUDIT_CACHE"]) / "verdicts", ignore_errors=True)
    return scene.look()[0]


def touch(scene: Scene) -> None:
    for path in scene.site.rglob("*.py"):
        os.utime(path)


def copy(scene: Scene) -> None:
    """Every file anew, as an image that was pulled again has them."""
    other = scene.venv.with_name("copy")
    shutil.copytree(scene.venv, other, symlinks=True)
    shutil.rmtree(scene.venv)
    other.rename(scene.venv)


def use(scene: Scene) -> None:
    """Importing writes bytecode beside the sources."""
    environ = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    subprocess.run([scene.venv / "bin/python", "-c", f"import {PACKAGE}"], check=True, env=environ)
    assert (scene.site / PACKAGE / "__pycache__").is_dir()


def write_log(scene: Scene) -> None:
    """What a service leaves in its working directory, which is on its sys.path, is no module."""
    (scene.site / "service.log").write_text("started\n")


@pytest.mark.parametrize("change", [settle, touch, copy, use, write_log])
def test_what_is_as_it_was_is_not_worked_out_again(change: Callable[[Scene], None], scene: Scene) -> None:
    before, recalled = scene.look()
    assert not recalled
    assert scene.look() == (before, True)
    change(scene)
    for _ in range(2):
        assert scene.look() == (before, True)


def test_stamps_are_renewed_once_they_can_be_trusted(scene: Scene) -> None:
    for _ in range(2):
        scene.look()
    (entry,) = Path(os.environ["ENVAUDIT_CACHE"], "verdicts").iterdir()
    young = entry.read_bytes()
    settle(scene)
    scene.look()
    trusted = entry.read_bytes()
    assert trusted != young
    scene.look()
    assert entry.read_bytes() == trusted


def test_what_is_asked_is_part_of_the_answer(scene: Scene) -> None:
    """Another model, other versions of training and another loader are other questions."""
    assert not scene.look()[1]
    for train, loader in (({PACKAGE: "2.3.0"}, None), ({PACKAGE: "2.4.0"}, None), (None, "joblib.load")):
        assert not scene.look(train, loader)[1]
        assert scene.look(train, loader)[1]
    assert scene.look()[1]
    with scene.model.open("ab") as stream:
        stream.write(b"\0")
    verdict, recalled = scene.look()
    assert not recalled
    assert verdict.notes
    moved = scene.model.rename(scene.model.with_name("moved.pkl"))
    verdict, recalled = Scene(scene.venv, moved).look()
    assert (verdict.artifact, recalled) == (str(moved), True)


def test_a_model_with_companions_is_looked_at_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """joblib < 0.10 wrote arrays into files beside the model, of which the model's digest tells nothing."""
    monkeypatch.setenv("ENVAUDIT_CACHE", str(tmp_path / "cache"))
    model = tmp_path / "old.pkl"
    model.write_bytes(b"cjoblib.numpy_pickle\nNDArrayWrapper\n.")
    for _ in range(2):
        place = Place(sys.executable, Options())
        place.foretell(File(str(model)), None)
        assert place._world is not None


def test_a_damaged_or_foreign_entry_is_none(scene: Scene) -> None:
    verdict, _ = scene.look()
    (entry,) = Path(os.environ["ENVAUDIT_CACHE"], "verdicts").iterdir()
    good = entry.read_bytes()
    for bad in (b"", good[:-1], b"\0" * 100):
        entry.write_bytes(bad)
        assert scene.look() == (verdict, False)
    unknown: list[Json] = [[], {}, None, [[], "", {}, []], [[[99, "file", "x", None, None]], "", {}, None], [[[0]], 1]]
    for foreign in unknown:
        cache.keep(str(entry), entry.name, foreign, verdicts.SHARE)
        assert scene.look() == (verdict, False)


def test_a_cache_that_cannot_be_written_is_none(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENVAUDIT_CACHE", "/proc/nowhere")
    before = scene.look()
    assert scene.look() == before == (fresh(scene), False)


def test_what_changes_while_it_is_looked_at_is_not_kept(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("1")
    trace = Trace([FolderTree(str(tmp_path))], None)
    assert trace.trees[0].read("a.py") == b"1"
    (tmp_path / "a.py").write_text("2")
    assert trace.steady
    assert trace.trees[0].read("a.py") == b"2"
    assert not trace.steady


def test_a_model_that_changes_while_it_is_read_is_not_kept(scene: Scene) -> None:
    file = File(str(scene.model))
    assert file.digest
    assert file.alone
    scene.model.write_bytes(scene.model.read_bytes())
    assert not file.alone


def test_a_large_model_is_told_by_a_digest_that_was_known(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probing, "SMALL", 1)
    assert File(str(scene.model)).digest is None
    for _ in range(2):
        assert not scene.look()[1]
    for recalled in (False, True):
        place = Place(str(scene.venv), Options())
        place.foretell(File(str(scene.model), digest="own 0"), None)
        assert (place._world is None) == recalled


@pytest.mark.parametrize("name", CASES)
def test_recorded_evidence_tells_the_same_when_kept(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENVAUDIT_CACHE", str(tmp_path))
    found = case(name)
    given = evidence(found["input"])
    expected = run(found["collectors"], given)
    asked: list[int] = []

    def interpret() -> interpretations.Interpretation:
        asked.append(1)
        return expected

    for _ in range(2):
        assert interpretations.interpreted(given, interpret) == expected
    assert len(asked) == 1


def test_any_other_evidence_has_another_name() -> None:
    plain = Evidence(offers=frozenset({"files", "names"}), files={"/a": FileText("b"), "/c": FileText("")})
    others = [
        plain._replace(offers=frozenset({"files"})),
        plain._replace(unseen="why"),
        plain._replace(interpreter={"version": "3.11.7"}),
        plain._replace(files={"/a": FileText("b")}),
        plain._replace(files={"/ab": FileText(""), "/c": FileText("")}),
        plain._replace(files={"/a": FileText(""), "/c": FileText("b")}),
        plain._replace(files={"/a": FileText(data=b"b"), "/c": FileText("")}),
        plain._replace(files={"/a": FileText("b", truncated=True), "/c": FileText("")}),
        plain._replace(files={"/a": FileText("b", error="denied"), "/c": FileText("")}),
        plain._replace(names=("/a",)),
        plain._replace(records={"/a": RecordDigest("0")}),
        plain._replace(records={"/a": RecordDigest("0", modified=("x.py",))}),
        plain._replace(commands={("nvidia-smi",): CommandOutput(0, "", "")}),
        plain._replace(commands={("nvidia-smi",): CommandOutput(1, "", "")}),
        plain._replace(environ={"LANG": "C"}),
        plain._replace(image={"id": "sha256:0"}),
        plain._replace(pip={"numpy": "2.0"}),
        plain._replace(errors=(("/a", "denied"),)),
    ]
    names = {interpretations.name_of(one) for one in (plain, *others)}
    assert len(names) == len(others) + 1
    assert interpretations.name_of(plain._replace(tree=object())) == interpretations.name_of(plain)


def test_a_foreign_entry_of_evidence_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENVAUDIT_CACHE", str(tmp_path))
    given = Evidence(environ={"LANG": "C"})
    expected = (
        {"os": {"debian": Component("os", "debian", "12", {"codename": "bookworm"})}},
        (Gap("gpu", None, "why"),),
    )
    interpretations.interpreted(given, lambda: expected)
    (entry,) = (tmp_path / "interpretations").iterdir()
    for foreign in ([], None, [[["os", [[]]]], []], [1, 2], [[], [["gpu"]]]):
        cache.keep(str(entry), entry.name, foreign, interpretations.SHARE)
        assert interpretations.interpreted(given, lambda: expected) == expected
