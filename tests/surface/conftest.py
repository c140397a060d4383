"""Real environments of several times, with scikit-learn, numpy, scipy and pandas of that time."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from envaudit.surface import Surface
from tests.environments import environment, interpreters

TIMES = {
    "0.22.2": ("3.8", "numpy==1.18.5", "scipy==1.4.1", "joblib==0.14.1", "pandas==0.25.3"),
    "0.24.2": ("3.8", "numpy==1.19.5", "scipy==1.5.4", "joblib==1.0.1", "pandas==1.1.5"),
    "1.0.2": ("3.9", "numpy==1.21.6", "scipy==1.7.3", "joblib==1.1.1", "pandas==1.3.5"),
    "1.2.2": ("3.10", "numpy==1.23.5", "scipy==1.9.3", "joblib==1.2.0", "pandas==1.5.3"),
    "1.3.2": ("3.11", "numpy==1.26.4", "scipy==1.11.4", "joblib==1.3.2", "pandas==2.1.4"),
    "1.5.2": ("3.12", "numpy==2.0.2", "scipy==1.13.1", "joblib==1.4.2", "pandas==2.2.3"),
    "1.7.2": ("3.13", "numpy==2.2.6", "scipy==1.15.3", "joblib==1.5.0", "pandas==2.3.3"),
    "1.9.1": ("3.13", "numpy==2.4.6", "scipy==1.17.1", "joblib==1.6.0", "pandas==3.0.1"),
}


class Installed(NamedTuple):
    """One environment, and its surface over its folders."""

    scikit_learn: str
    folder: Path
    python: Path
    site: Path
    surface: Surface

    def run(self, code: str, *arguments: str) -> Any:
        """The JSON that a script prints there."""
        done = subprocess.run(
            [str(self.python), "-W", "ignore", "-c", code, *arguments], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


def installed(scikit_learn: str) -> Installed:
    """The environment of a scikit-learn release; skips where its Python is missing."""
    python, *others = TIMES[scikit_learn]
    if python not in interpreters():
        pytest.skip(f"needs Python {python}")
    folder = environment(f"scikit-learn=={scikit_learn}", *others, python=interpreters()[python])
    site = folder / f"lib/python{python}/site-packages"
    major, minor = map(int, python.split("."))
    roots = [str(site), f"{sys.base_prefix}/none"]
    return Installed(
        scikit_learn, folder, folder / "bin/python", site, Surface.of_folders((major, minor), roots, scikit_learn)
    )


@pytest.fixture(scope="session", params=TIMES)
def there(request: pytest.FixtureRequest) -> Installed:
    """Each of the environments."""
    return installed(request.param)
