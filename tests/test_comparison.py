"""The comparison itself: nothing differs silently, nothing differs from itself, order plays no part."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envaudit import comparison, store
from envaudit.model import Component, Drift, Gap, Json, Snapshot, TargetInfo
from tests.conftest import make_snapshot

names = st.sampled_from(["a", "b", "c"])
values = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from(["x", "y", "not present"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(names, inner, max_size=2),
    max_leaves=5,
)
# A component leaves out what it has no value for; None occurs only deeper down.
attributes = st.dictionaries(names, values.filter(lambda value: value is not None), max_size=2)
components = st.dictionaries(names, st.tuples(st.sampled_from([None, "1", "2"]), attributes))


def snapshot(kinds: dict[str, dict[str, tuple[str | None, dict[str, Json]]]], gaps: tuple[Gap, ...] = ()) -> Snapshot:
    return Snapshot(
        TargetInfo("venv", "x"),
        {
            kind: {name: Component(kind, name, version, attributes) for name, (version, attributes) in found.items()}
            for kind, found in kinds.items()
        },
        gaps,
    )


# Kinds of which no rule knows, so that everything has to come out as drift.
snapshots = st.dictionaries(st.sampled_from(["gizmo", "widget"]), components, max_size=2).map(snapshot)


@given(snapshots)
def test_nothing_differs_from_itself(one: Snapshot) -> None:
    result = comparison.compare(one, one)
    assert (result.findings, result.unknowns, result.drift) == ((), (), ())


@given(snapshots, snapshots)
def test_nothing_differs_silently(train: Snapshot, serve: Snapshot) -> None:
    told = {(item.kind, item.name) for item in comparison.compare(train, serve).drift}
    for kind in train.components.keys() & serve.components.keys():
        for name in train.of(kind).keys() | serve.of(kind).keys():
            left, right = train.of(kind).get(name), serve.of(kind).get(name)
            assert ((kind, name) in told) == (left != right)


@given(snapshots, snapshots, st.randoms(use_true_random=False))
def test_order_plays_no_part(train: Snapshot, serve: Snapshot, shuffler: random.Random) -> None:
    def shuffled(one: Snapshot) -> Snapshot:
        kinds = list(one.components.items())
        shuffler.shuffle(kinds)
        mixed = {}
        for kind, found in kinds:
            items = list(found.items())
            shuffler.shuffle(items)
            mixed[kind] = dict(items)
        return one._replace(components=mixed)

    straight, mixed = comparison.compare(train, serve), comparison.compare(shuffled(train), shuffled(serve))
    assert straight.drift == mixed.drift
    assert straight.findings == mixed.findings


def test_structures_are_told_by_their_leaves() -> None:
    train = snapshot({"gizmo": {"g": ("1", {"a": {"deep": {"x": 1, "same": 2}}, "where": "/here"})}})
    serve = snapshot({"gizmo": {"g": ("1", {"a": {"deep": {"x": 3, "same": 2, "new": [1]}}, "where": "/there"})}})
    assert comparison.compare(train, serve).drift == (
        Drift("gizmo", "g", "a.deep.new", None, [1]),
        Drift("gizmo", "g", "a.deep.x", 1, 3),
    )


def test_provenance_never_counts_at_any_depth() -> None:
    def one(where: str) -> Snapshot:
        nested = [{"version": "1", "where": where}]
        return snapshot({"gizmo": {"g": ("1", {"created": where, "copies": nested, "x": {"where": where}})}})

    assert comparison.compare(one("/a"), one("/b")).drift == ()


def test_what_was_not_seen_is_no_difference() -> None:
    train = snapshot({"gizmo": {"g": ("1", {})}})
    blind = snapshot({}, (Gap("gizmo", None, "not looked at"),))
    partly = snapshot({"gizmo": {}}, (Gap("gizmo", "g", "unreadable"),))
    absent = snapshot({"gizmo": {}})
    assert comparison.compare(train, blind).drift == ()
    assert comparison.compare(train, partly).drift == ()
    assert comparison.compare(train, absent).drift == (Drift("gizmo", "g", "", "1", None),)


@pytest.mark.parametrize("kind", ["gizmo", "distribution"])
def test_three_answers_never_two(kind: str) -> None:
    seen = snapshot({kind: {"g": ("1", {})}}, (Gap(kind, "h", "unreadable"),))
    assert isinstance(seen.find(kind, "g"), Component)
    assert seen.find(kind, "other") is None
    assert seen.find(kind, "h") == Gap(kind, "h", "unreadable")
    assert isinstance(seen.find("elsewhere", "g"), Gap)


def test_the_answer_depends_neither_on_hash_seed_nor_on_locale_nor_on_time(tmp_path: Path) -> None:
    paths = [str(tmp_path / "train.json"), str(tmp_path / "serve.json")]
    store.write(make_snapshot(60), paths[0])
    store.write(make_snapshot(60, serving=True), paths[1])
    answers = set()
    for environ in (
        {"PYTHONHASHSEED": "0", "LC_ALL": "C", "TZ": "UTC"},
        {"PYTHONHASHSEED": "1", "LC_ALL": "C.UTF-8", "TZ": "Asia/Tokyo"},
        {"PYTHONHASHSEED": "2", "LC_ALL": "de_DE.UTF-8", "LANGUAGE": "de"},
    ):
        for form in ("text", "json"):
            done = subprocess.run(
                [sys.executable, "-m", "envaudit", "compare", *paths, "--format", form, "--drift"],
                capture_output=True,
                check=False,
                env={**os.environ, **environ},
            )
            assert done.stderr == b""
            answers.add((form, done.returncode, done.stdout))
    assert len(answers) == 2


def test_what_a_lockfile_cannot_tell_is_no_difference() -> None:
    installed = snapshot({"gizmo": {"g": ("1", {"build": "1", "label": "a"})}})
    declared = snapshot({"gizmo": {"g": ("1", {"hashes": ["x"], "label": "b"})}})
    declared = declared._replace(target=TargetInfo("requirements", "r.txt"))
    assert comparison.compare(installed, declared).drift == (Drift("gizmo", "g", "label", "a", "b"),)
    assert len(comparison.compare(installed, declared._replace(target=TargetInfo("venv", "v"))).drift) == 3


def test_a_lockfile_is_mended_by_a_line_in_it() -> None:
    train = snapshot({"distribution": {"scikit-learn": ("1.4.2", {})}})
    serve = snapshot({"distribution": {"scikit-learn": ("1.2.2", {})}})
    assert [one.fix for one in comparison.compare(train, serve).findings] == ["pip install 'scikit-learn==1.4.2'"]
    declared = serve._replace(target=TargetInfo("requirements", "requirements.txt"))
    (finding,) = comparison.compare(train, declared).findings
    assert finding.fix == "write scikit-learn==1.4.2 into requirements.txt"
