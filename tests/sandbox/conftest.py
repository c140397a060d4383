"""A sandbox for local interpreters, and short ways to use it."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from envaudit import sandbox
from envaudit.errors import SandboxError
from envaudit.evidence import Options
from envaudit.model import Verdict
from envaudit.sandbox import _bubblewrap

REQUIRED = "ENVAUDIT_REQUIRE_SANDBOX"

Execute = Callable[..., Verdict]


@pytest.fixture
def bubblewrap() -> _bubblewrap.Wrapper:
    """bubblewrap as it works here; without it a skip, or a failure where it is required."""
    try:
        return _bubblewrap.find()
    except SandboxError as error:
        if os.environ.get(REQUIRED):
            pytest.fail(f"{error}, and {REQUIRED} is set")
        pytest.skip(str(error))


@pytest.fixture
def no_bubblewrap(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As on a machine that has none."""
    _bubblewrap.find.cache_clear()
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    yield
    _bubblewrap.find.cache_clear()


@pytest.fixture
def execute() -> Execute:
    """``execute(model, target, ...)`` with the usual settings; the target is this interpreter unless it is named."""

    def execute(model: Path, target: Path | str = sys.executable, **settings: Any) -> Verdict:
        settings = {"loader": "pickle.load", "options": Options(), **settings}
        return sandbox.execute(str(model), str(target), **settings)

    return execute
