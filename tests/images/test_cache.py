"""What was read of a layer is kept: another image with the same base costs its own layers."""

from __future__ import annotations

import gzip
import json
import os
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envaudit import cache
from envaudit.evidence import FileRequest, Request
from envaudit.images import _cache
from envaudit.images.layer import Index
from envaudit.images.open import open_tree
from envaudit.images.source import Layer
from envaudit.images.tree import File, Special
from tests.images.layers import DEVICE, FOLDER, HARD, LINK, Memory, layer, listed

REQUEST = Request(files=(FileRequest("/etc/os-release"), FileRequest("{site}/*.dist-info/METADATA", headers=True)))
BASE = gzip.compress(
    layer(
        [
            ("etc/os-release", b"ID=debian\n"),
            ("etc/link", LINK, "os-release"),
            ("dev/null", DEVICE, ""),
            ("srv", FOLDER, ""),
            ("other", HARD, "etc/os-release"),
            ("odd \udcff\n", b"x" * 100_000),
            ("usr/bin/python3", Path("/proc/self/exe").read_bytes()[:4096]),
        ]
    ),
    mtime=0,
)
OWN = layer([("app/model", b"1"), ("etc/.wh.link", b""), ("srv/.wh..wh..opq", b"")])
OTHER = layer([("app/model", b"22")])


@pytest.fixture(autouse=True)
def kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder of the cache."""
    monkeypatch.setenv("ENVAUDIT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def entries(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_the_next_image_costs_its_own_layers(kept: Path) -> None:
    first = Memory(BASE, OWN)
    expected = list(listed(open_tree(first, REQUEST)))
    assert list(first.read.values()) == [len(BASE), len(OWN)]
    assert len(entries(kept)) == 2
    second = Memory(BASE, OTHER)
    tree = open_tree(second, REQUEST)
    assert list(second.read.values()) == [0, len(OTHER)]
    assert tree.read("/etc/os-release") == tree.read("/other") == b"ID=debian\n"
    assert list(second.read.values()) == [0, len(OTHER)]
    assert tree.contents.binary(tree.file("/usr/bin/python3"))["bits"] in (32, 64)  # type: ignore[index]
    again = Memory(BASE, OWN)
    assert list(listed(open_tree(again, REQUEST))) == expected
    assert sum(again.read.values()) == 0
    assert open_tree(again, REQUEST).read("/odd \udcff\n") == b"x" * 100_000


def test_another_request_reads_anew() -> None:
    open_tree(Memory(BASE), REQUEST)
    source = Memory(BASE)
    open_tree(source, Request())
    assert list(source.read.values()) == [len(BASE)]


@pytest.mark.parametrize(
    "damage",
    [
        lambda name, data: b"",
        lambda name, data: data[: len(data) // 2],
        lambda name, data: b"\0" * len(data),
        lambda name, data: zlib.compress(b"[" * 100_000),
        lambda name, data: zlib.compress(json.dumps([name, {}]).encode()),
        lambda name, data: zlib.compress(json.dumps([name, [1, 2]]).encode()),
        lambda name, data: zlib.compress(json.dumps(["another", {}]).encode()),
        lambda name, data: zlib.compress(json.dumps([name, {"folders": [["", {"a": [1e999, 1, 1]}]]}]).encode()),
        lambda name, data: zlib.compress(bytes(10**8)),
    ],
)
def test_a_damaged_entry_is_read_anew(kept: Path, damage: object) -> None:
    expected = list(listed(open_tree(Memory(BASE), REQUEST)))
    (entry,) = entries(kept)
    whole = entry.read_bytes()
    name = json.loads(zlib.decompress(whole))[0]
    entry.write_bytes(damage(name, whole))  # type: ignore[operator]
    source = Memory(BASE)
    assert list(listed(open_tree(source, REQUEST))) == expected
    assert list(source.read.values()) == [len(BASE)]
    assert entry.read_bytes() == whole


@pytest.mark.parametrize("place", ["/dev/null", "/proc/version", "/proc/nothing"])
def test_where_nothing_can_be_kept(monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    monkeypatch.setenv("ENVAUDIT_CACHE", place)
    for _ in range(2):
        source = Memory(BASE)
        assert open_tree(source, REQUEST).read("/etc/os-release") == b"ID=debian\n"
        assert list(source.read.values()) == [len(BASE)]


def test_a_layer_without_a_digest_is_not_kept(kept: Path) -> None:
    found = _cache.Indexes("")
    found.keep(Layer(""), Index({"": {}}, [], [], {}, {}, {}))
    assert found.get(Layer("")) is None
    assert entries(kept) == []


LAYER = Layer("sha256:0")
TEXTS = st.text(st.characters(exclude_characters="\0"), max_size=8) | st.just("\udcff")
NODES = (
    st.none()
    | TEXTS
    | st.just(Special())
    | st.builds(File, st.just(LAYER), st.integers(-1, 2**62), st.integers(0, 2**62), st.floats(-1e9, 1e12))
)
INDEXES = st.builds(
    Index,
    st.dictionaries(TEXTS, st.dictionaries(TEXTS, NODES, max_size=4), max_size=4),
    st.lists(TEXTS, max_size=2),
    st.lists(TEXTS, max_size=2),
    st.dictionaries(TEXTS, TEXTS, max_size=2),
    st.dictionaries(st.integers(0, 2**62), st.binary(max_size=9), max_size=2),
    st.dictionaries(st.integers(0, 2**62), st.just({"machine": "x86_64", "versions": ["3.11.2"]}), max_size=2),
)


@given(INDEXES)
def test_what_is_kept_comes_back_equal(index: Index) -> None:
    kept = _cache.Indexes("request")
    kept.keep(LAYER, index)
    assert kept.get(LAYER) == index


def test_it_is_bounded(monkeypatch: pytest.MonkeyPatch, kept: Path) -> None:
    monkeypatch.setattr(_cache, "SHARE", 4096)
    for number in range(200):
        open_tree(Memory(layer([(f"a{number}", os.urandom(3000))])), Request(files=(FileRequest("/*"),)))
    size = sum(entry.stat().st_size for entry in entries(kept))
    assert 0 < size <= 16 * 4096
    assert cache.home() == str(kept)
