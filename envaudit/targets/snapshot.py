"""A saved snapshot: the JSON file that ``envaudit snapshot -o FILE`` wrote (format: docs/snapshot.md)."""

from __future__ import annotations

from envaudit import store
from envaudit.embedding import ENDING
from envaudit.evidence import Options, Request, Target
from envaudit.model import Snapshot


def gather(reference: str, request: Request, options: Options) -> Snapshot:
    """Read it as it is; nothing is looked at anew."""
    return store.read(reference)


def claims(path: str) -> bool:
    """A file called ``*.json``, or that begins with an opening brace; not what belongs to the model beside it."""
    if path.endswith(ENDING):
        return False
    try:
        with open(path, "rb") as stream:
            return stream.read(64).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{") or path.endswith(".json")
    except OSError:
        return False


TARGET = Target(kind="snapshot", schemes=("snapshot",), gather=gather, claims_path=claims)
