"""Surfaces of whole targets: an environment of this machine, and one that is reached through the inspector only."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from envaudit.errors import TargetError
from envaudit.evidence import Evidence, FolderRequest, Options, Request
from envaudit.surface import Surface
from envaudit.surface._remote import FIRST, Remote
from envaudit.surface.open import open_surface
from envaudit.surface.tree import local_tree
from envaudit.targets import inspector, venv
from tests.environments import UV, environment

MODULES = """os os.path copyreg collections.abc json.nope sys _codecs zlib yaml yaml.loader yaml._yaml yaml.nope
    markupsafe._speedups packaging.version packaging nope annotated_types""".split()
EXTENSIONS = ["markupsafe._speedups", "yaml._yaml"]


@pytest.fixture(scope="module")
def folder() -> Path:
    return environment("PyYAML==6.0.1", "MarkupSafe==2.1.5", "packaging==24.0")


class Asked:
    """The inspector of a venv as if it stood in a container, with the rounds counted."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rounds: list[Request] = []

    def __call__(self, request: Request) -> Evidence:
        self.rounds.append(request)
        return venv.gather(str(self.folder), request, Options())


def remote(asked: Asked) -> Surface:
    first = asked(FIRST)
    found = Remote(first, asked)
    return Surface(
        (3, 11),
        found.trees,
        "there",
        builtins=first.interpreter["builtin_modules"],
        prefetch=found.prefetch,
        read_ahead=found.read_ahead,
    )


@pytest.mark.network
def test_a_remote_surface_is_that_of_the_folders(folder: Path) -> None:
    local = open_surface(str(folder))
    far = remote(Asked(folder))
    for module in MODULES:
        here, there = local.find(module), far.find(module)
        assert (here and (here.kind, here.path)) == (there and (there.kind, there.path)), module
        assert far.source(module) == local.source(module), module
    for module in EXTENSIONS:
        extension = local.extension(module)
        assert extension is not None
        assert far.extension(module) == extension or far.extension(module).names == extension.names  # type: ignore[union-attr]
    for name in ("yaml", "PyYAML", "markupsafe", "packaging", "nope", "os"):
        assert far.version(name) == local.version(name), name
    assert local.version("yaml") == "6.0.1"


@pytest.mark.network
def test_rounds_are_few(folder: Path) -> None:
    asked = Asked(folder)
    surface = remote(asked)
    surface.prefetch(["yaml", "yaml._yaml", "packaging.version", "markupsafe._speedups", "nope"])
    assert len(asked.rounds) == 3  # opened, sources, extensions
    for module in ("yaml.loader", "yaml.nope", "packaging.version", "packaging.nope", "nope"):
        surface.source(module)
    surface.extension("yaml._yaml")
    assert surface.version("nope") is None
    assert len(asked.rounds) == 3
    surface.source("copyreg")
    surface.source("functools")
    surface.find("os.path")
    assert len(asked.rounds) == 4  # the library's own files come together


def test_the_inspector_packs_folders_and_says_what_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "p/inner/tests").mkdir(parents=True)
    (tmp_path / "p/a.py").write_text("a")
    (tmp_path / "p/inner/b.pyx").write_text("b")
    (tmp_path / "p/inner/tests/c.py").write_text("c")
    (tmp_path / "p/data.bin").write_bytes(b"\0")
    (tmp_path / "p/loop").symlink_to(tmp_path / "p")
    asked = [
        FolderRequest(f"{tmp_path}/p", (".py", ".pyx"), deep=True, skip=("tests",)),
        FolderRequest(f"{tmp_path}/p/data.bin"),
        FolderRequest(f"{tmp_path}/nope"),
        FolderRequest(f"{tmp_path}/p"),
    ]
    from envaudit.targets import _live

    reply = inspector.serve(_live.as_json(Request(folders=tuple(asked))), [])
    found = _live._folders(reply["folders"], len(asked))
    assert found[0].files == {"a.py": b"a", "inner/b.pyx": b"b"}
    assert found[0].listings == {"": ("a.py", "data.bin", "inner", "loop"), "inner": ("b.pyx", "tests")}
    assert found[1] == ({}, {"": b"\0"})
    assert found[2] == ({}, {})
    assert found[3] == ({"": ("a.py", "data.bin", "inner", "loop")}, {})


def test_an_archive_on_the_path_is_read(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "lib.zip", "w") as archive:
        archive.writestr("pack/__init__.py", "x = 1")
        archive.writestr("pack/inner/mod.py", "y = 1")
        archive.writestr("lone.py", "z = 1")
    surface = Surface((3, 11), [local_tree(str(tmp_path / "lib.zip"))], "there")
    assert surface.source("pack") == "x = 1"
    assert surface.source("pack.inner.mod") == "y = 1"
    assert surface.source("lone") == "z = 1"
    assert surface.find("pack.nope") is None


@pytest.mark.network
def test_editable_installs_are_followed(tmp_path: Path) -> None:
    (tmp_path / "flat/inner").mkdir(parents=True)
    (tmp_path / "flat/__init__.py").write_text("x = 1")
    (tmp_path / "flat/inner/__init__.py").write_text("y = 1")
    (tmp_path / "lone.py").write_text("z = 1")
    (tmp_path / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["setuptools>=64"]\nbuild-backend = "setuptools.build_meta"\n'
        '[project]\nname = "flat"\nversion = "3"\n'
        '[tool.setuptools]\npackages = ["flat", "flat.inner"]\npy-modules = ["lone"]\n'
    )
    venv_folder = tmp_path / "venv"
    for arguments in (
        ["venv", "-q", "-p", sys.executable],
        ["pip", "install", "-q", "-p", f"{venv_folder}/bin/python", "-e"],
    ):
        place = str(venv_folder) if arguments[0] == "venv" else str(tmp_path)
        subprocess.run([UV, *arguments, place], check=True, capture_output=True)
    surface = open_surface(str(venv_folder))
    assert surface.source("flat") == "x = 1"
    assert surface.source("flat.inner") == "y = 1"
    assert surface.source("lone") == "z = 1"
    assert surface.find("flat.nope") is None
    assert surface.version("flat") == "3"


def test_what_is_not_there_is_an_error() -> None:
    with pytest.raises(TargetError):
        open_surface("./nowhere")
