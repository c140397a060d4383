"""Which platform fits: as containerd sees it, save that no architecture stands in for another."""

from __future__ import annotations

import pytest

from envaudit.errors import UsageError
from envaudit.images import platform
from envaudit.images.platform import Platform


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("linux/amd64", "linux/amd64"),
        ("linux/x86_64", "linux/amd64"),
        ("Linux/AMD64/v1", "linux/amd64"),
        ("linux/amd64/v3", "linux/amd64/v3"),
        ("linux/aarch64", "linux/arm64"),
        ("linux/arm64/v8", "linux/arm64"),
        ("linux/arm64/8", "linux/arm64"),
        ("linux/arm", "linux/arm/v7"),
        ("linux/arm/6", "linux/arm/v6"),
        ("linux/armhf", "linux/arm/v7"),
        ("linux/i686", "linux/386"),
        ("windows/amd64", "windows/amd64"),
        ("linux/riscv64", "linux/riscv64"),
    ],
)
def test_spellings(text: str, expected: str) -> None:
    assert str(platform.parse(text)) == expected


@pytest.mark.parametrize("text", ["", "amd64", "linux/", "/amd64", "linux/arm/v7/x", "linux /arm", "linux/é", "a/b\n"])
def test_what_is_no_platform(text: str) -> None:
    with pytest.raises(UsageError, match="OS/ARCHITECTURE"):
        platform.parse(text)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("linux/amd64", ["linux/amd64"]),
        ("linux/amd64/v3", ["linux/amd64/v3", "linux/amd64/v2", "linux/amd64"]),
        ("linux/arm/v7", ["linux/arm/v7", "linux/arm/v6", "linux/arm/v5"]),
        ("linux/arm64", ["linux/arm64"]),
        ("linux/arm64/v8.2", ["linux/arm64/v8.2", "linux/arm64/v8.1", "linux/arm64"]),
        (
            "linux/arm64/v9",
            ["linux/arm64/v9", *(f"linux/arm64/v8.{minor}" for minor in (5, 4, 3, 2, 1)), "linux/arm64"],
        ),
        ("linux/s390x", ["linux/s390x"]),
        ("linux/ppc64le/power9", ["linux/ppc64le/power9"]),
    ],
)
def test_older_variants_fit_and_no_other_architecture_does(wanted: str, expected: list[str]) -> None:
    assert list(map(str, platform.fitting(platform.parse(wanted)))) == expected


def test_this_machine_has_one() -> None:
    assert platform.here().os == "linux"
    assert platform.here() == platform.parse(str(platform.here()))


@pytest.mark.parametrize(
    ("described", "expected"),
    [
        ({"os": "linux", "architecture": "arm64", "variant": "v8"}, Platform("linux", "arm64")),
        ({"architecture": "amd64"}, Platform("linux", "amd64")),
        ({"os": "linux"}, None),
        ({"os": "linux", "architecture": ""}, None),
        ({"os": ["linux"], "architecture": "amd64"}, None),
        ({"os": "linux", "architecture": "a\x1b[31m"}, None),
        ({"os": "linux", "architecture": "arm", "variant": {"a": 1}}, None),
    ],
)
def test_what_documents_state(described: dict[str, object], expected: Platform | None) -> None:
    assert platform.stated(described) == expected
