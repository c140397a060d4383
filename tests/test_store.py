"""Snapshot files: round trip, what is refused and how it is said, atomic writing, old files."""

from __future__ import annotations

import contextlib
import json
import os
import stat
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envaudit import store
from envaudit.errors import SnapshotError
from envaudit.model import (
    Artifact,
    Component,
    Environment,
    Gap,
    RecordedAnswer,
    RecordedSample,
    Snapshot,
    TargetInfo,
)
from tests.conftest import make_snapshot

PUBLISHED = Path(__file__).parent.parent / "fixtures" / "snapshots"
SCHEMA = Path(__file__).parent.parent / "docs" / "snapshot.schema.json"

names = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=12)
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | names,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=6,
)
# Attributes whose type is prescribed have tests of their own.
TYPED = {"version", *store._TABLES, *store._LISTS, *store._LISTS_OF_TABLES, *store._TEXTS}
attributes = st.dictionaries(names.filter(lambda name: name not in TYPED), plain, max_size=3)


digests = st.text("0123456789abcdef", min_size=64, max_size=64)
sizes = st.integers(0, 2**40)
numbers = st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False)
rows = st.lists(st.recursive(numbers | st.none() | names, lambda inner: st.lists(inner, max_size=40), max_leaves=60))
artifacts = st.builds(
    Artifact,
    names,
    digests,
    sizes,
    names,
    st.just("") | names,
    st.dictionaries(names, names, max_size=2),
    st.none() | st.builds(RecordedSample, names, digests, sizes, st.none() | names),
    st.dictionaries(names, rows.map(RecordedAnswer) | st.builds(RecordedAnswer, rows, sizes, digests), max_size=2),
    st.dictionaries(names, names, max_size=2),
)


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    components: dict[str, dict[str, Component]] = {}
    for kind in sorted(draw(st.sets(names, max_size=3))):
        components[kind] = {
            name: Component(kind, name, draw(st.none() | names), dict(sorted(draw(attributes).items())))
            for name in sorted(draw(st.sets(names, max_size=3)))
        }
    gaps = draw(st.lists(st.builds(Gap, names, st.none() | names, names), max_size=3))
    environment = draw(st.none() | st.builds(Environment, names, names, names, st.tuples(names)))
    target = TargetInfo(draw(names), draw(names), environment)
    return Snapshot(target, components, tuple(gaps), tuple(draw(st.lists(artifacts, max_size=2))))


@given(snapshots())
def test_a_snapshot_reads_back_as_it_was(snapshot: Snapshot) -> None:
    text = store.dumps(snapshot)
    assert store.loads(text.encode()) == snapshot
    assert store.dumps(store.loads(text.encode())) == text
    assert json.loads(text) == store.to_json(snapshot)


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_refused_with_one_line(data: bytes) -> None:
    with pytest.raises(SnapshotError) as caught:
        store.loads(data, "x.json")
    assert str(caught.value).startswith("x.json: ")
    assert "\n" not in str(caught.value)


@given(st.data())
def test_a_value_of_the_wrong_type_anywhere_is_refused_or_read(data: st.DataObject) -> None:
    recorded = RecordedSample("X.npy", "1" * 64, 2, "array"), {"predict": RecordedAnswer([[1.5]], 3, "2" * 64)}
    artifact = Artifact("m.pkl", "0" * 64, 1, "pickle.load", "a dict", {"protocol": 4}, *recorded, {"transform": "why"})
    document = store.to_json(make_snapshot(2)._replace(gaps=(Gap("os", None, "why"),), artifacts=(artifact,)))
    place: Any = document
    while True:
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        if not isinstance(place[key], (dict, list)) or not place[key] or data.draw(st.booleans()):
            break
        place = place[key]
    place[key] = data.draw(plain)
    with contextlib.suppress(SnapshotError):
        assert store.loads(json.dumps(document).encode(), "x.json").target.kind


def artifact_with(member: str) -> str:
    """A snapshot with a model file of which the last member counts."""
    known = f'"file": "m.pkl", "sha256": "{"0" * 64}", "size": 1, "loader": "pickle.load"'
    target = '"target": {"kind": "venv", "reference": "x"}'
    return f'{{"envaudit_snapshot": 1, {target}, "components": {{}}, "artifacts": [{{{known}, {member}}}]}}'


def test_what_a_newer_envaudit_adds_is_passed_over() -> None:
    text = artifact_with('"new": [1], "sample": {"file": "X", "sha256": "1", "size": 2, "new": {}}')
    (artifact,) = store.loads(text.encode()).artifacts
    assert artifact == Artifact("m.pkl", "0" * 64, 1, "pickle.load", sample=RecordedSample("X", "1", 2))


def test_numbers_stand_side_by_side_and_what_json_cannot_say_in_words() -> None:
    values = [float("inf"), float("-inf"), *[0.125] * 50]
    artifact = Artifact("m.pkl", "0" * 64, 1, "pickle.load", answers={"predict": RecordedAnswer(values)})
    text = store.dumps(make_snapshot(1)._replace(artifacts=(artifact,)))
    assert store.loads(text.encode()).artifacts == (artifact,)
    assert '{"float": "-inf"}' in " ".join(text.split())
    artifact = artifact._replace(answers={"predict": RecordedAnswer([0.125] * 500)})
    lines = store.dumps(make_snapshot(1)._replace(artifacts=(artifact,))).splitlines()
    assert max(map(len, lines)) <= 120
    assert len([line for line in lines if "0.125" in line]) < 60


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "x.json: is empty"),
        ('{"envaudit_snapshot": 1,', "x.json: line 1: is not whole JSON .* was it cut short?"),
        ('{"a": 1}', 'x.json: is JSON, but no envaudit snapshot \\(it has no "envaudit_snapshot"\\)'),
        ("[1]", "is JSON, but no envaudit snapshot"),
        (
            '{"envaudit_snapshot": 99}',
            r"written by a newer envaudit \(schema 99, this one reads up to 1\); pip install",
        ),
        ('{"envaudit_snapshot": "1"}', 'envaudit_snapshot: a schema number is expected, not "1"'),
        ('{"envaudit_snapshot": 1}', "components: an object is expected, not null"),
        (
            '{"envaudit_snapshot": 1, "components": {"os": {"release": {"version": 12}}}}',
            "components.os.release.version: a text is expected, not 12",
        ),
        ('{"envaudit_snapshot": 1, "components": {}, "gaps": [3]}', r"gaps\[0\]: an object is expected, not 3"),
        ("[" * 100_000, "nested too deeply|not whole JSON"),
        (artifact_with('"size": -1'), r"artifacts\[0\].size: a number of at least 0 is expected, not -1"),
        (artifact_with('"sha256": null'), r"artifacts\[0\].sha256: a text is expected, not null"),
        (artifact_with('"answers": {"predict": {}}'), r'answers.predict: an object with "values" is expected, not {}'),
        (artifact_with('"answers": {"predict": {"values": 1, "sha256": "0"}}'), "predict.values: an array is expected"),
        (
            artifact_with('"answers": {"predict": {"values": [{"float": "1"}]}}'),
            'nan, inf or -inf is expected, not "1"',
        ),
        (
            artifact_with(f'"answers": {{"predict": {{"values": {"[" * 70}{"]" * 70}}}}}'),
            "predict.values: a list of at most 64 dimensions is expected",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text: str, message: str) -> None:
    with pytest.raises(SnapshotError, match=message):
        store.loads(text.encode(), "x.json")


def test_a_missing_file_is_one_line() -> None:
    with pytest.raises(SnapshotError, match=r"^/no/such.json: cannot be read: No such file or directory$"):
        store.read("/no/such.json")


def test_a_missing_folder_is_one_line() -> None:
    with pytest.raises(SnapshotError, match=r"^/no/such/x.json: cannot be written: No such file or directory$"):
        store.write(make_snapshot(1), "/no/such/x.json")


def test_writing_keeps_permissions_and_links(tmp_path: Path) -> None:
    path, link = tmp_path / "real.json", tmp_path / "link.json"
    store.write(make_snapshot(1), str(path))
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~_umask()
    path.chmod(0o640)
    link.symlink_to(path)
    store.write(make_snapshot(2), str(link))
    assert link.is_symlink()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert len(store.read(str(path)).of("distribution")) == 2


def test_a_failed_write_leaves_the_good_file_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "train.json"
    store.write(make_snapshot(1), str(path))
    before = path.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SnapshotError, match="No space left on device"):
        store.write(make_snapshot(2), str(path))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_an_interrupted_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        store.write(make_snapshot(2), str(tmp_path / "train.json"))
    assert list(tmp_path.iterdir()) == []


def test_a_pipe_takes_the_text(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    received: list[str] = []
    reader = threading.Thread(target=lambda: received.append(pipe.read_text()))
    reader.start()
    store.write(make_snapshot(1), str(pipe))
    reader.join(timeout=10)
    assert received == [store.dumps(make_snapshot(1))]


def test_one_changed_version_changes_few_lines() -> None:
    before, after = (
        store.dumps(snapshot).splitlines() for snapshot in (make_snapshot(30), make_snapshot(30, serving=True))
    )
    assert len(before) == len(after)
    assert 0 < sum(old != new for old, new in zip(before, after, strict=True)) <= 2 * 30 + 1


@pytest.mark.parametrize("path", sorted(PUBLISHED.glob("*.json")), ids=lambda path: path.name)
def test_published_snapshots_stay_readable(path: Path) -> None:
    snapshot = store.read(str(path))
    assert snapshot.components


def test_there_is_a_published_snapshot_of_every_schema() -> None:
    found = {path.name.rpartition("-")[0] for path in PUBLISHED.glob("schema-*-*.json")}
    assert found == {f"schema-{number}" for number in range(1, store.SCHEMA + 1)}


@pytest.mark.parametrize("path", sorted(PUBLISHED.glob("*.json")), ids=lambda path: path.name)
def test_snapshots_follow_the_documented_schema(path: Path) -> None:
    import jsonschema

    schema = json.loads(SCHEMA.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(json.loads(path.read_text()), schema)
    jsonschema.validate(store.to_json(store.read(str(path))), schema)


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
