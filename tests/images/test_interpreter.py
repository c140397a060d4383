"""What an interpreter's files say of it is what it says itself: every Python here, in and out of environments."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from envaudit.errors import InspectorError
from envaudit.evidence import Options, Request
from envaudit.images import interpreter
from envaudit.images.root import open_root
from envaudit.images.tree import Tree
from envaudit.targets import python
from tests.environments import interpreters
from tests.images.layers import FOLDER, LINK, Member, layer, tree_of
from tests.images.test_hostile import PYTHON, SYSTEM

ASKED = (
    "version", "implementation", "implementation_version", "cache_tag", "extension_suffix", "abiflags", "pointer_bits",
    "byteorder", "build", "prefix", "base_prefix", "path", "machine", "libc",
)  # fmt: skip
PYTHONS = {version: path for version, path in interpreters().items() if version[0] == "3"}


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Only what a test sets itself changes where the interpreter looks."""
    for name in [name for name in os.environ if name.startswith("PYTHON")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


def told(executable: Path | str, root: str = "/") -> dict[str, Any]:
    tree = open_root(root)
    found = interpreter.look(tree, str(executable), "here", os.environ.get("PYTHONHOME", ""))
    return interpreter.facts(tree, found, dict(os.environ), "", os.getcwd(), "here")


def differences(executable: Path | str) -> dict[str, tuple[Any, Any]]:
    """What the interpreter says, and what its files say, where it is not the same."""
    said = python.gather(str(executable), Request(), Options()).interpreter
    found = told(executable)
    asked = ASKED if said["version"].startswith("3.6.") else (*ASKED, "builtin_modules")  # 3.6 does not note them
    return {key: (said[key], found[key]) for key in asked if said[key] != found[key]}


@pytest.mark.parametrize("version", PYTHONS)
def test_every_interpreter(version: str) -> None:
    assert differences(PYTHONS[version]) == {}


@pytest.mark.parametrize("version", PYTHONS)
def test_environments_of_every_interpreter(version: str, tmp_path: Path) -> None:
    for number, options in enumerate(([], ["--system-site-packages"], ["--copies"], ["--symlinks"])):
        subprocess.run([PYTHONS[version], "-m", "venv", "--without-pip", *options, tmp_path / str(number)], check=True)
        assert differences(tmp_path / str(number) / "bin/python") == {}, options
        assert differences(tmp_path / str(number) / "bin/python3") == {}, options


def settings(folder: Path, minor: str) -> Iterator[dict[str, str]]:
    """Variables that change ``sys.path``."""
    for name in ("one", "two", "user"):
        (folder / name).mkdir()
    site = folder / "user/lib" / f"python{minor}" / "site-packages"
    site.mkdir(parents=True)
    (site / "a.pth").write_text(f"{folder}/two\n\n# {folder}\n/nowhere\nimport os\n../../../../one/../one\n")
    (site / ".hidden.pth").write_text(f"{folder}\n")
    (site / "b.pth").write_text("\n  \n./\n.\n")
    yield {"PYTHONPATH": f"{folder}/one:relative:/nowhere"}
    yield {"PYTHONPATH": f":{folder}/one/:"}
    yield {"PYTHONPATH": f"{folder}/one:{folder}/one:{site}"}
    yield {"PYTHONUSERBASE": f"{folder}/user"}
    yield {"PYTHONUSERBASE": f"{folder}/user", "PYTHONNOUSERSITE": "1"}
    yield {"PYTHONUSERBASE": f"{folder}/user", "PYTHONNOUSERSITE": "", "PYTHONPATH": ""}
    yield {"HOME": f"{folder}"}


@pytest.mark.parametrize("version", PYTHONS)
def test_variables(version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    minor = ".".join(str(told(PYTHONS[version])["version"]).split(".")[:2])
    for variables in settings(tmp_path, minor):
        with monkeypatch.context() as patch:
            for name, value in variables.items():
                patch.setenv(name, value)
            assert differences(PYTHONS[version]) == {}, variables


def tree(*members: Member) -> Tree:
    return tree_of(layer([*SYSTEM, *members]))


@pytest.mark.parametrize(
    ("name", "env", "expected"),
    [
        ("python3", {}, "/usr/bin/python3"),
        ("python3", {"PATH": ""}, "/usr/bin/python3"),
        ("python3", {"PATH": "/nowhere:/srv:/usr/bin"}, "/usr/bin/python3"),
        ("python3", {"PATH": "bin:/usr/bin"}, "/app/bin/python3"),
        ("python", {}, None),
        ("/usr/bin/python3", {}, "/usr/bin/python3"),
        ("bin/python3", {}, "/app/bin/python3"),
        ("/srv/python3", {}, None),
        ("dangling", {"PATH": "/app/bin"}, None),
    ],
)
def test_which_program_a_name_is(name: str, env: dict[str, str], expected: str | None) -> None:
    files = tree(("srv/python3", FOLDER, ""), ("app/bin/python3", PYTHON), ("app/bin/dangling", LINK, "nowhere"))
    assert interpreter.find(files, name, env, "/app") == expected


@pytest.mark.parametrize(
    ("members", "why"),
    [
        ([("usr/bin/python3.11", b"#!/bin/sh\nexec other\n")], "is a script or no CPython"),
        ([("usr/bin/python3.11", b"")], "is a script or no CPython"),
        ([("usr/.wh.lib", b"")], "has no standard library"),
    ],
)
def test_what_its_files_do_not_tell(members: list[Member], why: str) -> None:
    found = tree_of(layer(SYSTEM), layer(members))
    with pytest.raises(InspectorError, match=rf"^image: /usr/bin/python3 {why}"):
        interpreter.look(found, "/usr/bin/python3", "image")


def test_this_interpreter_is_among_them() -> None:
    assert differences(sys.executable) == {}
