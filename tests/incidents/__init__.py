"""Real failures from the public record, made again: both environments are built, and what really happens is recorded.

    python -m tests.incidents                          what envaudit says beside what really happened
    python -m tests.incidents replay [--id ID ...]     makes the files, loads and calls them, writes fixtures/incidents

One table per incident stands in a `*.toml` beside this file (`environments.toml` apart). The facts are those of the
thread that its `source` names; its fields:

- `source` the public thread, `class` the failure class, `happened` and `said` what its user saw;
- `train`, `serve` environments of `environments.toml`; `make` the script that trains and writes the file to `path`;
- `load` the call that reads it (a name of `LOADERS`, or code that binds `model`), `call` what a service then does (the
  last line is the answer; none: the file is only loaded); `home_load` where training itself read it in another way;
- `cause` the slug of the reason that envaudit should give, `named` a word that it has to name; neither where all is
  fine;
- `deviates` where the replay differs from the thread, and why; `miss` why envaudit is known not to say this.
"""

from __future__ import annotations

import functools
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["HERE", "LOADERS", "Environment", "Incident", "environments", "incidents"]

HERE = Path(__file__).parent
LOADERS = {
    "pickle.load": "import pickle\nmodel = pickle.load(open(path, 'rb'))",
    "joblib.load": "import joblib\nmodel = joblib.load(path)",
    "pandas.read_pickle": "import pandas\nmodel = pandas.read_pickle(path)",
    "torch.load": "import torch\nmodel = torch.load(path)",
    "torch.load(weights_only=False)": "import torch\nmodel = torch.load(path, weights_only=False)",
    "torch.jit.load": "import torch\nmodel = torch.jit.load(path)",
}


@dataclass(frozen=True)
class Environment:
    """One environment as it is declared."""

    name: str
    python: str  # "3.8"
    packages: tuple[str, ...]  # "numpy==1.18.5", ...
    large: bool = False  # a download of gigabytes, or minutes to read: only where it is asked for


@dataclass(frozen=True)
class Incident:
    """One incident and how it is made again."""

    id: str
    library: str  # the file of tables in which it stands
    source: str
    failure: str  # the key `class`
    happened: str
    said: str
    train: str
    serve: str
    make: str
    load: str = "pickle.load"
    home_load: str = ""
    call: str = ""
    cause: str = ""
    named: str = ""
    deviates: str = ""
    miss: str = ""

    @property
    def file(self) -> str:
        """The name of its model file."""
        return f"{self.id}.bin"

    @property
    def url(self) -> str:
        """Where the thread stands."""
        repository, _, number = self.source.partition("#")
        return f"https://github.com/{repository}/issues/{number}"


def _tables(path: Path) -> dict[str, dict[str, Any]]:
    tables: dict[str, dict[str, Any]] = tomllib.loads(path.read_text())
    return tables


@functools.cache
def environments() -> dict[str, Environment]:
    """Every declared environment by name."""
    tables = _tables(HERE / "environments.toml")
    return {
        name: Environment(name, table["python"], tuple(table["packages"].split()), table.get("large", False))
        for name, table in tables.items()
    }


@functools.cache
def incidents() -> dict[str, Incident]:
    """Every incident by id."""
    found = {}
    for path in sorted(HERE.glob("*.toml")):
        if path.name != "environments.toml":
            for name, table in _tables(path).items():
                table["failure"] = table.pop("class")
                found[name] = Incident(name, path.stem, **table)
    return found
