"""The environments of the load matrix: which packages they hold, and how they are made.

The matrix has three parts, each of which is loaded in its own environments only. In the first, each holds one
scikit-learn release and what stood beside it at its time: the main packages are pinned, and everything else is resolved
as of `until`, so that a later run makes the same environment. In the parts of catboost and of torch every package is
pinned and nothing else is installed, for most of what these ask for is plots and CUDA.
"""

from __future__ import annotations

import concurrent.futures
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tests.environments import UV, interpreters

ROOT = Path(__file__).resolve().parents[2] / ".truth"
VENVS = ROOT / "environments"
RECORDED = Path(__file__).resolve().parents[2] / "fixtures/truth"

# Held out: libraries whose files nobody looks at during development (docs/truth.md).
HELD_OUT_LIBRARIES = frozenset({"category_encoders"})


@dataclass(frozen=True)
class Recipe:
    """One environment as it is declared."""

    name: str
    interpreter: str  # "3.8"
    until: str  # packages that are not pinned: the newest before this day; empty: there are none
    pins: tuple[str, ...]
    held_out: bool = False
    part: str = "scikit-learn"

    @property
    def python(self) -> Path:
        """The interpreter of the virtual environment."""
        return VENVS / self.name / "bin/python"


@dataclass(frozen=True)
class Environment:
    """One environment as it was made."""

    python: Path
    held_out: bool
    packages: dict[str, str] = field(default_factory=dict)


def _recipe(
    sklearn: str, interpreter: str, until: str, stack: str, boosting: str, *, held_out: bool = False
) -> tuple[str, Recipe]:
    numpy, scipy, pandas, joblib, cloudpickle = stack.split()
    xgboost, lightgbm, imblearn, encoders, statsmodels = boosting.split()
    pins = {
        "scikit-learn": sklearn, "numpy": numpy, "scipy": scipy, "pandas": pandas, "joblib": joblib,
        "cloudpickle": cloudpickle, "xgboost": xgboost, "lightgbm": lightgbm, "imbalanced-learn": imblearn,
        "category-encoders": encoders, "statsmodels": statsmodels,
    }  # fmt: skip
    name = sklearn.removesuffix(".post1")
    requirements = [f"{key}=={value}" for key, value in pins.items()]
    if interpreter in ("3.8", "3.9", "3.10", "3.11"):  # venv brought it, and several packages counted on that
        requirements.append("setuptools")
    return name, Recipe(name, interpreter, until, tuple(requirements), held_out)


# Columns: scikit-learn, Python, day | numpy scipy pandas joblib cloudpickle |
#          xgboost lightgbm imbalanced-learn category-encoders statsmodels
RECIPES: dict[str, Recipe] = dict(
    [
        _recipe("0.22.2.post1", "3.8", "2020-08-01", "1.18.5 1.4.1 1.0.5 0.14.1 1.4.1",
                "1.1.1 2.3.1 0.6.2 2.2.2 0.11.1"),
        _recipe("0.23.2", "3.8", "2021-01-15", "1.19.5 1.5.4 1.1.5 0.17.0 1.6.0", "1.2.1 3.1.1 0.7.0 2.2.2 0.12.1",
                held_out=True),
        _recipe("0.24.2", "3.9", "2021-08-01", "1.20.3 1.6.3 1.2.5 1.0.1 1.6.0", "1.4.2 3.2.1 0.8.0 2.2.2 0.12.2"),
        _recipe("1.0.2", "3.9", "2022-02-15", "1.21.5 1.7.3 1.3.5 1.1.0 2.0.0", "1.5.2 3.3.2 0.9.0 2.3.0 0.13.2"),
        _recipe("1.1.3", "3.10", "2022-11-15", "1.23.4 1.9.3 1.5.1 1.2.0 2.2.0", "1.6.2 3.3.3 0.9.1 2.5.1.post0 0.13.5",
                held_out=True),
        _recipe("1.2.2", "3.10", "2023-05-15", "1.23.5 1.10.1 1.5.3 1.2.0 2.2.1", "1.7.5 3.3.5 0.10.1 2.6.0 0.13.5"),
        _recipe("1.3.2", "3.11", "2023-12-01", "1.25.2 1.11.4 2.1.3 1.3.2 3.0.0", "2.0.2 4.1.0 0.11.0 2.6.3 0.14.0"),
        _recipe("1.4.2", "3.11", "2024-05-01", "1.26.4 1.13.0 2.2.2 1.4.0 3.0.0", "2.0.3 4.3.0 0.12.2 2.6.3 0.14.2",
                held_out=True),
        _recipe("1.5.2", "3.12", "2024-12-01", "2.1.3 1.14.1 2.2.3 1.4.2 3.1.0", "2.1.2 4.5.0 0.12.4 2.6.4 0.14.4"),
        _recipe("1.6.1", "3.12", "2025-02-15", "2.2.2 1.15.1 2.2.3 1.4.2 3.1.1", "2.1.3 4.5.0 0.13.0 2.8.0 0.14.4",
                held_out=True),
        _recipe("1.7.2", "3.13", "2025-10-15", "2.3.3 1.16.2 2.3.2 1.5.2 3.1.1", "3.0.5 4.6.0 0.14.0 2.8.1 0.14.5"),
        _recipe("1.8.0", "3.13", "2026-01-10", "2.3.5 1.16.3 2.3.3 1.5.2 3.1.2", "3.1.2 4.6.0 0.14.1 2.9.0 0.14.6",
                held_out=True),
        _recipe("1.9.1", "3.13", "2026-11-21", "2.5.5 1.18.1 3.1.1 1.6.0 3.1.2", "3.4.1 4.7.0 0.14.2 2.11.2 0.15.0"),
    ]
)  # fmt: skip


def _pinned(name: str, interpreter: str, pins: str, *, held_out: bool = False) -> tuple[str, Recipe]:
    return name, Recipe(name, interpreter, "", tuple(pins.split()), held_out, name.partition("-")[0])


# Beside catboost stands what stands beside scikit-learn of the same time above. The last torch is the build without
# CUDA, of PyTorch's own index (UV_INDEX=https://download.pytorch.org/whl/cpu); the others weigh half a gigabyte and up.
RECIPES |= dict(
    [
        _pinned("catboost-0.24.4", "3.8", "catboost==0.24.4 scikit-learn==0.22.2.post1 numpy==1.18.5 scipy==1.4.1 "
                "pandas==1.0.5 joblib==0.14.1 cloudpickle==1.4.1 python-dateutil==2.8.1 pytz==2020.1 six==1.15.0"),
        _pinned("catboost-0.26.1", "3.9", "catboost==0.26.1 scikit-learn==0.24.2 numpy==1.20.3 scipy==1.6.3 "
                "pandas==1.2.5 joblib==1.0.1 cloudpickle==1.6.0 threadpoolctl==2.2.0 python-dateutil==2.8.2 "
                "pytz==2021.1 six==1.16.0 setuptools==57.4.0"),
        _pinned("catboost-1.0.6", "3.9", "catboost==1.0.6 scikit-learn==1.0.2 numpy==1.21.5 scipy==1.7.3 "
                "pandas==1.3.5 joblib==1.1.0 cloudpickle==2.0.0 threadpoolctl==3.1.0 python-dateutil==2.8.2 "
                "pytz==2021.3 six==1.16.0 setuptools==60.9.1", held_out=True),
        _pinned("catboost-1.2.2", "3.11", "catboost==1.2.2 scikit-learn==1.3.2 numpy==1.25.2 scipy==1.11.4 "
                "pandas==2.1.3 joblib==1.3.2 cloudpickle==3.0.0 threadpoolctl==3.2.0 python-dateutil==2.8.2 "
                "pytz==2023.3.post1 tzdata==2023.3 six==1.16.0"),
        _pinned("catboost-1.2.8", "3.12", "catboost==1.2.8 scikit-learn==1.6.1 numpy==2.2.2 scipy==1.15.1 "
                "pandas==2.2.3 joblib==1.4.2 cloudpickle==3.1.1 threadpoolctl==3.5.0 python-dateutil==2.9.0.post0 "
                "pytz==2025.1 tzdata==2025.1 six==1.17.0"),
        _pinned("torch-1.0.1", "3.7", "torch==1.0.1 numpy==1.16.6 joblib==0.14.1"),
        _pinned("torch-1.1.0", "3.7", "torch==1.1.0 numpy==1.16.6 joblib==0.14.1"),
        _pinned("torch-1.4.0", "3.8", "torch==1.4.0 numpy==1.18.5 joblib==0.14.1", held_out=True),
        _pinned("torch-1.8.1", "3.8", "torch==1.8.1 numpy==1.18.5 joblib==1.0.1 typing-extensions==4.3.0"),
        _pinned("torch-2.13", "3.11", "torch==2.13.0+cpu numpy==1.26.4 joblib==1.5.2 typing-extensions==4.15.0 "
                "filelock==3.20.0 sympy==1.14.0 mpmath==1.3.0 networkx==3.5 jinja2==3.1.6 markupsafe==3.0.3 "
                "fsspec==2025.9.0 setuptools==80.9.0"),
    ]
)  # fmt: skip
PARTS = tuple(dict.fromkeys(recipe.part for recipe in RECIPES.values()))


def part(name: str) -> list[str]:
    """The names of the environments of one part of the matrix."""
    return [recipe.name for recipe in RECIPES.values() if recipe.part == name]


def recorded(name: str) -> Path:
    """The folder of fixtures/truth that keeps a part."""
    return RECORDED if name == PARTS[0] else RECORDED / name


# xgboost's wheels ask for the CUDA collectives library, hundreds of megabytes that no file here needs.
UNWANTED = "".join(f"{name}; sys_platform == 'never'\n" for name in ("nvidia-nccl-cu12", "nvidia-nccl-cu13"))


def make(names: Iterable[str]) -> list[str]:
    """Make those of the environments that are missing, two at a time; returns the names of those that are there."""
    wanted = [RECIPES[name] for name in names]
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        return [recipe.name for recipe, made in zip(wanted, pool.map(_make, wanted), strict=True) if made]


def _make(recipe: Recipe) -> bool:
    folder = VENVS / recipe.name
    stamp = folder / ".complete"
    said = f"{recipe.interpreter} {recipe.until} {' '.join(recipe.pins)}"
    if stamp.exists() and stamp.read_text() == said:
        return True
    base = interpreters().get(recipe.interpreter)
    if base is None:
        print(f"{recipe.name}: skipped, Python {recipe.interpreter} is not on this machine", file=sys.stderr)
        return False
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    _run(UV, "venv", "--quiet", "--python", str(base), str(folder))
    overrides = folder / "overrides.txt"
    overrides.write_text(UNWANTED)
    beside = ["--exclude-newer", recipe.until, "--overrides", str(overrides)] if recipe.until else ["--no-deps"]
    _run(UV, "pip", "install", "--quiet", "--python", str(recipe.python), "--only-binary", ":all:",
         *beside, *recipe.pins)  # fmt: skip
    listed = json.loads(_run(UV, "pip", "list", "--format", "json", "--python", str(recipe.python)))
    packages = {item["name"]: item["version"] for item in listed}
    version = _run(str(recipe.python), "-c", "import platform; print(platform.python_version())").strip()
    (folder / "packages.json").write_text(json.dumps({"python": version, **packages}, indent=1))
    stamp.write_text(said)
    return True


def _run(*arguments: str) -> str:
    done = subprocess.run(
        ["nice", "-n", "10", *arguments], capture_output=True, text=True, check=False, env={**os.environ}, timeout=1800
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(arguments)}\n{done.stdout}{done.stderr}")
    return done.stdout


def made() -> dict[str, Environment]:
    """The environments that are on this machine."""
    found = {}
    for name, recipe in RECIPES.items():
        stated = VENVS / name / "packages.json"
        if stated.exists():
            found[name] = Environment(recipe.python, recipe.held_out, json.loads(stated.read_text()))
    return found
