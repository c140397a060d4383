"""What is found in a binary: a version that stands alone, whatever else looks like one."""

from __future__ import annotations

import struct
import sys
from pathlib import Path

import pytest

from envaudit.images._binary import drawn

HEAD = b"\x7fELF\x02\x01\x01".ljust(18, b"\0") + struct.pack("<H", 62).ljust(46, b"\0")


@pytest.mark.parametrize(
    ("text", "versions"),
    [
        (b"\x003.11.2\0", ["3.11.2"]),
        (b"\x003.13.0rc2\0", ["3.13.0rc2"]),
        (b"\x003.14.0a1+\0", ["3.14.0a1+"]),
        (b"/opt/python/3.12.1\0", ["3.12.1"]),
        (b"/opt/python/3.12.1\0 3.11.2\0\x003.11.4\0", ["3.11.4", "3.11.2", "3.12.1"]),
        (b"\x0013.11.2\0", None),
        (b"\x002.3.11.2\0", None),
        (b"\x0013.3.1.1\x003.9.7\0", ["3.9.7"]),
        (b"\x003.11.2.1\0", None),
        (b"\x003.11\0", None),
        (b"\x003.11.2", None),
    ],
)
def test_the_versions_in_a_binary(text: bytes, versions: list[str] | None) -> None:
    facts = drawn(HEAD + text)
    assert facts is not None
    assert facts.get("versions") == versions


def test_the_version_of_this_interpreter() -> None:
    facts = drawn(Path(sys.executable).resolve().read_bytes())
    assert facts is not None
    assert sys.version.split()[0] in facts["versions"]
