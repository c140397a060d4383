"""Layers that nobody should write end in a result or in one clear line, in bounded time and memory."""

from __future__ import annotations

import gzip
import io
import os
import re
import struct
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from envaudit import registry, store
from envaudit.errors import EnvauditError, TargetError
from envaudit.evidence import Collector, FileRequest, Options, Request
from envaudit.images import _unpack, contents
from envaudit.images import layer as _layer
from envaudit.images.open import open_tree
from envaudit.images.root import open_root
from envaudit.images.source import Layer, Source
from envaudit.model import Snapshot, TargetInfo
from envaudit.take import interpret
from envaudit.targets import _static
from tests.images.layers import DEVICE, FOLDER, HARD, LINK, PIPE, Member, Memory, layer, listed, tree_of

MIB = 1024 * 1024
GOOD = layer([("etc/os-release", b"ID=debian\n"), ("a", b"x" * 50_000)])


def zstd(data: bytes) -> bytes:
    return bytes(_unpack._zstd().compress(data))


PACKS: dict[str, Callable[[bytes], bytes]] = {"plain": bytes, "gzip": gzip.compress, "zstd": zstd}


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ENVAUDIT_CACHE", str(tmp_path))


class Claimed(Memory):
    """An image that says something else of its layer than it gives."""

    def __init__(self, stored: bytes, claimed: Layer) -> None:
        super().__init__()
        self.layers = (claimed,)
        self.stored = {claimed: stored}
        self.read = {claimed: 0}


def of(data: bytes) -> Layer:
    return Memory(data).layers[0]


@pytest.mark.parametrize("pack", PACKS)
def test_bytes_that_are_not_those_of_the_digest(pack: str) -> None:
    stored = PACKS[pack](GOOD)
    other = PACKS[pack](layer([("a", b"1")]))
    with pytest.raises(TargetError, match=r"^layer sha256:\w{64} is damaged: its digest is not"):
        open_tree(Claimed(stored, of(other)._replace(size=None)), Request())
    for wrong in (len(stored) - 1, len(stored) + 1, 0):
        with pytest.raises(TargetError, match=rf"^layer sha256:\w{{64}} does not have the {wrong} bytes"):
            open_tree(Claimed(stored, of(stored)._replace(size=wrong)), Request())


@pytest.mark.parametrize("pack", PACKS)
def test_cut_off_anywhere(pack: str) -> None:
    stored = PACKS[pack](GOOD)
    for length in sorted({*range(0, len(stored), max(1, len(stored) // 60)), *range(20), len(stored) - 1}):
        cut = stored[:length]
        with pytest.raises(TargetError, match=r"^layer sha256:\w{64} (does not have|is damaged|is no tar)"):
            open_tree(Claimed(cut, of(stored)), Request())  # its size and digest are known
        try:
            open_tree(Memory(cut), Request())  # it was cut off before it was published
        except TargetError as error:
            assert str(error).isprintable()  # noqa: PT017
        else:
            assert pack == "plain" or not length
            assert length % 512 == 0 or length > len(GOOD.rstrip(b"\0"))


@pytest.mark.parametrize("pack", ["gzip", "zstd"])
@pytest.mark.parametrize("place", [5, 20, 40, -5])
def test_packed_bytes_that_changed(pack: str, place: int) -> None:
    stored = bytearray(PACKS[pack](GOOD + bytes(range(256)) * 50))
    stored[place] ^= 0x55
    try:
        open_tree(Memory(bytes(stored)), Request())
    except TargetError as error:
        assert str(error).isprintable()  # noqa: PT017
    else:
        assert (pack, place) == ("gzip", 5), "only a time in the header is nobody's business"


class Zeros(io.RawIOBase):
    """Zeros packed by gzip, made as they are asked for."""

    def __init__(self, head: bytes, size: int) -> None:
        import zlib

        packer = zlib.compressobj(9, wbits=31)
        self._parts = iter([packer.compress(head), *(packer.compress(bytes(MIB)) for _ in range(size // MIB))])
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            part = next(self._parts, None)
            if part is None:
                return 0
            self._rest = part
        count = min(len(buffer), len(self._rest))
        buffer[:count], self._rest = self._rest[:count], self._rest[count:]
        return count


@pytest.mark.parametrize("pack", ["gzip", "zstd"])
def test_bombs(monkeypatch: pytest.MonkeyPatch, pack: str) -> None:
    monkeypatch.setattr(_unpack, "_ROOM", 4 * MIB)
    harmless = PACKS[pack](layer([("a", bytes(3 * MIB))]))
    assert tree_of(harmless).file("/a").size == 3 * MIB
    for data in (layer([("a", bytes(60 * MIB))]), layer([]) + bytes(60 * MIB)):
        with pytest.raises(TargetError, match=r"^layer sha256:\w{64} unpacks to more than 200 times its size"):
            tree_of(PACKS[pack](data))


@pytest.mark.parametrize(
    "name", ["../x", "a/../../x", "/../x", "./../x", "..", "a/b/../../../c", "../.wh.x", "../.wh..wh..opq", "x/../.."]
)
def test_members_that_lead_out_of_the_image(name: str) -> None:
    with pytest.raises(TargetError, match=r"^layer sha256:\w{64}: the member '[^']*' leads out of the image$"):
        tree_of(layer([(name, b"1")]))


def test_hard_links_that_lead_out_of_the_image() -> None:
    with pytest.raises(TargetError, match="leads out of the image"):
        tree_of(layer([("a", HARD, "../../etc/passwd")]))


def test_links_never_lead_out(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    members: list[Member] = [
        ("up", LINK, "../../../../.."),
        ("absolute", LINK, str(tmp_path)),
        ("file", LINK, f"../../../..{tmp_path}/secret"),
        ("self", LINK, "self"),
        ("one", LINK, "two"),
        ("two", LINK, "/one"),
        ("deep", LINK, "deep/deep/deep"),
        ("empty", LINK, ""),
        ("root", LINK, "/"),
        ("etc/x", b"1"),
        *[(f"chain{number}", LINK, f"chain{number + 1}") for number in range(41)],
        ("chain41", b"1"),
    ]
    tree = tree_of(layer(members))
    assert tree.read("/up/etc/x") == tree.read("/root/etc/x") == tree.read("/root/up/root/etc/x") == b"1"
    for path in ("/absolute/secret", "/file", "/self", "/self/x", "/one", "/deep", "/deep/x", "/chain0"):
        with pytest.raises(OSError):  # noqa: PT011  (not there, or in a circle)
            tree.read(path)
    assert tree.read("/chain1") == b"1"


def test_written_through_links_that_lead_nowhere() -> None:
    tree = tree_of(
        layer([("loop", LINK, "loop"), ("gone", LINK, "/nowhere/at/all"), ("up", LINK, "../../..")]),
        layer([("loop/x", b"1"), ("gone/x", b"1"), ("up/x", b"1"), ("loop/.wh.x", b""), ("gone/.wh..wh..opq", b"")]),
    )
    assert tree.read("/x") == b"1"
    assert {path for path, kind, _ in listed(tree) if kind == "file"} == {"/x"}


@pytest.mark.parametrize("depth", [200, 1000, 2040])
def test_deep_folders(depth: int) -> None:
    path = "d/" * depth + "f"
    tree = tree_of(layer([(path, b"1")]), layer([("d/" * depth + ".wh.f", b""), (path[:-1] + "g", b"1")]))
    assert tree.read("/" + path[:-1] + "g") == b"1"
    assert not tree.exists("/" + path)


def test_folders_below_what_is_none() -> None:
    deep = "loop/" + "d/" * 1500
    tree = tree_of(layer([("loop", LINK, "loop"), ("a", b"1")]), layer([(deep + "x", b"1"), (deep + "y", HARD, "a")]))
    assert [path for path, _, _ in listed(tree)] == ["/a", "/loop"]


def test_names_of_any_length() -> None:
    assert tree_of(layer([("n" * 4096, b"1")])).read("/" + "n" * 4096) == b"1"
    for member in (("n" * 4097, b"1"), ("d/" * 500_000, FOLDER, ""), ("a", LINK, "../" * 5000)):
        with pytest.raises(TargetError, match=r"^layer sha256:\w{64}: the path or link of '.{1,200}' is longer"):
            tree_of(layer([member]))
    with pytest.raises(TargetError, match=r"^layer sha256:\w{64} is no tar archive, or damaged: a header has"):
        tree_of(layer([("n" * 1_100_000, b"1")]))


def test_few_names_that_imply_many_folders() -> None:
    members = [(f"{number}/" + "d/" * 2000 + "x", b"") for number in range(60)]
    with pytest.raises(TargetError, match=r"^layer sha256:\w{64} has more than \d+ members; no more are read"):
        tree_of(layer(members))


MANY = """
import itertools, re, sys, tarfile
from envaudit.errors import TargetError
from envaudit.evidence import Request
from envaudit.images import layer, union
from envaudit.images._unpack import Way
from envaudit.images._wanted import Wanted
from envaudit.images.source import Layer

class Stream:
    def __init__(self, count):
        self.parts = itertools.chain((block(range(at, at + 100)) for at in range(0, count, 100)), [bytes(1024)])
        self.rest = b""
    def readinto(self, buffer):
        if not self.rest:
            self.rest = memoryview(next(self.parts, b""))
        count = min(len(buffer), len(self.rest))
        buffer[:count] = self.rest[:count]
        self.rest = self.rest[count:]
        return count

def block(numbers):
    made = bytearray()
    for number in numbers:
        name = b"%04d/%07d" % (number // 1000, number)
        made += name + HEAD[12:148] + b"%06o\\0 " % (BASE + sum(name)) + HEAD[156:]
    return bytes(made)

HEAD = tarfile.TarInfo("x").tobuf(tarfile.USTAR_FORMAT)[:512]
BASE = sum(HEAD[12:148]) + sum(HEAD[156:]) + 256
layer.MEMBERS = 300_000
try:
    found = layer.index(Stream(int(sys.argv[1])), Way(Layer("")), Wanted(Request()))
except TargetError as error:
    print(error)
else:
    root = {}
    union.add(root, found)
    print(sum(map(len, found.folders.values())), len(root))
# Not ru_maxrss, which begins with that of the process that started this one.
print(int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) // 1024)
"""


@pytest.mark.parametrize(
    ("count", "said"),
    [(200_000, r"\d+ 200"), (400_000, "the archive has more than 300,000 members; no more are read")],
)
def test_many_members(count: int, said: str) -> None:
    done = subprocess.run([sys.executable, "-c", MANY, str(count)], capture_output=True, text=True, check=True)
    line, memory = done.stdout.splitlines()
    assert re.fullmatch(said, line)
    assert int(memory) < 300, "MB"


def test_a_sparse_file_of_100_gb(tmp_path: Path) -> None:
    with (tmp_path / "large").open("wb") as file:
        file.truncate(100 * 1024**3)
    (tmp_path / "after").write_bytes(b"1")
    subprocess.run(["tar", "-C", tmp_path, "--sparse", "-cf", tmp_path / "a.tar", "large", "after"], check=True)
    tree = tree_of((tmp_path / "a.tar").read_bytes())
    assert tree.file("/large").size == 100 * 1024**3
    assert tree.read("/after") == b"1"
    with pytest.raises(OSError, match="a sparse member is not read"):
        tree.read("/large")


def test_more_metadata_than_any_image_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_layer, "ROOM", 10 * MIB)
    wanted = Request(files=(FileRequest("{site}/*.dist-info/METADATA"),))
    many = [(f"site/{number}.dist-info/METADATA", bytes(MIB)) for number in range(11)]
    assert open_tree(Memory(layer(many[:10])), wanted).listdir("/site")
    with pytest.raises(TargetError, match=r"layer sha256:[0-9a-f]{64} has more than 10 MiB of metadata; no image has$"):
        open_tree(Memory(gzip.compress(layer(many))), wanted)


def test_what_is_read_ahead_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "_HELD", 3 * MIB)
    many = [(f"{number}", bytes([number]) * MIB) for number in range(10)]
    found = tree_of(gzip.compress(layer(many)))
    found.ahead([f"/{name}" for name, _ in many])
    assert sum(map(len, cast(contents.LayerContents, found.contents)._held.values())) <= 3 * MIB
    assert [found.read(f"/{name}") for name, _ in many] == [data for _, data in many]


def test_more_is_asked_for_than_can_be_handed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_static, "_ROOM", 3 * MIB)
    many = [(f"var/lib/dpkg/status.d/{number}", b"Package: a\n" * 90_000) for number in range(4)]
    with pytest.raises(TargetError, match=r"what is wanted of the files has more than 3 MiB, up to /var/lib/dpkg/"):
        look(layer(many))


def test_a_size_that_is_a_lie() -> None:
    member = tarfile.TarInfo("etc/os-release")
    member.size = 2**62
    for how in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        with pytest.raises(TargetError, match="is no tar archive, or damaged"):
            tree_of(member.tobuf(how) + bytes(2048))


ELF = struct.pack("<4s5B7xHHIQQQIHHHHHH", b"\x7fELF", 2, 1, 1, 0, 0, 3, 62, 1, 0, 64, 0, 0, 64, 56, 1, 0, 0, 0)
LOADER = struct.pack("<IIQQQQQQ", 3, 4, 120, 0, 0, 20, 20, 1)
PYTHON = ELF + LOADER + b"/lib64/ld-linux.so.2\0\x003.11.2\0[GCC 12.2.0]\0"
SITE = "usr/lib/python3/dist-packages"
SYSTEM: list[Member] = [
    ("usr/bin/python3", LINK, "python3.11"),
    ("usr/bin/python3.11", PYTHON),
    ("usr/lib/python3.11/os.py", b""),
    ("usr/lib/python3.11/site.py", b"dist-packages"),
    ("etc/os-release", b"ID=debian\nVERSION_ID=12\n"),
    (f"{SITE}/six-1.16.0.dist-info/METADATA", b"Name: six\nVersion: 1.16.0\n"),
]
"""The least that is a Python."""
NOISE = bytes(range(256)) * 40
PATHS = [
    "etc/os-release", "usr/lib/python3.11/site.py", "usr/lib/python3.11/_sysconfigdata__linux_.py", "etc/passwd",
    "usr/bin/pyvenv.cfg", "usr/pyvenv.cfg", f"{SITE}/a.pth", f"{SITE}/sitecustomize.py", "var/lib/dpkg/status",
    "var/lib/dpkg/status.d/a", "lib/apk/db/installed", "var/lib/rpm/rpmdb.sqlite", "var/lib/rpm/Packages",
    "var/lib/rpm/Packages.db", f"{SITE}/six-1.16.0.dist-info/METADATA", f"{SITE}/six-1.16.0.dist-info/RECORD",
    f"{SITE}/six-1.16.0.dist-info/direct_url.json", f"{SITE}/x.egg-info", f"{SITE}/x.egg-link", "usr/bin/python3.11",
    "usr/lib/libpython3.11.so.1.0", "lib64/libc.so.6", "usr/conda-meta/a.json", "usr/lib/python3.11/os.py",
    "usr/local/cuda/version.json",
]  # fmt: skip
CONTENTS: dict[str, Callable[[str], Member]] = {
    "noise": lambda path: (path, NOISE),
    "nothing": lambda path: (path, b""),
    "one long line": lambda path: (path, b"a" * 3 * MIB),
    "many lines": lambda path: (path, b"= /\n: a\n" * 200_000),
    "brackets": lambda path: (path, b"[" * 200_000),
    "an ELF with lies": lambda path: (path, ELF[:32] + b"\xff" * 200),
    "the beginning of an ELF": lambda path: (path, ELF[:60]),
    "a pipe": lambda path: (path, PIPE, ""),
    "a device": lambda path: (path, DEVICE, ""),
    "a folder": lambda path: (path, FOLDER, ""),
    "a link to itself": lambda path: (path, LINK, path.rpartition("/")[2]),
    "a link out": lambda path: (path, LINK, "../" * 30 + "etc/passwd"),
    "a link to a device of this machine": lambda path: (path, LINK, "/dev/zero"),
    "a hard link to itself": lambda path: (path, HARD, path),
}


def look(*stored: bytes, **config: Any) -> Snapshot:
    """A snapshot of an image of these layers."""
    return look_at(Memory(*stored, config={"config": config}))


def look_at(source: Source) -> Snapshot:
    """A snapshot of an image."""
    collectors = cast("list[Collector]", list(registry.load("collectors", "COLLECTOR").values()))
    request = Request().merge(collector.request for collector in collectors)
    evidence = _static.of_image(source, request, Options(), "image")
    components, gaps = interpret(evidence, collectors)
    return Snapshot(TargetInfo("archive", "image", evidence.environment), components, gaps)


def test_the_least_that_is_a_python() -> None:
    found = look(layer(SYSTEM))
    assert found.of("python")["python"].version == "3.11.2"
    assert found.of("distribution")["six"].version == "1.16.0"


def result(*stored: bytes) -> None:
    """Look at an image, which gives a snapshot that can be written, or one line."""
    try:
        found = look(*stored, Env=["VIRTUAL_ENV=/usr", "PYTHONPATH=/x::y"])
    except EnvauditError as error:
        assert str(error).isprintable()  # noqa: PT017
    else:
        assert store.loads(store.dumps(found).encode()) == found


@pytest.mark.parametrize("what", CONTENTS)
def test_anything_in_the_place_of_what_is_read(what: str) -> None:
    members = [CONTENTS[what](path) for path in PATHS]
    for member in members:
        result(layer(SYSTEM), layer([member]))
    result(layer(SYSTEM), layer(members))


def test_a_root_folder_never_leads_out(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    inside = tmp_path / "root"
    (inside / "etc").mkdir(parents=True)
    (inside / "etc/own").write_bytes(b"1")
    targets = {"up": "../../../..", "file": f"{tmp_path}/secret", "near": "../secret", "self": "self"}
    targets["etc/abs"] = "/etc"
    for name, target in targets.items():
        (inside / name).symlink_to(target)
    os.mkfifo(inside / "pipe")
    tree = open_root(str(inside))
    assert tree.read("/etc/own") == tree.read("/up/etc/own") == tree.read("/etc/abs/own") == b"1"
    assert tree.listdir("/up") == tree.listdir("/")
    for path in ("/file", "/near", "/self", "/pipe", "/up/secret", "/../secret", "/etc/../../secret"):
        with pytest.raises(OSError):  # noqa: PT011  (not there, in a circle, or no file)
            tree.read(path)
