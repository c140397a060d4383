"""The package index: which files there are of a distribution, and which wheel an installer would choose.

Formats: PyPA "Simple repository API" as JSON (PEP 691) or HTML (PEP 503), told apart by what comes and not by what the
server says that it is; wheel tags as :mod:`packaging.tags` orders them.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Final, NamedTuple
from urllib.parse import unquote, urldefrag, urljoin

from packaging.tags import Tag, parse_tag
from packaging.utils import InvalidSdistFilename, parse_sdist_filename
from packaging.version import InvalidVersion, Version

from envaudit.errors import TargetError
from envaudit.model import Json
from envaudit.surface import _http
from envaudit.surface._cache import Cache
from envaudit.surface._versions import parsed
from envaudit.surface.platform import NEWEST_GLIBC, Platform

_ACCEPT: Final = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.01"
_DEFAULT: Final = "https://pypi.org/simple/"
_FRESH: Final = 600.0
"""Seconds for which a page is not asked for again."""
_OLDEST_GLIBC: Final = {"x86_64": 5, "i686": 5}
_LEGACY: Final = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}


class IndexFile(NamedTuple):
    """One file of a distribution."""

    filename: str
    url: str
    sha256: str | None
    requires_python: str | None
    yanked: bool

    def version(self) -> Version | None:
        """The version that the file's name states."""
        if self.filename.endswith(".whl"):
            parts = self.filename.removesuffix(".whl").split("-")
            return parsed(parts[1]) if len(parts) in (5, 6) else None
        try:
            return parse_sdist_filename(self.filename)[1]
        except (InvalidSdistFilename, InvalidVersion):
            return None

    def tags(self) -> frozenset[Tag]:
        """The interpreters and systems that a wheel is for; none where its name does not tell."""
        try:
            return parse_tag("-".join(self.filename.removesuffix(".whl").split("-")[-3:]))
        except ValueError:
            return frozenset()


class Release(NamedTuple):
    """One version of a distribution."""

    version: str
    requires_python: str | None
    wheels: tuple[IndexFile, ...]
    yanked: bool

    def wheel(self, platform: Platform, hashes: Iterable[str] = ()) -> IndexFile | None:
        """The wheel that an installer would choose there; None where there is none for that Python and system."""
        allowed = {value.removeprefix("sha256:") for value in hashes}
        ranks = {tag: rank for rank, tag in enumerate(_tags(platform))}
        best: tuple[int, IndexFile] | None = None
        for file in self.wheels:
            if allowed and file.sha256 not in allowed:
                continue
            rank = min((ranks[str(tag)] for tag in file.tags() if str(tag) in ranks), default=-1)
            if rank >= 0 and (best is None or rank < best[0]):
                best = (rank, file)
        return best[1] if best else None


@cache
def _tags(platform: Platform) -> tuple[str, ...]:
    from packaging.tags import compatible_tags, cpython_tags

    major, minor = platform.python
    abi = f"cp{major}{minor}" + ("m" if platform.python < (3, 8) else "")
    systems = list(_systems(platform))
    interpreter = f"cp{major}{minor}"
    tags = [
        *cpython_tags(platform.python, abis=[abi], platforms=systems),
        *compatible_tags(platform.python, interpreter=interpreter, platforms=systems),
    ]
    return tuple(map(str, tags))


def _systems(platform: Platform) -> Iterator[str]:
    """Platform tags, the newest C library first (PEP 600, PEP 656)."""
    family, _, version = platform.libc.partition(" ")
    numbers = [int(part) for part in re.findall(r"\d+", version)[:2]] or ([1, 9] if family == "musl" else [0, 0])
    newest = numbers[1] if len(numbers) > 1 else (9 if family == "musl" else 0)
    if family == "musl":
        yield from (f"musllinux_{numbers[0]}_{minor}_{platform.machine}" for minor in range(newest, -1, -1))
    else:
        for minor in range(newest or NEWEST_GLIBC, _OLDEST_GLIBC.get(platform.machine, 17) - 1, -1):
            yield f"manylinux_2_{minor}_{platform.machine}"
            if minor in _LEGACY:
                yield f"{_LEGACY[minor]}_{platform.machine}"
    yield f"linux_{platform.machine}"


def address() -> str:
    """The index that pip or uv would ask."""
    for variable in ("PIP_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL"):
        value = os.environ.get(variable, "").strip()
        if value:
            return value.rstrip("/") + "/"
    return _DEFAULT


class Index:
    """One package index, with a cache that also serves where the network does not."""

    def __init__(self, url: str | None = None, cache: Cache | None = None) -> None:
        self.url = url or address()
        self.cache = cache or Cache()
        self._releases: dict[str, dict[str, Release]] = {}

    def releases(self, distribution: str) -> dict[str, Release]:
        """Version -> release, oldest first.

        Raises :class:`~envaudit.errors.TargetError` where the index cannot be read and nothing is cached.
        """
        return self._known(distribution, None)

    def release(self, distribution: str, version: str) -> Release | None:
        """One release; None where the index has no such version. A page that holds it is not asked for again."""
        wanted = parsed(version)
        return None if wanted is None else _one(self._known(distribution, wanted), wanted)

    def _known(self, distribution: str, wanted: Version | None) -> dict[str, Release]:
        name = re.sub(r"[-_.]+", "-", distribution).lower()
        known = self._releases.get(name)
        if known is None or (wanted is not None and _one(known, wanted) is None):
            known = self._releases[name] = _by_version(self._files(name, wanted))
        return known

    def _files(self, name: str, wanted: Version | None) -> list[IndexFile]:
        cached = self._kept(name)
        if cached is not None:
            files = cached[1]
            held = wanted is not None and any(item.version() == wanted for item in files)
            if held or time.time() - cached[0] < _FRESH:
                return files
        try:
            url = urljoin(self.url, f"{name}/")
            files = _parsed(_http.get(url, accept=_ACCEPT).data, url)
        except _http.MissingError:
            files = []
        except TargetError:
            if cached is None:
                raise
            return cached[1]
        self.cache.keep_page(self.url, name, [list(item) for item in files])
        return files

    def _kept(self, name: str) -> tuple[float, list[IndexFile]] | None:
        """When a page was read that is kept, and its files; None where there is none, or it is damaged."""
        page = self.cache.page(self.url, name)
        try:
            return page and (page[0], [_checked(*item) for item in page[1]])
        except TypeError:
            return None


def _one(releases: dict[str, Release], wanted: Version) -> Release | None:
    """The release of a version, however it is spelled (1.0 and 1.0.0 are one)."""
    return releases.get(str(wanted)) or next(
        (release for spelled, release in releases.items() if Version(spelled) == wanted), None
    )


def _by_version(files: Iterable[IndexFile]) -> dict[str, Release]:
    groups: dict[Version, list[IndexFile]] = {}
    for file in files:
        version = file.version()
        if version is not None:
            groups.setdefault(version, []).append(file)
    return {
        str(version): Release(
            str(version),
            next((file.requires_python for file in group if file.requires_python), None),
            tuple(file for file in group if file.filename.endswith(".whl")),
            all(file.yanked for file in group),
        )
        for version, group in sorted(groups.items())
    }


def _parsed(data: bytes, url: str) -> list[IndexFile]:
    text = data.decode("utf-8", "replace").lstrip("\ufeff \t\r\n")
    if not text.startswith("{"):
        return _from_html(text, url)
    try:
        return [
            _checked(
                item["filename"],
                urljoin(url, item["url"]),
                (item.get("hashes") or {}).get("sha256"),
                item.get("requires-python"),
                bool(item.get("yanked")),
            )
            for item in json.loads(text)["files"]
        ]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise TargetError(f"{url}: is no page of a package index") from None


def _checked(filename: Json, url: Json, sha256: Json, requires_python: Json, yanked: Json) -> IndexFile:
    """One file of a page; TypeError where a part is of the wrong kind."""
    texts = (filename, url, sha256 or "", requires_python or "")
    if not all(isinstance(text, str) for text in texts):
        raise TypeError("a text is expected")
    return IndexFile(filename, url, sha256, requires_python, bool(yanked))


def _from_html(text: str, url: str) -> list[IndexFile]:
    from html.parser import HTMLParser

    files: list[IndexFile] = []

    class Links(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            values = dict(attrs)
            if tag == "a" and values.get("href"):
                target, fragment = urldefrag(urljoin(url, str(values["href"])))
                name = unquote(target.rpartition("/")[2])
                digest = fragment.partition("sha256=")[2] or None
                if name.endswith((".whl", ".tar.gz", ".zip")):
                    files.append(
                        IndexFile(name, target, digest, values.get("data-requires-python"), "data-yanked" in values)
                    )

    try:
        Links().feed(text)
    except (AssertionError, ValueError):  # html.parser on half a declaration; an address that is none
        raise TargetError(f"{url}: is no page of a package index") from None
    return files
