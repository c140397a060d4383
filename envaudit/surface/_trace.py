"""What was looked at in folders of ``sys.path``, by digest: as long as it is the same, so is all that follows from it.

Contents are compared, never dates: a file that was edited in place and kept its size and date is another file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Final

from envaudit.model import Json
from envaudit.surface.tree import Tree

_FILE: Final = "file"
_FOLDER: Final = "folder"


class Trace:
    """Notes every file that is read and every folder that is listed through :attr:`trees`, also those not there."""

    def __init__(self, trees: Iterable[Tree], interpreter: Json) -> None:
        """``interpreter``: what else is known of the target, JSON-plain."""
        self._plain = list(trees)
        self.trees: list[Tree] = [_Traced(self, number) for number in range(len(self._plain))]
        self.place: Json = [interpreter, [repr(tree) for tree in self._plain]]
        """Which folders these are, and whose."""
        self.steady = True
        """Whether nothing changed while it was looked at."""
        self._seen: dict[tuple[int, str, str], str | None] = {}

    def read(self, number: int, path: str) -> bytes | None:
        """The contents of a file of one of the trees."""
        data = self._plain[number].read(path)
        self._note(number, _FILE, path, data)
        return data

    def names(self, number: int, folder: str) -> frozenset[str] | None:
        """The entries of a folder of one of the trees."""
        names = self._plain[number].names(folder)
        self._note(number, _FOLDER, folder, _listing(names))
        return names

    def seen(self) -> Json:
        """All that was looked at, JSON-plain."""
        return [[*where, digest] for where, digest in self._seen.items()]

    def holds(self, seen: Json) -> bool:
        """Whether all that another trace of this place saw is still the same. It counts as seen by this one too."""
        for number, kind, path, digest in seen:
            if kind == _FILE:
                self.read(number, path)
            else:
                self.trees[number].names(path)
            if self._seen[number, kind, path] != digest:
                return False
        return True

    def _note(self, number: int, kind: str, path: str, data: bytes | None) -> None:
        digest = None if data is None else hashlib.sha256(data).hexdigest()
        if self._seen.setdefault((number, kind, path), digest) != digest:
            self.steady = False


class _Traced:
    """A tree whose reader takes notes."""

    def __init__(self, trace: Trace, number: int) -> None:
        self._trace = trace
        self._number = number
        self._listings: dict[str, frozenset[str] | None] = {}

    def read(self, path: str) -> bytes | None:
        """The contents of a file; None where there is none that can be read."""
        return self._trace.read(self._number, path)

    def names(self, folder: str) -> frozenset[str] | None:
        """The entries of a folder; None where there is none that can be listed."""
        if folder not in self._listings:
            self._listings[folder] = self._trace.names(self._number, folder)
        return self._listings[folder]


def _listing(names: frozenset[str] | None) -> bytes | None:
    # That bytecode was written, by whoever imported it, changes nothing of what is there.
    return None if names is None else "\0".join(sorted(names - {"__pycache__"})).encode("utf-8", "surrogateescape")
