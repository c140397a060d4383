"""The cheap comparison of plain versions agrees with packaging on all of them, and hands it the rest."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from envaudit.rules import _versions

NUMBERS = st.lists(st.integers(0, 30), min_size=1, max_size=5).map(lambda parts: ".".join(map(str, parts)))
ENDINGS = st.sampled_from(["", "", "a1", "rc1", ".post1", ".dev2", "b2.post1"])
VERSIONS = st.builds(
    lambda epoch, numbers, ending: epoch + numbers + ending, st.sampled_from(["", "", "1!"]), NUMBERS, ENDINGS
)


@given(VERSIONS, VERSIONS)
def test_the_order_is_that_of_packaging(left: str, right: str) -> None:
    one, two = Version(left), Version(right)
    assert _versions.compare(left, right) == (one > two) - (one < two)


@given(NUMBERS)
def test_the_release_is_that_of_packaging(version: str) -> None:
    parsed = Version(version)
    assert _versions.release(version) == (parsed.major, parsed.minor, parsed.micro)


@given(VERSIONS, VERSIONS)
def test_a_step_is_none_only_where_nothing_differs(train: str, serve: str) -> None:
    apart = _versions.step(train, serve)
    assert (apart is None) == (Version(train) == Version(serve))
    if apart is not None:
        assert apart[1] == (Version(train) > Version(serve))


@given(NUMBERS, NUMBERS, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]))
def test_ranges_read_like_specifiers(version: str, limit: str, operator: str) -> None:
    assert _versions.within(version, operator + limit) == SpecifierSet(operator + limit).contains(version)


@pytest.mark.parametrize(
    ("train", "serve", "apart"),
    [
        ("1.4.2", "1.3.2", (_versions.MINOR, True)),
        ("1.4.2", "1.5", (_versions.MINOR, False)),
        ("2", "1.26.4", (_versions.MAJOR, True)),
        ("1.4.1", "1.4.1.post1", (_versions.PATCH, False)),
        ("2.0.0rc1", "2.0.0", (_versions.PATCH, False)),
        ("1.0", "1.0.0", None),
        ("1!1.0", "2.0", (_versions.MAJOR, True)),
        ("2004d", "2005a-x", None),
        ("", "1.0", None),
    ],
)
def test_steps(train: str, serve: str, apart: tuple[int, bool] | None) -> None:
    assert _versions.step(train, serve) == apart


def test_specifiers_of_lockfiles() -> None:
    assert _versions.allowed("1.4.2", ">=1,<2") is True
    assert _versions.allowed("2.0rc1", ">=1") is True
    assert _versions.allowed("1.4.2", "<1.4") is False
    assert _versions.allowed("1.4.2", "what?") is None
    assert _versions.allowed("what?", ">=1") is None


def test_plain_versions_cost_no_import() -> None:
    """Importing packaging.version costs more than all rules together."""
    code = (
        "import sys\n"
        "from envaudit.rules import _versions as v\n"
        "v.step('1.4.2', '1.3.2'), v.within('1.4.2', '>=1,<2')\n"
        "sys.exit('packaging' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
