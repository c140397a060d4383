"""One file per rule, ``ea101_python_minor_skew.py``; each holds one ``RULE`` record.

The file name is the rule's identity: its code (EA101) and its name (python-minor-skew). The module docstring is the
rule's page: ``envaudit explain EA101`` prints it and docs/rules/ is generated from it.

Codes: EA1xx Python and ABI, EA2xx packages, EA3xx OS and libc, EA4xx GPU, EA5xx numerics and settings, EA6xx image
and lockfile hygiene, EA9xx artifacts. A published code never changes its meaning.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from envaudit.model import Finding, Snapshot, Unknown


class Rule(NamedTuple):
    """A pure function of the training and the serving snapshot that yields findings and what it could not judge."""

    check: Callable[[Snapshot, Snapshot], Iterable[Finding | Unknown]]


def code_of(module: str) -> str:
    """``ea101_python_minor_skew`` -> ``EA101``."""
    return module.partition("_")[0].upper()


def name_of(module: str) -> str:
    """``ea101_python_minor_skew`` -> ``python-minor-skew``."""
    return module.partition("_")[2].replace("_", "-")
