"""A snapshot in an MLflow model folder: MLmodel is edited as text, byte for byte; hostile folders end in one line."""

from __future__ import annotations

import base64
import os
import resource
import shutil
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from envaudit import embedding
from envaudit.embedding import Record, _mlmodel, mlflow_folder
from envaudit.errors import EmbeddingError
from tests.conftest import make_snapshot
from tests.mlflow.places import ROOT

ENTRY = {"file": "envaudit.json", "summary": 'Python 3.11.7, 5 "distributions": all'}
WITHOUT = {
    "nothing": "flavors:\n  sklearn:\n    pickled_model: model.pkl\nmlflow_version: 2.9.2\n",
    "an empty table": "flavors: {}\nmetadata: {}\nmlflow_version: 3.17.2\n",
    "null": "metadata: null\nrun_id: a\n",
    "null, unsaid": "metadata:\nrun_id: a\n",
    "a tilde at the end": "run_id: a\nmetadata: ~",
    "a table": "metadata:\n  a: 1\n  team:\n    envaudit:\n      file: not ours\nrun_id: a\n",
    "four spaces": "metadata:\n    team: fraud\n    more: 1\n",
    "Windows": "flavors:\r\n  sklearn:\r\n    code: null\r\nmetadata:\r\n  a: 1\r\n",
    "no last line end": "flavors:\n  a: b",
    "a comment first": "# by hand\n---\nflavors:\n  a: b\n",
    "comments between": "metadata:\n\n# one\n  # two\n  a: 1\n\n# three\nrun_id: a\n",
    "the last key": "run_id: a\nmetadata:\n  a: 'b\n\n    c'\n",
}


@pytest.mark.parametrize("text", WITHOUT.values(), ids=WITHOUT)
def test_an_entry_is_put_in_and_taken_out_again_byte_for_byte(text: str) -> None:
    before = text.encode()
    changed = _mlmodel.insert(before, ENTRY, "MLmodel")
    assert changed is not None
    wanted = yaml.safe_load(text)
    assert yaml.safe_load(changed) == {**wanted, "metadata": {**(wanted.get("metadata") or {}), "envaudit": ENTRY}}
    assert _mlmodel.without(changed) == before
    assert _mlmodel.without(before) == before
    # What MLflow makes of it when it writes the file anew has the entry still, and loses it again.
    anew = yaml.safe_dump(yaml.safe_load(changed)).encode()
    assert _mlmodel.is_without(_mlmodel.without(anew), anew, "MLmodel")


@pytest.mark.parametrize("text", ['{"flavors": {}, "metadata": {"a": 1}}', "metadata: {a: 1}\nrun_id: b\n"])
def test_what_is_not_written_in_lines_is_left_as_it_is(text: str, tmp_path: Path) -> None:
    folder = written(tmp_path, text)
    assert embedding.write(str(folder), Record(make_snapshot(3))) == "in its MLflow folder"
    assert embedding.read(str(folder)).record.snapshot == make_snapshot(3)
    assert (folder / "MLmodel").read_text() == text
    assert embedding.remove(str(folder)) == "in its MLflow folder"
    assert (folder / "MLmodel").read_text() == text


scalars = st.none() | st.booleans() | st.integers() | st.text(max_size=200)
values = st.recursive(scalars, lambda of: st.lists(of, max_size=3) | st.dictionaries(st.text(), of, max_size=3))
tables = st.dictionaries(st.text(), values, max_size=4)


@given(metadata=st.none() | tables, more=tables)
def test_any_metadata_that_mlflow_can_write(metadata: object, more: dict[str, object]) -> None:
    document = {"flavors": {"sklearn": {"pickled_model": "model.pkl"}}, "zone": more, "metadata": metadata}
    if isinstance(metadata, dict) and "envaudit" in metadata:
        return
    before = yaml.safe_dump(document, default_flow_style=False).encode()
    changed = _mlmodel.insert(before, ENTRY, "MLmodel")
    assert changed is not None
    assert _mlmodel.without(changed) == before


def written(tmp_path: Path, text: str = WITHOUT["a table"]) -> Path:
    folder = tmp_path / "model"
    (folder / "code/inner").mkdir(parents=True)
    (folder / "MLmodel").write_text(text)
    (folder / "model.pkl").write_bytes(b"\x80\x04N.")
    (folder / "code/inner/part.py").write_text("x = 1\n")
    (folder / "conda.yaml").write_text("name: env\n")
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder in which a snapshot is."""
    made = written(tmp_path)
    embedding.write(str(made), Record(make_snapshot(5)))
    return made


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_writing_again_replaces_and_removing_restores(tmp_path: Path) -> None:
    folder = written(tmp_path)
    os.chmod(folder / "MLmodel", 0o640)
    before = contents(folder)
    assert embedding.find(str(folder)) is None
    for count in (4, 5):
        embedding.write(str(folder), Record(make_snapshot(count)))
        found = embedding.read(str(folder))
        assert (found.record.snapshot, found.bound, found.where) == (make_snapshot(count), True, "in its MLflow folder")
        assert yaml.safe_load((folder / "MLmodel").read_text())["metadata"]["envaudit"] == {
            "file": "envaudit.json",
            "summary": f"Python 3.11.7, {count} distributions",
        }
    assert set(contents(folder)) == {*before, "envaudit.json"}
    assert (folder / "MLmodel").stat().st_mode & 0o777 == 0o640
    embedding.remove(str(folder))
    assert contents(folder) == before
    assert embedding.remove(str(folder)) is None


CHANGES = {
    "a model file": lambda folder: (folder / "model.pkl").write_bytes(b"\x80\x04K\x01."),
    "of the same length": lambda folder: (folder / "model.pkl").write_bytes(b"\x80\x04]."),
    "code": lambda folder: (folder / "code/inner/part.py").write_text("x = 2\n"),
    "one more": lambda folder: (folder / "code/more.py").touch(),
    "one less": lambda folder: (folder / "code/inner/part.py").unlink(),
    "another name": lambda folder: (folder / "model.pkl").rename(folder / "other.pkl"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_changed_model_is_noticed(folder: Path, change: object) -> None:
    assert callable(change)
    change(folder)
    with pytest.raises(EmbeddingError, match="its snapshot belongs to"):
        embedding.read(str(folder))


def test_what_mlflow_and_python_leave_in_a_finished_folder_is_none_of_the_model(folder: Path) -> None:
    for name in ("conda.yaml", "requirements.txt", "registered_model_meta", ".MLmodel.0123456789ab"):
        (folder / name).write_text("changed")
    (folder / "code/__pycache__").mkdir()
    (folder / "code/__pycache__/part.cpython-311.pyc").touch()
    assert embedding.read(str(folder)).bound


def test_a_snapshot_of_another_model_is_noticed(folder: Path, tmp_path: Path) -> None:
    other = written(tmp_path / "other")
    (other / "model.pkl").write_bytes(b"\x80\x04].")
    shutil.copy(folder / "envaudit.json", other)
    with pytest.raises(EmbeddingError, match="other bytes of the same length"):
        embedding.read(str(other))


def test_of_a_writer_that_was_killed_after_the_first_file_the_snapshot_is_there(tmp_path: Path, folder: Path) -> None:
    half = written(tmp_path / "half")
    shutil.copy(folder / "envaudit.json", half)
    assert embedding.read(str(half)).record.snapshot == make_snapshot(5)


def test_a_file_that_was_left_out_in_copying_is_an_error(folder: Path) -> None:
    (folder / "envaudit.json").unlink()
    with pytest.raises(EmbeddingError, match=r"MLmodel: names a snapshot in envaudit\.json, which is not there"):
        embedding.read(str(folder))
    assert embedding.remove(str(folder)) == "in its MLflow folder"
    assert embedding.find(str(folder)) is None


def test_a_snapshot_in_mlmodel_itself_is_tied_to_no_bytes(tmp_path: Path) -> None:
    text = yaml.safe_dump({"metadata": {"envaudit": mlflow_folder.entry(Record(make_snapshot(9))), "team": "fraud"}})
    folder = written(tmp_path, text)
    found = embedding.read(str(folder))
    assert (found.record.snapshot, found.bound) == (make_snapshot(9), False)
    embedding.write(str(folder), Record(make_snapshot(8)))
    assert (embedding.read(str(folder)).record.snapshot, embedding.read(str(folder)).bound) == (make_snapshot(8), True)
    embedding.remove(str(folder))
    assert embedding.find(str(folder)) is None
    assert (folder / "MLmodel").read_text() == "metadata:\n  team: fraud\n"


WRITE = """
import sys
from envaudit import embedding, store
if len(sys.argv) > 3:
    import resource
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]),) * 2)
embedding.write(sys.argv[1], embedding.Record(store.read(sys.argv[2])))
"""


def writer(folder: Path, snapshot: Path, *limit: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITE, str(folder), str(snapshot), *limit]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=ROOT)


def test_two_at_once(tmp_path: Path, two_snapshots: tuple[Path, Path]) -> None:
    folder = written(tmp_path)
    before = contents(folder)
    started = [writer(folder, snapshot) for snapshot in two_snapshots * 2]
    assert [(process.wait(60), process.communicate()[1]) for process in started] == [(0, "")] * 4
    assert embedding.read(str(folder)).bound
    embedding.remove(str(folder))
    assert contents(folder) == before


@pytest.mark.parametrize("full", [0, 100, 20_000])
def test_a_disk_that_is_full_changes_nothing(tmp_path: Path, two_snapshots: tuple[Path, Path], full: int) -> None:
    """A file-size limit stands for it: the write fails in the middle just so."""
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
    folder = written(tmp_path)
    before = contents(folder)
    process = writer(folder, two_snapshots[0], str(full))
    _, said = process.communicate(timeout=60)
    assert "EmbeddingError" in said.splitlines()[-1]
    assert "cannot be written" in said.splitlines()[-1]
    assert contents(folder) == before


def nested(levels: int) -> str:
    """Ten times as much with each level, in a line each."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, levels)]
    return "\n".join(lines)


def record(data: bytes) -> str:
    return str(yaml.safe_dump({"metadata": {"envaudit": {"record": base64.b64encode(data).decode()}}}))


HOSTILE = {
    "an alias bomb": (nested(12), "holds more than MLflow writes"),
    "a merge bomb": ("a: &a {b: c}\n" + "<<: [" + "*a, " * 60_000 + "*a]\n", "holds more than MLflow writes"),
    "a table in itself": ("a: &a [*a]\n", "holds more than MLflow writes"),
    "a deep list": ("a: " + "[" * 300_000 + "]" * 300_000, "holds more than MLflow writes"),
    "deep lines": ("\n".join(" " * n + "a:" for n in range(2000)), "holds more than MLflow writes"),
    "many keys": ("\n".join(f"k{n}: v" for n in range(100_000)), "holds more than MLflow writes"),
    "a long text": ("a: " + "b" * (9 << 20), "bytes are too many"),
    "a list": ("- a\n- b\n", "is no table"),
    "a number": ("7\n", "is no table"),
    "empty": ("", "is no table"),
    "two documents": ("a: 1\n---\nb: 2\n", "is no YAML: but found another document"),
    "no YAML": ("a: [1\nb: 2\n", "is no YAML: did not find expected"),
    "a list as key": ("? [a]\n: b\n", "is no YAML: found unhashable key"),
    "control characters": ("a: \x00\n", "is no YAML: control characters are not allowed"),
    "a tag": ("metadata: !!python/object/apply:os.system [touch /tmp/owned]\n", ""),
    "metadata of another type": ("metadata: [envaudit]\n", ""),
    "an entry of another type": ("metadata: {envaudit: [1, 2]}\n", "the snapshot in it is damaged"),
    "a record of another type": ("metadata: {envaudit: {record: {a: b}}}\n", "the snapshot in it is damaged"),
    "no base64": ("metadata: {envaudit: {record: 'ä'}}\n", "the snapshot in it is damaged"),
    "no zlib": (record(b"abc"), "its checksum is wrong"),
    "a record cut short": (record(zlib.compress(b"{}" * 99)[:-5]), "cut short"),
    "a zlib bomb": (record(zlib.compress(b" " * (80 << 20), 9)), "longer than"),
    "no record": (record(zlib.compress(b"[]")), "it has no"),
    "a newer one": (record(zlib.compress(b'{"envaudit_embedded": 99}')), "newer envaudit"),
}


@pytest.mark.parametrize(("text", "message"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_mlmodel_costs_little_and_ends_in_one_line(text: str, message: str, tmp_path: Path) -> None:
    folder = written(tmp_path, text)
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if not message:
        assert embedding.find(str(folder)) is None
        return
    with pytest.raises(EmbeddingError, match=message) as raised:
        embedding.find(str(folder))
    assert str(raised.value).startswith(f"{folder}/MLmodel: ")
    assert "\n" not in str(raised.value)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - used < 200 << 10
    assert contents(folder)["MLmodel"] == text.encode()


def test_links_and_pipes_are_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("metadata: {}\n")
    for name in ("MLmodel", "envaudit.json"):
        folder = written(tmp_path / name)
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(secret)
        with pytest.raises(EmbeddingError, match="is a link, which MLflow does not write"):
            embedding.read(str(folder))
    for name in ("link", "pipe"):
        folder = written(tmp_path / name)
        if name == "link":
            (folder / name).symlink_to(secret)
        else:
            os.mkfifo(folder / name)
        with pytest.raises(EmbeddingError, match="is a link or no file"):
            embedding.write(str(folder), Record(make_snapshot(1)))
        assert embedding.find(str(folder)) is None
    assert secret.read_text() == "metadata: {}\n"


FLAVORS = {
    "sklearn": ("sklearn: {pickled_model: model.pkl}\n  python_function: {model_path: model.pkl}", ["model.pkl"]),
    "a wrapped one": ("python_function: {python_model: python_model.pkl, code: code}", ["python_model.pkl"]),
    "pytorch": ("pytorch: {model_data: data}\n  python_function: {data: data}", ["data/model.pth"]),
    "xgboost": ("xgboost: {data: model.xgb, code: null}\n  python_function: {data: model.xgb}", ["model.xgb"]),
    "two": ("sklearn: {pickled_model: model.pkl}\n  python_function: {python_model: python_model.pkl}",
            ["model.pkl", "python_model.pkl"]),
    "outside": ("sklearn: {pickled_model: ../../secret.pkl, data: /etc/passwd, model_data: link}", []),
    "of other types": ("sklearn: {pickled_model: [a], data: {a: b}}\n  pytorch: [a]\n  python_function: a", []),
    "none": ("sklearn: {}", []),
}  # fmt: skip


@pytest.mark.parametrize(("flavors", "files"), FLAVORS.values(), ids=FLAVORS)
def test_which_files_are_loaded(flavors: str, files: list[str], tmp_path: Path) -> None:
    folder = written(tmp_path, f"flavors:\n  {flavors}\n")
    (folder / "data").mkdir()
    for name in ("python_model.pkl", "data/model.pth", "model.xgb", "../../secret.pkl"):
        (folder / name).touch()
    (folder / "link").symlink_to("/etc/passwd")
    found = mlflow_folder.model_files(str(folder))
    assert [os.path.relpath(item.path, folder) for item in found] == files
    loaders = ["torch.load(weights_only=False)" if name.endswith(".pth") else None for name in files]
    assert [item.loader for item in found] == loaders


def test_the_digest_is_that_of_the_listed_files(tmp_path: Path) -> None:
    """Written down anew from its description, with the tools at hand."""
    folder = written(tmp_path)
    lines = []
    for name in ("code/inner/part.py", "model.pkl"):
        leaf = sha256((folder / name).read_bytes())
        lines.append(f"sha256/16MiB:{sha256(leaf).hex()} {(folder / name).stat().st_size} {name}\n")
    found = embedding.identity(str(folder))
    assert found == (f"sha256/files:{sha256(''.join(lines).encode()).hex()}", 10)


def sha256(data: bytes) -> bytes:
    import hashlib

    return hashlib.sha256(data).digest()
