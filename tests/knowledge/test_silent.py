"""Known silent changes: what the entries say, when they speak, and (with the index) that they are what happens."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from envaudit import knowledge
from envaudit.artifacts import read
from envaudit.needs import Array, Global, Items, Made, Mapping, Needs, Value
from envaudit.prediction.silent import FILES, PACKAGES, changes, holds, notes
from tests.environments import environment, interpreters
from tests.knowledge.recreate import recreate

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

CHANGES = [entry for names in FILES.values() for name in names for entry in knowledge.load(name)["change"]]
NOTES = knowledge.load("silent-notes")["change"]
CASES = {
    name: case["source"]
    for name, case in tomllib.loads((Path(__file__).parent / "silent-cases.toml").read_text()).items()
}


def instance(name: str, *, module: str = "sklearn.linear_model._logistic", **state: Value) -> Made:
    made = Made("newobj", Global(module, name), [], at=7)
    made.state = Mapping(list(state.items()))
    return made


def classes(count: int) -> Array:
    array = Array("state")
    array.shape = (count,)
    return array


def artifact(*roots: Value, **versions: tuple[str, ...]) -> Needs:
    stated = {name.replace("_", "-"): found for name, found in versions.items()}
    modules = tuple(Global(name, "x") for name in PACKAGES.values())
    return Needs("pickle", "pickle.load", None, 1, 4, roots, modules, versions=stated)


def logistic(count: int = 2, **more: Value) -> Made:
    return instance("LogisticRegression", **{"multi_class": "deprecated", "classes_": classes(count), **more})


TRAIN, SERVE = {"scikit-learn": "1.5.2"}, {"scikit-learn": "1.3.2"}


def test_an_entry_says_what_it_has_to() -> None:
    required = {"at", "ways", "classes", "calls", "says", "source"}
    allowed = required | {"where", "proves", "not_in", "question", "error", "verified"}
    for entry in CHANGES:
        assert required <= entry.keys() <= allowed, entry
        assert entry["classes"]
        assert entry["says"].endswith(".")
        assert entry.get("question", "same") in ("same", "predict")
        assert ("error" in entry) == (entry.get("question") == "predict")
    for entry in NOTES:
        assert required | {"package", "kind"} <= entry.keys() <= allowed | {"package", "kind"}, entry
        assert entry["package"] in PACKAGES
        assert entry["kind"] in ("rare", "refit", "features")
        assert (entry["kind"] == "features") == (not entry["classes"])


@pytest.mark.parametrize("entry", CHANGES + NOTES, ids=lambda entry: f"{entry['at']}-{'-'.join(entry['classes'])}")
def test_ways_and_conditions_can_be_read(entry: dict[str, Any]) -> None:
    """No version lies on both sides of a way, and what was verified lies on one."""
    Version(entry["at"])
    ways = [tuple(map(SpecifierSet, way.split(" -> "))) for way in entry["ways"]]
    for way in entry["ways"]:
        edges = {Version(clause.strip().lstrip("<>=")) for side in way.split(" -> ") for clause in side.split(",")}
        assert not [edge for edge in edges if all(edge in side for side in map(SpecifierSet, way.split(" -> ")))]
    for pair in entry.get("verified", ()):
        train, serve = pair.split(" -> ")
        assert any(train in one and serve in two for one, two in ways), pair
    assert holds(entry.get("where", "True"), {}) is ("where" not in entry), "nothing stored, nothing known"


def test_a_change_is_told_with_its_evidence() -> None:
    (reason,) = changes(artifact(logistic()), TRAIN, SERVE)
    assert (reason.question, reason.value, reason.how) == ("same", "no", "likely")
    assert (reason.cause, reason.subject) == ("known-change", "LogisticRegression")
    assert reason.fix == "pip install 'scikit-learn==1.5.2'"
    assert reason.reference == "https://github.com/scikit-learn/scikit-learn/pull/28703"
    assert any("byte 7" in line for line in reason.evidence)


@pytest.mark.parametrize(
    ("model", "train", "serve"),
    [
        (logistic(), "1.5.2", "1.5.0"),  # both on one side
        (logistic(), "1.3.2", "1.5.2"),  # the other way
        (logistic(3, solver="lbfgs"), "1.5.2", "1.3.2"),  # more than two classes were multinomial already
        (logistic(multi_class="ovr"), "1.5.2", "1.3.2"),  # a value that both know
        (instance("LogisticRegression", multi_class="deprecated"), "1.5.2", "1.3.2"),  # not fitted
        (
            instance("LogisticRegression", module="mine", multi_class="deprecated", classes_=classes(2)),
            "1.5.2",
            "1.3.2",
        ),
        (logistic(multi_class=Made("reduce", Global("numpy", "str_"), [])), "1.5.2", "1.3.2"),  # value not known
    ],
)
def test_silence_where_nothing_changes(model: Made, train: str, serve: str) -> None:
    assert changes(artifact(model), {"scikit-learn": train}, {"scikit-learn": serve}) == ()


def test_versions_may_be_missing() -> None:
    found = artifact(logistic())
    assert changes(found, TRAIN, {}) == ()
    assert changes(found, {}, SERVE), "the stored value itself proves that 1.5 or newer wrote it"
    trees = artifact(instance("ExtraTreeClassifier", tree_=instance("Tree")))
    assert changes(trees, {}, {"scikit-learn": "1.5.2"}) == ()
    assert changes(trees, {"scikit-learn": "1.3.2"}, {"scikit-learn": "1.5.2"})
    assert changes(trees._replace(versions={"scikit-learn": ("1.3.2",)}), {}, {"scikit-learn": "1.5.2"})


def test_the_version_in_the_state_counts_more_than_the_claim() -> None:
    model = artifact(logistic(_sklearn_version="1.5.0"))
    (reason,) = changes(model, {"scikit-learn": "1.2.2"}, SERVE)
    assert reason.fix == "pip install 'scikit-learn==1.5.0'"


def test_a_container_may_not_use_what_changed() -> None:
    model = logistic()
    steps = Items("list", [Items("tuple", ["model", model])])
    assert changes(artifact(instance("Pipeline", steps=steps)), TRAIN, SERVE)
    assert changes(artifact(instance("SelectFromModel", estimator_=model)), TRAIN, SERVE) == ()
    assert changes(artifact(instance("VotingClassifier", voting="hard", estimators_=steps)), TRAIN, SERVE) == ()
    assert changes(artifact(instance("VotingClassifier", voting="soft", estimators_=steps)), TRAIN, SERVE)
    both = Items("tuple", [instance("SelectFromModel", estimator_=model), model])
    assert len(changes(artifact(both), TRAIN, SERVE)) == 1, "shared: once beneath a container, once beside it"


def test_cycles_and_depth_end() -> None:
    loop = logistic()
    assert isinstance(loop.state, Mapping)
    loop.state.pairs.append(("self", loop))
    deep: Value = loop
    for _ in range(20_000):
        deep = Items("list", [deep])
    assert len(changes(artifact(deep), TRAIN, SERVE)) == 1


def test_notes_are_told_apart() -> None:
    model = artifact(instance("Ridge", coef_=1.0))
    old, new = {"scikit-learn": "1.1.3", "pandas": "1.5.3"}, {"scikit-learn": "1.3.2", "pandas": "2.2.3"}
    assert changes(model, old, new) == ()
    told = notes(model, old, new)
    assert [line.split(": ")[0] for line in told] == [
        "scikit-learn 1.1.3 -> 1.3.2, refit",
        "pandas 1.5.3 -> 2.2.3, features",
    ]
    assert notes(model, new, new) == ()


def test_conditions() -> None:
    state: dict[str, Value] = {"a": 1, "s": "x", "n": None, "m": logistic(), "l": Items("list", [1, 2], 2)}
    for yes in (
        'a == 1 and s in ("x", "y")',
        "n == None",
        "size(l) > 1",
        'kind(m) == "LogisticRegression"',
        "not a == 2",
        "stored(a) and not stored(b)",
        'm.multi_class == "deprecated"',
        "b == 1 or a == 1",
    ):
        assert holds(yes, state), yes
    for no in ("a == 2", "b == 1", "not b == 1", "s > 1", "size(a) > 0", "m == 1", "a.b == 1", "b == 1 and a == 1"):
        assert not holds(no, state), no


@pytest.mark.network
@pytest.mark.parametrize(
    ("train", "serve"),
    [("1.5.2", "1.3.2"), ("1.3.2", "1.5.2"), ("1.5.2", "1.7.2"), ("1.7.2", "1.9.1"), ("1.7.2", "1.5.2")],
)
def test_what_is_told_is_what_happens(train: str, serve: str, tmp_path: Path) -> None:
    """Fitted and stored in one real environment, called in the other: told exactly where the answers differ."""
    python = interpreters().get("3.11")
    if python is None:
        pytest.skip("these releases need Python 3.11")
    folders = [environment(f"scikit-learn=={version}", "numpy==1.26.4", python=python) for version in (train, serve)]
    (outcomes,) = recreate(CASES, folders[0], folders[1], keep=tmp_path)
    told, happened = set(), set()
    for name, calls in outcomes.items():
        errors = [outcome for outcome in calls.values() if outcome != "same" and not outcome.startswith("differs")]
        if errors:  # it fails there, or could not be fitted: whether it answers the same is no question
            continue
        if set(calls.values()) != {"same"}:
            happened.add(name)
        if changes(read(str(tmp_path / f"{name}.pickle")), {"scikit-learn": train}, {"scikit-learn": serve}):
            told.add(name)
    assert told == happened
    assert happened
