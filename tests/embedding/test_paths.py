"""Embedding into what is no file, and into files of any name."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from envaudit import embedding
from envaudit.embedding import ENDING
from tests.embedding.kinds import kinds
from tests.embedding.test_hostile import outcome
from tests.embedding.test_writing import many, number_of, refused


def test_paths_that_are_no_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to("nowhere")
    (tmp_path / "loop").symlink_to("loop")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        paths = [str(tmp_path / name) for name in ("", "fifo", "link", "loop", "socket", "none", "x" * 300, "nul\0")]
        for path in [*paths, "/dev/null", "/proc/self/status", "/proc/self/mem", ""]:
            for ask in (embedding.find, embedding.read, embedding.remove, lambda path: embedding.write(path, many(1))):
                found = outcome(Path(path), lambda _, ask=ask, path=path: ask(path))  # type: ignore[misc]
                assert found is None or found.startswith("error: "), path
    assert sorted(os.listdir(tmp_path)) == ["fifo", "link", "loop", "socket"]


NAMES = ["x" * 255, "\u3042" * 85, "caf\udce9.pkl", "a b\n.pkl", "-", "x" * 240 + ".pkl"]


@pytest.mark.parametrize("name", NAMES)
def test_names(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(kinds()["pickle"].model)
    assert embedding.write(str(path), many(1)) == "behind the pickle"
    assert number_of(embedding.read(str(path))) == 1
    assert embedding.remove(str(path)) == "behind the pickle"
    path.write_bytes(kinds()["npy"].model)
    if len(os.fsencode(name + ENDING)) > 255:
        refused(path, "cannot be written: File name too long")
    else:
        assert embedding.write(str(path), many(1)) == "in a file beside it"
        embedding.remove(str(path))
    assert os.listdir(tmp_path) == [name]
