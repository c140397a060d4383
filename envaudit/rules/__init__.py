"""One file per rule, ``ea101_python_minor_skew.py``; each holds one ``RULE`` record.

The file name is the rule's identity: its code (EA101) and its name (python-minor-skew). The module docstring is the
rule's page: ``envaudit explain EA101`` prints it and docs/rules/ is generated from it.

Codes: EA1xx Python and ABI, EA2xx packages, EA3xx OS and libc, EA4xx GPU, EA5xx numerics and settings, EA6xx image
and lockfile hygiene, EA9xx artifacts. A published code never changes its meaning.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from envaudit.model import Finding, Snapshot, Unknown, Verdict


def _nothing(verdict: Verdict) -> Iterable[Finding | Unknown]:
    return ()


def _no_difference(train: Snapshot, serve: Snapshot) -> Iterable[Finding | Unknown]:
    return ()


class Rule(NamedTuple):
    """Two pure functions, of which a rule has one, that yield findings and what it could not judge."""

    check: Callable[[Snapshot, Snapshot], Iterable[Finding | Unknown]] = _no_difference
    """Of the training and the serving snapshot."""
    judge: Callable[[Verdict], Iterable[Finding | Unknown]] = _nothing
    """Of what will happen to a model file in serving (EA9xx)."""
    causes: frozenset[str] = frozenset()
    """The causes (:attr:`envaudit.model.Reason.cause`) that ``judge`` speaks of."""


def code_of(module: str) -> str:
    """``ea101_python_minor_skew`` -> ``EA101``."""
    return module.partition("_")[0].upper()


def name_of(module: str) -> str:
    """``ea101_python_minor_skew`` -> ``python-minor-skew``."""
    return module.partition("_")[2].replace("_", "-")
