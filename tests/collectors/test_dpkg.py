"""dpkg: against dpkg-query on this very machine, and whatever a status file may hold."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envaudit.collectors import apk, dpkg, rpm
from envaudit.evidence import Collector, Evidence, FileText, Request
from envaudit.model import Component, Environment, Gap
from envaudit.take import interpret
from envaudit.targets import _live, inspector

STATUS = "/var/lib/dpkg/status"
ALL = (apk.COLLECTOR, dpkg.COLLECTOR, rpm.COLLECTOR)
NONE = Gap("os-package", None, "no package database found (looked for dpkg, apk, rpm)")
ENTRY = "Package: {}\nStatus: {}\nArchitecture: {}\nVersion: {}\nDescription: words\n more words\n .\n\n"


def entry(name: str, version: str = "1", architecture: str = "amd64", status: str = "install ok installed") -> str:
    return ENTRY.format(name, status, architecture, version)


def look(files: dict[str, FileText], names: tuple[str, ...] = (), errors: tuple[tuple[str, str], ...] = ()) -> Evidence:
    return Evidence(offers=frozenset({"files", "names"}), files=files, names=names, errors=errors)


def packages(text: str) -> dict[str, Component]:
    return {item.name: item for item in dpkg.collect(look({STATUS: FileText(text)})) if isinstance(item, Component)}


def gaps(items: Iterable[Component | Gap]) -> list[Gap]:
    return [item for item in items if isinstance(item, Gap)]


def inspected(*collectors: Collector) -> Evidence:
    """What the inspector hands over of this machine."""
    request = Request().merge(collector.request for collector in collectors)
    return _live.evidence(inspector.serve(_live.as_json(request)), Environment("", "", ""), request)


@pytest.mark.skipif(shutil.which("dpkg-query") is None, reason="no dpkg on this machine")
def test_this_machine_has_what_dpkg_says() -> None:
    done = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Package}\t${Architecture}\t${Version}\t${Status}\n"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    native = subprocess.run(["dpkg", "--print-architecture"], capture_output=True, text=True, check=True).stdout.strip()
    expected = {}
    for line in done.stdout.splitlines():
        name, architecture, version, status = line.split("\t")
        if status.endswith(" installed"):
            key = name if architecture in (native, "all") else f"{name}:{architecture}"
            expected[key] = Component("os-package", key, version, {"manager": "dpkg", "architecture": architecture})
    components, found_gaps = interpret(inspected(*ALL), ALL)
    assert components["os-package"] == expected
    assert not found_gaps


def test_what_counts_as_installed() -> None:
    text = (
        entry("dpkg")
        + entry("held", status="hold ok installed")
        + entry("marked", status="deinstall ok installed")
        + entry("triggers", status="install ok triggers-pending")
        + entry("gone", status="deinstall ok config-files")
        + entry("never", status="unknown ok not-installed")
        + entry("half", status="install reinstreq half-installed")
    )
    assert list(packages(text)) == ["dpkg", "held", "marked", "triggers"]
    assert gaps(dpkg.collect(look({STATUS: FileText(text)}))) == [
        Gap("os-package", "half", f"{STATUS}: dpkg has it as half-installed")
    ]


def test_foreign_architectures_carry_it_in_their_name() -> None:
    both = entry("libc6") + entry("libc6", "2", "i386") + entry("base-files", architecture="all")
    found = packages(both + entry("bash"))
    assert list(found) == ["libc6", "libc6:i386", "base-files", "bash"]
    assert found["libc6:i386"].version == "2"
    assert found["libc6:i386"].attributes == {"manager": "dpkg", "architecture": "i386"}
    # The package dpkg decides, even against the many.
    assert list(packages(both + entry("dpkg", architecture="i386"))) == ["libc6:amd64", "libc6", "base-files", "dpkg"]


def test_a_continuation_line_is_no_field() -> None:
    text = "Package: a\nStatus: install ok installed\nDescription: x\n Version: 9\nVersion: 1\nArchitecture: all\n\n"
    assert packages(text)["a"].version == "1"


def test_no_database_at_all_is_said_once() -> None:
    components, found = interpret(look({}), ALL)
    assert components == {}
    assert found == (NONE,)


@pytest.mark.parametrize(
    "evidence",
    [
        look({STATUS: FileText("")}),
        look({"/var/lib/dpkg/status.d/base": FileText(entry("base"))}),
        look({"/lib/apk/db/installed": FileText("")}),
        look({"/var/lib/rpmmanifest/container-manifest-2": FileText("")}),
        look({"/usr/share/rpm/rpmdb.sqlite": FileText(data=b"")}),
        look({}, ("/var/lib/rpm/Packages",)),
    ],
)
def test_any_database_is_one(evidence: Evidence) -> None:
    assert NONE not in interpret(evidence, ALL)[1]


def test_what_could_not_be_read_is_a_gap() -> None:
    assert gaps(dpkg.collect(look({STATUS: FileText(error="Permission denied")}))) == [
        Gap("os-package", None, f"{STATUS}: Permission denied")
    ]
    blind = look({STATUS: FileText(entry("a"))}, errors=(("/var/lib/dpkg/status.d", "Permission denied"),))
    assert gaps(dpkg.collect(blind)) == [Gap("os-package", None, "/var/lib/dpkg/status.d: Permission denied")]


def test_a_file_that_was_cut_is_a_gap_and_its_last_entry_is_not_trusted() -> None:
    text = entry("a") + entry("b")
    for truncated in (True, False):
        for length in range(len(entry("a")) + 1, len(text)):
            cut = FileText(text[:length], truncated=truncated)
            items = list(dpkg.collect(look({STATUS: cut})))
            names = [item.name for item in items if isinstance(item, Component)]
            assert names in ([["a"]] if truncated else [["a"], ["a", "b"]]), length
            if names == ["a"] or truncated:
                assert gaps(items), length


@pytest.mark.parametrize("text", ["garbage", "garbage\n", "Package: a\n\n", "Status: install ok installed\n\n", "\0\n"])
def test_a_garbled_file_is_a_gap(text: str) -> None:
    components, found = interpret(look({STATUS: FileText(text)}), ALL)
    assert not components.get("os-package")
    assert found


FIELDS = st.sampled_from(
    ["Package:", "Status:", "Version:", "Architecture:", " ", "install ok installed", "\n", "\n\n", "a"]
)


@settings(deadline=None)
@given(st.one_of(st.text(), st.lists(FIELDS).map("".join)), st.booleans())
def test_arbitrary_text_never_raises(text: str, truncated: bool) -> None:
    files = {path: FileText(text, truncated=truncated) for path in (STATUS, "/var/lib/dpkg/status.d/x")}
    for item in dpkg.collect(look(files)):
        assert item.kind == "os-package"
        assert isinstance(item, Gap) or (item.name and item.version)
