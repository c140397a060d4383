"""Facts as data: one small TOML file per question, each entry with its public source.

A file is read when a difference first needs it and then kept, because reading costs about a millisecond per two
kilobytes: that is why the known breaks of each package have a file of their own (``breaks-numpy.toml``).
"""

from __future__ import annotations

import os
from functools import cache
from typing import Any

_FOLDER = os.path.dirname(__file__)


@cache
def load(name: str) -> dict[str, Any]:
    """The table ``<name>.toml``. It is shared: never change what is returned."""
    try:
        import tomllib
    except ModuleNotFoundError:  # before Python 3.11
        import tomli as tomllib
    with open(os.path.join(_FOLDER, f"{name}.toml"), "rb") as file:
        table: dict[str, Any] = tomllib.load(file)
    return table


@cache
def breaks(package: str) -> tuple[dict[str, str], ...]:
    """The known breaks of a package, empty where none is recorded."""
    if not os.path.exists(os.path.join(_FOLDER, f"breaks-{package}.toml")):
        return ()
    return tuple(load(f"breaks-{package}")["break"])


@cache
def names(name: str) -> tuple[str, ...]:
    """The sorted names of the tables in ``<name>.toml``, for who needs no more than those: a parser is dear."""
    with open(os.path.join(_FOLDER, f"{name}.toml"), encoding="utf-8") as file:
        return tuple(sorted(line.strip()[1:-1] for line in file if line.startswith("[") and line[1] != "["))
