"""Pickles that stand as bytes in a pickle are opened, however the protocol spells bytes."""

from __future__ import annotations

import decimal
import pickle
from pathlib import Path
from typing import Any

import pytest

from tests.artifacts.plain import named, read_bytes


class Inside:
    """Pickles as a call that unpickles bytes, as tensors of torch do."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    def __reduce__(self) -> tuple[Any, ...]:
        return pickle.loads, (self.content,)


@pytest.mark.parametrize("count", [1, 30, 10_000])
@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_globals_inside_are_seen(protocol: int, count: int, tmp_path: Path) -> None:
    inner = pickle.dumps([decimal.Decimal(1), *range(count)], protocol)
    needs = read_bytes(pickle.dumps(Inside(inner), protocol), tmp_path)
    assert ("decimal", "Decimal") in named(needs)
    assert not needs.notes


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_one_that_is_too_long_is_said_to_be(protocol: int, tmp_path: Path) -> None:
    inner = pickle.dumps([decimal.Decimal(1), *range(40_000)], protocol)
    needs = read_bytes(pickle.dumps(Inside(inner), protocol), tmp_path)
    assert ("decimal", "Decimal") in named(needs)
    assert any("was not read to its end" in note and "longer than" in note for note in needs.notes)
