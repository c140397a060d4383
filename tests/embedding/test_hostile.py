"""Models and records that were cut, changed, exchanged, or written to do harm: a result or one line of an error."""

from __future__ import annotations

import bz2
import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from envaudit import embedding
from envaudit.embedding import ENDING, Embedded, Identity, Sample, _records
from envaudit.embedding._file import opened
from envaudit.embedding._pieces import blocks_of
from envaudit.errors import ArtifactError, EmbeddingError
from envaudit.model import Json
from envaudit.needs import RECORD
from tests.embedding.kinds import INSIDE, carrying, kinds, module, record, split


def outcome(path: Path, ask: Callable[[str], Any] = embedding.read) -> Any:
    """What comes of it, or the error's words."""
    try:
        return ask(str(path))
    except ArtifactError as error:
        text = str(error)
    assert text.isprintable()
    assert len(text) < 500 + len(str(path))
    return f"error: {text}"


def put(path: Path) -> Any:
    """Put a record in; where it rides, or the error's words."""
    return outcome(path, lambda name: embedding.write(name, record(1)))


def use(path: Path) -> None:
    """All that can be done with a file. What was put in can be taken out again."""
    for ask in (embedding.find, embedding.read, embedding.identity):
        outcome(path, ask)
    before = path.read_bytes()
    where = put(path)
    if where.startswith("error"):
        assert path.read_bytes() == before
        outcome(path, embedding.remove)
    else:
        assert isinstance(outcome(path), Embedded)
        kept = outcome(path, embedding.identity)
        assert outcome(path, embedding.remove) == where
        assert outcome(path, embedding.identity) == kept
        assert not os.path.lexists(f"{path}{ENDING}")


@pytest.mark.parametrize("name", INSIDE)
def test_a_file_cut_at_any_byte_is_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / "model"
    whole = carrying(path, kinds()[name])
    for size in range(len(whole) - 1, -1, -1):
        os.truncate(path, size)
        assert isinstance(outcome(path), str), size
        outcome(path, embedding.find)
    for size in {*range(0, len(whole), len(whole) // 20), *range(len(whole) - 30, len(whole))}:
        path.write_bytes(whole[:size])
        use(path)


@pytest.mark.parametrize("name", INSIDE)
def test_a_bit_changed_anywhere_is_noticed(name: str, tmp_path: Path) -> None:
    path, kind = tmp_path / "model", kinds()[name]
    whole = carrying(path, kind)
    spans = [piece for piece in split(path, kind).own if not isinstance(piece, bytes)]
    own = {at for start, length in spans for at in range(start, start + length)}
    assert len(own) > len(kind.model) * 0.9
    for at in range(0, len(whole), 1 + len(whole) // 2000):
        changed = bytearray(whole)
        changed[at] ^= 1 << at % 8
        path.write_bytes(changed)
        found = outcome(path)
        assert isinstance(found, str) or (at not in own and found.record.snapshot == record().snapshot), at
        if at % (len(whole) // 20) < 2:
            use(path)


@pytest.mark.parametrize("name", ["pickle", "joblib"])
def test_a_record_that_is_damaged_can_be_replaced_and_removed(name: str, tmp_path: Path) -> None:
    path, kind = tmp_path / "model", kinds()[name]
    whole = carrying(path, kind)
    for at in range(len(kind.model) + len(RECORD) + 4, len(whole), 3):
        changed = bytearray(whole)
        changed[at] ^= 1 << at % 8
        path.write_bytes(changed)
        assert outcome(path).startswith("error"), at
        assert put(path) == "behind the pickle"
        assert isinstance(outcome(path), Embedded)
        path.write_bytes(changed)
        assert outcome(path, embedding.remove) == "behind the pickle"
        assert path.read_bytes() == kind.model


@pytest.mark.parametrize("name", INSIDE)
def test_a_record_of_another_model_is_noticed(name: str, tmp_path: Path) -> None:
    path, kind = tmp_path / "model", kinds()[name]
    carrying(path, kind)
    text = split(path, kind).text
    assert text is not None
    path.write_bytes(kind.other)
    with opened(str(path)) as file:  # put in as this very format has it: nothing but the digest tells
        pieces = module(kind).place(file, module(kind).split(file).own, text())
        pasted = b"".join(map(bytes, blocks_of(file.descriptor, pieces)))
    path.write_bytes(pasted)
    assert isinstance(outcome(path, embedding.find), Embedded)
    assert "its snapshot belongs to" in outcome(path)
    assert embedding.remove(str(path))
    assert path.read_bytes() == kind.other


def test_a_sidecar_of_another_model_is_noticed(tmp_path: Path) -> None:
    path, kind = tmp_path / "model", kinds()["npy"]
    carrying(path, kind)
    assert isinstance(outcome(path), Embedded)
    path.write_bytes(kind.other)
    assert "its snapshot belongs to other bytes of the same length" in outcome(path)
    path.write_bytes(kind.model + b"\0")
    assert f"its snapshot belongs to {len(kind.model)} bytes" in outcome(path)


AFTERWARDS: dict[str, Callable[[bytes], bytes]] = {
    "appended to": lambda data: data + b"\0",
    "appended to by its like": lambda data: data + data,
    "compressed": lambda data: gzip.compress(data, mtime=0),
    "compressed otherwise": bz2.compress,
}


@pytest.mark.parametrize("how", AFTERWARDS)
@pytest.mark.parametrize("name", INSIDE)
def test_what_is_made_of_a_file_with_a_record(name: str, how: str, tmp_path: Path) -> None:
    path = tmp_path / "model"
    made = AFTERWARDS[how](carrying(path, kinds()[name]))
    path.write_bytes(made)
    assert isinstance(outcome(path), str)
    own = outcome(path, embedding.identity)
    assert put(path)
    assert outcome(path, embedding.identity) == own
    if outcome(path, embedding.remove) and isinstance(own, Identity):
        assert path.stat().st_size == own.size


def test_a_model_with_a_record_may_have_any_name(tmp_path: Path) -> None:
    path = tmp_path / "model"
    carrying(path, kinds()["pickle"])
    assert isinstance(outcome(path.rename(tmp_path / "other name.bin")), Embedded)


PLAIN: st.SearchStrategy[Json] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([-1, 1 << 62, 1 << 63, 1e308, float("inf"), float("nan")])
    | st.text(st.characters(), max_size=9)
    | st.sampled_from(["\ud800", "\udcff", "a\nb", "", "..", "/", "a/b", "\0", "../../x.npy", "x" * 300, "==="]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)


def paths_in(value: Json, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Of every value in tables of tables."""
    if not isinstance(value, dict):
        return [path]
    return [path, *(found for key, item in value.items() for found in paths_in(item, (*path, key)))]


def document() -> dict[str, Json]:
    """A record as JSON."""
    found: dict[str, Json] = json.loads(_records.dumps(record(1)._replace(digest="sha256/16MiB:0", size=7)))
    return found


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(paths_in(document())), PLAIN, st.booleans())
def test_a_record_with_any_value_anywhere(path: tuple[str, ...], value: Json, renamed: bool) -> None:
    made = whole = document()
    for key in path[:-1]:
        made = made[key]
    if not path:
        whole = value
    elif renamed:
        made[f"{value}"] = made.pop(path[-1])
    else:
        made[path[-1]] = value
    found = outcome(Path("model"), lambda name: _records.loads(json.dumps(whole).encode(), name))
    if not isinstance(found, str):
        again = _records.loads(_records.dumps(found), "model")
        assert again.sample == found.sample
        assert _records.dumps(again) == _records.dumps(found)


TEXTS: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "no whole JSON"),
    "no text": (b"\xff\xfe\x00", "no whole JSON"),
    "nested": (b"[" * 100_000, "no whole JSON"),
    "nested tables": (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "no whole JSON"),
    "a number of many digits": (b'{"envaudit_embedded":' + b"9" * 5000 + b"}", "no whole JSON"),
    "a schema of many digits": (b'{"envaudit_embedded":' + b"9" * 4000 + b"}", "by a newer envaudit"),
    "a schema to come": (b'{"envaudit_embedded":2}', "by a newer envaudit (schema 2, this one reads up to 1)"),
    "a schema that is true": (b'{"envaudit_embedded":true}', 'it has no "envaudit_embedded"'),
    "a snapshot": (b'{"envaudit_snapshot":1,"components":{}}', 'it has no "envaudit_embedded"'),
    "a snapshot to come": (
        b'{"envaudit_embedded":1,"snapshot":{"envaudit_snapshot":99}}',
        "was written by a newer envaudit (schema 99",
    ),
    "a snapshot nested deeply": (
        b'{"envaudit_embedded":1,"snapshot":{"envaudit_snapshot":1,"components":{"a":{"b":{"c":'
        + b"[" * 400
        + b"]" * 400
        + b"}}}}}",
        "nested too deeply",
    ),
    "keys of several lines": (
        b'{"envaudit_embedded":1,"snapshot":{"envaudit_snapshot":1,"components":{"a\\n\\u001b[2J":1}}}',
        r"components.a\n\x1b[2J: an object is expected",
    ),
}


@pytest.mark.parametrize("name", TEXTS)
def test_texts_that_are_no_records(name: str) -> None:
    text, words = TEXTS[name]
    with pytest.raises(EmbeddingError) as caught:
        _records.loads(text, "model")
    assert words in str(caught.value)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 500


SAMPLES = ("", ".", "..", "/etc/passwd", "../X.npy", "X\0.npy", "X\n.npy", "\udcff.npy", "\ud800.npy", "x" * 256)


@pytest.mark.parametrize("file", SAMPLES)
def test_a_sample_has_the_name_of_a_file(file: str) -> None:
    with pytest.raises(EmbeddingError, match="no name that a sample can have"):
        _records.dumps(record()._replace(sample=Sample(file, b"1")))
    made = document()
    made["sample"]["file"] = file
    with pytest.raises(EmbeddingError, match="the sample in it is damaged"):
        _records.loads(json.dumps(made).encode(), "model")


@pytest.mark.parametrize("name", ["pickle", "npy"])
def test_a_record_that_would_not_be_read_is_not_written(name: str, tmp_path: Path) -> None:
    path = tmp_path / "model"
    path.write_bytes(kinds()[name].model)
    with pytest.raises(EmbeddingError, match="at most 8388608 ride in a model"):
        embedding.write(str(path), record(80_000))
    assert (path.read_bytes(), os.listdir(tmp_path)) == (kinds()[name].model, ["model"])
