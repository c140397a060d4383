"""Keeping the answers of one environment, and comparing them with those of another."""

from __future__ import annotations

import hashlib
import json
import math
from reprlib import repr  # noqa: A004  (a model may answer a text of any length)
from typing import Final, Literal, NamedTuple

from envaudit.model import DEEPEST, Json, RecordedAnswer

KEPT: Final = 8 * 1024
"""Characters of the JSON text of one answer that are kept: some 400 numbers of full precision."""

RELATIVE: Final = 1e-6
"""Another order of summation moves float32 answers by 1e-7 or so; a real change of behaviour by far more."""

ABSOLUTE: Final = 1e-9
"""Differences below this are rounding, however small the numbers are themselves."""


class Difference(NamedTuple):
    """How an answer differs from the expected one."""

    words: str
    """The first value that differs, and the largest difference where the values are numbers."""


def keep(value: Json) -> RecordedAnswer:
    """An answer as a snapshot keeps it: whole if it is short, else the first rows, and the digest of all of them."""
    text = _text(value)
    if len(text) <= KEPT:
        return RecordedAnswer(value)
    rows = value if isinstance(value, list) else []
    first: list[Json] = []
    left = KEPT - 1  # for the brackets; with each row goes a comma
    for row in rows:
        left -= len(_text(row)) + 1
        if left < 0:
            break
        first.append(row)
    return RecordedAnswer(first, len(rows), _digest(text))


def _text(value: Json) -> str:
    return json.dumps(value, separators=(",", ":"))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def judge(expected: RecordedAnswer, found: Json, cut: bool) -> tuple[Literal["yes", "no", "unknown"], str]:
    """Whether an answer is the recorded one; and in words what differs, or what could not be compared."""
    if expected.sha256 is None:
        difference = compare(expected.values, found, cut)
        return ("yes", "") if difference is None else ("no", difference.words)
    if depth(found) <= DEEPEST and _digest(_text(found)) == expected.sha256:
        return "yes", ""
    rows = found if isinstance(found, list) else []
    if len(rows) != expected.rows:
        return "no", f"it has {len(rows)} rows, not {expected.rows}"
    kept = len(expected.values)
    difference = compare(expected.values, rows[:kept])
    if difference is not None:
        return "no", difference.words
    if not any(isinstance(value, float) for value in _flat(found)):
        return "no", f"it differs after the first {kept} rows, which are those that were kept"
    if kept == len(rows):
        return "yes", ""
    # The digest of decimal numbers tells the same and nothing else: their last digits may move.
    if not kept:
        return "unknown", "its rows were too long to be kept"
    return "unknown", f"the first {kept} of {len(rows)} rows are the same, and only these were kept"


def depth(value: Json) -> int:
    """How deeply lists and objects are nested, found without recursion: a plain value has depth 0."""
    found, level = 0, [value]
    while True:
        inner: list[Json] = []
        for item in level:
            inner += item if isinstance(item, list) else item.values() if isinstance(item, dict) else ()
        if not inner:
            return found
        found, level = found + 1, inner


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
