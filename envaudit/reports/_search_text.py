"""The releases that were searched for a way out, for people: which would work, which would not and why."""

from __future__ import annotations

from typing import Final

from envaudit.reports import Search, Tried
from envaudit.reports._lines import Paint, limited

ERRORS: Final = 4
"""Different errors of the releases that fail, of which each gets its lines."""


def lines(search: Search, paint: Paint) -> list[str]:
    """A title, what would work, what would fail, and what was not tried."""
    there = f" (it has {search.installed})" if search.installed else ""
    anchor = search.stated or search.installed
    near = f", nearest to {anchor} first" if anchor else ""
    title = f"releases of {search.distribution} that could be there{there}{near}"
    found = [paint(line, "note") for line in limited(title)]
    works = ", ".join(map(_named, search.works))
    found += limited(works or f"none of the {len(search.tried)} that were tried", "  would work   ", " " * 15)
    failing: dict[tuple[str, str, str], list[Tried]] = {}
    for item in search.tried:
        if not item.works:
            failing.setdefault(_why(item), []).append(item)
    for (_, _, error), items in list(failing.items())[:ERRORS]:
        head = "  not read     " if items[0].unread else "  would fail   "
        found += limited(f"{', '.join(map(_named, items))}: {' '.join(error.split())}", head, " " * 15, 3)
    for _, items in list(failing.items())[ERRORS:]:
        found += limited(", ".join(map(_named, items)), "  would fail   ", " " * 15, 3)
    if any(item.version == search.stated and item.verdict and not item.works for item in search.tried):
        words = f"{search.stated} wrote the file and would fail there as well: another package is the cause too, or"
        found += limited(f"{words} the prediction is wrong (--run tells)", "  note         ", " " * 15)
    untried = "; ".join(search.skipped)
    return found + (limited(untried, "  not tried    ", " " * 15) if untried else [])


def _named(item: Tried) -> str:
    """A release, with what has to be changed beside it."""
    text = f"{item.version} (with {', '.join(item.also)})" if item.also else item.version
    different = item.works and item.verdict is not None and item.verdict.same.value == "no"
    return f"{text} (answers differ)" if different else text


def _why(item: Tried) -> tuple[str, str, str]:
    """What makes two failures one; the message of the first stands for all of them."""
    if item.verdict is None or not item.verdict.reasons:
        return "", "", item.error
    first = item.verdict.reasons[0]
    return first.question, first.cause, first.error
