"""Every rule against its cases in ``cases/<code>.toml``, and what must hold for all rules at once."""

from __future__ import annotations

import random
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from envaudit import registry, rules
from envaudit.model import SEVERITIES, Answer, Component, Finding, Gap, Reason, Snapshot, TargetInfo, Unknown, Verdict

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

CASES = Path(__file__).parent / "cases"
MODULES = registry.module_names("rules")
NEVER_UNKNOWN = {
    # One rule speaks for each kind that could not be looked at, so that a report does not say it five times.
    "EA102": "EA101 tells that the Python was not seen",
    "EA103": "EA101 tells that the Python was not seen",
    "EA104": "EA101 tells that the Python was not seen",
    "EA105": "EA101 tells that the Python was not seen",
    "EA203": "EA202 tells that packages were not seen",
    "EA204": "EA202 tells that packages were not seen",
    "EA205": "EA202 tells that packages were not seen",
    "EA206": "EA202 tells that packages were not seen",
    "EA207": "EA202 tells that packages were not seen",
    "EA208": "EA202 tells that packages were not seen",
    "EA209": "EA202 tells that packages were not seen",
    "EA303": "EA302 tells that the C library was not seen",
    "EA211": "EA202 tells that packages were not seen",
    "EA305": "EA301 tells that the operating system was not seen",
    "EA502": "EA501 tells that settings were not seen",
    "EA601": "EA202 tells that packages were not seen",
    "EA602": "what a target is named by is always known",
    "EA604": "only an image tells its user, and all of them do",
    "EA605": "only an image has such an environment, and all of them tell it",
}

Case = dict[str, Any]


def check(module: str, train: Snapshot, serve: Snapshot) -> list[Finding | Unknown]:
    record = cast(rules.Rule, registry.load("rules", "RULE")[module])
    return list(record.check(train, serve))


def judge(module: str, verdict: Verdict | None) -> list[Finding | Unknown]:
    record = cast(rules.Rule, registry.load("rules", "RULE")[module])
    return [] if verdict is None else list(record.judge(verdict))


def verdict_of(case: Case) -> Verdict | None:
    """The verdict of a case about a model file."""
    if "answers" not in case:
        return None
    load, predict, same = (Answer(value, "proved") for value in case["answers"])
    reasons = tuple(Reason(how="proved", **reason) for reason in case.get("reasons", ()))
    return Verdict("model.joblib", "serve", load, predict, same, reasons)


def snapshot(side: dict[str, dict[str, dict[str, Any]]], gaps: list[list[str]], target: tuple[str, str]) -> Snapshot:
    """The compact form of a case as a snapshot."""
    components = {
        kind: {
            name: Component(
                kind, name, values.get("version"), {key: item for key, item in values.items() if key != "version"}
            )
            for name, values in names.items()
        }
        for kind, names in side.items()
    }
    return Snapshot(
        TargetInfo(*target),
        components,
        tuple(Gap(kind, None if name == "*" else name, reason) for kind, name, reason in gaps),
    )


def sides(case: Case) -> tuple[Snapshot, Snapshot]:
    return (
        snapshot(case.get("train", {}), case.get("train_gaps", []), case.get("train_target", ("case", "case"))),
        snapshot(case.get("serve", {}), case.get("serve_gaps", []), case.get("serve_target", ("case", "case"))),
    )


def cases_of(code: str) -> list[Case]:
    return cast(list[Case], tomllib.loads((CASES / f"{code}.toml").read_text("utf-8"))["case"])


def all_cases() -> Iterator[Any]:
    for path in sorted(CASES.glob("*.toml")):
        for case in cases_of(path.stem):
            yield pytest.param(path.stem, case, id=f"{path.stem}-{case['name'].replace(' ', '-')}")


ALL = list(all_cases())


def module_of(code: str) -> str:
    return next(module for module in MODULES if rules.code_of(module) == code)


def fits(result: Finding | Unknown, wanted: dict[str, str]) -> bool:
    for key, text in wanted.items():
        value = getattr(result, key, None)
        if key in ("severity", "subject", "train", "serve"):
            if value != text:
                return False
        elif text not in (value or ""):
            return False
    return True


@pytest.mark.parametrize(("code", "case"), ALL)
def test_case(code: str, case: Case) -> None:
    results = check(module_of(code), *sides(case)) + judge(module_of(code), verdict_of(case))
    expected = case.get("expect", [])
    kind = {"fires": Finding, "unknown": Unknown, "silent": ()}[case["outcome"]]
    assert all(isinstance(result, kind) for result in results), results  # type: ignore[arg-type]
    assert len(results) == len(expected), results
    for wanted in expected:
        assert any(fits(result, wanted) for result in results), (wanted, results)


@pytest.mark.parametrize(("code", "case"), ALL)
def test_a_snapshot_does_not_differ_from_itself(code: str, case: Case) -> None:
    for side in sides(case):
        for module in MODULES:
            assert check(module, side, side) == []


@pytest.mark.parametrize(("code", "case"), ALL)
def test_findings_are_complete(code: str, case: Case) -> None:
    train, serve = sides(case)
    told = Counter[object]()
    for module in MODULES:
        for result in check(module, train, serve) + judge(module, verdict_of(case)):
            if isinstance(result, Unknown):
                assert result.subject
                assert result.reason
                continue
            assert result.severity in SEVERITIES
            assert result.subject
            assert result.consequence.endswith((".", "?")), result.consequence
            assert len(result.consequence) < 700
            assert result.fix
            assert "\n" not in result.consequence + result.fix
            assert result.reference is None or result.reference.startswith("https://")
            for kind, name, attribute in result.covers:
                names = train.of(kind).keys() | serve.of(kind).keys()
                assert name == "*" or name in names, (kind, name)
                assert attribute
            told[result.subject, frozenset(result.covers)] += 1
    assert not [key for key, count in told.items() if count > 1]


@pytest.mark.parametrize(("code", "case"), ALL)
def test_order_does_not_matter(code: str, case: Case) -> None:
    train, serve = sides(case)
    dice = random.Random(7)

    def shuffled(side: Snapshot) -> Snapshot:
        components = {}
        for kind in dice.sample(list(side.components), len(side.components)):
            names = side.components[kind]
            components[kind] = {
                name: names[name]._replace(
                    attributes=dict(dice.sample(list(names[name].attributes.items()), len(names[name].attributes)))
                )
                for name in dice.sample(list(names), len(names))
            }
        return side._replace(components=components)

    for module in MODULES:
        assert check(module, shuffled(train), shuffled(serve)) == check(module, train, serve)


def test_rules_hold_on_any_mixture_of_cases() -> None:
    """Sides of different cases put together: nothing fails, and nothing is said twice."""
    everything = [sides(case.values[1]) for case in ALL]
    dice = random.Random(11)

    def mixed(which: int) -> Snapshot:
        components: dict[str, dict[str, Component]] = {}
        gaps: list[Gap] = []
        for pair in dice.sample(everything, 12):
            for kind, names in pair[which].components.items():
                components.setdefault(kind, {}).update(names)
            gaps += pair[which].gaps
        return Snapshot(TargetInfo("case", "case"), components, tuple(dice.sample(gaps, len(gaps) // 2)))

    for _ in range(300):
        train, serve = mixed(dice.randrange(2)), mixed(dice.randrange(2))
        told = Counter[object]()
        for module in MODULES:
            assert check(module, train, train) == []
            for result in check(module, train, serve):
                if isinstance(result, Finding):
                    told[module, result.subject, result.covers] += 1
                    assert all(
                        name == "*" or name in {**train.of(kind), **serve.of(kind)} for kind, name, _ in result.covers
                    )
                else:
                    told[module, result.subject, result.reason] += 1
        assert not [key for key, count in told.items() if count > 1]


@pytest.mark.parametrize("module", MODULES)
def test_every_rule_has_cases(module: str) -> None:
    code = rules.code_of(module)
    outcomes = {case["outcome"] for case in cases_of(code)}
    assert {"fires", "silent"} <= outcomes
    assert ("unknown" in outcomes) != (code in NEVER_UNKNOWN)


def test_every_case_has_a_rule() -> None:
    assert sorted(path.stem for path in CASES.glob("*.toml")) == sorted(map(rules.code_of, MODULES))


def test_every_reason_of_a_verdict_is_told_by_exactly_one_rule() -> None:
    causes = {reason["cause"] for case in ALL for reason in case.values[1].get("reasons", ())}
    for cause in causes | {"crash", "time-out", "exception", "of-tomorrow"}:
        reason = Reason("load", "no", "likely", cause, "Error: text", "", subject="x")
        no = Answer("no", "likely")
        found = [result for module in MODULES for result in judge(module, Verdict("m", "t", no, no, no, (reason,)))]
        assert len(found) == 1, cause


def test_codes_are_unique() -> None:
    codes = [rules.code_of(module) for module in MODULES]
    assert len(set(codes)) == len(codes)
    assert all(code[:2] == "EA" and code[2:].isdecimal() and len(code) == 5 for code in codes)
