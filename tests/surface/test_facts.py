"""What is kept on disk between two looks at the same files: it is right, or it is not there."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

import envaudit
from envaudit.model import Json
from envaudit.surface import Surface, _binary, _facts
from envaudit.surface._facts import Facts
from tests.surface.conftest import installed

FACTS: Json = {"a": [1, None, "\xff\0é"], "b": {}}


def drawing(value: Json = FACTS) -> tuple[Callable[[], Json], list[int]]:
    """What draws, and a list that grows with each time."""
    drawn: list[int] = []

    def draw() -> Json:
        drawn.append(1)
        return value

    return draw, drawn


def entries(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("value", [FACTS, None, [], "text"])
def test_facts_are_drawn_once_for_the_same_contents(tmp_path: Path, value: Json) -> None:
    draw, drawn = drawing(value)
    for _ in range(3):
        assert Facts(str(tmp_path)).kept("kind", b"data", draw) == value
    assert len(drawn) == 1
    Facts(str(tmp_path)).kept("kind", b"other data", draw)
    Facts(str(tmp_path)).kept("other kind", b"data", draw)
    assert len(drawn) == 3


def test_other_code_draws_again(tmp_path: Path) -> None:
    draw, drawn = drawing()
    for name in ("before.py", "after.py"):
        (tmp_path / name).write_text(f"# {name}")
        for _ in range(2):
            Facts(str(tmp_path)).kept("kind", b"data", draw, str(tmp_path / name))
    assert len(drawn) == 2
    Facts(str(tmp_path)).kept("kind", b"data", draw, str(tmp_path / "not there.py"))
    assert len(drawn) == 3


def test_damaged_and_foreign_entries_are_drawn_again_and_written_over(tmp_path: Path) -> None:
    facts = Facts(str(tmp_path))
    draw, drawn = drawing()
    facts.kept("kind", b"other data", draw)
    (foreign,) = entries(tmp_path)
    other = foreign.read_bytes()
    facts.kept("kind", b"data", draw)
    (path,) = (item for item in entries(tmp_path) if item != foreign)
    good = path.read_bytes()
    flipped = [good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :] for at in range(2, len(good))]
    for count, bad in enumerate((b"", b"{}", good[:-1], other, b"\0" * 1000, *flipped), 3):
        path.write_bytes(bad)
        assert facts.kept("kind", b"data", draw) == FACTS
        assert len(drawn) == count, bad
        assert path.read_bytes() == good


def test_a_folder_that_cannot_be_written_keeps_nothing_and_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o555)
    draw, drawn = drawing()
    for folder in (tmp_path / "file", closed, Path("/proc/self/nowhere")):
        assert Facts(str(folder)).kept("kind", b"data", draw) == FACTS
    assert len(drawn) == 3
    assert not [path for path in entries(tmp_path) if path.name.endswith(".tmp")]


def test_what_fails_is_not_kept(tmp_path: Path) -> None:
    def fail() -> NoReturn:
        raise RecursionError

    draw, drawn = drawing()
    with pytest.raises(RecursionError):
        Facts(str(tmp_path)).kept("kind", b"data", fail)
    assert Facts(str(tmp_path)).kept("kind", b"data", draw) == FACTS
    assert drawn


def test_what_was_not_used_for_longest_goes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    facts = Facts(str(tmp_path))
    draw, drawn = drawing()
    data = [str(number).encode() for number in range(1000)]
    for item in data:
        facts.kept("kind", item, draw)
    kept = entries(tmp_path)
    assert len(kept) == 1000
    for path in kept:
        os.utime(path, (0, 0))
    for item in data[:100]:  # using them is noted
        facts.kept("kind", item, draw)
    assert len(drawn) == 1000
    used = {path for path in kept if path.stat().st_mtime > 0}
    assert len(used) == 100
    share = 4 * kept[0].stat().st_size
    monkeypatch.setattr(_facts, "SHARE", share)
    for number in range(1000, 3000):
        facts.kept("kind", str(number).encode(), draw)
    for folder in (tmp_path / "facts").iterdir():
        assert sum(path.stat().st_size for path in folder.iterdir()) <= share
        before = [path for path in kept if path.parent == folder and path not in used]
        if any(path.exists() for path in before):
            assert all(path.exists() for path in used if path.parent == folder)


MANY = """
import sys
from envaudit.surface._facts import Facts
facts = Facts(sys.argv[1])
for turn in range(3):
    for number in range(100):
        value = [number] * 1000
        assert facts.kept("kind", b"%d" % number, lambda: value) == value
"""


def test_processes_may_share_a_folder(tmp_path: Path) -> None:
    path = str(Path(envaudit.__file__).parent.parent)
    running = [
        subprocess.Popen([sys.executable, "-c", MANY, str(tmp_path)], env={**os.environ, "PYTHONPATH": path})
        for _ in range(3)
    ]
    assert [process.wait() for process in running] == [0, 0, 0]
    assert len(entries(tmp_path)) == 100


@pytest.mark.network
@pytest.mark.parametrize("version", ["0.22.2", "1.5.2", "1.9.1"])
def test_a_kept_extension_says_what_a_fresh_one_says(
    version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENVAUDIT_CACHE", str(tmp_path))
    there = installed(version)

    def look() -> list[object]:
        surface = Surface.of_folders(there.surface.python, [str(there.site)], "there")
        found: list[object] = []
        for module in ("sklearn.tree._tree", "sklearn.neighbors._kd_tree", "pandas._libs.internals", "sklearn._nope"):
            extension = surface.extension(module)
            found.append(
                extension
                and (
                    extension.names,
                    *("Tree" in extension.names, "ree_reduce" in extension.names, "nonsense" in extension.names),
                    *(extension.types, extension.checksums, extension.unpicklers),
                    *(extension.structs, extension.functions, extension.source),
                )
            )
        return found

    def fail(data: bytes, name: str) -> Json:
        raise AssertionError(f"{name} was drawn again")

    fresh = look()
    assert len(list(filter(None, fresh))) == 3
    monkeypatch.setattr(_binary, "drawn", fail)
    assert look() == fresh
