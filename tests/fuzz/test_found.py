"""Inputs that were found while fuzzing snapshots and lock files: one line of an error, soon."""

from __future__ import annotations

from pathlib import Path

import pytest

from envaudit import store
from envaudit.errors import LockfileError, SnapshotError
from envaudit.take import take

MANY = 400_000
DEEP = 400
HEAD = '{"envaudit_snapshot":1,"target":{"kind":"venv","reference":"v"},"components":'
NESTED = {
    "an attribute": HEAD + '{"distribution":{"a":{"version":"1","x":' + "[" * DEEP + "]" * DEEP + "}}}}",
    "needs": HEAD
    + '{},"artifacts":[{"file":"a","sha256":"b","size":1,"loader":"x","needs":{"a":'
    + '{"a":' * DEEP
    + "1"
    + "}" * DEEP
    + "}}]}",
    "components": HEAD + '{"a":' * DEEP + "1" + "}" * DEEP + "}",
}


@pytest.mark.parametrize("name", NESTED)
def test_a_snapshot_that_nests_deeply(name: str) -> None:
    with pytest.raises(SnapshotError, match="nested too deeply"):
        store.loads(NESTED[name].encode())


def test_a_snapshot_that_nests_where_something_else_is_expected() -> None:
    with pytest.raises(SnapshotError, match="an object is expected"):
        store.loads((HEAD + "[" * 900 + "]" * 900 + "}").encode())


REQUIREMENTS = {
    "blanks": "a" + " " * MANY + "b\n",
    "tabs before a marker": "a==1" + "\t " * MANY + ";\n",
    "ands": "a; " + 'python_version>"3" and ' * MANY + 'python_version>"3"',
    "a local version": "a==1.0+" + "a." * MANY,
    "an include without an end": '-r "' + "a " * MANY,
    "lines": "a==1\n" * MANY,
}


@pytest.mark.parametrize("name", REQUIREMENTS)
def test_requirements_without_end(name: str, tmp_path: Path) -> None:
    path = tmp_path / "requirements.txt"
    path.write_text(REQUIREMENTS[name])
    with pytest.raises(LockfileError, match=r"requirements.txt:\d+: ") as caught:
        take(f"requirements://{path}")
    assert len(str(caught.value)) < 500


def test_an_included_name_with_control_characters_is_quoted(tmp_path: Path) -> None:
    path = tmp_path / "requirements.txt"
    path.write_text("-r \x1b[2Jbase.txt\n")
    with pytest.raises(LockfileError, match="is no file name") as caught:
        take(f"requirements://{path}")
    assert str(caught.value).isprintable()


def test_blanks_before_a_requirement_are_none_of_it(tmp_path: Path) -> None:
    path = tmp_path / "requirements.txt"
    path.write_text(" " * MANY + "six==1.16.0  " + " " * MANY + "# a comment\n")
    assert take(f"requirements://{path}").of("distribution")["six"].version == "1.16.0"


PACKAGE = 'lock-version="1.0"\ncreated-by="x"\n[[packages]]\n'
PYLOCKS = {
    "dotted keys": "a" + ".a" * MANY + "=1",
    "a number": "a=" + "9" * MANY,
    "a short number": "a=" + "9" * 5000,
    "a name": PACKAGE + 'name="' + "a-." * MANY + 'b"',
}


@pytest.mark.parametrize("name", PYLOCKS)
def test_lock_files_without_end(name: str, tmp_path: Path) -> None:
    path = tmp_path / "pylock.toml"
    path.write_text(PYLOCKS[name])
    with pytest.raises(LockfileError, match=r"pylock\.toml:") as caught:
        take(f"pylock://{path}")
    assert len(str(caught.value)) < 500


def test_wheels_may_stand_in_one_line(tmp_path: Path) -> None:
    wheel = '{name="six-1.16.0-py3-none-any.whl",url="https://a.b/c",size=1,hashes={sha256="' + "0" * 64 + '"}}'
    path = tmp_path / "pylock.toml"
    path.write_text(PACKAGE + 'name="six"\nversion="1.16.0"\nwheels=[' + ", ".join([wheel] * 500) + "]\n")
    assert take(f"pylock://{path}").of("distribution")["six"].version == "1.16.0"
