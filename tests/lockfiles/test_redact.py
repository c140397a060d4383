"""No credential survives redaction; nothing else changes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envaudit.collectors._redact import redact, redact_url

_LETTERS = st.characters(categories=("L", "N"), max_codepoint=0x24F)
_SECRETS = st.text(st.sampled_from("abcXYZ019_-.~!$%()*+,=:"), min_size=4).map(lambda text: f"S3cr{text}T")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://files.example/x-1.0.whl", "https://files.example/x-1.0.whl"),
        ("https://alice:hunter2@files.example/x", "https://***@files.example/x"),
        ("https://ghp_token@github.com/a/b", "https://***@github.com/a/b"),
        ("https://:hunter2@files.example/x", "https://***@files.example/x"),
        ("https://al@ice:hunter2@files.example/x", "https://***@files.example/x"),
        ("https://alice:hun/ter2@files.example/x", "https://***@files.example/x"),
        ("https://alice:hun#ter2@files.example/x", "https://***@files.example/x"),
        ("https://alice:hun?ter2@files.example/x", "https://***@files.example/x"),
        ("git+ssh://git@github.com/a/b@v1", "git+ssh://git@github.com/a/b@v1"),
        ("git+ssh://git:hunter2@github.com/a/b", "git+ssh://***@github.com/a/b"),
        ("git+https://github.com/a/b@v1#egg=b", "git+https://github.com/a/b@v1#egg=b"),
        ("git+https://u:p@github.com/a/b@v1#egg=b", "git+https://***@github.com/a/b@v1#egg=b"),
        ("https://[::1]:8080/a@b", "https://[::1]:8080/a@b"),
        ("https://localhost:8080/a@b", "https://localhost:8080/a@b"),
        ("https://h/x?token=abc&page=2", "https://h/x?token=***&page=2"),
        ("https://h/x?X-Amz-Signature=abc&X-Amz-Date=1", "https://h/x?X-Amz-Signature=***&X-Amz-Date=1"),
        ("https://h/x?sv=1;sig=abc", "https://h/x?sv=1;sig=***"),
        ("https://h/x?API_KEY=abc#password=abc", "https://h/x?API_KEY=***#password=***"),
        ("https://h/x?design=abc", "https://h/x?design=abc"),
        ("https://h/x#sha256=abc&subdirectory=d", "https://h/x#sha256=abc&subdirectory=d"),
        ("file:///srv/wheels/x.whl", "file:///srv/wheels/x.whl"),
        ("git@github.com:a/b", "git@github.com:a/b"),
        ("alice:hunter2@h/x", "***@h/x"),
        ("./local/folder", "./local/folder"),
        ("", ""),
    ],
)
def test_known_urls(url: str, expected: str) -> None:
    assert redact_url(url) == expected


def test_urls_inside_a_text() -> None:
    text = "-e git+https://u:p@h/x and x @ https://t@h/y?token=1 end"
    assert redact(text) == "-e git+https://***@h/x and x @ https://***@h/y?token=*** end"


@given(user=st.text(_LETTERS), password=_SECRETS, scheme=st.sampled_from(["https", "git+https", "git+ssh", "s3"]))
def test_a_password_never_stays(user: str, password: str, scheme: str) -> None:
    assert password not in redact_url(f"{scheme}://{user}:{password}@host.example/path@rev#egg=x")


@given(password=st.text(st.sampled_from("abc/?#@:%"), min_size=2).map(lambda text: f"S3cr{text}T"))
def test_a_password_with_unquoted_delimiters_never_stays(password: str) -> None:
    assert "S3cr" not in redact_url(f"https://user:{password}@host.example/path")


@given(
    name=st.sampled_from(["token", "private_token", "API-KEY", "Password", "X-Amz-Signature", "sig", "client_secret"]),
    value=st.text(_LETTERS, min_size=3).map(lambda text: f"S3cr{text}"),
    separator=st.sampled_from("?#"),
)
def test_a_secret_value_never_stays(name: str, value: str, separator: str) -> None:
    assert value not in redact_url(f"https://host.example/x{separator}a=1&{name}={value}&b=2")


@given(st.text())
def test_it_takes_any_text_and_is_stable(text: str) -> None:
    once = redact_url(text)
    assert redact_url(once) == once
