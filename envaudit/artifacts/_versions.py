"""Versions that a file states about itself."""

from __future__ import annotations

import re
from typing import Final

from envaudit.artifacts._state import State
from envaudit.needs import Items, Long, Made, Mapping, Value, class_of

MAX_VERSIONS: Final = 20
"""Different versions of one distribution that are kept."""

_STAMPS: Final = {
    "_sklearn_version": "scikit-learn",
    "_skops_version": "skops",
    "_imblearn_version": "imbalanced-learn",
}
"""Keys of stored state -> the distribution whose version they hold."""
_HANDLES: Final = {"handle", "_handle", "model_str", "_model_str"}

_XGBOOST_JSON: Final = re.compile(rb'"version":\[(\d+),(\d+),(\d+)\]')
_LIGHTGBM: Final = re.compile(r"^tree\s+version=(v\d+)")


def note_versions(m: State, made: Made, state: Value) -> None:
    """Record what the state of an object says about versions."""
    if type(state) is Items and len(state.items) == 2:
        state = state.items[0]
    if type(state) is not Mapping:
        return
    for key, value in state.pairs:
        if type(key) is str and key in _STAMPS and type(value) is str:
            record(m, _STAMPS[key], value)
        elif type(key) is str and key in _HANDLES:
            _payload(m, made, value)


def record(m: State, name: str, version: str) -> None:
    """One version of one distribution."""
    found = m.versions.setdefault(name, set())
    if len(found) < MAX_VERSIONS:
        found.add(version[:100])


def _payload(m: State, made: Made, value: Value) -> None:
    kind = class_of(made)
    top = kind.module.partition(".")[0] if kind else ""
    if top == "lightgbm":
        text = value.start if type(value) is Long else value
        match = _LIGHTGBM.match(text) if type(text) is str else None
        if match:
            record(m, "lightgbm model format", match[1])
    elif top == "xgboost":
        version = _xgboost(_bytes_of(value))
        if version:
            record(m, "xgboost", version)


def _bytes_of(value: Value) -> bytes:
    """The edges of a payload. Before protocol 5 it is ``bytearray(b"...")``, before protocol 3 the inner bytes are
    text, and ``_codecs.encode("...", "latin1")`` may stand around it."""
    while type(value) is Made and value.args and str(value.call).endswith((".bytearray", "_codecs.encode")):
        value = value.args[0]
    if type(value) is Long:
        return _bytes_of(value.start) + _bytes_of(value.end)
    if type(value) is str:
        return value.encode("latin-1", "ignore")
    return bytes(value) if type(value) in (bytes, bytearray) else b""


def _xgboost(data: bytes) -> str | None:
    """The last version array of a serialized booster, which is that of its configuration."""
    found = _XGBOOST_JSON.findall(data)
    if found:
        return ".".join(part.decode() for part in found[-1])
    parts = data.rpartition(b"version[")[2] if b"version[" in data else b""
    return _ubjson_numbers(parts)


def _ubjson_numbers(data: bytes) -> str | None:
    """``$l#L<count><numbers>`` or a plain array, as xgboost writes three integers."""
    sizes = {b"i": 1, b"U": 1, b"I": 2, b"l": 4, b"L": 8}
    numbers = []
    if data[:1] == b"$":
        kind, width = data[1:2], sizes.get(data[3:4])
        if data[2:3] != b"#" or width is None or kind not in sizes:
            return None
        at = 4 + width
        count = int.from_bytes(data[4:at], "big")
        for index in range(min(count, 3)):
            numbers.append(int.from_bytes(data[at + index * sizes[kind] : at + (index + 1) * sizes[kind]], "big"))
    else:
        at = 0
        if data[:1] == b"#":
            width = sizes.get(data[1:2])
            if width is None:
                return None
            at = 2 + width
        while len(numbers) < 3 and data[at : at + 1] in sizes:
            width = sizes[data[at : at + 1]]
            numbers.append(int.from_bytes(data[at + 1 : at + 1 + width], "big"))
            at += 1 + width
    return ".".join(map(str, numbers)) if len(numbers) == 3 else None
