"""What a target's installed packages really offer, read from their files and never imported (docs/surface.md)."""

from __future__ import annotations

from envaudit.surface.extensions import Extension, Layout, Signature
from envaudit.surface.surface import Surface
from envaudit.surface.tree import FolderTree, ModuleFile, Tree

__all__ = ["Extension", "FolderTree", "Layout", "ModuleFile", "Signature", "Surface", "Tree"]
