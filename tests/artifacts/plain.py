"""Back from the symbolic graph to Python values, and what a real load resolves: the two oracles of these tests."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

from envaudit import artifacts
from envaudit.needs import Global, Items, Made, Mapping, Needs, Value

KINDS: dict[str, Any] = {"list": list, "tuple": tuple, "set": set, "frozenset": frozenset}
CALLS: dict[str, Any] = {
    "builtins.set": set, "builtins.frozenset": frozenset, "builtins.bytearray": bytearray, "builtins.complex": complex,
    "builtins.bytes": bytes, "_codecs.encode": lambda text, code: text.encode(code),
    "__builtin__.set": set, "__builtin__.frozenset": frozenset, "__builtin__.bytearray": bytearray,
    "__builtin__.complex": complex, "__builtin__.bytes": bytes,
}  # fmt: skip


def plain(value: Value) -> Any:
    """The value that a graph of constants and containers stands for."""
    if type(value) is Items:
        assert len(value.items) == value.length
        return KINDS[value.kind](map(plain, value.items))
    if type(value) is Mapping:
        assert len(value.pairs) == value.length
        return {plain(key): plain(item) for key, item in value.pairs}
    if type(value) is Made:
        return CALLS[str(value.call)](*map(plain, value.args))
    return value


def read_bytes(data: bytes, folder: Path) -> Needs:
    """What the reader says of these bytes as a file."""
    path = folder / "model.pkl"
    path.write_bytes(data)
    return artifacts.read(str(path))


class Recorder(pickle.Unpickler):
    """A real load that writes down which globals it resolves, as the stream spells them."""

    def __init__(self, data: bytes) -> None:
        super().__init__(io.BytesIO(data))
        self.found: set[tuple[str, str]] = set()

    def find_class(self, module_name: str, global_name: str) -> Any:
        self.found.add((module_name, global_name))
        return super().find_class(module_name, global_name)


def resolved(data: bytes) -> set[tuple[str, str]]:
    """The globals of a real ``pickle.load``."""
    recorder = Recorder(data)
    recorder.load()
    return recorder.found


def named(needs: Needs) -> set[tuple[str, str]]:
    """The globals that the reader found."""
    return {(item.module, item.name) for item in needs.globals}


def kind(value: Value) -> str:
    """The class of an object as text."""
    assert isinstance(value, Made)
    assert isinstance(value.call, Global)
    return value.call.name
