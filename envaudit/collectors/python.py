"""The interpreter: version, implementation, ABI, width, build."""

from __future__ import annotations

from collections.abc import Iterator

from envaudit.evidence import Collector, Evidence, Request
from envaudit.model import Component, Json


def collect(evidence: Evidence) -> Iterator[Component]:
    """One ``python`` component (attributes: docs/snapshot.md)."""
    found = evidence.interpreter
    attributes: dict[str, Json] = {
        "implementation": found["implementation"],
        "pointer_bits": found["pointer_bits"],
        "byteorder": found["byteorder"],
        "platform": found["sys_platform"],
    }
    if found["implementation"] != "cpython":
        attributes["implementation_version"] = found["implementation_version"]
    abi = _abi(found["extension_suffix"])
    if abi:
        attributes["abi"] = abi
    if found["build"]:
        attributes["build"] = found["build"]
    for flag in ("free_threaded", "debug"):
        if found[flag]:
            attributes[flag] = True
    yield Component("python", "python", found["version"], attributes)


def _abi(extension_suffix: str | None) -> str | None:
    """The SOABI tag (PEP 3149) inside of the suffix of extension modules, ``.cpython-311-x86_64-linux-gnu.so``."""
    middle = (extension_suffix or "").split(".")[1:-1]
    return middle[0] if middle else None


COLLECTOR = Collector(kinds=("python",), needs=frozenset({"interpreter"}), request=Request(), collect=collect)
