"""Real interpreters and real virtual environments for the tests."""

from __future__ import annotations

import fcntl
import functools
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

UV = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}") or "uv"


@functools.cache
def interpreters() -> dict[str, Path]:
    """Every Python of this machine, newest patch per minor version: "3.11" -> path. Python 2.7 is among them."""
    folders = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    folders += sorted(Path.home().glob(".pyenv/versions/*/bin"))
    folders += sorted(Path.home().glob(".local/share/uv/python/*/bin"))
    found: dict[str, tuple[tuple[int, ...], Path]] = {}
    for folder in folders:
        for path in sorted(folder.glob("python*")) if folder.is_dir() else ():
            if not re.fullmatch(r"python[0-9.]*", path.name) or "shims" in path.parts:
                continue
            version = _version(path)
            if version and version > found.get(f"{version[0]}.{version[1]}", ((0,), path))[0]:
                found[f"{version[0]}.{version[1]}"] = (version, path)
    own = sys.version_info
    found[f"{own[0]}.{own[1]}"] = (tuple(own[:3]), Path(sys.executable))
    return {name: path for name, (_, path) in sorted(found.items())}


def _version(python: Path) -> tuple[int, ...]:
    try:
        done = subprocess.run(
            [str(python), "-c", "import sys; print('%d.%d.%d' % sys.version_info[:3])"],
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ()
    match = re.fullmatch(r"(\d+)\.(\d+)\.(\d+)", done.stdout.strip())
    return tuple(int(part) for part in match.groups()) if match else ()


def environment(*requirements: str, python: Path | None = None) -> Path:
    """A virtual environment with these packages from the index, made once and shared by all workers."""
    python = python or Path(sys.executable)
    key = hashlib.sha256("\n".join([str(python), *requirements]).encode()).hexdigest()[:16]
    root = Path(tempfile.gettempdir()) / f"envaudit-test-environments-{os.getuid()}"
    root.mkdir(exist_ok=True)
    folder = root / key
    with (root / f"{key}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / ".complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            _run(UV, "venv", "--quiet", "--python", str(python), str(folder))
            if requirements:
                _run(UV, "pip", "install", "--quiet", "--python", str(folder / "bin/python"), *requirements)
            (folder / ".complete").touch()
    return folder


def _run(*arguments: str) -> None:
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, f"{' '.join(arguments)}\n{done.stdout}{done.stderr}"


def envaudit(
    *arguments: str, cwd: Path | None = None, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the command line as a user does, in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "envaudit", *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        cwd=cwd,
        env={**os.environ, **(env or {})},
    )
