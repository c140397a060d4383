"""pylock.toml (PEP 751) as components, and what is said of one that breaks the standard."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from envaudit import store
from envaudit.errors import LockfileError, TargetError
from envaudit.model import Component, Gap
from envaudit.take import take
from envaudit.targets import pylock

FIXTURES = Path(__file__).parents[2] / "fixtures" / "lockfiles"
FEATURES = FIXTURES / "written" / "pylock.features.toml"
HEAD = 'lock-version = "1.0"\ncreated-by = "hand"\n'


@pytest.fixture
def lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / "pylock.toml"


@pytest.mark.parametrize(
    ("name", "claimed"),
    [
        ("pylock.toml", True),
        ("pylock.dev.toml", True),
        ("pylock.a.b.toml", False),
        ("my-pylock.toml", False),
        ("pylock.json", False),
        ("pyproject.toml", False),
    ],
)
def test_it_is_told_by_the_name_that_the_standard_fixes(name: str, claimed: bool, tmp_path: Path) -> None:
    (tmp_path / name).touch()
    assert pylock.claims(str(tmp_path / name)) is claimed


def test_every_feature() -> None:
    snapshot = take(str(FEATURES))
    found = snapshot.of("distribution")
    assert snapshot.of("python") == {"python": Component("python", "python", None, {"requires": ">=3.10"})}
    assert found["numpy"].version is None
    assert found["numpy"].attributes == {
        "candidates": [
            {"marker": 'python_version < "3.12"', "version": "1.26.4", "hashes": ["sha256:aa", "sha256:bb"]},
            {"marker": 'python_version >= "3.12"', "version": "2.1.0", "hashes": ["sha256:cc"]},
        ]
    }
    assert (found["torch"].version, found["torch"].attributes["label"]) == ("2.4.0", "cu121")
    assert found["pytest"].attributes["candidates"][0]["groups"] == ["serve"]
    assert found["from-git"].attributes["source"] == {
        "kind": "vcs",
        "url": "https://***@git.example/org/repo",
        "commit": "0123456789abcdef0123456789abcdef01234567",
        "requested": "v1",
        "subdirectory": "py",
    }
    assert found["from-archive"].attributes["source"] == {
        "kind": "archive",
        "url": "https://files.example/a.zip?token=***",
        "hash": "sha256:11",
    }
    assert found["fraud"].attributes["source"] == {"kind": "directory", "where": ".", "editable": True}
    assert snapshot.find("distribution", "scipy") is None  # observed absent
    assert isinstance(snapshot.find("libc", "libc"), Gap)
    assert "hunter2" not in store.dumps(snapshot)


def test_requirements_and_pylock_of_one_resolution_say_the_same() -> None:
    of_requirements = take(str(FIXTURES / "made" / "requirements-2023.txt")).of("distribution")
    of_pylock = take(str(FIXTURES / "made" / "pylock.2023.toml")).of("distribution")
    assert {name: one.version for name, one in of_requirements.items()} == {
        name: one.version for name, one in of_pylock.items()
    }
    for name, one in of_pylock.items():
        assert set(one.attributes["hashes"]) <= set(of_requirements[name].attributes["hashes"])


@pytest.mark.parametrize("name", ["pylock.current.toml", "pylock.export.toml"])
def test_what_uv_wrote(name: str) -> None:
    snapshot = take(str(FIXTURES / "made" / name))
    assert snapshot.of("distribution")["joblib"].version == "1.6.0"
    assert snapshot.of("python")["python"].attributes["requires"].startswith(">=3.1")
    assert all(gap.kind not in ("distribution", "python") for gap in snapshot.gaps)
    assert store.loads(store.dumps(snapshot).encode()) == snapshot


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "pylock.toml: lock-version: Missing required value"),
        ('lock-version = "2.0"\ncreated-by = "x"\npackages = []', "pylock.toml: pylock version 2.0 is not supported"),
        ('lock-version = 1\ncreated-by = "x"\npackages = []', "pylock.toml: lock-version: Unexpected type int"),
        (HEAD + '[[packages]]\nname = "Foo_Bar"', "pylock.toml: packages[0].name: Name 'Foo_Bar' is not normalized"),
        (HEAD + '[[packages]]\nname = "foo"\nversion = "2004d"', "pylock.toml: packages[0].version: Invalid version"),
        (HEAD + '[[packages]]\nname = "foo"\nmarker = "x"', "pylock.toml: packages[0].marker: Expected"),
        (HEAD + '[[packages]]\nname = "foo"', "pylock.toml: packages[0]: Exactly one of vcs, directory, archive"),
        (
            HEAD + '[[packages]]\nname="a"\ndirectory={path="x"}\n[[packages]]\nname="a"\ndirectory={path="y"}\n',
            "pylock.toml: packages[1]: a stands in packages[0] too, and no marker chooses",
        ),
        ('a = 1\nb = "x\n', "pylock.toml:2: "),
        ("a = [1,\n\n", "pylock.toml:3: "),
        ("a = " + "[" * 5000, "pylock.toml"),
    ],
)
def test_a_broken_one_is_refused_with_its_place(lock: Path, text: str, reason: str) -> None:
    lock.write_text(text)
    with pytest.raises(LockfileError) as caught:
        take("pylock.toml")
    assert str(caught.value).startswith(reason)
    assert "\n" not in str(caught.value)


def test_bytes_that_are_no_text(lock: Path) -> None:
    lock.write_bytes(b'a = 1\nb = "\xff"\n')
    with pytest.raises(LockfileError, match=r"^pylock\.toml:2: is not UTF-8, which TOML has to be$"):
        take("pylock.toml")


def test_a_newer_minor_version_is_read_without_a_word(lock: Path, caplog: pytest.LogCaptureFixture) -> None:
    lock.write_text(HEAD.replace("1.0", "1.7") + "packages = []\n")
    assert take("pylock.toml").components["distribution"] == {}
    assert not caplog.records


def test_it_is_not_there(lock: Path) -> None:
    with pytest.raises(TargetError):
        take("pylock://pylock.toml")


def test_a_folder_of_that_name(lock: Path) -> None:
    lock.mkdir()
    with pytest.raises(LockfileError, match=r"pylock\.toml: cannot be read: Is a directory"):
        take("pylock://pylock.toml")


def test_two_entries_of_which_one_has_a_marker_are_candidates(lock: Path) -> None:
    lock.write_text(
        HEAD
        + '[[packages]]\nname = "a"\nversion = "1"\ndirectory = {path = "x"}\n'
        + '[[packages]]\nname = "a"\nversion = "2"\nmarker = "os_name == \'nt\'"\ndirectory = {path = "y"}\n'
    )
    assert take("pylock.toml").of("distribution")["a"].attributes == {
        "candidates": [
            {"marker": 'os_name == "nt"', "version": "2", "source": {"kind": "directory", "where": "y"}},
            {"version": "1", "source": {"kind": "directory", "where": "x"}},
        ]
    }


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(cut=st.integers(0, 3000), junk=st.binary(max_size=4))
@example(cut=0, junk=b"\xef\xbb\xbf")
def test_a_damaged_one_is_read_or_refused(lock: Path, cut: int, junk: bytes) -> None:
    shutil.copy(FEATURES, lock)
    data = lock.read_bytes()
    lock.write_bytes(data[:cut] + junk + data[cut + 1 :])
    refusal = "pylock.toml:"
    try:
        take("pylock.toml")
    except LockfileError as caught:
        refusal = str(caught)
    assert refusal.startswith("pylock.toml:")
    assert "\n" not in refusal
    assert "hunter2" not in refusal
