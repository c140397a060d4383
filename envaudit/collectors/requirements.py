"""What a requirements file asks for, as distributions."""

from __future__ import annotations

from collections.abc import Iterator

from envaudit.collectors._locks import check_packaging
from envaudit.evidence import Collector, Evidence, Request
from envaudit.model import Component, Gap


def collect(evidence: Evidence) -> Iterator[Component | Gap]:
    """Components and gaps of kind ``distribution`` (attributes: docs/snapshot.md)."""
    from envaudit.collectors import _requirement_set  # only where there is such a file: every command imports this one

    check_packaging()
    yield from _requirement_set.distributions(evidence)


COLLECTOR = Collector(kinds=("distribution",), needs=frozenset({"requirements"}), request=Request(), collect=collect)
