"""What was read from a package index, kept on disk: pages by index and name, members of wheels by the wheel's SHA-256.

The folder can be deleted at any time. A cache that cannot be written is no error.
"""

from __future__ import annotations

import hashlib
import json
import os
import posixpath
import re
import time
from typing import Final

from envaudit.cache import home, write
from envaudit.model import Json

_FORM: Final = 1


class Cache:
    """The folder, and what may be in it."""

    def __init__(self, folder: str | None = None) -> None:
        self.folder = os.path.join(home(folder), f"wheels-{_FORM}")

    def page(self, index: str, name: str) -> tuple[float, list[Json]] | None:
        """When a distribution's page was read, and its files; None where it was not."""
        found = _json(self._page(index, name))
        try:
            return float(found["read"]), list(found["files"])
        except (TypeError, KeyError, ValueError, OverflowError):
            return None

    def keep_page(self, index: str, name: str, files: list[Json]) -> None:
        """Keep a distribution's files."""
        write(self._page(index, name), json.dumps({"read": time.time(), "files": files}).encode())

    def listing(self, wheel: str) -> list[str] | None:
        """The members of a wheel; None where they are not known."""
        found = _json(os.path.join(self.folder, wheel, "members.json"))
        return [str(item) for item in found] if isinstance(found, list) else None

    def keep_listing(self, wheel: str, members: list[str]) -> None:
        """Keep the members' names."""
        write(os.path.join(self.folder, wheel, "members.json"), json.dumps(members).encode())

    def member(self, wheel: str, path: str) -> bytes | None:
        """The contents of a member, if they were kept."""
        place = self._member(wheel, path)
        try:
            if place is not None:
                with open(place, "rb") as stream:
                    return stream.read()
        except OSError:
            pass
        return None

    def keep_member(self, wheel: str, path: str, data: bytes) -> None:
        """Keep a member's contents."""
        place = self._member(wheel, path)
        if place is not None:
            write(place, data)

    def has_member(self, wheel: str, path: str) -> bool:
        """Whether a member's contents were kept."""
        place = self._member(wheel, path)
        return place is not None and os.path.isfile(place)

    def _page(self, index: str, name: str) -> str:
        return os.path.join(self.folder, "pages", hashlib.sha256(index.encode()).hexdigest()[:16], f"{name}.json")

    def _member(self, wheel: str, path: str) -> str | None:
        """Where a member lies; None for names that would leave the folder."""
        if path != posixpath.normpath(path) or path.startswith(("/", "..")) or "\0" in path or "\\" in path:
            return None
        return os.path.join(self.folder, wheel, "members", *path.split("/"))


def identity(filename: str, sha256: str | None, url: str) -> str:
    """The key of a wheel: its SHA-256, else a digest of where it is."""
    if sha256 and re.fullmatch(r"[0-9a-f]{64}", sha256):
        return sha256
    return "url-" + hashlib.sha256(f"{url} {filename}".encode()).hexdigest()


def _json(path: str) -> Json:
    try:
        with open(path, "rb") as stream:
            return json.load(stream)
    except (OSError, ValueError, RecursionError):
        return None
