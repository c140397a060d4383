"""Recorded evidence in, components and gaps out: one case per file in fixtures/evidence (see its README)."""

from __future__ import annotations

import base64
import json
import sys
import zlib
from pathlib import Path
from typing import Any, cast

import pytest

from envaudit import registry
from envaudit.evidence import Collector, CommandOutput, Evidence, FileText
from envaudit.model import Component, Gap
from envaudit.take import interpret

FOLDER = Path(__file__).parents[2] / "fixtures" / "evidence"
CASES = sorted(path.stem for path in FOLDER.glob("*.json"))


def case(name: str) -> dict[str, Any]:
    return cast("dict[str, Any]", json.loads((FOLDER / f"{name}.json").read_text()))


def evidence(given: dict[str, Any]) -> Evidence:
    """The ``input`` of a recorded case."""
    return Evidence(
        offers=frozenset(given["offers"]),
        interpreter=given.get("interpreter", {}),
        files={path: file(content) for path, content in given.get("files", {}).items()},
        names=tuple(given.get("names", ())),
        commands={tuple(command): CommandOutput(*output) for command, output in given.get("commands", ())},
        environ=given.get("environ", {}),
    )


def file(content: str | dict[str, Any]) -> FileText:
    if isinstance(content, str):
        return FileText(content)
    if "zlib" in content:
        return FileText(zlib.decompress(base64.b64decode(content["zlib"])).decode())
    if "zlib_bytes" in content:
        return FileText(data=zlib.decompress(base64.b64decode(content["zlib_bytes"])))
    return FileText(**content)


def run(collectors: list[str], given: Evidence) -> tuple[dict[str, dict[str, Component]], tuple[Gap, ...]]:
    known = registry.load("collectors", "COLLECTOR")
    return interpret(given, [cast(Collector, known[name]) for name in collectors])


def lines(packages: dict[str, Component]) -> list[str]:
    """``name version architecture`` of every version that is installed, as package managers list them."""
    return sorted(
        f"{one.name.partition(':')[0]} {version} {one.attributes['architecture']}"
        for one in packages.values()
        for version in (one.version, *one.attributes.get("also", ()))
    )


@pytest.mark.parametrize("name", CASES)
def test_recorded(name: str) -> None:
    if name == "rpm_sqlite" and sys.version_info < (3, 11):
        pytest.skip("needs sqlite3's deserialize")
    recorded = case(name)
    assert recorded["origin"].startswith(("real", "written after the documentation, not recorded"))
    components, gaps = run(recorded["collectors"], evidence(recorded["input"]))
    expected = recorded["expect"]
    assert [list(gap) for gap in gaps] == expected.get("gaps", [])
    if "packages" in expected:
        assert lines(components["os-package"]) == expected["packages"]
    else:
        found = {
            kind: {one.name: {"version": one.version, **one.attributes} for one in names.values()}
            for kind, names in components.items()
        }
        assert found == expected["components"]


@pytest.mark.parametrize("name", CASES)
def test_nothing_depends_on_the_order_of_files(name: str) -> None:
    recorded = case(name)
    given = evidence(recorded["input"])
    turned = given._replace(files=dict(reversed(list(given.files.items()))), names=tuple(reversed(given.names)))
    assert run(recorded["collectors"], turned) == run(recorded["collectors"], given)


def test_snapshots_hold_json_only() -> None:
    for name in CASES:
        components, _ = run(case(name)["collectors"], evidence(case(name)["input"]))
        json.dumps(components)
