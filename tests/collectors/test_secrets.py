"""Which variables of an image look like a secret, and that nothing of the value is kept."""

from __future__ import annotations

import json
import time

import pytest

from envaudit.collectors import image
from envaudit.collectors._redact import looks_secret, redact_command, redact_tokens
from envaudit.evidence import Evidence
from envaudit.model import Component

LETTERS = "aB3dEfGh1JkLmN0pQrStUvWxYz7aBcDeFgHiJkL"
"""No token of anybody; the tokens below are put together, so that no scanner of secrets finds one in this file."""
TOKENS = [
    "AKIA" + "ABCDEFGH23456777",
    "ghp" + "_" + LETTERS[:36],
    "github" + "_pat_" + (LETTERS * 3)[:82],
    "glpat" + "-" + LETTERS[:20],
    "hf" + "_" + LETTERS[:34],
    "pypi" + "-AgEIcHlwaS5vcmc" + LETTERS * 2,
    "AIza" + LETTERS[:35],
    "xoxb" + "-123456789012-123456789012-" + LETTERS[:24],
    "sk" + "-ant-api03-" + LETTERS * 2,
    "sk" + "-proj-" + LETTERS + "T3BlbkFJ" + LETTERS,
    "dapi" + "0123456789abcdef" * 2,
    "eyJhbGciOiJIUzI1NiJ9" + ".eyJzdWIiOiIxMjM0NTY3ODkwIn0." + LETTERS,
    "-----BEGIN RSA PRIVATE" + f" KEY-----\\n{LETTERS}\\n-----END RSA PRIVATE KEY-----",
    f"https://ci:{LETTERS}@pypi.example/simple",
    f"postgresql+psycopg2://app:{LETTERS}@db/features",
    f"https://data.example/x?X-Amz-Signature={LETTERS}",
    f"DefaultEndpointsProtocol=https;AccountName=a;AccountKey={(LETTERS * 3)[:86]}==;EndpointSuffix=core.example",
]


@pytest.mark.parametrize("value", TOKENS, ids=lambda value: value[:12])
def test_a_token_is_told_by_its_form_and_never_kept(value: str) -> None:
    assert looks_secret("SETTING", value)
    assert looks_secret("SETTING", f"--with {value} --and more")
    for text in (value, f"first {value}"):
        assert LETTERS[:16] not in redact_tokens(text)
        assert "***" in redact_command([text])[0]
    collected = collect({"env": {"SETTING": value, "OTHER": "x"}, "labels": {"a": value}, "cmd": ["serve", value]})
    assert collected["secrets"] == ["SETTING"]
    assert LETTERS[:16] not in json.dumps(collected)


def collect(found: dict[str, object]) -> dict[str, object]:
    (component,) = image.COLLECTOR.collect(Evidence(image=found))
    assert isinstance(component, Component)
    return component.attributes


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DB_PASSWORD", "hunter2"), ("PGPASSWORD", "hunter2"), ("MYSQL_PWD", "x"), ("DB_PASS", "x"), ("API_KEY", "abc"),
        ("APIKEY", "abc"), ("hf_token", "abc"), ("SECRET_MESSAGE", "abc"), ("AUTH", "abc"), ("DJANGO_SECRET", "abc"),
        ("WANDB_API_KEY", "a035c8c19219ba821ecea86b64e628f8d684696d"), ("GOOGLE_CREDENTIALS", '{"type": "x"}'),
        ("AWS_SECRET_ACCESS_KEY", "/JalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY12"),
    ],
)  # fmt: skip
def test_told_by_the_name(name: str, value: str) -> None:
    assert looks_secret(name, value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GPG_KEY", "A035C8C19219BA821ECEA86B64E628F8D684696D"),  # of the official images of Python
        ("PYTHON_SHA256", "ab" * 32), ("PATH", "/usr/local/bin:/usr/bin"), ("LANG", "C.UTF-8"), ("PWD", "/app"),
        ("NVIDIA_REQUIRE_CUDA", "cuda>=12.4 brand=tesla,driver>=470,driver<471"), ("NVARCH", "x86_64"),
        ("TOKENIZERS_PARALLELISM", "false"), ("MAX_TOKENS", "512"), ("USE_AUTH", "true"), ("PAD_TOKEN", "<pad>"),
        ("DB_PASSWORD_FILE", "/run/secrets/db"), ("GOOGLE_APPLICATION_CREDENTIALS", "/secrets/gcp.json"),
        ("PUBLIC_KEY", "abc"), ("KEYBOARD", "us"), ("AUTH_URL", "https://login.example/"), ("API_KEY", ""),
        ("API_KEY", "${API_KEY}"), ("PIP_INDEX_URL", "https://pypi.example/simple"), ("MODEL", "s3://models/fraud/1.2"),
        ("GIT_REMOTE", "git+ssh://git@example.org/a/b"), ("LS_COLORS", "*.key=00;32"), ("COMPASS", "north"),
    ],
)  # fmt: skip
def test_no_secret(name: str, value: str) -> None:
    assert not looks_secret(name, value)


def test_a_name_that_is_a_token_itself_is_not_kept_either() -> None:
    assert collect({"env": {TOKENS[1]: TOKENS[1]}})["secrets"] == ["***"]


@pytest.mark.parametrize(
    "text",
    ["a", "sk-", "ey", "-----BEGIN ", "eyaaaaaaaaaaaaaaaaaaa.ey-", "_password", "a=", 'a"', "https://", "x@", "a "],
)
def test_a_hostile_configuration_takes_no_longer_than_its_length(text: str) -> None:
    """Found: quadratic in a label of 'aaaa...', hours for the 4 MiB that a configuration may have."""
    long = text * (200_000 // len(text))
    before = time.process_time()
    collect({"env": {"A_KEY": long, long: "x"}, "labels": {"a": long}, "cmd": [long]})
    assert time.process_time() - before < 15
