"""What a target's installed packages really offer, read from their files and never imported (docs/surface.md)."""

from __future__ import annotations

from envaudit.surface.surface import Surface
from envaudit.surface.tree import FolderTree, ModuleFile, Tree

__all__ = ["FolderTree", "ModuleFile", "Surface", "Tree"]
