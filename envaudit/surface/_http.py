"""Reading from a package index over HTTP: whole answers and ranges, with time-outs, few retries and clear errors."""

from __future__ import annotations

import os
import time
from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple

from envaudit.errors import TargetError

if TYPE_CHECKING:
    import ssl

_TRIES: Final = 4
_PAUSE: Final = 0.5
_TIMEOUT: Final = 30.0
_CAP: Final = 2 * 1024 * 1024 * 1024


class Answer(NamedTuple):
    """What a server answered."""

    status: int
    data: bytes
    size: int | None
    """The size of the whole thing, where the answer is a range."""


class MissingError(TargetError):
    """The server says that there is no such thing."""


def get(url: str, *, accept: str = "*/*", span: tuple[int, int] | None = None) -> Answer:
    """Fetch a URL, or its bytes ``span[0]`` to ``span[1]`` (exclusive; a negative start counts from the end).

    Raises :class:`MissingError` for 404 and 410, :class:`~envaudit.errors.TargetError` where it cannot be had.
    """
    import http.client
    import urllib.error
    import urllib.request

    bare, headers = _credentials(url)
    headers.update({"Accept": accept, "User-Agent": "envaudit"})
    if span is not None:
        headers["Range"] = f"bytes={span[0]}" if span[0] < 0 else f"bytes={span[0]}-{span[1] - 1}"
    reason = ""
    for attempt in range(_TRIES):
        if attempt:
            time.sleep(_PAUSE * 2**attempt)
        try:
            request = urllib.request.Request(bare, headers=headers)  # noqa: S310  (the index that the user configured)
            with urllib.request.urlopen(request, timeout=_TIMEOUT, context=_context()) as answer:  # noqa: S310
                data = answer.read(_CAP)
                _, _, size = (answer.headers.get("Content-Range") or "").rpartition("/")
                return Answer(answer.status or 200, data, int(size) if size.isdigit() else None)
        except urllib.error.HTTPError as error:
            error.close()
            if error.code in (404, 410):
                raise MissingError(f"{bare}: there is no such thing ({error.code})") from None
            reason = f"the server answers {error.code}"
            if error.code == 416 and headers.pop("Range", ""):  # the file is shorter than the range asked for
                continue
            if error.code < 500 and error.code not in (408, 425, 429):
                break
        except (OSError, http.client.HTTPException, ValueError) as error:
            inner = getattr(error, "reason", error)
            reason = " ".join(str(inner).split()) or type(error).__name__
            if isinstance(error, ValueError):
                break
    raise TargetError(f"{bare}: cannot be read: {reason}")


def _credentials(url: str) -> tuple[str, dict[str, str]]:
    """The URL without user and password, so that no message shows them, and the header that carries them."""
    from urllib.parse import unquote, urlsplit, urlunsplit

    parts = urlsplit(url)
    if parts.username is None:
        return url, {}
    import base64

    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
    host = parts.netloc.rpartition("@")[2]
    bare = urlunsplit((parts.scheme, host, parts.path, parts.query, parts.fragment))
    return bare, {"Authorization": "Basic " + base64.b64encode(pair).decode("ascii")}


@cache
def _context() -> ssl.SSLContext:
    """The system's authorities, or those that REQUESTS_CA_BUNDLE names (OpenSSL itself obeys SSL_CERT_FILE)."""
    import ssl

    bundle = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("PIP_CERT") or None
    if bundle and os.path.isdir(bundle):
        return ssl.create_default_context(capath=bundle)
    return ssl.create_default_context(cafile=bundle if bundle and os.path.isfile(bundle) else None)
