"""One file per report format, ``as_text.py``; each holds one ``REPORT`` record. It prints nothing: it returns text."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from envaudit.model import Comparison, Severity


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
