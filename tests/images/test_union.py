"""The union of layers: what lies above hides, replaces and removes what lies below."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envaudit.images.tree import Tree
from tests.images.layers import DEVICE, FOLDER, HARD, LINK, PIPE, Member, layer, listed, tree_of

CASES: dict[str, tuple[list[list[Member]], list[tuple[str, str, int | str]]]] = {
    "a file is replaced": ([[("a", b"1")], [("./a", b"22")]], [("/a", "file", 2)]),
    "a file is removed": (
        [[("d/a", b"1"), ("d/b", b"1")], [("d/.wh.a", b"")]],
        [("/d", "folder", 0), ("/d/b", "file", 1)],
    ),
    "a folder is removed": ([[("d/e/a", b"1")], [("d/.wh.e", b"")]], [("/d", "folder", 0)]),
    "what is removed in one layer comes back in the next": (
        [[("d/a", b"1")], [(".wh.d", b"")], [("d/b", b"1")]],
        [("/d", "folder", 0), ("/d/b", "file", 1)],
    ),
    "removed and made anew in one layer, in either order": (
        [[("a", b"1"), ("b", b"1")], [(".wh.a", b""), ("a", b"22"), ("b", b"22"), (".wh.b", b"")]],
        [("/a", "file", 2), ("/b", "file", 2)],
    ),
    "a folder is emptied, with what is new before and after": (
        [[("d/old/x", b"1")], [("d/one", b"1"), ("d/.wh..wh..opq", b""), ("d/two", b"1")]],
        [("/d", "folder", 0), ("/d/one", "file", 1), ("/d/two", "file", 1)],
    ),
    "the root is emptied": ([[("a", b"1")], [(".wh..wh..opq", b""), ("b", b"1")]], [("/b", "file", 1)]),
    "what AUFS notes is no file": ([[(".wh..wh.plnk", FOLDER, ""), (".wh..wh.aufs", b"")]], []),
    "a folder gives way to a file": ([[("d/a", b"1")], [("d", b"1")]], [("/d", "file", 1)]),
    "a folder gives way to a link, through which is written": (
        [[("d/a", b"1"), ("t/x", b"1")], [("d", LINK, "t")], [("d/b", b"1")]],
        [("/d", "link", "t"), ("/t", "folder", 0), ("/t/b", "file", 1), ("/t/x", "file", 1)],
    ),
    "a file gives way to a folder": (
        [[("d", b"1")], [("d", FOLDER, ""), ("d/a", b"1")]],
        [("/d", "folder", 0), ("/d/a", "file", 1)],
    ),
    "a link gives way to a folder": (
        [[("d", LINK, "t"), ("t/x", b"1")], [("d", FOLDER, "")]],
        [("/d", "folder", 0), ("/t", "folder", 0), ("/t/x", "file", 1)],
    ),
    "a folder stays where it is named again": (
        [[("d/a", b"1")], [("d", FOLDER, "")]],
        [("/d", "folder", 0), ("/d/a", "file", 1)],
    ),
    "removed behind a link": (
        [[("d", LINK, "/t/u"), ("t/u/x", b"1"), ("t/u/y", b"1")], [("d/.wh.x", b"")]],
        [("/d", "link", "/t/u"), ("/t", "folder", 0), ("/t/u", "folder", 0), ("/t/u/y", "file", 1)],
    ),
    "a hard link to a layer below": ([[("a", b"123")], [("b", HARD, "a")]], [("/a", "file", 3), ("/b", "file", 3)]),
    "a hard link to what is removed in the same layer": (
        [[("a", b"123")], [("b", HARD, "./a"), (".wh.c", b"")], [(".wh.a", b"")]],
        [("/b", "file", 3)],
    ),
    "a hard link before what it names": ([[("b", HARD, "a"), ("a", b"123")]], [("/a", "file", 3), ("/b", "file", 3)]),
    "a hard link to a hard link": (
        [[("a", b"123"), ("b", HARD, "a"), ("c", HARD, "b")]],
        [("/a", "file", 3), ("/b", "file", 3), ("/c", "file", 3)],
    ),
    "a hard link to a link": ([[("a", LINK, "x"), ("b", HARD, "a")]], [("/a", "link", "x"), ("/b", "link", "x")]),
    "a hard link to nothing": ([[("b", HARD, "a")]], []),
    "hard links in a circle": ([[("a", HARD, "b"), ("b", HARD, "a"), ("c", HARD, "c")]], []),
    "the later of two members of a name": ([[("a", b"1"), ("a", b"22")]], [("/a", "file", 2)]),
    "a hard link in the place of a file": (
        [[("a", b"1"), ("b", b"22")], [("a", HARD, "b")]],
        [("/a", "file", 2), ("/b", "file", 2)],
    ),
    "a file over a hard link": (
        [[("a", b"1"), ("b", HARD, "a"), ("b", b"22")]],
        [("/a", "file", 1), ("/b", "file", 2)],
    ),
    "names that are written in many ways": (
        [
            [("/a", b"1"), ("./b", b"1"), (".//d///e", b"1"), ("d/./f", b"1"), ("d/../g", b"1"), ("./", FOLDER, "")],
            [("h/.", FOLDER, ""), ("./h/./", FOLDER, ""), ("./.h/i", b"1"), (".", FOLDER, "")],
        ],
        [
            ("/.h", "folder", 0),
            ("/.h/i", "file", 1),
            ("/a", "file", 1),
            ("/b", "file", 1),
            ("/d", "folder", 0),
            ("/d/e", "file", 1),
            ("/d/f", "file", 1),
            ("/g", "file", 1),
            ("/h", "folder", 0),
        ],
    ),
    "odd names": (
        [
            [
                ("wh.a", b""),
                (".w", b""),
                (" ", b""),
                ("\n", b""),
                ("..a", b""),
                ("\udcff", b""),
                ("é" * 120, b""),
                ("...", b""),
            ]
        ],
        [(f"/{name}", "file", 0) for name in sorted(("wh.a", ".w", " ", "\n", "..a", "\udcff", "é" * 120, "..."))],
    ),
    "devices and pipes take names": (
        [[("a", b"1"), ("b", b"1")], [("a", PIPE, ""), ("b", DEVICE, "")]],
        [("/a", "special", 0), ("/b", "special", 0)],
    ),
    "no engine could put a file into a file": ([[("d", b"1")], [("d/a", b"1")]], [("/d", "file", 1)]),
}


@pytest.mark.parametrize("name", CASES)
def test_union(name: str) -> None:
    layers, expected = CASES[name]
    assert list(listed(tree_of(*map(layer, layers)))) == expected


Files = dict[str, "Files | str | bytes"]
"""A folder: bytes are a file, a text is a link."""
NAMES = st.sampled_from(["a", "b", "c", ".w", "wh.", " ", "\n", "\udcff", "n" * 101])
FILES: st.SearchStrategy[Files] = st.recursive(
    st.dictionaries(NAMES, st.binary(max_size=3) | st.sampled_from(["a", "/b/c", "../a", "nowhere"]), max_size=3),
    lambda inner: st.dictionaries(NAMES, st.binary(max_size=3) | inner, max_size=4),
    max_leaves=12,
)


@given(st.lists(FILES, min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_layers_of_what_changed_lead_to_the_last_state(states: list[Files], random: Random) -> None:
    layers = []
    for before, after in zip([{}, *states], states, strict=False):
        members = list(changed(before, after, "", random))
        random.shuffle(members)
        layers.append(layer(members))
    assert files(tree_of(*layers)) == states[-1]


def changed(before: Files, after: Files, folder: str, random: Random) -> Iterator[Member]:
    """The members of a layer that makes one state out of another."""
    opaque = bool(before) and random.random() < 0.3
    if opaque:
        yield f"{folder}.wh..wh..opq", b""
        before = {}
    for name in before.keys() - after.keys():
        yield f"{folder}.wh.{name}", b""
    for name, new in after.items():
        old = before.get(name)
        if isinstance(new, dict):
            if not isinstance(old, dict) or random.random() < 0.5:
                yield f"{folder}{name}", FOLDER, ""
            yield from changed(old if isinstance(old, dict) else {}, new, f"{folder}{name}/", random)
        elif new != old or random.random() < 0.2:
            yield (f"{folder}{name}", LINK, new) if isinstance(new, str) else (f"{folder}{name}", new)


def files(tree: Tree, folder: str = "") -> Files:
    """What a tree holds."""
    found: Files = {}
    for path, kind, detail in listed(tree, folder):
        above, _, name = path.rpartition("/")
        if above == folder:
            found[name] = files(tree, path) if kind == "folder" else str(detail) if kind == "link" else tree.read(path)
    return found
