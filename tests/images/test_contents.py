"""The contents of files in layers are the same however and in whatever order they are asked for."""

from __future__ import annotations

import gzip
import hashlib
import io
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from envaudit.errors import TargetError
from envaudit.evidence import FileRequest, Request
from envaudit.images import _unpack, contents
from envaudit.images.open import open_tree
from envaudit.images.source import Layer
from envaudit.images.tree import Tree
from tests.images.layers import Member, Memory, layer, tree_of

Pack = Callable[[bytes], bytes]


def zstd(data: bytes) -> bytes:
    module = _unpack._zstd()
    return bytes(module.compress(data))


def members_of_gzip(data: bytes) -> bytes:
    """Several members one after the other, as pigz and bgzip may write them."""
    return b"".join(gzip.compress(data[at : at + 300_000], 1) for at in range(0, len(data), 300_000))


PACKS: dict[str, Pack] = {
    "plain": lambda data: data,
    "gzip": lambda data: gzip.compress(data, 1),
    "gzip, several members": members_of_gzip,
    "gzip with something after it": lambda data: gzip.compress(data, 1) + bytes(512),
    "zstd": zstd,
    "zstd, several frames": lambda data: zstd(data[:100_000]) + b"\x50\x2a\x4d\x18\4\0\0\0skip" + zstd(data[100_000:]),
}


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ENVAUDIT_CACHE", str(tmp_path))


class Forwards(Memory):
    """A source whose streams cannot be sought, and give a few bytes at a time."""

    @contextmanager
    def open(self, layer: Layer, start: int = 0) -> Iterator[BinaryIO]:
        with super().open(layer, start) as stream:
            yield Trickle(stream)  # type: ignore[misc]


class Trickle(io.RawIOBase):
    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._stream.readinto(memoryview(buffer)[: 1 + len(buffer) // 3])  # type: ignore[attr-defined, no-any-return]


@pytest.fixture
def close(monkeypatch: pytest.MonkeyPatch) -> None:
    """Marks lie close to each other, so that small layers have many; few are kept, so that they are thinned out."""
    monkeypatch.setattr(_unpack, "_APART", 64 * 1024)
    monkeypatch.setattr(_unpack, "_BLOCK", 16 * 1024)
    monkeypatch.setattr(_unpack, "_STEP", 8 * 1024)
    monkeypatch.setattr(_unpack, "_MARKS", 7)
    monkeypatch.setattr(contents, "_NEAR", 32 * 1024)
    monkeypatch.setattr(contents, "_HELD", 100 * 1024)


def some(seed: int) -> dict[str, bytes]:
    """Files of many sizes, hard to compress."""
    chance = random.Random(seed)
    sizes = [0, 1, 511, 512, 513, *(chance.randrange(90_000) for _ in range(30))]
    return {f"folder {number % 5}/{number}": chance.randbytes(size) for number, size in enumerate(sizes)}


@pytest.mark.usefixtures("close")
@pytest.mark.parametrize("source", [Memory, Forwards])
@pytest.mark.parametrize("pack", PACKS)
def test_any_order_gives_the_same_bytes(pack: str, source: type[Memory]) -> None:
    layers = [some(1), some(2)]
    stored = [PACKS[pack](layer(files.items())) for files in layers]
    expected = {**layers[0], **layers[1]}
    tree = open_tree(source(*stored), Request())
    chance = random.Random(3)
    for _ in range(2):
        names = chance.sample(sorted(expected), len(expected))
        for name in names[:10]:
            assert tree.read(f"/{name}") == expected[name], name
        tree.ahead(f"/{name}" for name in names[10:25])
        for name in names:
            assert tree.read(f"/{name}") == expected[name], name


@pytest.mark.usefixtures("close")
def test_a_second_read_begins_at_a_mark() -> None:
    files = some(4)
    stored = gzip.compress(layer(files.items()), 1)
    source = Memory(stored)
    tree = open_tree(source, Request())
    before = source.read[source.layers[0]]
    assert before == len(stored)
    name = list(files)[-1]
    assert tree.read(f"/{name}") == files[name]
    assert source.read[source.layers[0]] - before < len(stored) / 3


def test_what_was_wanted_is_kept_and_not_read_again() -> None:
    members: list[Member] = [("etc/os-release", b"ID=debian\n"), ("etc/other", b"x"), ("etc/long", b"y" * 500)]
    source = Memory(layer(members))
    request = Request(files=(FileRequest("/etc/os-release"), FileRequest("/etc/long", cap=100)))
    tree = open_tree(source, request)
    before = source.read[source.layers[0]]
    assert tree.read("/etc/os-release") == b"ID=debian\n"
    assert tree.contents.beginning(tree.file("/etc/long"))[:100] == b"y" * 100
    assert source.read[source.layers[0]] == before
    assert tree.read("/etc/long") == b"y" * 500
    assert source.read[source.layers[0]] > before


def test_no_contents() -> None:
    tree = tree_of(layer([("folder", b"5", ""), ("pipe", b"6", ""), ("link", b"2", "nowhere")]))
    for path, error in (
        ("/folder", IsADirectoryError),
        ("/pipe", OSError),
        ("/link", FileNotFoundError),
        ("/pipe/x", NotADirectoryError),
    ):
        with pytest.raises(error):
            tree.read(path)


def test_a_file_that_is_too_large_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "_LARGEST", 1000)
    tree = tree_of(layer([("small", b"1" * 1000), ("large", b"1" * 1001)]))
    assert tree.read("/small") == b"1" * 1000
    with pytest.raises(OSError, match="too large"):
        tree.read("/large")


@pytest.mark.parametrize("pack", ["plain", "gzip"])
def test_a_layer_that_shrank_meanwhile(pack: str) -> None:
    source = Memory(PACKS[pack](layer(some(5).items())))
    tree = open_tree(source, Request())
    source.stored.update((layer, data[: len(data) // 2]) for layer, data in source.stored.items())
    with pytest.raises(TargetError, match=r"ends in the middle|damaged"):
        list(map(tree.read, [f"/{name}" for name in some(5)]))


def test_kept_bytes_of_a_shared_tree() -> None:
    """Two layers of the same bytes are one layer, read once."""
    data = layer([("a", b"1")])
    source = Memory(data, data)
    tree: Tree = open_tree(source, Request())
    assert tree.read("/a") == b"1"


@pytest.mark.parametrize("pack", PACKS)
def test_a_layer_of_which_only_the_unpacked_digest_is_known(pack: str) -> None:
    data = layer([("etc/file", b"1")])
    for said in (data, data + b"2"):
        stored = PACKS[pack](data)
        source = Memory(stored)
        known = Layer("", len(stored), diff_id=f"sha256:{hashlib.sha256(said).hexdigest()}")
        source.layers, source.stored, source.read = (known,), {known: stored}, {known: 0}
        if said is data:
            assert open_tree(source, Request()).read("/etc/file") == b"1"
        else:
            with pytest.raises(TargetError, match=r"layer sha256:[0-9a-f]{64} is damaged: its digest is not the one"):
                open_tree(source, Request())
