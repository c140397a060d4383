"""The directories of an inspected interpreter's sys.path."""

from __future__ import annotations

from envaudit.evidence import Evidence


def ranks(evidence: Evidence) -> dict[str, int]:
    """Directory -> its place on sys.path; what stands first is found first."""
    return {str(site).rstrip("/"): rank for rank, site in enumerate(evidence.interpreter.get("path", ()))}
