"""Conditional lines settled for a known Python; packaging's own evaluation is the oracle where all is known."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.markers import Marker, default_environment

from envaudit.collectors.requirements import COLLECTOR, collect
from envaudit.evidence import Evidence, RequirementLine
from envaudit.markers import environment, holds, settle
from envaudit.model import Component, Gap, Json, Snapshot, TargetInfo
from envaudit.take import interpret, take

FIXTURES = Path(__file__).parents[2] / "fixtures" / "lockfiles"
FACTS = {
    "implementation_name": "cpython",
    "implementation_version": "3.11.7",
    "os_name": "posix",
    "platform_machine": "x86_64",
    "platform_python_implementation": "CPython",
    "platform_system": "Linux",
    "python_full_version": "3.11.7",
    "python_version": "3.11",
    "sys_platform": "linux",
}


def live(version: str = "3.11.7", reference: str = "train.json", **others: str) -> Snapshot:
    """A snapshot of a live environment with nothing but its platform."""
    attributes: dict[str, Json] = {"implementation": "cpython", "platform": "linux", **others}
    return Snapshot(
        TargetInfo("venv", reference),
        {
            "python": {"python": Component("python", "python", version, attributes)},
            "machine": {"machine": Component("machine", "machine", None, {"architecture": "x86_64"})},
            "kernel": {"kernel": Component("kernel", "kernel", "6.1.0", {"system": "Linux"})},
        },
    )


def locked(*texts: str, constraints: tuple[str, ...] = (), complete: bool = True) -> Snapshot:
    """The snapshot of a requirements file."""
    lines = [RequirementLine("r.txt", number, text) for number, text in enumerate(texts, 1)]
    lines += [RequirementLine("c.txt", number, text, True) for number, text in enumerate(constraints, 1)]
    if complete:
        lines.append(RequirementLine("r.txt", 99, "--require-hashes"))
    evidence = Evidence(offers=frozenset({"requirements"}), requirements=tuple(lines))
    return Snapshot(TargetInfo("requirements", "r.txt"), *interpret(evidence, [COLLECTOR]))


def settled(*texts: str, python: str = "3.11.7", **others: tuple[str, ...]) -> dict[str, str | None]:
    """name -> version or specifier."""
    side, _ = settle(locked(*texts, **others), live(python))  # type: ignore[arg-type]
    return {
        name: one.version or one.attributes.get("specifier", "any") for name, one in side.of("distribution").items()
    }


def test_the_environment_of_a_snapshot() -> None:
    assert environment(live()) == FACTS


@pytest.mark.parametrize(
    ("version", "others", "expected"),
    [
        ("3.14.0rc1", {}, {"python_version": "3.14", "python_full_version": "3.14.0rc1"}),
        (
            "3.10.13",
            {"implementation": "pypy", "implementation_version": "7.3.13"},
            {"implementation_version": "7.3.13", "platform_python_implementation": "PyPy"},
        ),
        ("3.11.7", {"platform": "win32"}, {"os_name": "nt", "sys_platform": "win32"}),
    ],
)
def test_other_environments(version: str, others: dict[str, str], expected: dict[str, str]) -> None:
    assert expected.items() <= environment(live(version, **others)).items()


def test_this_interpreter_sees_itself_as_packaging_does() -> None:
    known = environment(take("here://"))
    assert known == {name: value for name, value in default_environment().items() if name in FACTS}


def test_without_a_python_nothing_is_known() -> None:
    assert environment(locked("a")) == {}
    lock = take(str(FIXTURES / "written" / "pylock.features.toml"))
    assert environment(lock) == {}


@pytest.mark.parametrize(
    ("marker", "expected"),
    [
        ("", True),
        ("python_version < '3.9'", False),
        ("python_version >= '3.9'", True),
        ("'3.9' <= python_version", True),
        ("python_version not in '3.9 3.10'", True),
        ("python_full_version ~= '3.11.2'", True),
        ("sys.platform == 'linux' and os.name == 'posix'", True),
        ("python_implementation == 'CPython'", True),
        ("python_version < '3' or (os_name == 'posix' and platform_machine == 'x86_64')", True),
        ("extra == 'plot'", False),
        ("extra != 'plot'", True),
        ("'plot' in extras", False),
        ("'dev' not in dependency_groups", True),
        ("platform_release >= '5'", None),
        ("'Debian' in platform_version", None),
        ("platform_release >= '5' and python_version < '3'", False),
        ("platform_release >= '5' and python_version > '3'", None),
        ("platform_release >= '5' or python_version > '3'", True),
        ("platform_release >= '5' or python_version < '3'", None),
        ("python_version < '3' and platform_release >= '5' or os_name == 'posix'", True),
        ("python_version ~= 'nonsense'", None),
        ("nonsense", None),
        ("(python_version > '3'", None),
        ("python_version > '3')", None),
        ("python_version ? '3'", None),
        ("nonsense == 'x'", None),
        ("(" * 3000, None),
    ],
)
def test_three_answers(marker: str, expected: bool | None) -> None:
    assert holds(marker, FACTS) is expected


_VARIABLES = ["python_version", "python_full_version", "sys_platform", "os_name", "platform_machine"]
_VALUES = ["3", "3.9", "3.11", "3.11.7", "3.12", "linux", "posix", "x86_64", "win32"]
_ATOMS = st.builds(
    "{} {} '{}'".format,
    st.sampled_from(_VARIABLES),
    st.sampled_from(["==", "!=", "<", "<=", ">", ">=", "in", "not in"]),
    st.sampled_from(_VALUES),
)
_MARKERS = st.recursive(
    _ATOMS,
    lambda inner: (
        st.builds("{} and {}".format, inner, inner)
        | st.builds("{} or {}".format, inner, inner)
        | st.builds("({})".format, inner)
    ),
    max_leaves=6,
)


@given(marker=_MARKERS)
def test_it_agrees_with_packaging_where_all_is_known(marker: str) -> None:
    expected = Marker(marker).evaluate(FACTS)
    assert holds(marker, FACTS) is expected
    assert holds(str(Marker(marker)), FACTS) is expected


@given(marker=_MARKERS, hidden=st.sets(st.sampled_from(_VARIABLES)), version=st.sampled_from(["3.8.1", "3.11.7"]))
def test_what_is_decided_without_a_fact_stays_so_whatever_the_fact(marker: str, hidden: set[str], version: str) -> None:
    known = {name: value for name, value in FACTS.items() if name not in hidden}
    answer = holds(marker, known)
    if answer is not None:
        whole = {**FACTS, **dict.fromkeys(hidden & {"sys_platform", "os_name", "platform_machine"}, "other")}
        if "python_full_version" in hidden:
            whole["python_full_version"] = version
        assert holds(marker, whole) is answer
    assert hidden or answer is not None


def test_a_side_without_candidates_comes_back_as_it_is() -> None:
    side = locked("numpy==1")
    assert settle(side, live()) == (side, ())
    assert settle(side, live())[0] is side
    assert settle(live(), side) == (live(), ())


def test_a_quick_return_loads_no_packaging() -> None:
    code = (
        "import sys; from envaudit import markers; from envaudit.model import *;"
        "empty = Snapshot(TargetInfo('venv', ''), {'distribution': {}});"
        "markers.settle(empty, empty); print([name for name in sys.modules if name.startswith('packaging')])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_lines_are_settled_for_the_other_side() -> None:
    texts = ("a==1; python_version < '3.12'", "a==2; python_version >= '3.12'", "b; sys_platform == 'win32'", "c==3")
    assert settled(*texts) == {"a": "1", "c": "3"}
    assert settled(*texts, python="3.12.1") == {"a": "2", "c": "3"}


def test_a_line_that_does_not_hold_is_observed_absent() -> None:
    side, _ = settle(locked("b; sys_platform == 'win32'"), live())
    assert side.find("distribution", "b") is None
    assert side.components["distribution"] == {}


def test_in_an_incomplete_file_it_stays_not_seen() -> None:
    side, _ = settle(locked("b; sys_platform == 'win32'", complete=False), live())
    assert isinstance(side.find("distribution", "b"), Gap)
    assert "distribution" not in side.components


def test_all_lines_that_hold_narrow_together() -> None:
    texts = ("a>=1", "a<2; python_version < '3.12'", "a[x]; os_name == 'posix'")
    side, _ = settle(locked(*texts), live())
    assert side.of("distribution")["a"].attributes == {"specifier": "<2,>=1", "extras": ["x"]}


def test_constraints_that_hold_narrow_and_never_require() -> None:
    constraints = ("a==1.5; python_version < '3.12'", "b==1; python_version < '3.12'")
    assert settled("a>=1", "b>=1; os_name == 'nt'", constraints=constraints) == {"a": "1.5"}
    assert settled("a>=1", constraints=constraints, python="3.13.0") == {"a": ">=1"}


def test_a_constraint_that_cannot_be_judged_does_not_bring_back_what_is_not_required() -> None:
    assert settled("a; os_name == 'nt'", constraints=("a==1; platform_release > '5'",)) == {}


def test_what_was_assumed_is_said_once_and_only_where_it_mattered() -> None:
    expected = "conditional lines of r.txt were read for the Python of train.json: 3.11.7 on linux x86_64"
    assert settle(locked("a; python_version < '3'", "b; os_name == 'nt'"), live())[1] == (expected,)
    assert settle(locked("a; extra == 'x'"), live())[1] == ()
    assert "of here: " in settle(locked("a; os_name == 'nt'"), live()._replace(target=TargetInfo("here", "")))[1][0]


def test_a_side_that_knows_its_own_python_borrows_nothing() -> None:
    lock = locked("a==1; python_version < '3.12'", "a==2; python_version >= '3.12'")
    side = lock._replace(components={**lock.components, **live("3.13.0").components})
    found, assumptions = settle(side, live("3.8.0"))
    assert found.of("distribution")["a"].version == "2"
    assert assumptions == ()


def test_without_any_python_a_conditional_name_is_not_seen() -> None:
    side = locked("a; python_version < '3'", "b==1", "c; extra == 'x'", "d==1; extra != 'x'")
    found, assumptions = settle(side, side)
    assert found.gaps == (Gap("distribution", "a", 'its line depends on python_version < "3", and no Python is known'),)
    assert list(found.of("distribution")) == ["b", "d"]
    assert assumptions == ()


@pytest.mark.parametrize(
    ("marker", "reason"),
    [
        ('platform_release >= "5"', 'its line depends on platform_release >= "5", and platform_release is not known'),
        ('python_version ~= "x"', 'its line depends on python_version ~= "x", which cannot be evaluated'),
    ],
)
def test_what_cannot_be_judged_is_not_seen(marker: str, reason: str) -> None:
    side, _ = settle(locked(f"a==1; {marker}"), live())
    assert side.find("distribution", "a") == Gap("distribution", "a", reason)


def test_lines_that_contradict_each_other_there_are_not_seen() -> None:
    side, _ = settle(locked("a==1; python_version < '4'", "a==2; python_version > '3'"), live())
    assert side.find("distribution", "a") == Gap(
        "distribution", "a", "its lines contradict each other there: ==1 and ==2"
    )


def test_groups_and_extras_of_a_pylock_take_their_defaults() -> None:
    lock = take(str(FIXTURES / "written" / "pylock.features.toml"))
    found, assumptions = settle(lock, live())
    assert list(found.of("distribution")) == ["fraud", "from-archive", "from-git", "numpy", "torch", "uvicorn"]
    numpy = found.of("distribution")["numpy"]
    assert (numpy.version, numpy.attributes) == ("1.26.4", {"hashes": ["sha256:aa", "sha256:bb"]})
    assert "groups" not in found.of("distribution")["uvicorn"].attributes
    assert len(assumptions) == 1


@pytest.mark.parametrize(("python", "version"), [("3.10.4", "3.4.2"), ("3.11.7", "3.6.1"), ("3.12.1", "3.7")])
@pytest.mark.parametrize("name", ["requirements-export.txt", "pylock.export.toml"])
def test_what_uv_exported_for_several_pythons(name: str, python: str, version: str) -> None:
    side, _ = settle(take(str(FIXTURES / "made" / name)), live(python))
    assert side.of("distribution")["networkx"].version == version
    assert ("tomli" in side.of("distribution")) is (python == "3.10.4")
    assert side.find("distribution", "colorama") is None


def test_packaging_selects_the_same_of_what_uv_exported() -> None:
    from packaging.pylock import Pylock

    from envaudit.targets import pylock as target

    path = str(FIXTURES / "made" / "pylock.export.toml")
    lock = Pylock.from_dict(target._parse(Path(path).read_bytes(), path))
    selected = {package.name: package.version and str(package.version) for package, _ in lock.select()}
    side, _ = settle(take(path), take("here://"))
    assert {name: one.version for name, one in side.of("distribution").items()} == selected


def test_an_edited_snapshot_does_not_crash() -> None:
    hostile: list[Json] = [{"marker": "python_version ~= x", "version": "1"}]
    side = Snapshot(
        TargetInfo("requirements", "r.txt"),
        {"distribution": {"a": Component("distribution", "a", None, {"candidates": hostile})}},
    )
    assert isinstance(settle(side, live())[0].find("distribution", "a"), Gap)


def test_the_collector_is_the_one_that_take_runs() -> None:
    assert COLLECTOR.collect is collect
