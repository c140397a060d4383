"""What must never happen, as far as the source itself can show it: who imports what, and who touches the world."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import envaudit

ROOT = Path(envaudit.__file__).parent
MODULES = {
    ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(ROOT.rglob("*.py"))
}
BASE = {"envaudit", "envaudit.model", "envaudit.evidence", "envaudit.errors"}


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, at its top or inside a function."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            module = str(node.module)
            names = [f"{module}.{alias.name}" for alias in node.names]
            yield from (name if name in MODULES else module for name in names)


def own(path: Path) -> set[str]:
    return {name for name in imports(path) if name.partition(".")[0] == "envaudit"}


def in_folder(folder: str) -> list[str]:
    return [name for name in MODULES if name.startswith(f"envaudit.{folder}")]


@pytest.mark.parametrize("name", ["envaudit.model", "envaudit.evidence", "envaudit.errors"])
def test_the_vocabulary_imports_only_itself(name: str) -> None:
    assert own(MODULES[name]) <= BASE


@pytest.mark.parametrize("folder", ["collectors", "rules", "reports"])
def test_variants_import_only_the_vocabulary_and_their_own_helpers(folder: str) -> None:
    for name in in_folder(folder):
        allowed = {*BASE, "envaudit.registry", "envaudit.knowledge", f"envaudit.{folder}"}
        extra = {module for module in own(MODULES[name]) - allowed if not module.startswith(f"envaudit.{folder}._")}
        assert not extra, f"{name} imports {extra}"


def test_targets_never_import_collectors_or_rules() -> None:
    for name in in_folder("targets"):
        assert not {module for module in own(MODULES[name]) if ".collectors" in module or ".rules" in module}, name


def test_only_the_command_line_imports_typer_or_prints() -> None:
    for name, path in MODULES.items():
        if name != "envaudit.typer_app":
            assert "typer" not in {module.partition(".")[0] for module in imports(path)}, name
        if name != "envaudit.cli":
            calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
            assert not [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "print"], name


def test_prediction_reads_a_target_only_through_its_surface() -> None:
    allowed = {*BASE, "envaudit.needs", "envaudit.knowledge", "envaudit.artifacts.summary", "envaudit.surface"}
    for name in in_folder("prediction"):
        extra = {module for module in own(MODULES[name]) - allowed if not module.startswith("envaudit.prediction")}
        assert not {module for module in extra if not module.startswith("envaudit.surface.")}, name
        assert not {module.partition(".")[0] for module in imports(MODULES[name])} & WORLD, name


def test_artifact_readers_know_nothing_of_targets() -> None:
    for name in in_folder("artifacts"):
        allowed = {*BASE, "envaudit.needs", "envaudit.registry", "envaudit.artifacts"}
        extra = {module for module in own(MODULES[name]) - allowed if not module.startswith("envaudit.artifacts")}
        assert not extra, f"{name} imports {extra}"


def test_images_know_nothing_of_targets() -> None:
    for name in in_folder("images"):
        extra = {module for module in own(MODULES[name]) if not module.startswith("envaudit.images")}
        assert extra <= {*BASE, "envaudit.cache"}, f"{name} imports {extra}"


def test_embeddings_know_nothing_of_targets() -> None:
    for name in in_folder("embedding"):
        allowed = {*BASE, "envaudit.needs", "envaudit.registry", "envaudit.store", "envaudit.artifacts"}
        extra = {module for module in own(MODULES[name]) - allowed if not module.startswith("envaudit.embedding")}
        assert not extra, f"{name} imports {extra}"


WORLD = {"os", "subprocess", "socket", "time", "datetime", "random", "tempfile", "shutil", "pathlib", "io", "requests"}


@pytest.mark.parametrize("name", in_folder("collectors") + in_folder("rules"))
def test_collectors_and_rules_touch_nothing(name: str) -> None:
    path = MODULES[name]
    assert not {module.partition(".")[0] for module in imports(path)} & WORLD
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in ("open", "print", "input", "exec", "eval", "compile", "__import__")


def test_nothing_can_unpickle() -> None:
    able = {
        "pickle",
        "cPickle",
        "_pickle",
        "joblib",
        "cloudpickle",
        "dill",
        "torch",
        "numpy",
        "sklearn",
        "marshal",
        "shelve",
    }
    for name, path in MODULES.items():
        found = {module.partition(".")[0] for module in imports(path)} & able
        assert not found or (name, found, joblibs(path)) == ("envaudit.dumping", {"joblib"}, ["dump"]), name


def joblibs(path: Path) -> list[str]:
    """What a file takes from joblib."""
    nodes = (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom))
    return [alias.name for node in nodes if node.module == "joblib" for alias in node.names]


RUNS_MODELS = {"envaudit.running"}


def test_only_an_explicit_run_can_reach_the_sandbox() -> None:
    for name, path in MODULES.items():
        inside = name.startswith("envaudit.sandbox")
        assert inside or not any(module.startswith("envaudit.sandbox") for module in top_level(path)), name
        sent = {"envaudit.sandbox.runner", "envaudit.sandbox.finder"}
        assert not sent & own(path), f"{name}: what is sent belongs into the target, not here"
        if not inside and name not in RUNS_MODELS:
            assert not any(module.startswith("envaudit.sandbox") for module in own(path)), name


def top_level(path: Path) -> Iterator[str]:
    """What a file imports as soon as it is imported itself."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_importing_the_sandbox_loads_neither_the_runner_nor_an_unpickler() -> None:
    code = "import sys; before = set(sys.modules); import envaudit.sandbox; print(*set(sys.modules) - before)"
    done = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(ROOT.parent)!r}); {code}"],
        capture_output=True,
        text=True,
        check=True,
    )
    sent = {"envaudit.sandbox.runner", "envaudit.sandbox.finder"}
    assert not set(done.stdout.split()) & {*sent, "pickle", "joblib", "numpy", "docker", "torch"}


@pytest.mark.parametrize("call", [["--version"], ["snapshot", "-o", os.devnull], ["explain", "EA101"]])
def test_what_runs_no_model_never_loads_the_sandbox(call: list[str]) -> None:
    assert not [name for name in loaded(*call) if name.startswith("envaudit.sandbox")]


def test_modules_and_functions_stay_small() -> None:
    for name, path in MODULES.items():
        text = path.read_text()
        assert len(text.splitlines()) <= 400, name
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                assert (node.end_lineno or 0) - node.lineno < 75, f"{name}.{node.name}"


def test_public_names_have_docstrings() -> None:
    for name, path in MODULES.items():
        tree = ast.parse(path.read_text())
        assert ast.get_docstring(tree), name
        for node in tree.body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
                assert ast.get_docstring(node), f"{name}.{node.name}"


def test_all_is_what_the_package_has() -> None:
    for name in envaudit.__all__:
        assert getattr(envaudit, name) is not None
    assert dir(envaudit) == sorted(envaudit.__all__)
    with pytest.raises(AttributeError):
        envaudit.nonsense  # noqa: B018


HEAVY = {
    *"typer click rich pydantic deepdiff docker requests pip_api joblib numpy sklearn email logging asyncio".split(),
    *"importlib.metadata inspect dataclasses subprocess packaging.requirements packaging.tags".split(),
}


def loaded(*arguments: str) -> set[str]:
    """The modules that a command line loads, in a process of its own."""
    code = (
        "import sys; from envaudit.__main__ import main; code = main();"
        "sys.stderr.write('\\n'.join(['LOADED', *sorted(sys.modules)]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT.parent)},
    )
    return set(done.stderr.partition("LOADED\n")[2].splitlines())


def test_version_loads_next_to_nothing() -> None:
    assert loaded("--version") - loaded_by_python() == {"envaudit", "envaudit.__main__"}


def test_comparing_two_files_loads_nothing_heavy(two_snapshots: tuple[Path, Path]) -> None:
    modules = loaded("compare", "--fail-on", "never", *map(str, two_snapshots))
    assert not modules & HEAVY


def test_a_snapshot_of_this_environment_starts_no_package_manager() -> None:
    assert not loaded("snapshot", "-o", os.devnull) & {
        "typer",
        "rich",
        "pydantic",
        "deepdiff",
        "docker",
        "requests",
        "pip_api",
    }


def loaded_by_python() -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", "import sys; print(*sys.modules)"], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())
