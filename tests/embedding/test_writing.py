"""Embedding where something goes wrong: the model is whole at every moment, and what was left is mended."""

from __future__ import annotations

import errno
import fcntl
import io
import os
import pickle
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import envaudit
from envaudit import embedding
from envaudit.embedding import Embedded, _file
from envaudit.embedding._pieces import digest_of
from envaudit.errors import EmbeddingError
from tests.embedding.kinds import Kind, kinds, record

ROOT = Path(envaudit.__file__).parent.parent
NOBODY = 65534
WAYS = [("pickle", False), ("pickle", True), ("torch", False), ("torch", True), ("zlib", False), ("npy", False)]
"""Kinds of models, and whether they are written in place as large ones are."""
LOADERS: dict[str, Callable[[bytes], object]] = {
    "pickle": pickle.loads,
    "zlib": lambda data: pickle.loads(zlib.decompress(data)),
    "torch": lambda data: [zipfile.ZipFile(io.BytesIO(data)).read(f"module/{name}") for name in ("data.pkl", "data/0")],
    "npy": lambda data: data,
}
IS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else, and mount")


def alone(work: Callable[..., None], *given: object) -> None:
    """Run a function of this module in a process of its own, which has no other threads and limits of its own."""
    script = f"from tests.embedding import test_writing; test_writing.{work.__name__}(*{given!r})"
    done = subprocess.run([sys.executable, "-W", "error", "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def fork(work: Callable[[], None]) -> int:
    """A child that does this, and tells by its exit status whether it could."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        work()
        status = 0
    except BaseException as error:
        print(repr(error), file=sys.stderr)
    os._exit(status)


def refused(path: Path, words: str, given: embedding.Record | None = None) -> None:
    """Embedding fails with one line that has these words, and nothing has changed."""
    before, names = path.read_bytes(), sorted(os.listdir(path.parent))
    with pytest.raises(EmbeddingError, match=words) as caught:
        embedding.write(str(path), given or many(3))
    assert str(caught.value).isprintable()
    assert (path.read_bytes(), sorted(os.listdir(path.parent))) == (before, names)


def many(number: int) -> embedding.Record:
    """A record that is told by its number, of some size."""
    return record(1 + number, sample=False)


def number_of(found: Embedded | None) -> int | None:
    """Which record it is."""
    return None if found is None else len(found.record.snapshot.of("distribution")) - 1


def prepared(folder: str, name: str, in_place: bool) -> tuple[Path, Kind]:
    """A model; this process writes as it does with models of the other size."""
    _file.LARGE = 0 if in_place else 1 << 60  # type: ignore[misc]
    path, kind = Path(folder) / "model", kinds()[name]
    path.write_bytes(kind.model)
    return path, kind


def kill(folder: str, name: str, in_place: bool) -> None:
    """Kill a process that embeds, again and again."""
    path, kind = prepared(folder, name, in_place)
    load = LOADERS[name]
    value, dice = load(kind.model), random.Random(7)

    def embed() -> None:
        while True:
            embedding.write(str(path), many(dice.randrange(400)))

    embedding.write(str(path), many(0))
    for turn in range(40):
        child = fork(embed)
        time.sleep(dice.random() * 0.03)
        os.kill(child, signal.SIGKILL)
        assert os.WIFSIGNALED(os.waitpid(child, 0)[1])
        assert load(path.read_bytes()) == value
        with suppress(EmbeddingError):
            embedding.find(str(path))
        if turn % 2:
            embedding.write(str(path), many(turn))
            assert number_of(embedding.read(str(path))) == turn
        else:
            embedding.remove(str(path))
            assert path.read_bytes() == kind.model
    embedding.write(str(path), many(1))
    embedding.remove(str(path))
    # The temporary file of a sidecar, which is small, has a name of its own each time.
    assert name == "npy" or os.listdir(folder) == ["model"]


@pytest.mark.parametrize(("name", "in_place"), WAYS)
def test_killed_in_the_middle(name: str, in_place: bool, tmp_path: Path) -> None:
    alone(kill, str(tmp_path), name, in_place)


def interrupt(folder: str, name: str, in_place: bool) -> None:
    """Press Ctrl-C while this process embeds, again and again."""
    path, kind = prepared(folder, name, in_place)
    value, dice = LOADERS[name](kind.model), random.Random(7)
    embedding.write(str(path), many(0))

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGALRM, stop)
    stopped = 0
    for turn in range(80):
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.0002 + dice.random() * 0.01)
            embedding.write(str(path), many(turn))
            signal.setitimer(signal.ITIMER_REAL, 0)
        except KeyboardInterrupt:
            stopped += 1
        assert LOADERS[name](path.read_bytes()) == value
    assert stopped > 10
    embedding.write(str(path), many(1))
    assert number_of(embedding.read(str(path))) == 1
    embedding.remove(str(path))
    assert path.read_bytes() == kind.model
    assert name == "npy" or os.listdir(folder) == ["model"]


@pytest.mark.parametrize(("name", "in_place"), WAYS)
def test_interrupted_in_the_middle(name: str, in_place: bool, tmp_path: Path) -> None:
    alone(interrupt, str(tmp_path), name, in_place)


def write_at_once(folder: str, name: str, in_place: bool, writers: int) -> None:
    """Embed by several processes at once, while others load and read."""
    path, kind = prepared(folder, name, in_place)
    value = LOADERS[name](kind.model)
    done = Path(folder) / "done"
    embedding.write(str(path), many(100))

    def embed(first: int) -> Callable[[], None]:
        def work() -> None:
            for number in range(first, 120, writers):
                embedding.write(str(path), many(number))

        return work

    def look() -> None:
        while not done.exists():
            # A loader that opens an archive while its end is exchanged can find none.
            assert (name == "torch" and in_place) or LOADERS[name](path.read_bytes()) == value
            assert number_of(embedding.read(str(path))) in range(120)

    readers = [fork(look) for _ in range(2)]
    children = [fork(embed(first)) for first in range(writers)]
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * writers
    done.touch()
    assert [os.waitpid(child, 0)[1] for child in readers] == [0, 0]
    done.unlink()
    assert number_of(embedding.read(str(path))) in range(120)
    embedding.remove(str(path))
    assert path.read_bytes() == kind.model
    assert os.listdir(folder) == ["model"]


@pytest.mark.parametrize("writers", [2, 8])
@pytest.mark.parametrize(("name", "in_place"), WAYS)
def test_several_at_once(name: str, in_place: bool, writers: int, tmp_path: Path) -> None:
    alone(write_at_once, str(tmp_path), name, in_place, writers)


def become_nobody(path: Path, folder: int, file: int) -> None:
    """Leave a model and its folder with these modes to root."""
    path.parent.chmod(folder)
    path.chmod(file)
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)


def write_as_nobody(folder: str) -> None:
    """Embed where that is not allowed."""
    path, kind = prepared(folder, "pickle", False)
    embedding.write(str(path), many(0))  # everything that is needed is imported now
    embedding.write(str(path), many(0), sidecar=True)
    embedding.remove(str(path))
    become_nobody(path, 0o777, 0o444)
    refused(path, "model: cannot be written: Permission denied")
    # Beside a file that may only be read there is room.
    assert embedding.write(str(path), many(1), sidecar=True) == "in a file beside it"
    assert number_of(embedding.read(str(path))) == 1
    assert (embedding.remove(str(path)), embedding.remove(str(path))) == ("in a file beside it", None)
    assert path.read_bytes() == kind.model


@IS_ROOT
def test_a_file_that_may_only_be_read() -> None:
    with tempfile.TemporaryDirectory() as folder:  # pytest's own folders are closed to others
        alone(write_as_nobody, folder)


def write_into_a_closed_folder(folder: str) -> None:
    """Embed where no file can be made."""
    path, kind = prepared(folder, "pickle", False)
    embedding.write(str(path), many(0))
    become_nobody(path, 0o555, 0o666)
    refused(path, "model: cannot be written: no file can be made in its folder: Permission denied")
    _file.LARGE = 0  # type: ignore[misc]
    embedding.write(str(path), many(2))  # at the end of a large one there is room
    assert number_of(embedding.read(str(path))) == 2
    embedding.remove(str(path))
    assert path.read_bytes() == kind.model


@IS_ROOT
def test_a_folder_that_may_only_be_read() -> None:
    with tempfile.TemporaryDirectory() as folder:
        alone(write_into_a_closed_folder, folder)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode:
        pytest.skip("no file system can be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def fill(folder: str, name: str, in_place: bool) -> None:
    """Embed until the disk is full."""
    path, kind = prepared(folder, name, in_place)
    embedding.write(str(path), many(3))
    filler = Path(folder) / "filler"
    with suppress(OSError), open(filler, "wb", buffering=0) as stream:
        while True:
            stream.write(bytes(4096))
    os.truncate(filler, filler.stat().st_size - 8192)
    refused(path, "cannot be written: No space left on device", many(5000))
    assert number_of(embedding.read(str(path))) == 3
    filler.unlink()
    embedding.write(str(path), many(1000))
    assert number_of(embedding.read(str(path))) == 1000
    embedding.remove(str(path))
    assert path.read_bytes() == kind.model


@IS_ROOT
@pytest.mark.parametrize(("name", "in_place"), [way for way in WAYS if way[0] not in ("npy", "torch") or not way[1]])
def test_a_disk_that_is_full(name: str, in_place: bool, small_disk: Path) -> None:
    alone(fill, str(small_disk), name, in_place)


def exceed(folder: str) -> None:
    """Embed into a really large model beyond the size that files may have."""
    path, size = Path(folder) / "model", 70 << 20
    with open(path, "wb") as stream:  # the pickle of that many zero bytes, of which the disk has none
        stream.write(b"\x80\x04\x8e" + size.to_bytes(8, "little"))
        stream.seek(size, os.SEEK_CUR)
        stream.write(b".")
    model = path.stat()
    embedding.write(str(path), many(3))
    carrying = path.stat()
    assert (carrying.st_ino, carrying.st_blocks < 4096) == (model.st_ino, True)  # neither replaced nor copied
    resource.setrlimit(resource.RLIMIT_FSIZE, (carrying.st_size + 100, resource.RLIM_INFINITY))
    with pytest.raises(EmbeddingError, match="cannot be written: File too large"):
        embedding.write(str(path), many(500))
    assert number_of(embedding.read(str(path))) == 3

    def work() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # which Python ignores, unless it is told not to
        embedding.write(str(path), many(500))

    assert os.WTERMSIG(os.waitpid(fork(work), 0)[1]) == signal.SIGXFSZ
    assert model.st_size < path.stat().st_size
    assert pickle.loads(path.read_bytes()) == bytes(size)
    assert embedding.find(str(path)) is None
    embedding.write(str(path), many(2))
    assert number_of(embedding.read(str(path))) == 2
    assert embedding.remove(str(path)) == "behind the pickle"
    after = path.stat()
    assert (after.st_ino, after.st_size, os.listdir(folder)) == (model.st_ino, model.st_size, ["model"])


def test_a_file_larger_than_files_may_be(tmp_path: Path) -> None:
    alone(exceed, str(tmp_path))


def test_a_program_that_knows_no_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it wrote while the model was read is not lost."""
    path = tmp_path / "model"
    path.write_bytes(kinds()["pickle"].model)
    other = tmp_path / "other"
    other.write_bytes(kinds()["pickle"].other)
    changes: list[Callable[[], object]] = [
        lambda: os.utime(path, ns=(1, 1)),
        lambda: path.write_bytes(path.read_bytes() + b"more"),
        lambda: Path(shutil.copy(other, tmp_path / "new")).replace(path),
    ]
    for change in changes:

        def changed(*given: Any, change: Callable[[], object] = change) -> str:
            found = digest_of(*given)
            change()
            return found

        monkeypatch.setattr(_file, "digest_of", changed)
        with pytest.raises(EmbeddingError, match="was changed by another program meanwhile"):
            embedding.write(str(path), many(1))
    assert path.read_bytes() == kinds()["pickle"].other
    assert sorted(os.listdir(tmp_path)) == ["model", "other"]


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks(number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", flock)
    monkeypatch.setattr(_file, "LARGE", 0)
    path = tmp_path / "model"
    path.write_bytes(kinds()["pickle"].model)
    before = path.stat().st_ino
    embedding.write(str(path), many(1))
    assert number_of(embedding.read(str(path))) == 1
    assert path.stat().st_ino != before  # two at once would write into each other
    assert os.listdir(tmp_path) == ["model"]


def test_a_lock_that_is_never_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who reads does not wait for ever."""
    path = tmp_path / "model"
    path.write_bytes(kinds()["pickle"].model)
    embedding.write(str(path), many(1))
    monkeypatch.setattr(_file, "LARGE", 0)
    monkeypatch.setattr(_file, "_TRIES", 3)
    with open(path, "rb") as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        assert number_of(embedding.read(str(path))) == 1
