"""What is fuzzed: each target takes any bytes and raises nothing but what it says it raises."""

from __future__ import annotations

import atexit
import functools
import gzip
import os
import shutil
import struct
import tempfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from envaudit.errors import ArtifactError, EnvauditError, LockfileError, SnapshotError, TargetError
from tests.fuzz import seeds

if TYPE_CHECKING:
    from envaudit.prediction.world import World

PACKINGS: tuple[Callable[[bytes], bytes], ...] = (
    lambda data: data,
    lambda data: zlib.compress(data, 1),
    lambda data: gzip.compress(data, 1),
    lambda data: seeds.archive({"archive/data.pkl": data, "archive/version": b"3\n"}),
    lambda data: seeds.archive({"a.npy": data}),
    lambda data: seeds.archive({"a.pkl": data}),
)
"""The last byte of an input chooses one: what lies inside of a checksum is reached too."""


class Target(NamedTuple):
    """Something that reads foreign bytes."""

    attempt: Callable[[bytes], object]
    allowed: type[Exception]
    """What bad input may raise, in one line."""
    seeds: Callable[[], Iterator[bytes]]
    longest: int = 8192
    """Bytes of an input."""
    file: Callable[[bytes], bytes] = lambda data: data
    """The bytes as they are read: what a finding is kept as."""
    words: Callable[[], Iterator[bytes]] = lambda: iter(())
    """What is put into inputs as a whole."""


def packed(data: bytes) -> bytes:
    """A model file as an input describes it."""
    return PACKINGS[data[-1] % len(PACKINGS)](data[:-1]) if data else b""


def framed(data: bytes) -> bytes:
    """A model with a record as an input describes it: the closing of a record at its end is made right."""
    from envaudit.embedding._tail import _END, CLOSING
    from envaudit.needs import RECORD

    start, end = data.rfind(RECORD), data.rfind(_END)
    if 0 <= start < end - CLOSING:
        return data[: end - 4] + struct.pack("<I", end + len(_END) + 1 - start) + _END + b"."
    return data


def _packed_seeds() -> Iterator[bytes]:
    return (data + b"\0" for data in seeds.artifacts())


@functools.cache
def _folder() -> str:
    folder = tempfile.mkdtemp(prefix="envaudit-fuzz-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _written(name: str, data: bytes) -> str:
    path = os.path.join(_folder(), name)
    with open(path, "wb") as stream:
        stream.write(data)
    return path


def artifacts(data: bytes) -> object:
    """A model file of any format."""
    from envaudit.artifacts import read

    return read(_written("model.bin", packed(data)))


def embedding(data: bytes) -> object:
    """What rides in a model; what is put in and taken out again leaves its own bytes as they were."""
    from envaudit import embedding
    from tests.embedding.kinds import record

    path = _written("model.bin", framed(data))
    before = embedding.identity(path)
    found = embedding.find(path)
    way = embedding._way(path) if len(data) % 4 == 0 else None  # writing takes a hundred times as long
    if way is not None and way.write(path, record(1)):  # whether it is a model, another target reads
        embedding.read(path)
        assert way.remove(path)
        assert before == embedding.identity(path)
    return found


@functools.cache
def _world() -> World:
    import sys

    from envaudit.prediction.evaluation import Evaluation
    from envaudit.surface import Surface
    from envaudit.surface._facts import Facts

    surface = Surface.of_folders(sys.version_info[:2], filter(None, sys.path), "serving")
    surface.facts = Facts(_folder())
    return Evaluation.world_of(surface)


def prediction(data: bytes) -> object:
    """What is said of a model file in the environment that runs."""
    from envaudit.artifacts import read
    from envaudit.prediction.outcome import predict

    return predict(read(_written("model.bin", packed(data))), _world(), "model.bin")


def binaries(data: bytes) -> object:
    """A compiled module, and what is made of its facts."""
    from envaudit.surface import _binary

    return _binary.drawn(data, "module")


@functools.cache
def _index() -> str:
    import threading

    from tests.surface.test_wheels import Server

    server = Server()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.url.replace("/simple/", "/files/fuzzed/fuzzed-1.0-py3-none-any.whl")


def wheels(data: bytes) -> object:
    """A wheel on a server: its table of contents and all its members."""
    from envaudit.surface._cache import Cache
    from envaudit.surface._index import IndexFile
    from envaudit.surface.wheels import WheelTree
    from tests.surface.test_wheels import WHEELS

    url = _index()
    WHEELS["fuzzed"] = {"fuzzed-1.0-py3-none-any.whl": data}
    tree = WheelTree(IndexFile("fuzzed-1.0-py3-none-any.whl", url, None, None, False), Cache("/dev/null"))
    names = tree.names("") or ()
    tree.prefetch()
    return [tree.read(name) for name in names]


def pages(data: bytes) -> object:
    """A page of an index, and the choice of a wheel."""
    from envaudit.surface._index import _by_version, _parsed
    from envaudit.surface.platform import Platform

    releases = _by_version(_parsed(data, "https://index/simple/a/"))
    return [release.wheel(Platform((3, 11))) for release in releases.values()]


def snapshots(data: bytes) -> object:
    """A snapshot file; one that is read is written and read again, and compared with itself."""
    from envaudit import store
    from envaudit.comparison import compare

    snapshot = store.loads(data)
    assert store.loads(store.dumps(snapshot).encode("utf-8", "backslashreplace")) == snapshot
    return compare(snapshot, snapshot)


def _snapshot_of(scheme: str, name: str, data: bytes) -> object:
    from envaudit.take import take

    return take(f"{scheme}://{_written(name, data)}")


def sources(data: bytes) -> object:
    """A source of Cython's."""
    from envaudit.surface import _cython

    text = data.decode("utf-8", "replace")
    return _cython.functions(text), _cython.structs("a.b", text, lambda module: text)


def cache(data: bytes) -> object:
    """What is kept between two looks: a page of an index, a wheel's table of contents, a file's facts."""
    from envaudit.cache import kept
    from envaudit.surface._cache import Cache
    from envaudit.surface._index import Index

    found = Cache(_folder())
    for path in (found._page("i", "a"), os.path.join(found.folder, "w", "members.json")):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        Path(path).write_bytes(data)
    entry = _written("entry", zlib.compress(data) if data[:1] == b"[" else data)
    return Index("i", found)._kept("a"), found.listing("w"), kept(entry, "entry", 1 << 26)


def layered(data: bytes) -> bytes:
    """A layer as an input describes it: the checksums of its headers are made right; the last byte may pack it."""
    if not data:
        return b""
    made = bytearray(data[:-1])
    for at in range(0, len(made) - 511, 512):
        if made[at + 257 : at + 262] == b"ustar":
            made[at + 148 : at + 156] = b" " * 8
            made[at + 148 : at + 156] = b"%06o\0 " % sum(made[at : at + 512])
    return gzip.compress(made, 1) if data[-1] % 4 == 1 else bytes(made)


def layers(data: bytes) -> object:
    """The only layer of an image, and the snapshot of what is in it."""
    from envaudit.images.source import Layer
    from tests.images.test_hostile import Claimed, look_at

    return look_at(Claimed(layered(data), Layer("")))


TARGETS = {
    "artifacts": Target(artifacts, ArtifactError, _packed_seeds, file=packed, words=seeds.words),
    "prediction": Target(prediction, ArtifactError, _packed_seeds, file=packed, words=seeds.words),
    "embedding": Target(embedding, ArtifactError, seeds.embedding, file=framed),
    "binaries": Target(binaries, TargetError, seeds.binaries, longest=160 * 1024),
    "wheels": Target(wheels, TargetError, seeds.wheels),
    "pages": Target(pages, TargetError, seeds.pages),
    "snapshots": Target(snapshots, SnapshotError, seeds.snapshots),
    "requirements": Target(
        functools.partial(_snapshot_of, "requirements", "requirements.txt"), LockfileError, seeds.requirements
    ),
    "pylock": Target(functools.partial(_snapshot_of, "pylock", "pylock.toml"), LockfileError, seeds.pylock),
    "sources": Target(sources, TargetError, seeds.sources),
    "layers": Target(layers, EnvauditError, seeds.layers, longest=48 * 1024, file=layered),
    "cache": Target(cache, TargetError, seeds.cache),
}


def inputs(target: Target, folder: Path) -> tuple[Path, Path]:
    """A folder with the seeds of a target, and a file of its words as libFuzzer reads it."""
    (folder / "seeds").mkdir()
    for number, data in enumerate(target.seeds()):
        (folder / "seeds" / str(number)).write_bytes(data)
    lines = ('"' + "".join(f"\\x{byte:02x}" for byte in word) + '"\n' for word in target.words())
    (folder / "words").write_text("".join(lines))
    return folder / "seeds", folder / "words"
