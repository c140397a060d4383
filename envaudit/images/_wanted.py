"""Which files of a layer are worth keeping when it is read once, before it is known which Python of the image counts.

A request's ``{site}`` and ``{prefix}`` stand for places that only the whole tree tells, and an absolute pattern may
lead through symbolic links of other layers. So a path is wanted where its end fits; what does not belong is passed over
later.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from envaudit.evidence import MIB, FileRequest, Request

LARGEST: Final = 8 * MIB
"""Bytes that are kept of a file; of a larger one nothing, it is read when it is really asked for."""
ROOM: Final = 512 * MIB
"""Bytes that are kept of all files of an image; a thousand distributions have 100 MiB of metadata."""
_WILD: Final = frozenset("*?[")
_PIECES: Final = re.compile(r"(\*|\?|\[!?[^\]/\\]+\])")
_CLASS: Final = re.compile(r"\[!?[^\]/\\]+\]")
_SIGNS: Final = {"*": "[^/]*", "?": "[^/]"}


class Kept(NamedTuple):
    """How much of a file is wanted."""

    cap: int
    headers: bool


class Wanted:
    """The ends of paths whose contents a request asks for."""

    def __init__(self, request: Request) -> None:
        self._by_name: dict[str, list[tuple[re.Pattern[str], Kept]]] = {}
        self._by_parent: dict[str, list[tuple[re.Pattern[str], Kept]]] = {}
        self._by_ends: list[tuple[str, str, re.Pattern[str], Kept]] = []
        records = [FileRequest(pattern, LARGEST) for pattern in request.records]
        for item in (*request.files, *records):
            self._add(item)
        self.identity = hashlib.sha256(repr((request.files, request.records)).encode()).hexdigest()
        """Equal for equal requests."""
        self.kept = 0
        """Bytes that were kept so far."""

    def _add(self, item: FileRequest) -> None:
        parts = [part for part in item.pattern.split("/") if part]
        parts = parts[1:] if parts[0].startswith("{") else parts[-2:]
        form = re.compile("(?:.*/)?" + "/".join(_translated(part) for part in parts), re.S)
        entry = (form, Kept(item.cap, item.headers))
        if not _WILD & set(parts[-1]):
            self._by_name.setdefault(parts[-1], []).append(entry)
        elif len(parts) > 1 and not _WILD & set(parts[-2]):
            self._by_parent.setdefault(parts[-2], []).append(entry)
        else:
            pieces = _PIECES.split(parts[-1])
            self._by_ends.append((pieces[0], pieces[-1], *entry))

    def of(self, folder: str, name: str) -> Kept | None:
        """How much to keep of the file ``folder/name``; None for nothing."""
        found = self._by_name.get(name, ()) or self._by_parent.get(folder[folder.rfind("/") + 1 :], ())
        wild = [
            (form, kept) for first, last, form, kept in self._by_ends if name.endswith(last) and name.startswith(first)
        ]
        if not found and not wild:
            return None
        path = f"{folder}/{name}" if folder else name
        kept = [kept for form, kept in (*found, *wild) if form.fullmatch(path)]
        return _most(kept) if kept else None


def _most(kept: Iterable[Kept]) -> Kept:
    """What satisfies all."""
    kept = list(kept)
    return Kept(max(item.cap for item in kept), all(item.headers for item in kept))


def _translated(part: str) -> str:
    """One component of a pattern as a regular expression that does not cross a slash."""
    return "".join(
        _SIGNS.get(piece) or (piece.replace("[!", "[^", 1) if _CLASS.fullmatch(piece) else re.escape(piece))
        for piece in _PIECES.split(part)
    )
