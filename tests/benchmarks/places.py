"""Fresh environments for measurements."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.environments import UV

ROOT = Path(__file__).resolve().parents[2]


def installed(folder: Path, *requirements: str) -> Path:
    """A fresh environment as an installer leaves it, bytecode included; returns its folder of programs."""
    subprocess.run([UV, "venv", "--quiet", "--python", sys.executable, str(folder)], check=True)
    subprocess.run(
        [UV, "pip", "install", "--quiet", "--compile-bytecode", "--python", str(folder / "bin/python"), *requirements],
        check=True,
    )
    return folder / "bin"
