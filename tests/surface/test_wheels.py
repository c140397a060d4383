"""Surfaces from the wheels of a package index: a server of this machine that behaves, and that does not."""

from __future__ import annotations

import hashlib
import io
import json
import os
import threading
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from envaudit.errors import TargetError
from envaudit.model import Component, Snapshot, TargetInfo
from envaudit.surface import Surface, _http
from envaudit.surface._cache import Cache
from envaudit.surface._index import Index, IndexFile, Release, _parsed
from envaudit.surface._wheelhouse import surface_of
from envaudit.surface.open import open_surface
from envaudit.surface.platform import Platform
from envaudit.surface.tree import local_tree
from envaudit.surface.wheels import wheel
from tests.surface.conftest import installed


def made(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return stream.getvalue()


PLATFORMS = """manylinux_2_17_x86_64.manylinux2014_x86_64 manylinux_2_28_x86_64 musllinux_1_2_x86_64
    manylinux2014_aarch64 win_amd64""".split()
WHEELS = {
    "alpha": {
        "alpha-1.0-py3-none-any.whl": made(
            {"alpha/__init__.py": b"v = 1", "alpha/old.py": b"", "alpha/big.bin": os.urandom(400_000)}
        ),
        "alpha-2.0-py3-none-any.whl": made({"alpha/__init__.py": b"v = 2", "alpha/tests/t.py": b"t"}),
        "alpha-2.1rc1.tar.gz": b"",
    },
    "scikit-learn": {
        f"scikit_learn-1.0-cp39-cp39-{platform}.whl": made({"sklearn/__init__.py": platform.encode()})
        for platform in PLATFORMS
    },
    "sourced": {"sourced-1.0.tar.gz": b""},
    "moved": {"moved-1.0-py3-none-any.whl": made({"moved-1.0.data/purelib/elsewhere.py": b"e"})},
    "part-a": {"part_a-1.0-py3-none-any.whl": made({"space/a.py": b"a"})},
    "space": {"space-1.0-py3-none-any.whl": made({"space/b.py": b"b"})},
    "broken": {"broken-1.0-py3-none-any.whl": b"this is no archive"},
}  # fmt: skip


class Server(ThreadingHTTPServer):
    """An index whose manners can be changed."""

    ranges = True
    as_json = True
    fail_first = 0
    lie = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str] = []
        self.sent = 0
        self.url = f"http://127.0.0.1:{self.server_address[1]}/simple/"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *_: object) -> None:
        """Nothing."""

    def do_GET(self) -> None:
        self.server.asked.append(
            f"{self.path} {self.headers.get('Range', '')} {self.headers.get('Authorization', '')}".strip()
        )
        if self.server.fail_first:
            self.server.fail_first -= 1
            return self.answer(503, b"later")
        kind, _, rest = self.path.strip("/").partition("/")
        if kind == "simple" and rest in WHEELS:
            return self.answer(200, self.page(rest), "text/html")
        data = WHEELS.get(rest.partition("/")[0], {}).get(rest.partition("/")[2]) if kind == "files" else None
        if data is None:
            return self.answer(404, b"")
        wanted = self.headers.get("Range")
        if not wanted or not self.server.ranges:
            return self.answer(200, data)
        first, _, last = wanted.removeprefix("bytes=").partition("-")
        start, end = (
            (int(first), min(int(last) + 1, len(data))) if first else (max(0, len(data) - int(last)), len(data))
        )
        return self.answer(206, data[start:end], extent=f"bytes {start}-{end - 1}/{len(data)}")

    def page(self, name: str) -> bytes:
        files = [
            (file, f"../../files/{name}/{file}", "0" * 64 if self.server.lie else hashlib.sha256(data).hexdigest())
            for file, data in WHEELS[name].items()
        ]
        if self.server.as_json:
            listed = [
                {"filename": file, "url": url, "hashes": {"sha256": digest}, "requires-python": ">=3.6"}
                for file, url, digest in files
            ]
            return json.dumps({"meta": {"api-version": "1.1"}, "name": name, "files": listed}).encode()
        links = "".join(
            f'<a href="{url}#sha256={digest}" data-requires-python="&gt;=3.6">{file}</a>' for file, url, digest in files
        )
        return f"<!DOCTYPE html><html><body>{links}</body></html>".encode()

    def answer(self, status: int, data: bytes, kind: str = "application/octet-stream", extent: str = "") -> None:
        self.server.sent += len(data)
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        if extent:
            self.send_header("Content-Range", extent)
        self.end_headers()
        self.wfile.write(data)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(_http, "_PAUSE", 0.0)
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


Open = Callable[..., Surface]


@pytest.fixture
def opened(server: Server, tmp_path: Path) -> Open:
    def opened(
        python: str = "3.9.1", libc: tuple[str, str] = ("glibc", "2.31"), machine: str = "x86_64", **pins: str
    ) -> Surface:
        components = {
            "distribution": {name: Component("distribution", name, version) for name, version in pins.items()},
            "python": {"python": Component("python", "python", python)},
            "libc": {"libc": Component("libc", "libc", libc[1], {"family": libc[0]})},
            "machine": {"machine": Component("machine", "machine", machine)},
        }  # fmt: skip
        return surface_of(
            Snapshot(TargetInfo("image", "there"), components), index=Index(server.url, Cache(str(tmp_path / "cache")))
        )

    return opened


@pytest.mark.parametrize("as_json", [True, False])
@pytest.mark.parametrize("ranges", [True, False])
def test_members_are_read_whatever_the_server_can(server: Server, opened: Open, as_json: bool, ranges: bool) -> None:
    server.as_json, server.ranges = as_json, ranges
    surface = opened(alpha="1.0", moved="1.0")
    assert surface.source("alpha") == "v = 1"
    assert surface.find("alpha.old")
    assert surface.find("alpha.new") is None
    assert surface.source("elsewhere") == "e"
    assert surface.version("alpha") == surface.version("Alpha") == "1.0"
    assert surface.version("elsewhere") == "1.0"
    found = surface.find("os")
    assert found is not None
    assert found.kind == "stdlib"
    assert surface.find("nope") is None
    assert surface.hides("nope") is None


def test_only_what_is_wanted_is_fetched(server: Server, opened: Open) -> None:
    surface = opened(alpha="1.0", space="1.0")
    assert surface.source("alpha") == "v = 1"
    assert server.sent < 300_000  # of 400 kB: the table of contents and the members near to it
    assert not [path for path in server.asked if "space" in path]


def test_no_wheel_is_opened_for_what_is_in_none(server: Server, opened: Open) -> None:
    surface = opened(alpha="1.0", space="1.0")
    surface.prefetch(["builtins", "_codecs", "__main__", "copy_reg"])
    assert server.asked == []
    surface.prefetch(["alpha"])
    assert [path for path in server.asked if "alpha" in path]


def test_the_cache_serves_where_the_network_does_not(server: Server, opened: Open) -> None:
    opened(alpha="2.0").prefetch(["alpha"])
    before = len(server.asked)
    server.fail_first = 10**6
    surface = opened(alpha="2.0")
    assert surface.source("alpha") == "v = 2"
    assert len(server.asked) == before
    with pytest.raises(TargetError, match=r"alpha-2\.0-py3-none-any\.whl: cannot be read: the server answers 503"):
        surface.source("alpha.tests.t")  # tests were not brought along
    with pytest.raises(TargetError, match="simple/space/: cannot be read"):
        opened(space="1.0").find("space")


def test_a_server_that_stumbles_is_asked_again(server: Server, opened: Open) -> None:
    server.fail_first = 2
    assert opened(alpha="2.0").source("alpha") == "v = 2"


@pytest.mark.parametrize(
    ("python", "libc", "machine", "chosen"),
    [
        ("3.9.1", ("glibc", "2.31"), "x86_64", "manylinux_2_28_x86_64"),
        ("3.9.1", ("glibc", "2.17"), "x86_64", "manylinux_2_17_x86_64.manylinux2014_x86_64"),
        ("3.9.1", ("musl", "1.2.3"), "x86_64", "musllinux_1_2_x86_64"),
        ("3.9.1", ("glibc", "2.31"), "aarch64", "manylinux2014_aarch64"),
        ("3.9.1", ("glibc", "2.12"), "x86_64", None),
        ("3.10.0", ("glibc", "2.31"), "x86_64", None),
    ],
)  # fmt: skip
def test_the_wheel_is_that_of_the_platform(
    opened: Open, python: str, libc: tuple[str, str], machine: str, chosen: str | None
) -> None:
    surface = opened(python, libc, machine, **{"scikit-learn": "1.0"})
    assert surface.source("sklearn") == chosen
    assert (surface.hides("sklearn") is None) == (chosen is not None)


def test_what_cannot_be_read_is_unseen_and_not_absent(opened: Open) -> None:
    surface = opened(alpha="2.0", sourced="1.0", nowhere="1.0")
    assert surface.find("sourced") is None
    assert surface.hides("sourced") == "sourced: the index has only sources of 1.0"
    assert surface.hides("something") is not None
    assert surface.hides("alpha.old") is None  # its package is there, and without it
    assert surface.unseen["nowhere"] == "the index has no 1.0"


def test_a_namespace_package_spans_wheels(opened: Open) -> None:
    surface = opened(**{"part-a": "1.0", "space": "1.0"})
    assert surface.source("space.a") == "a"
    assert surface.source("space.b") == "b"


def test_damaged_and_foreign_wheels_are_errors_of_one_line(server: Server, opened: Open) -> None:
    with pytest.raises(TargetError, match=r"broken-1\.0-py3-none-any\.whl: is no wheel"):
        opened(broken="1.0").find("broken")
    server.lie, server.ranges = True, False
    with pytest.raises(TargetError, match="is not the file that the index lists"):
        opened(alpha="1.0").find("alpha")


def patched(offset: int, value: bytes, name: str = "odd.py", data: bytes = b"x = 1") -> bytes:
    """A wheel whose table of contents says something else of its only member."""
    whole = bytearray(made({name: data}))
    at = whole.rindex(b"PK\x01\x02") + offset
    whole[at : at + len(value)] = value
    return bytes(whole)


ODD = {
    "a version of the format to come": (patched(6, b"\xda"), "is no wheel"),
    "a name that is not in its encoding": (patched(46, b"\xff", "\xf6dd.py"), "is no wheel"),
    "a member in the middle of another": (patched(42, b"\x07"), "is damaged"),
    "a bomb": (patched(24, b"\5\0\0\0", data=bytes(1 << 27)), "is damaged"),
    "a size beyond all": (patched(24, b"\xf0\xff\xff\xff"), "has 4294967280 bytes"),
    "another compression": (patched(10, b"\x0c"), "is packed otherwise than wheels are"),
}


@pytest.mark.parametrize("case", ODD)
def test_what_fuzzing_found_in_wheels(
    case: str, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, said = ODD[case]
    monkeypatch.setitem(WHEELS, "odd", {"odd-1.0-py3-none-any.whl": data})
    tree = wheel(Index(server.url, Cache(str(tmp_path))), "odd", "1.0", Platform((3, 11)))
    assert tree is not None
    tracemalloc.start()
    with pytest.raises(TargetError, match=said) as caught:
        tree.read("odd.py")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert str(caught.value).isprintable()
    assert peak < 4 << 20
    path = tmp_path / "odd.zip"  # the same as an entry of sys.path
    path.write_bytes(data)
    assert local_tree(str(path)).read("odd.py") is None


PAGES = {
    "an address that is none": b'<a href="//[/a-1.0-py3-none-any.whl">a</a>',
    "a number for a name": b'{"files":[{"filename":1,"url":"a"}]}',
    "a number for a digest": b'{"files":[{"filename":"a-1.0.zip","url":"a","hashes":{"sha256":1}}]}',
}


@pytest.mark.parametrize("case", PAGES)
def test_what_fuzzing_found_in_pages(case: str) -> None:
    with pytest.raises(TargetError, match="is no page of a package index"):
        _parsed(PAGES[case], "https://index/simple/a/")


def test_half_a_declaration_is_no_page_or_names_no_files() -> None:
    with suppress(TargetError):  # as html.parser has it, which differs by its release
        assert _parsed(b"<![DOCTY html>", "https://index/simple/a/") == []


def test_a_wheel_whose_name_tells_no_platform_is_for_none() -> None:
    file = IndexFile("a-1.0-cp%11-cp311-linux_x86_64.whl", "", None, None, False)
    assert Release("1.0", None, (file,), False).wheel(Platform((3, 11))) is None


def test_a_page_that_is_kept_and_damaged_is_asked_for_again(server: Server, tmp_path: Path) -> None:
    cache = Cache(str(tmp_path))
    cache.keep_page(server.url, "alpha", [["too", "few"]])
    assert "2.0" in Index(server.url, cache).releases("alpha")


def test_releases_tell_what_there_is(server: Server, tmp_path: Path) -> None:
    index = Index(server.url, Cache(str(tmp_path)))
    found = index.releases("Alpha")
    assert list(found) == ["1.0", "2.0", "2.1rc1"]
    assert found["1.0"].requires_python == ">=3.6"
    assert found["2.1rc1"].wheels == ()
    assert index.releases("unheard-of") == {}
    assert index.release("alpha", "1.0.0") is not None
    assert index.release("alpha", "not a version") is None


def test_a_wheel_can_be_laid_over_a_surface(server: Server, opened: Open, tmp_path: Path) -> None:
    index = Index(server.url, Cache(str(tmp_path)))
    base = opened(alpha="1.0", moved="1.0")
    over = wheel(index, "alpha", "2.0", Platform((3, 9)))
    assert over is not None
    changed = base.overlaid([over])
    changed.prefetch(["alpha", "elsewhere"])
    assert changed.source("alpha") == "v = 2"
    assert changed.find("alpha.old") is None
    assert changed.source("elsewhere") == "e"
    assert base.source("alpha") == "v = 1"


def test_credentials_are_sent_and_never_shown(server: Server, tmp_path: Path) -> None:
    url = server.url.replace("http://", "http://user:hunter2@")
    index = Index(url, Cache(str(tmp_path)))
    assert index.releases("alpha")
    assert any("Basic dXNlcjpodW50ZXIy" in line for line in server.asked)
    server.fail_first = 10**6
    with pytest.raises(TargetError) as caught:
        index.releases("space")
    assert "hunter2" not in str(caught.value)


def test_the_cache_stays_in_its_folder(tmp_path: Path) -> None:
    cache = Cache(str(tmp_path / "cache"))
    for name in ("../../out", "/out", "a/../../out", "a\\b", "a//b"):
        cache.keep_member("wheel", name, b"x")
        assert cache.member("wheel", name) is None
    assert not list(tmp_path.rglob("out"))
    (tmp_path / "file").write_text("")
    Cache(str(tmp_path / "file")).keep_page("i", "n", [])  # cannot be written: no error


@pytest.mark.network
def test_a_lockfile_has_the_surface_of_the_environment_that_it_makes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENVAUDIT_CACHE", str(tmp_path / "cache"))
    there = installed("1.3.2")
    lock = tmp_path / "requirements.txt"
    lock.write_text("scikit-learn==1.3.2\nnumpy==1.26.4\nscipy==1.11.4\njoblib==1.3.2\n")
    surface = open_surface(str(lock), python=(3, 11))
    surface.prefetch(["sklearn", "joblib"])
    for module in "sklearn.ensemble._forest joblib.numpy_pickle sklearn.tree._tree sklearn.nope numpy._core".split():
        here, real = surface.find(module), there.surface.find(module)
        assert (here and (here.kind, here.path)) == (real and (real.kind, real.path)), module
        assert surface.source(module) == there.surface.source(module), module
    extension, real_extension = surface.extension("sklearn.tree._tree"), there.surface.extension("sklearn.tree._tree")
    assert extension is not None
    assert real_extension is not None
    assert extension.structs == real_extension.structs
    assert surface.version("sklearn") == "1.3.2"
