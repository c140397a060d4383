"""The reports: the verdict first, 80 columns, readable at any size, and JSON as documented."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from envaudit.comparison import compare
from envaudit.model import SEVERITIES, Comparison, Component, Drift, Finding, Gap, Snapshot, TargetInfo, Unknown
from envaudit.registry import load, module
from envaudit.reports import Report, View, _lines, failed
from tests.conftest import make_snapshot

DOCS = Path(__file__).parent.parent / "docs"
words = st.text("abc xyz-./0129\n\té→", min_size=1, max_size=40)
findings = st.builds(
    Finding,
    severity=st.sampled_from(SEVERITIES),
    subject=words,
    consequence=words,
    fix=words,
    train=st.none() | words,
    serve=st.none() | words,
    reference=st.none() | words,
    code=st.sampled_from(["EA101", "EA201", "EA202"]),
)
SIDE = Snapshot(TargetInfo("venv", "x"), {}, (Gap("os", None, "not looked at"),))
comparisons = st.builds(
    Comparison,
    train=st.just(SIDE),
    serve=st.just(SIDE),
    findings=st.lists(findings, max_size=20).map(tuple),
    unknowns=st.lists(st.builds(Unknown, words, words, st.just("EA301")), max_size=3).map(tuple),
    drift=st.lists(
        st.builds(Drift, words, words, words, st.none() | words, st.lists(words, max_size=2)), max_size=30
    ).map(tuple),
    assumptions=st.lists(words, max_size=2).map(tuple),
)
views = st.builds(View, fail_on=st.sampled_from([*SEVERITIES, None]), color=st.booleans(), drift=st.booleans())


def render(form: str, comparison: Comparison, view: View | None = None) -> str:
    report: Report = module("reports", f"as_{form}").REPORT
    return report.render(comparison, view or View())


@given(comparisons, views)
def test_every_report_renders_anything(comparison: Comparison, view: View) -> None:
    for record in load("reports", "REPORT").values():
        assert isinstance(record, Report)
        assert record.render(comparison, view).endswith("\n")


@given(comparisons, views)
def test_json_follows_its_schema(comparison: Comparison, view: View) -> None:
    document = json.loads(render("json", comparison, view))
    jsonschema.validate(document, json.loads((DOCS / "comparison.schema.json").read_text()))
    assert document["failed"] == failed(comparison, view.fail_on)
    assert len(document["findings"]) == len(comparison.findings)


@given(comparisons, views)
def test_the_verdict_is_the_first_word(comparison: Comparison, view: View) -> None:
    first = render("text", comparison, view._replace(color=False)).splitlines()[0]
    assert first.startswith("FAIL  " if failed(comparison, view.fail_on) else "PASS  ")


@given(st.text("abcdef ", max_size=400))
def test_lines_are_at_most_80_columns_unless_a_word_is_longer(text: str) -> None:
    lines = _lines.wrap(text, "  ", "    ")
    assert " ".join(line.strip() for line in lines).split() == text.split()
    for line in lines:
        assert len(line) <= 80 or " " not in line.strip()


@pytest.mark.parametrize("count", [5, 60, 500])
def test_a_large_difference_stays_readable(count: int) -> None:
    train = make_snapshot(count)
    other = make_snapshot(count)
    newer = {
        name: Component("distribution", name, f"9.{index}", found.attributes)
        for index, (name, found) in enumerate(other.of("distribution").items())
    }
    text = render("text", compare(train, other._replace(components={**other.components, "distribution": newer})))
    lines = text.splitlines()
    assert max(len(line) for line in lines if "://" not in line and "pip install" not in line) <= 80
    assert len([line for line in lines if not line.lstrip().startswith("'")]) < 100


def test_every_finding_tells_what_will_happen_and_what_mends_it() -> None:
    found = Finding(
        "error", "numpy", "It breaks.", "pip install 'numpy==2'", "2", "1", "https://example.org", code="EA201"
    )
    text = render("text", Comparison(SIDE, SIDE, (found,), (), ()))
    for part in (
        "FAIL  1 error:",
        "ERROR EA201  numpy  2 -> 1",
        "It breaks.",
        "fix: pip install 'numpy==2'",
        "see: https://",
    ):
        assert part in text


def test_the_packages_can_be_mended_in_one_step() -> None:
    found = tuple(
        Finding("error", name, "x", f"pip install '{name}==1'", "1", "2", code="EA201")
        for name in ("numpy", "scipy", "numpy")
    )
    text = render("text", Comparison(SIDE, SIDE, found, (), ()))
    assert "  pip install 'numpy==1' 'scipy==1'\n" in text


def test_what_was_not_seen_is_told_once_per_reason() -> None:
    gaps = tuple(Gap(kind, None, "a requirements file does not say") for kind in ("os", "libc"))
    text = render("text", Comparison(SIDE._replace(gaps=()), SIDE._replace(gaps=gaps), (), (), ()))
    assert "not seen in serve: os, libc: a requirements file does not say\n" in text


def test_a_verdict_with_blind_spots_says_so_on_the_first_screen() -> None:
    unknown = Unknown("OS release", "not seen", "EA301")
    unread = SIDE._replace(gaps=(Gap("distribution", "joblib", "unreadable"),))
    finding = Finding("warning", "x", "y", "z", code="EA201")
    clean = render("text", Comparison(SIDE, SIDE, (), (), ())).splitlines()
    assert clean[:2] == ["PASS  serving has all that training used", ""]
    for blind in (
        Comparison(SIDE, SIDE, (), (unknown,), ()),
        Comparison(unread, SIDE, (), (), ()),
        Comparison(SIDE, unread, (finding,), (), ()),
    ):
        lines = render("text", blind).splitlines()
        assert "serving has all" not in lines[0]
        assert "not all was" in lines[1]


@given(comparisons)
def test_a_hostile_name_cannot_steer_the_terminal(comparison: Comparison) -> None:
    nasty = "x\x1b[2J\x07\x9b1m\r"
    found = Finding("error", nasty, nasty, nasty, nasty, nasty, nasty, code="EA201")
    hostile = comparison._replace(
        findings=(found, found._replace(severity="note")), drift=(Drift(nasty, nasty, nasty, nasty, nasty),)
    )
    text = render("text", hostile, View(drift=True))
    assert not {"\x1b", "\x07", "\x9b", "\r"} & set(text)
