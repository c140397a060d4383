"""What was looked at in folders of ``sys.path``: as long as it is the same, so is all that follows from it.

What there was is known by its digest. It need not be read again where its stamp is as it was: that of a file in a
folder holds the time of its last change, which the system sets and no program can (inode(7), ``st_ctime``). A stamp
that is too young for that, since a change right after would bear the same time, is not kept, as in git's index
(Documentation/technical/racy-git).
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

from envaudit.model import Json
from envaudit.surface.tree import Stamp, Tree, is_meant

_FILE: Final = "file"
_FOLDER: Final = "folder"
_SETTLED: Final = 2_000_000_000
"""Nanoseconds after its last change from which on a stamp is trusted; FAT, the coarsest, counts in two seconds."""

_Where = tuple[int, str, str]
"""Number of the tree, file or folder, path in the tree."""


class _Seen(NamedTuple):
    digest: str | None
    """None: there was none."""
    stamp: list[int] | None
    """None: it is known by its digest alone."""


class Trace:
    """Notes every file that is read and every folder that is listed through :attr:`trees`, also those not there."""

    def __init__(self, trees: Iterable[Tree], interpreter: Json) -> None:
        """``interpreter``: what else is known of the target, JSON-plain."""
        self._plain = list(trees)
        self.trees: list[Tree] = [_Traced(self, number, tree) for number, tree in enumerate(self._plain)]
        self.place: Json = [interpreter, [repr(tree) for tree in self._plain]]
        """Which folders these are, and whose."""
        self.steady = True
        """Whether nothing changed while it was looked at."""
        self._seen: dict[_Where, _Seen] = {}

    def read(self, number: int, path: str) -> bytes | None:
        """The contents of a file of one of the trees."""
        found: bytes | None = self._look((number, _FILE, path), self._plain[number].read)
        return found

    def names(self, number: int, folder: str) -> frozenset[str] | None:
        """The entries of a folder of one of the trees."""
        found: frozenset[str] | None = self._look((number, _FOLDER, folder), self._plain[number].names)
        return found

    def seen(self) -> Json:
        """All that was looked at, JSON-plain."""
        return [[*where, *seen] for where, seen in self._seen.items()]

    def holds(self, known: Json) -> bool | None:
        """Whether all that another trace of this place saw is still the same; None where it is, but for stamps. It
        counts as seen by this trace too."""
        alike = True
        for number, kind, path, digest, stamp in known:
            where = (number, kind, path)
            if stamp is not None and stamp == self._stamp(where):
                self._note(where, _Seen(digest, stamp))
                continue
            tree = self.trees[number]
            if kind == _FILE:
                tree.read(path)
            else:
                tree.names(path)
            if self._seen[where].digest != digest:
                return False
            alike = alike and self._seen[where].stamp == stamp
        return alike or None

    def _look(self, where: _Where, look: Callable[[str], Any]) -> Any:
        before, now = self._stamp(where), time.time_ns()
        found = look(where[2])
        settled = before is not None and max(before[-2:]) + _SETTLED < now and before == self._stamp(where)
        self._note(where, _Seen(_digest(found), before if settled else None))
        return found

    def _stamp(self, where: _Where) -> list[int] | None:
        stamp: Stamp | None = getattr(self._plain[where[0]], "stamp", None)
        return None if stamp is None else stamp(where[2])

    def _note(self, where: _Where, seen: _Seen) -> None:
        if self._seen.setdefault(where, seen).digest != seen.digest:
            self.steady = False


class _Traced:
    """A tree whose reader takes notes."""

    def __init__(self, trace: Trace, number: int, tree: Tree) -> None:
        self._trace = trace
        self._number = number
        self.root = getattr(tree, "root", "")
        """Of a folder, its path."""
        self._listings: dict[str, frozenset[str] | None] = {}

    def read(self, path: str) -> bytes | None:
        """The contents of a file; None where there is none that can be read."""
        return self._trace.read(self._number, path)

    def names(self, folder: str) -> frozenset[str] | None:
        """The entries of a folder; None where there is none that can be listed."""
        if folder not in self._listings:
            self._listings[folder] = self._trace.names(self._number, folder)
        return self._listings[folder]


def _digest(found: bytes | frozenset[str] | None) -> str | None:
    if isinstance(found, frozenset):
        found = "\0".join(sorted(filter(is_meant, found))).encode("utf-8", "surrogateescape")
    return None if found is None else hashlib.sha256(found).hexdigest()
