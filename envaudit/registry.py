"""The folders ``targets/``, ``collectors/``, ``rules/`` and ``reports/`` are their own registries.

Every module in such a folder holds one record under a fixed name; modules whose name starts with ``_`` are helpers.
Adding a thing is adding a file.
"""

from __future__ import annotations

import os
from functools import cache
from importlib import import_module
from types import ModuleType


def module_names(folder: str) -> list[str]:
    """The sorted names of the variant modules in ``envaudit/<folder>/``."""
    # A plain listing: pkgutil.iter_modules does the same and costs half of a Python start-up to import.
    path = os.path.join(os.path.dirname(__file__), folder)
    return sorted(name[:-3] for name in os.listdir(path) if name.endswith(".py") and not name.startswith("_"))


def module(folder: str, name: str) -> ModuleType:
    """Import one variant module."""
    return import_module(f"envaudit.{folder}.{name}")


@cache
def load(folder: str, record: str) -> dict[str, object]:
    """Import every variant of a folder: module name -> its record."""
    found: dict[str, object] = {}
    for name in module_names(folder):
        value = getattr(module(folder, name), record, None)
        if value is not None:
            found[name] = value
    return found
