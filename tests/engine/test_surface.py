"""The surface of an image and of a container: the same as of the folders, in a few rounds, nothing left behind."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from envaudit.surface import Surface
from envaudit.surface.open import open_surface

pytestmark = [pytest.mark.engine, pytest.mark.xdist_group("engine")]


def check(surface: Surface, scikit_learn: str) -> None:
    surface.prefetch(["sklearn.tree._tree", "joblib"])
    found = surface.find("sklearn.tree._tree")
    assert found is not None
    assert found.kind == "extension"
    extension = surface.extension("sklearn.tree._tree")
    assert extension is not None
    assert [name for name, _, _ in extension.structs["Node"].fields][:2] == ["left_child", "right_child"]
    assert "Tree" in extension.names
    assert "class RandomForestClassifier" in (surface.source("sklearn.ensemble._forest") or "")
    assert surface.version("sklearn") == scikit_learn
    assert surface.find("sklearn.nope") is None
    assert surface.find("nope") is None
    assert "def pickle" in (surface.source("copyreg") or "")


def test_an_image_is_read_and_leaves_no_container(old: str, leftovers: Callable[[], list[str]]) -> None:
    check(open_surface(f"image://{old}"), "1.3.2")
    assert leftovers() == []


def test_a_container_is_read_by_its_own_python(new: str, start: Callable[..., str]) -> None:
    check(open_surface(f"container://{start(new)}"), "1.6.1")
