"""Who imports what, for the surface; the general rules are in tests/test_architecture.py."""

from __future__ import annotations

from tests.test_architecture import MODULES, in_folder, own

WORDS = ("model", "evidence", "errors", "needs", "registry", "cache", "images.tree")
VOCABULARY = {"envaudit", *(f"envaudit.{name}" for name in WORDS)}


def test_the_surface_imports_only_the_vocabulary_and_itself() -> None:
    for name in in_folder("surface"):
        if name != "envaudit.surface.open":  # the one that knows what a target is
            extra = {module for module in own(MODULES[name]) - VOCABULARY if not module.startswith("envaudit.surface")}
            assert not extra, f"{name} imports {extra}"


def test_targets_and_collectors_know_no_surface() -> None:
    for folder in ("targets", "collectors", "rules", "artifacts"):
        for name in in_folder(folder):
            assert not {module for module in own(MODULES[name]) if module.startswith("envaudit.surface")}, name
