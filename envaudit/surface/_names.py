"""The identifiers among a compiled module's strings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set

from envaudit.model import Json


class Names(Set[str]):
    """The identifiers of a module's strings. What is ``not in`` it, the module surely does not offer; what is in it may
    also be a part of another string, a local name or a word of a message."""

    def __init__(self, exact: Iterable[str], ended: bytes = b"", joined: bytes | None = b"") -> None:
        """``ended``: strings with their final zeros; ``joined``: such whose borders are lost (None: unreadable)."""
        self._exact = frozenset(exact)
        self._ended = ended
        self._joined = joined

    def __contains__(self, name: object) -> bool:
        if name in self._exact or self._joined is None:
            return True
        if not isinstance(name, str):
            return False
        data = name.encode()
        return data + b"\0" in self._ended or data in self._joined

    def __iter__(self) -> Iterator[str]:
        return iter(self._exact)

    def __len__(self) -> int:
        return len(self._exact)

    @classmethod
    def _from_iterable(cls, it: Iterable[str]) -> Names:  # type: ignore[override]
        return cls(it)

    def plain(self) -> Json:
        """The same as JSON."""
        ended = b"\0".join(sorted(set(self._ended.split(b"\0"))))
        joined = None if self._joined is None else self._joined.decode("latin-1")
        return [" ".join(sorted(self._exact)), ended.decode("latin-1"), joined]

    @classmethod
    def of_plain(cls, plain: Json) -> Names:
        """What :meth:`plain` made JSON of."""
        exact, ended, joined = plain
        return cls(exact.split(), f"{ended}\0".encode("latin-1"), None if joined is None else joined.encode("latin-1"))
