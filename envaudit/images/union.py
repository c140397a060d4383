"""The union of layers: those further up hide, replace and remove what lies below.

Rules: OCI image specification, layer.md, "Applying Changesets"; where it is silent, containerd's archive/tar.go (the
parents of a member are looked up through the links that are there; an explicit folder replaces a link).
"""

from __future__ import annotations

from envaudit.images.layer import Index
from envaudit.images.tree import Entry, File, Special, walk

Union = dict[str, Entry]
"""A folder whose inner folders are such dictionaries again."""


def add(root: Union, index: Index) -> None:
    """Put a layer on top of what is there."""
    for path in index.opaque:
        folder = _existing(root, path)
        if folder is not None:
            folder.clear()
    for path in index.removed:
        above, _, name = path.rpartition("/")
        folder = _existing(root, above)
        if folder is not None:
            folder.pop(name, None)
    known: dict[str, Union | None] = {"": root}
    for path in sorted(index.folders):  # those above come first
        folder = known[path] = _made(root, known, path)
        if folder is None:  # a file has taken the place
            continue
        for name, node in index.folders[path].items():
            if node is not None:
                folder[name] = node
            elif not isinstance(folder.get(name), dict):
                folder[name] = {}
    for path, target in index.hard.items():
        above, _, name = path.rpartition("/")
        _link(root, known.get(above), name, target)


def _link(root: Union, folder: Union | None, name: str, target: str) -> None:
    """Another name of a file, which may lie in a layer below."""
    above, _, own = target.rpartition("/")
    place = _existing(root, above)
    node = None if place is None else place.get(own)
    if folder is not None and isinstance(node, (File, Special, str)):
        folder[name] = node


def _existing(root: Union, path: str) -> Union | None:
    try:
        found, _ = walk(root, path)
    except OSError:
        return None
    return found if isinstance(found, dict) else None


def _made(root: Union, known: dict[str, Union | None], path: str) -> Union | None:
    """The folder at a path, made where it is not there; None where something else is. ``known``: those above it."""
    above, _, name = path.rpartition("/")
    parent = known.get(above)
    if parent is None or not path:
        return parent
    found = parent.get(name)
    if found is None:
        made = parent[name] = dict[str, Entry]()
        return made
    if isinstance(found, str):
        return _existing(root, path)
    return found if isinstance(found, dict) else None
