"""Reading from a package index over HTTP: whole answers and ranges, with time-outs, few retries and clear errors.

Connections are kept open and used again, as many to a host as there were requests at a time (RFC 9112, section 9.3).
"""

from __future__ import annotations

import atexit
import os
import time
from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple

from envaudit.errors import TargetError

if TYPE_CHECKING:
    import ssl
    from http.client import HTTPConnection

_TRIES: Final = 4
_PAUSE: Final = 0.5
_TIMEOUT: Final = 30.0
_CAP: Final = 2 * 1024 * 1024 * 1024
_REDIRECTS: Final = 10

_idle: Final[dict[tuple[str, str], list[HTTPConnection]]] = {}
"""Scheme and host -> open connections that nobody uses. Appending and popping are atomic, so threads may share it."""


@atexit.register
def close() -> None:
    """Close the connections that nobody uses."""
    for connections in _idle.values():
        while connections:
            connections.pop().close()


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

    bare, headers = _credentials(url)
    headers.update({"Accept": accept, "User-Agent": "envaudit"})
    if span is not None:
        headers["Range"] = f"bytes={span[0]}" if span[0] < 0 else f"bytes={span[0]}-{span[1] - 1}"
    reason = ""
    for attempt in range(_TRIES):
        if attempt:
            time.sleep(_PAUSE * 2**attempt)
        try:
            answer = _followed(bare, headers)
        except (OSError, http.client.HTTPException) as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            continue
        if 200 <= answer.status < 300:
            return answer
        if answer.status in (404, 410):
            raise MissingError(f"{bare}: there is no such thing ({answer.status})")
        reason = f"the server answers {answer.status}"
        if answer.status == 416 and headers.pop("Range", ""):  # the file is shorter than the range asked for
            continue
        if answer.status < 500 and answer.status not in (408, 425, 429):
            break
    raise TargetError(f"{bare}: cannot be read: {reason}")


def _followed(url: str, headers: dict[str, str]) -> Answer:
    """The answer to a GET after redirects; credentials are not sent on to another host."""
    from urllib.parse import urljoin, urlsplit

    for _ in range(_REDIRECTS):
        answer, location = _exchange(url, headers)
        if answer.status not in (301, 302, 303, 307, 308) or not location:
            return answer
        before = urlsplit(url).netloc
        url, own = _credentials(urljoin(url, location))
        if urlsplit(url).netloc != before:
            headers = {name: value for name, value in headers.items() if name != "Authorization"}
        headers = {**headers, **own}
    raise TargetError(f"{url}: cannot be read: it is redirected for ever")


def _exchange(url: str, headers: dict[str, str]) -> tuple[Answer, str | None]:
    """One request and its answer, with the ``Location`` that it names. A connection that the server has closed since
    it was last used is replaced by another."""
    import http.client
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise TargetError(f"{url}: cannot be read: is no address of a web server")
    idle = _idle.setdefault((parts.scheme, parts.netloc), [])
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    proxy, authorization = _proxy(parts.scheme, parts.netloc)
    if proxy and parts.scheme == "http":
        target, headers = f"http://{parts.netloc}{target}", {**headers, **authorization}
    while True:
        try:
            connection, used = idle.pop(), True
        except IndexError:
            connection, used = _connection(parts.scheme, parts.netloc, proxy, authorization), False
        try:
            connection.request("GET", target, headers=headers)
            response = connection.getresponse()
            data = response.read(_CAP)
            if response.length:
                raise http.client.IncompleteRead(data, response.length)
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            if used and not isinstance(error, TimeoutError):
                continue
            raise
        if response.will_close:
            connection.close()
        else:
            idle.append(connection)
        _, _, size = response.headers.get("Content-Range", "").rpartition("/")
        return Answer(response.status, data, int(size) if size.isdigit() else None), response.headers.get("Location")


def _connection(scheme: str, host: str, proxy: str, authorization: dict[str, str]) -> HTTPConnection:
    """A new connection to a host, or to the proxy by which it is reached."""
    import http.client

    if scheme == "http":
        return http.client.HTTPConnection(proxy or host, timeout=_TIMEOUT)
    connection = http.client.HTTPSConnection(proxy or host, timeout=_TIMEOUT, context=_context())
    if proxy:
        connection.set_tunnel(host, headers=authorization)
    return connection


@cache
def _proxy(scheme: str, host: str) -> tuple[str, dict[str, str]]:
    """The host of the proxy that the environment names (as :mod:`urllib.request` reads it), and the header that it
    wants; an empty host where there is none."""
    from urllib.parse import urlsplit
    from urllib.request import getproxies, proxy_bypass

    url = getproxies().get(scheme, "")
    if not url or proxy_bypass(host):
        return "", {}
    bare, headers = _credentials(url if "://" in url else f"http://{url}")
    return urlsplit(bare).netloc, {f"Proxy-{name}": value for name, value in headers.items()}


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
