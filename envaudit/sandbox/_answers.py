"""Comparing the answers of two environments."""

from __future__ import annotations

import math
from reprlib import repr  # noqa: A004  (a model may answer a text of any length)
from typing import Final, NamedTuple

from envaudit.model import Json

RELATIVE: Final = 1e-6
"""Another order of summation moves float32 answers by 1e-7 or so; a real change of behaviour by far more."""

ABSOLUTE: Final = 1e-9
"""Differences below this are rounding, however small the numbers are themselves."""


class Difference(NamedTuple):
    """How an answer differs from the expected one."""

    words: str
    """The first value that differs, and the largest difference where the values are numbers."""


def compare(expected: Json, found: Json, cut: bool = False) -> Difference | None:
    """None where the two are the same. ``cut``: of the found one (and maybe of both) only the first rows are there."""
    if cut and isinstance(expected, list) and isinstance(found, list):
        rows = min(len(expected), len(found))
        expected, found = expected[:rows], found[:rows]
    before, after = shape(expected), shape(found)
    if before != after:
        return Difference(f"its shape is {after}, not {before}")
    olds, news = _flat(expected), _flat(found)
    if len(olds) != len(news):
        return Difference(f"it has {len(news)} values, not {len(olds)}")
    pairs = list(zip(olds, news, strict=True))
    differing = [(at, pair) for at, pair in enumerate(pairs) if not _same(*pair)]
    if not differing:
        return None
    at, (old, new) = differing[0]
    words = f"{len(differing)} of {len(pairs)} values differ; the first, number {at}, is {repr(new)}, not {repr(old)}"
    gaps = [abs(old - new) for _, (old, new) in differing if _is_number(old) and _is_number(new)]
    gaps = [gap for gap in gaps if not math.isnan(gap)]
    if gaps:
        words += f"; the largest difference is {max(gaps):.3g}"
    return Difference(words)


def shape(value: Json) -> tuple[int, ...]:
    """The shape of nested lists, as numpy would tell it; of ragged ones that of the first."""
    found = []
    while isinstance(value, list):
        found.append(len(value))
        if not value:
            break
        value = value[0]
    return tuple(found)


def _flat(value: Json) -> list[Json]:
    """All values of nested lists in order, without recursion: the depth is the model's to choose."""
    found, rest = [], [value]
    while rest:
        item = rest.pop()
        if isinstance(item, list):
            rest.extend(reversed(item))
        else:
            found.append(item)
    return found


def _is_number(value: Json) -> bool:
    """Whether it can be reckoned with; an integer beyond every float cannot."""
    return isinstance(value, float) or (type(value) is int and value.bit_length() < 1000)


def _same(old: Json, new: Json) -> bool:
    if not (_is_number(old) and _is_number(new)):
        return bool(old == new)
    if isinstance(old, int) and isinstance(new, int):
        return old == new
    if math.isnan(old) or math.isnan(new):
        return math.isnan(old) and math.isnan(new)
    return math.isclose(old, new, rel_tol=RELATIVE, abs_tol=ABSOLUTE)
