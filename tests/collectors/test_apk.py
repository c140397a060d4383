"""apk: one database behind up to three paths, and whatever it may hold."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envaudit.collectors import apk
from envaudit.evidence import Evidence, FileText
from envaudit.model import Component, Gap

PATH = "/lib/apk/db/installed"
MUSL = "C:Q1HP0r9=\nP:musl\nV:1.2.5-r0\nA:x86_64\nF:lib\nR:ld-musl-x86_64.so.1\na:0:0:755\nZ:Q1zm=\n\n"
TZDATA = "P:tzdata\nV:2024a-r1\nA:noarch\n\n"


def collect(*paths: str, file: FileText) -> list[Component | Gap]:
    return list(apk.collect(Evidence(files=dict.fromkeys(paths, file))))


@pytest.mark.parametrize("path", [PATH, "/usr/lib/apk/db/installed", "/var/lib/apk/db/installed"])
def test_each_path(path: str) -> None:
    assert collect(path, file=FileText(MUSL + TZDATA)) == [
        Component("os-package", "musl", "1.2.5-r0", {"manager": "apk", "architecture": "x86_64"}),
        Component("os-package", "tzdata", "2024a-r1", {"manager": "apk", "architecture": "noarch"}),
    ]


def test_two_paths_through_a_link_are_one_database() -> None:
    assert len(collect(PATH, "/usr/lib/apk/db/installed", file=FileText(MUSL))) == 1


def test_an_unreadable_path_does_not_hide_the_next() -> None:
    files = {PATH: FileText(error="Permission denied"), "/usr/lib/apk/db/installed": FileText(MUSL)}
    assert [item.name for item in apk.collect(Evidence(files=files))] == [None, "musl"]


def test_the_moment_a_virtual_package_was_made_is_no_version() -> None:
    (found,) = collect(PATH, file=FileText("P:.python-rundeps\nV:20261121.055643\nA:noarch\n\n"))
    assert found == Component("os-package", ".python-rundeps", None, {"manager": "apk", "architecture": "noarch"})


def test_nothing_is_installed() -> None:
    assert collect(PATH, file=FileText("")) == []


@pytest.mark.parametrize("text", ["garbage", "garbage\n", "P:musl\n\n", "V:1\n\n", (MUSL + TZDATA)[:-8]])
def test_garbled_or_cut_is_a_gap(text: str) -> None:
    items = collect(PATH, file=FileText(text))
    assert any(isinstance(item, Gap) for item in items)
    assert "tzdata" not in {item.name for item in items if isinstance(item, Component)}


def test_a_file_over_the_cap_is_a_gap() -> None:
    gap, found = collect(PATH, file=FileText(MUSL + "P:tzdata\nV:20", truncated=True))
    assert found.name == "musl"
    assert gap == Gap("os-package", None, f"{PATH}: too large, only its beginning was read")


PARTS = st.lists(st.sampled_from(["P:", "V:", "A:", "a", "\n", "\n\n"])).map("".join)


@settings(deadline=None)
@given(st.one_of(st.text(), PARTS), st.booleans())
def test_arbitrary_text_never_raises(text: str, truncated: bool) -> None:
    for item in collect(PATH, file=FileText(text, truncated=truncated)):
        assert item.kind == "os-package"
