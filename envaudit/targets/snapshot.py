"""A saved snapshot: the JSON file that ``envaudit snapshot -o FILE`` wrote (format: docs/snapshot.md)."""

from __future__ import annotations

import os

from envaudit import store
from envaudit.evidence import SIDECAR, Options, Request, Target
from envaudit.model import Snapshot


def gather(reference: str, request: Request, options: Options) -> Snapshot:
    """Read it as it is; nothing is looked at anew."""
    return store.read(reference)


def claims(path: str) -> bool:
    """A file called ``*.json``, or that begins with an opening brace; neither a model with its snapshot beside it nor
    that."""
    if path.endswith(SIDECAR) or os.path.lexists(path + SIDECAR):
        return False
    try:
        with open(path, "rb") as stream:
            return stream.read(64).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{") or path.endswith(".json")
    except OSError:
        return False


TARGET = Target(kind="snapshot", schemes=("snapshot",), gather=gather, claims_path=claims)
