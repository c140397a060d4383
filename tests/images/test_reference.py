"""References mean what they mean to docker."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from envaudit.errors import TargetError
from envaudit.images.reference import Reference, parse

SHA = "sha256:" + "0123456789abcdef" * 4
SHA512 = "sha512:" + "0123456789abcdef" * 8


@pytest.mark.parametrize(
    ("text", "expected", "shown"),
    [
        ("python", Reference("docker.io", "library/python", "latest"), "python:latest"),
        ("python:3.11-slim", Reference("docker.io", "library/python", "3.11-slim"), "python:3.11-slim"),
        ("docker.io/python", Reference("docker.io", "library/python", "latest"), "python:latest"),
        ("index.docker.io/a/b", Reference("docker.io", "a/b", "latest"), "a/b:latest"),
        ("team/fraud", Reference("docker.io", "team/fraud", "latest"), "team/fraud:latest"),
        ("localhost/fraud", Reference("localhost", "fraud", "latest"), "localhost/fraud:latest"),
        ("127.0.0.1:5000/fraud:1.2", Reference("127.0.0.1:5000", "fraud", "1.2"), "127.0.0.1:5000/fraud:1.2"),
        ("[::1]:5000/fraud:1.2", Reference("[::1]:5000", "fraud", "1.2"), "[::1]:5000/fraud:1.2"),
        ("GHCR/a/b__c.d--e", Reference("GHCR", "a/b__c.d--e", "latest"), "GHCR/a/b__c.d--e:latest"),
        (f"h.io/a@{SHA}", Reference("h.io", "a", None, SHA), None),
        (f"h.io/a:1@{SHA512}", Reference("h.io", "a", "1", SHA512), "h.io/a:1"),
        (f"h.io/{'f' * 64}", Reference("h.io", "f" * 64, "latest"), f"h.io/{'f' * 64}:latest"),
    ],
)
def test_what_is_meant(text: str, expected: Reference, shown: str | None) -> None:
    assert parse(text) == expected
    assert parse(text).tagged == shown


def test_names_are_written_as_docker_shows_them() -> None:
    assert parse("python").digested(SHA) == f"python@{SHA}"
    assert parse("docker.io/library/a/b").name == "library/a/b"
    assert parse("quay.io/library/a").name == "quay.io/library/a"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "the name is missing"),
        (":1.2", "the name is missing"),
        ("host.io/", "the name is missing"),
        ("Fraud", "lower case"),
        ("fraud:", "the tag is none"),
        ("fraud:a b", "the tag is none"),
        (f"fraud:{'x' * 129}", "the tag is none"),
        ("fraud:1:2", "the tag is none"),
        ("fraud@", "no digest"),
        (f"fraud@{SHA.upper()}", "no digest"),
        (f"fraud@{SHA}0", "no digest"),
        ("fraud@md5:" + "0" * 32, "no digest"),
        ("a//b", "other characters"),
        ("../../etc/passwd", "is no host"),
        ("host.io/../x", "other characters"),
        ("-.io/x", "is no host"),
        ("h.io:port/x", "is no host"),
        ("[::1/x", "is no host"),
        ("a___b", "other characters"),
        ("fraud\n", "other characters"),
        ("f" * 64, "the id of an image"),
        (f"h.io/{'a' * 256}", "longer than 255"),
        ("fraudé", "other characters"),
    ],
)
def test_what_is_no_reference_gets_a_reason(text: str, why: str) -> None:
    with pytest.raises(TargetError, match=why) as caught:
        parse(text)
    assert len(str(caught.value).splitlines()) == 1
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("text", ["me:hunter2@host.io/x", "me:hunter2@x@host.io/x"])
def test_a_password_is_not_repeated(text: str) -> None:
    with pytest.raises(TargetError) as caught:
        parse(text)
    assert "hunter2" not in str(caught.value)


_GRAMMAR = re.compile(
    r"(?:(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[a-fA-F0-9:]+\])"
    r"(?::[0-9]+)?/)?[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*"
    r"(?::[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,127})?(?:@[A-Za-z][A-Za-z0-9]*:[0-9a-fA-F]{32,})?"
)
"""``ReferenceRegexp`` of github.com/distribution/reference."""


@given(st.text(alphabet="aA0.:/@-_[]é \n", max_size=30) | st.from_regex(_GRAMMAR, fullmatch=True))
@example("localhost")
@example("a.b")
def test_whatever_is_taken_is_a_reference_and_is_read_the_same_again(text: str) -> None:
    try:
        found = parse(text)
    except TargetError:
        return
    assert _GRAMMAR.fullmatch(text)
    whole = f"{found.host}/{found.path}" + (f":{found.tag}" if found.tag else "") + ("@" * bool(found.digest))
    assert parse(whole + (found.digest or "")) == found
