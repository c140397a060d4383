"""One file per report format, ``as_text.py``; each holds one ``REPORT`` record. It prints nothing: it returns text."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from envaudit.model import Comparison, Gap, Severity

# Control characters, C1 included, and those that turn the direction of writing.
_UNPRINTABLE = dict.fromkeys(
    (*range(32), *range(127, 160), 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)), "?"
)


def plain(text: str) -> str:
    """A text that cannot steer the reader's terminal: names and versions come from the inspected place's own files."""
    return text.translate(_UNPRINTABLE)


class View(NamedTuple):
    """How a comparison is to be shown."""

    fail_on: Severity | None = "error"
    """The severity from which on the comparison counts as failed; None: never."""
    color: bool = False
    drift: bool = False
    """List every drift line instead of counting them."""


class Report(NamedTuple):
    """A rendering of a comparison."""

    render: Callable[[Comparison, View], str]


def failed(comparison: Comparison, fail_on: Severity | None) -> bool:
    """Whether a finding is as grave as ``fail_on`` or graver."""
    return fail_on is not None and any(True for _ in comparison.at_least(fail_on))


def all_seen(comparison: Comparison) -> bool:
    """Whether every rule could judge, and the Python and its distributions were seen whole on both sides."""
    sides = (comparison.train, comparison.serve)
    return not comparison.unknowns and not any(
        gap.kind in ("python", "distribution") for side in sides for gap in side.gaps
    )


def by_reason(gaps: Iterable[Gap]) -> dict[str, list[str]]:
    """What was not seen, in words, under the reason that it has in common."""
    grouped: dict[str, list[str]] = {}
    for gap in gaps:
        grouped.setdefault(gap.reason, []).append(gap.kind if gap.name is None else f"{gap.kind} {gap.name}")
    return grouped
