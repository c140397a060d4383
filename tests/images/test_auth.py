"""What a registry wants to see, and that nobody sees it besides."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envaudit.images._auth import Challenge, Login, challenges


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", []),
        ("Basic", [("basic", {})]),
        ('Basic realm="a, b"', [("basic", {"realm": "a, b"})]),
        ('bearer realm="https://a/t",service="r",scope="x:y:pull,push"',
         [("bearer", {"realm": "https://a/t", "service": "r", "scope": "x:y:pull,push"})]),
        (r'Bearer realm="a\"b\\c"', [("bearer", {"realm": 'a"b\\c'})]),
        ("Bearer realm=https://a/t , service = r", [("bearer", {"realm": "https://a/t", "service": "r"})]),
        ('Basic realm="a", Bearer REALM="b",service="c"',
         [("basic", {"realm": "a"}), ("bearer", {"realm": "b", "service": "c"})]),
        ('Bearer realm="first",realm="second"', [("bearer", {"realm": "first"})]),
        ('realm="of nothing"', [('realm="of nothing"', {})]),
    ],
)  # fmt: skip
def test_challenges(header: str, expected: list[tuple[str, dict[str, str]]]) -> None:
    assert challenges(header) == [Challenge(*item) for item in expected]


@given(st.text(alphabet='Basicrelm="\\, /:\t', max_size=60))
def test_any_header_is_read(header: str) -> None:
    assert all(challenge.scheme for challenge in challenges(header))


@pytest.mark.parametrize("header", ["a" * 60_000, "a " * 30_000, 'a="' + "\\" * 60_000, ", " * 30_000, "a=" * 30_000])
def test_a_long_header_is_read_in_one_go(header: str) -> None:
    assert isinstance(challenges(header), list)


def test_a_login_does_not_show_itself() -> None:
    for login in (Login("me", "hunter2"), Login(identity_token="hunter2")):
        assert login
        assert "hunter2" not in repr(login) + f"{login}"
    assert not Login(problem="locked")
    assert Login("Aladdin", "open sesame").basic == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="  # RFC 7617, section 2
