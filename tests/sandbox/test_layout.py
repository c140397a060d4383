"""What bubblewrap shows: exactly the paths that are needed, with the links on the way as they are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from envaudit.errors import SandboxError
from envaudit.sandbox import _bubblewrap
from envaudit.sandbox._bubblewrap import Wrapper, layout


def test_a_folder_and_what_lies_in_it_is_one_place(tmp_path: Path) -> None:
    (tmp_path / "venv/lib").mkdir(parents=True)
    venv = str(tmp_path / "venv")
    assert layout([venv, f"{venv}/lib", f"{venv}/absent/../lib"]) == [("--ro-bind", venv, venv)]


def test_links_on_the_way_stay_links(tmp_path: Path) -> None:
    python = tmp_path / "real/python/bin/python3"
    python.parent.mkdir(parents=True)
    python.touch()
    (tmp_path / "versions").symlink_to("real")
    venv = tmp_path / "venv/bin"
    venv.mkdir(parents=True)
    (venv / "python").symlink_to(tmp_path / "versions/python/bin/python3")
    found = layout([str(tmp_path / "venv"), str(venv / "python")])
    assert found == [
        ("--ro-bind", str(python), str(python)),
        ("--ro-bind", str(tmp_path / "venv"), str(tmp_path / "venv")),
        ("--symlink", "real", str(tmp_path / "versions")),
    ]


def test_a_circle_of_links_and_what_is_not_there_do_no_harm(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert all(option == "--symlink" for option, *_ in layout([str(tmp_path / "a/x"), str(tmp_path / "no/such")]))


def test_the_root_is_never_shown() -> None:
    assert layout(["/", "/usr/..", "/proc", "/dev", "/tmp"]) == []


def test_folders_on_the_way_are_open_to_the_other_user(tmp_path: Path) -> None:
    (tmp_path / "venv").mkdir()
    words = Wrapper("bwrap", (), True, None).command([str(tmp_path / "venv")], [("/m", "/envaudit/m")], 1, "/")
    made = [words[at + 1] for at, word in enumerate(words) if word == "--dir"]
    assert str(tmp_path) in made
    assert "/envaudit" in made
    assert not set(made) & {"/", "/tmp", "/dev"}
    assert words.index(str(tmp_path / "venv")) > words.index(str(tmp_path))


@pytest.fixture
def fresh() -> None:
    _bubblewrap.find.cache_clear()


@pytest.mark.usefixtures("fresh")
def test_without_bubblewrap_one_line_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        SandboxError, match=r"^bubblewrap \(bwrap\) is not there; on Debian and Ubuntu: apt-get install"
    ):
        _bubblewrap.find()


@pytest.mark.usefixtures("fresh")
def test_a_bubblewrap_that_is_there_and_fails_is_named_with_its_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "bwrap"
    broken.write_text("#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(SandboxError, match=r"does not work here \(bwrap: No permissions to create new namespace\)$"):
        _bubblewrap.find()
    _bubblewrap.find.cache_clear()
