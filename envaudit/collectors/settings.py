"""Environment variables that change results or behaviour: an allow-list, knowledge/settings.toml.

No other variable is read, so that no secret leaves the target.
"""

from __future__ import annotations

from collections.abc import Iterator

from envaudit import knowledge
from envaudit.collectors import _redact
from envaudit.evidence import Collector, Evidence, Request
from envaudit.model import Component, Gap

INIT = "/proc/1/environ"


def collect(evidence: Evidence) -> Iterator[Component | Gap]:
    """One ``setting`` per variable that is set; its version is its value. Unset is observed absent."""
    for place, why in evidence.errors:
        if place == INIT:
            yield Gap("setting", None, f"what the entry point exported: {INIT}: {why}")
    for name in NAMES:
        if name in evidence.environ:
            yield Component("setting", name, _redact.redact_url(evidence.environ[name]))


NAMES = knowledge.names("settings")
COLLECTOR = Collector(kinds=("setting",), needs=frozenset({"environ"}), request=Request(environ=NAMES), collect=collect)
