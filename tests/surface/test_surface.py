"""The surface against what real interpreters really import."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from envaudit.surface import Surface
from envaudit.surface.surface import decoded
from tests.environments import environment, interpreters

SUPPORTED = [name for name in interpreters() if tuple(map(int, name.split("."))) >= (3, 6)]
ASK = """
import importlib.util, json, sys
def spec(name):
    try:
        found = importlib.util.find_spec(name)
    except (ImportError, AttributeError):  # 3.6: a parent that is no package
        return None
    return found and [found.origin if found.origin != "namespace" else None, type(found.loader).__name__]
names = json.loads(sys.argv[1])
print(json.dumps([[p for p in sys.path if p], sys.builtin_module_names, {n: spec(n) for n in names}]))
"""


def asked(python: Path, names: list[str]) -> tuple[list[str], list[str], dict[str, list[str | None] | None]]:
    done = subprocess.run(
        [str(python), "-c", ASK, json.dumps(names)], capture_output=True, text=True, check=True, cwd="/"
    )
    path, builtins, specs = json.loads(done.stdout)
    return path, builtins, specs


def surface_of(version: str, path: list[str]) -> Surface:
    major, minor = map(int, version.split("."))
    return Surface.of_folders((major, minor), path, "there")


STANDARD = """os os.path sys json json.decoder collections collections.abc xml.etree.ElementTree itertools zlib _codecs
    math dataclasses imp tomllib graphlib asyncio.events nope os.nope json.nope encodings.utf_8
    _heapq _operator builtins concurrent.futures test.support""".split()


@pytest.mark.parametrize("version", SUPPORTED)
def test_the_standard_library_is_found_where_python_finds_it(version: str) -> None:
    path, _, specs = asked(interpreters()[version], STANDARD)
    surface = surface_of(version, path)
    for name, spec in specs.items():
        found = surface.find(name)
        if spec is None:
            assert found is None, name
        elif spec[0] in (None, "built-in", "frozen"):
            assert found is not None, name
            assert found.kind in ("builtin", "source", "package"), name
        else:
            assert found is not None, name
            assert any(spec[0] == f"{root}/{found.path}" for root in path), (name, spec, found)


@pytest.mark.network
def test_packages_are_found_where_python_finds_them() -> None:
    venv = environment("scikit-learn==1.3.2", "joblib==1.3.2", "numpy==1.26.4", "scipy==1.11.4")
    names = """numpy numpy._core numpy._core.multiarray numpy.core._multiarray_umath numpy.nope sklearn
        sklearn.tree._tree sklearn.ensemble._forest scipy scipy.sparse._csr scipy.spatial._ckdtree joblib.numpy_pickle
        sklearn._loss._loss sklearn.nope""".split()
    path, _, specs = asked(venv / "bin/python", names)
    surface = surface_of("3.11", path)
    for name, spec in specs.items():
        found = surface.find(name)
        assert (found is None) == (spec is None), name
        if found and spec:
            assert any(spec[0] == f"{root}/{found.path}" for root in path), (name, spec, found)
    assert surface.version("sklearn") == surface.version("scikit-learn") == "1.3.2"
    assert surface.version("scipy.sparse") == "1.11.4"
    assert surface.version("nope") is None
    assert "class RandomForestClassifier" in (surface.source("sklearn.ensemble._forest") or "")
    assert surface.source("sklearn.tree._tree") is None


def test_the_distribution_that_provides_a_module_counts_not_the_one_named_like_it(tmp_path: Path) -> None:
    for name, version, module in (("sklearn", "0.0", ""), ("scikit-learn", "1.2.2", "sklearn"), ("b", "2", "bmod")):
        folder = tmp_path / f"{name.replace('-', '_')}-{version}.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n\nVersion: 9\n")
        if module:
            (tmp_path / module).mkdir()
        (folder / "RECORD").write_text(f"{module}/__init__.py,sha256=x,1\n" if module else "")
    (tmp_path / "old-3.egg-info").write_text("Name: old\nVersion: 3\n")
    surface = Surface.of_folders((3, 11), [str(tmp_path)], "there")
    assert surface.version("sklearn") == "1.2.2"
    assert surface.version("bmod") == surface.version("b") == "2"
    assert surface.version("Old") == "3"


def test_the_first_entry_wins_and_namespaces_span_entries(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for file in (
        "one/space/a.py", "two/space/b.py", "two/both/__init__.py", "two/both.py", "one/late/x.py", "two/late.py",
        "one/shadow.py", "two/shadow/__init__.py", "one/c.abi3.so", "one/c.py", "one/d.cpython-310-x86_64-linux-gnu.so",
        "one/e.pyc", "one/f/__init__.cpython-311-x86_64-linux-musl.so", "one/f/g.py",
    ):  # fmt: skip
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    surface = Surface.of_folders((3, 11), [str(one), str(two), str(tmp_path / "gone")], "there")

    def kind(module: str) -> str | None:
        found = surface.find(module)
        return f"{found.kind} {found.path}".strip() if found else None

    assert kind("space") == "namespace"
    assert kind("space.a") == "source space/a.py"
    assert kind("space.b") == "source space/b.py"
    assert kind("both") == "package both/__init__.py"
    assert kind("late") == "source late.py"  # a namespace only counts if nothing else is found on any entry
    assert kind("shadow") == "source shadow.py"
    assert kind("shadow.x") is None
    assert kind("c") == "extension c.abi3.so"
    assert kind("d") is None
    assert kind("e") == "bytecode e.pyc"
    assert kind("f") == "extension f/__init__.cpython-311-x86_64-linux-musl.so"
    assert kind("f.g") == "source f/g.py"
    assert kind("") is None
    assert kind("space..a") is None


def test_packages_that_extend_their_path_span_entries(tmp_path: Path) -> None:
    for entry, module in (("one", "a"), ("two", "b")):
        folder = tmp_path / entry / "wide"
        folder.mkdir(parents=True)
        (folder / "__init__.py").write_text("__path__ = __import__('pkgutil').extend_path(__path__, __name__)\n")
        (folder / f"{module}.py").touch()
    surface = Surface.of_folders((3, 11), [str(tmp_path / "one"), str(tmp_path / "two")], "there")
    assert surface.find("wide.a")
    assert surface.find("wide.b")
    assert surface.find("wide.c") is None


def test_without_a_standard_library_at_hand_its_names_are_known() -> None:
    surface = Surface.of_folders((3, 8), [], "a lockfile")
    for module, kind in (("os", "stdlib"), ("xml.dom", "stdlib"), ("sys", "builtin"), ("imp", "stdlib")):
        found = surface.find(module)
        assert found is not None
        assert found.kind == kind
    assert surface.find("graphlib") is None
    assert Surface.of_folders((3, 12), [], "a lockfile").find("imp") is None
    assert surface.source("os") is None


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"x = 1\r\n", "x = 1\n"),
        (b"\xef\xbb\xbfx = 'a'", "x = 'a'"),
        (b"# -*- coding: latin-1 -*-\nx = '\xe9'", "# -*- coding: latin-1 -*-\nx = 'é'"),
        (b"#!python\n# vim: set fileencoding=cp1252 :\n'\x80'", "#!python\n# vim: set fileencoding=cp1252 :\n'€'"),
        (b"x = '\xe9'", None),
        (b"# coding: nonsense\n", None),
        (b"", ""),
    ],
)  # fmt: skip
def test_sources_are_decoded_as_python_does(data: bytes, text: str | None) -> None:
    assert decoded(data) == text
