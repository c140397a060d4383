"""Talking to a registry: connections, redirects, retries, authorization, and one clear line for what goes wrong.

The pull side of the OCI distribution specification 1.1 (spec.md, "Pull"). Credentials go to the registry, over TLS or
within this machine, and to the token server that it names, on the same terms; never along a redirect to another place,
never into a message. ``~/.netrc`` is not read.
"""

from __future__ import annotations

import ipaddress
import os
import re
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from threading import Lock
from typing import Any, Final, TypeVar
from urllib.parse import urljoin, urlsplit

from envaudit.errors import MissingExtraError, TargetError
from envaudit.images import _auth
from envaudit.images.manifest import DOCUMENT_CAP, json_object
from envaudit.images.reference import HUB, Reference

TRIES: Final = 4
PAUSE: Final = 0.5
"""Seconds before the second try; twice as long before each further one."""
_LONGEST_PAUSE: Final = 30.0
_CONNECT: Final = 10.0
_REDIRECTS: Final = 5
_CLIENT: Final = "envaudit"
_HUB_HOST: Final = "registry-1.docker.io"
_AUTHORITIES: Final = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_STEP: Final = 64 * 1024
_TOKEN: Final = re.compile(r"[\x21-\x7e]{1,65536}")

_Result = TypeVar("_Result")


class AgainError(Exception):
    """It did not work, and may work in a moment."""

    def __init__(self, reason: str, pause: float = 0) -> None:
        super().__init__(reason)
        self.pause = pause


class Client:
    """Reads from one repository of a registry. May be used by several threads at a time."""

    def __init__(self, reference: Reference, timeout: float) -> None:
        """``timeout`` in seconds: the longest silence on the wire, and the longest that a document may take.

        Raises :class:`~envaudit.errors.MissingExtraError` without requests, which comes with the Docker SDK.
        """
        try:
            import requests
            from urllib3.exceptions import HTTPError
        except ImportError:
            raise MissingExtraError("docker", "reading from a registry") from None
        self.broken = (HTTPError, HTTPException, OSError)
        """What reading from an answer raises."""
        self.where = f"registry://{reference.digested(reference.digest) if reference.digest else reference.tagged}"
        self._reference = reference
        self._timeout = timeout
        self._session = requests.Session()
        # An authorization of its own keeps requests from looking into ~/.netrc.
        self._session.auth = lambda request: request
        self._session.headers.update({"User-Agent": _CLIENT, "Accept-Encoding": "identity"})
        named = next((name for name in _AUTHORITIES if os.environ.get(name)), "")
        if named and not os.path.exists(os.environ[named]):
            raise TargetError(f"{self.where}: {named} names {os.environ[named]}, which does not exist")
        if not named and os.path.isfile(os.environ.get("SSL_CERT_FILE", "")):
            self._session.verify = os.environ["SSL_CERT_FILE"]
        self._lock = Lock()
        self._login: _auth.Login | None = None
        self._authorization = ""
        self._base = f"https://{_HUB_HOST if reference.host == HUB else reference.host}"
        if is_local(self._base):
            self._base = self._spoken()

    def document(self, path: str, accept: str, what: str) -> tuple[bytes, str]:
        """A manifest or a configuration, one byte more than may be at most, and its media type as the server says it.

        ``path`` is relative to the repository, ``what`` names it in a message. Raises
        :class:`~envaudit.errors.TargetError` where it cannot be had.
        """

        def fetched() -> tuple[bytes, str]:
            with self._answer(path, {"Accept": accept}, what) as response:
                media_type = response.headers.get("Content-Type", "").partition(";")[0].strip()
                return self._whole(response), media_type

        return self.tried(fetched)

    def stream(self, path: str, start: int, what: str) -> Any:
        """An answer whose bytes are still to be read, from ``start`` on where the server obeys ranges (status 206).

        Raises :class:`~envaudit.errors.TargetError` where there is none, :class:`AgainError` where there may be one.
        """
        return self._answer(path, {"Range": f"bytes={start}-"} if start else {}, what)

    def tried(self, action: Callable[[], _Result]) -> _Result:
        """Do what may have to be done again: a few times, each after a longer pause, or the one that the server wants.

        Raises :class:`~envaudit.errors.TargetError` with the last reason.
        """
        failures = 0
        while True:
            try:
                return action()
            except AgainError as error:  # noqa: PERF203  (the loop is there for the exception)
                failures += 1
                self.wait(error, failures)

    def wait(self, error: AgainError, failures: int) -> None:
        """Let some time go by before the next try.

        Raises :class:`~envaudit.errors.TargetError` after too many failures, or where the server wants a long pause.
        """
        if error.pause > _LONGEST_PAUSE:
            later = f"try again in {error.pause:.0f} seconds"
            raise TargetError(f"{self.where}: cannot be read: {error}; {later}") from None
        if failures >= TRIES:
            raise TargetError(f"{self.where}: cannot be read: {error}") from None
        time.sleep(max(error.pause, PAUSE * 2 ** (failures - 1)))

    def _answer(self, path: str, headers: dict[str, str], what: str) -> Any:
        """An answer with content (200, 206). Anything else raises."""
        url = f"{self._base}/v2/{self._reference.path}/{path}"
        used = self._authorization
        response = self._followed(url, headers, used)
        if response.status_code == 401 and _origin(response.url) == _origin(url):
            response.close()
            authorization = self._renewed(used, response.headers.get("WWW-Authenticate", ""))
            if authorization != used:
                response = self._followed(url, headers, authorization)
        if response.status_code in (200, 206):
            return response
        with response:
            raise self._refused(response, what)

    def _renewed(self, used: str, challenge: str) -> str:
        """The authorization to use after one was not accepted; the same where there is no other."""
        with self._lock:
            if self._authorization == used:  # else another thread has renewed it
                self._authorization = self._authorized(_auth.challenges(challenge))
            return self._authorization

    def _followed(self, url: str, headers: dict[str, str], authorization: str) -> Any:
        """The answer after redirects. What authorizes is for the first place alone."""
        own = _origin(url)
        for _ in range(_REDIRECTS):
            mine = {"Authorization": authorization} if authorization and _origin(url) == own else {}
            response = self._sent("GET", url, headers={**headers, **mine})
            location = response.headers.get("Location")
            if response.status_code not in (301, 302, 303, 307, 308) or not location:
                return response
            response.close()
            url = urljoin(url, location)
            if not self._is_safe(url):
                raise TargetError(f"{self.where}: its registry redirects to a place without TLS; that is not followed")
            if _origin(url) != own:
                authorization = ""  # nor back again
        raise TargetError(f"{self.where}: its registry redirects for ever")

    def _sent(self, method: str, url: str, **options: Any) -> Any:
        """One request; its answer's content is not read yet. Raises :class:`AgainError`."""
        direct = {"http": "", "https": ""} if is_local(url) else None
        try:
            return self._session.request(
                method,
                url,
                stream=True,
                allow_redirects=False,
                timeout=(min(self._timeout, _CONNECT), self._timeout),
                proxies=direct,
                **options,
            )
        except (OSError, ValueError) as error:  # all exceptions of requests are OSErrors
            raise self.explained(error) from None

    def _whole(self, response: Any) -> bytes:
        """The content of an answer, one byte more than a document may have at most."""
        deadline = time.monotonic() + self._timeout
        data = bytearray()
        # What has come, without waiting for more; urllib3 1 has no such method, nor does it notice an early end.
        read = getattr(response.raw, "read1", None) or response.raw._fp.read1
        length = response.headers.get("Content-Length", "")
        while len(data) <= DOCUMENT_CAP:
            try:
                part = read(_STEP)
            except self.broken as error:
                raise self.explained(error) from None
            if not part and length.isdecimal() and len(data) < int(length[:20]):
                raise AgainError("the connection was closed in the middle")
            if not part:
                return bytes(data)
            data += part
            if time.monotonic() > deadline:
                raise TargetError(f"{self.where}: no whole answer within {self._timeout:g} seconds (--timeout)")
        return bytes(data[: DOCUMENT_CAP + 1])

    def _authorized(self, offered: list[_auth.Challenge]) -> str:
        """The header that answers a challenge; empty where there is nothing to answer with."""
        if self._login is None:
            self._login = _auth.login(self._reference.host)
        schemes = {challenge.scheme: challenge.parameters for challenge in reversed(offered)}
        if "bearer" in schemes:
            return f"Bearer {self._token(schemes['bearer'], self._login)}"
        return self._login.basic if "basic" in schemes and self._login.username else ""

    def _token(self, parameters: dict[str, str], login: _auth.Login) -> str:
        """A token to pull with, in exchange for the login, or for nothing (token.md, oauth.md)."""
        realm = parameters.get("realm", "")
        if not self._is_safe(realm):
            raise TargetError(f"{self.where}: its registry names a token server without TLS, which is told nothing")
        wanted = {"scope": f"repository:{self._reference.path}:pull"}
        if "service" in parameters:
            wanted["service"] = parameters["service"]

        def fetched() -> bytes:
            if login.identity_token:
                form = {"grant_type": "refresh_token", "client_id": _CLIENT, "refresh_token": login.identity_token}
                response = self._sent("POST", realm, data={**wanted, **form})
            else:
                headers = {"Authorization": login.basic} if login else {}
                response = self._sent("GET", realm, params=wanted, headers=headers)
            with response:
                if response.status_code != 200:
                    raise self._refused(response, "a token")
                return self._whole(response)

        found = json_object(self.tried(fetched), f"{self.where}: what its token server answers")
        token = found.get("token") or found.get("access_token")
        if not isinstance(token, str) or not _TOKEN.fullmatch(token):
            raise TargetError(f"{self.where}: what its token server answers holds no token")
        return token

    def _refused(self, response: Any, what: str) -> Exception:
        """What an answer without content means, and what to do about it."""
        status = response.status_code
        if status in (408, 425, 429) or status >= 500:
            advice = f" (too many requests; {self._to_log_in()} raises the limit)" if not self._login else ""
            return AgainError(f"its registry answers {status}{advice if status == 429 else ''}", _retry_after(response))
        problem = f" ({self._login.problem})" if self._login is not None and self._login.problem else ""
        if status == 401 and self._login:
            return TargetError(f"{self.where}: its registry refuses the login that Docker keeps; {self._to_log_in()}")
        if status == 401:
            return TargetError(f"{self.where}: it wants a login, or does not exist; {self._to_log_in()}{problem}")
        if status == 403:
            whose = "of this login" if self._login else "without a login"
            return TargetError(f"{self.where}: access is denied {whose}; {self._to_log_in()} as one who may{problem}")
        if status == 404 and "NAME_UNKNOWN" in self._codes(response):
            what = f"a repository {self._reference.path}"
        if status == 404:
            return TargetError(f"{self.where}: its registry does not have {what}")
        return TargetError(f"{self.where}: its registry answers {status} when asked for {what}")

    def _codes(self, response: Any) -> set[str]:
        """The error codes of an answer (spec.md, "Error Codes"); not its words, which may repeat what was sent."""
        try:
            return {error["code"] for error in json_object(self._whole(response), "")["errors"]}
        except (TargetError, AgainError, TypeError, KeyError):
            return set()

    def _to_log_in(self) -> str:
        return "docker login" if self._reference.host == HUB else f"docker login {self._reference.host}"

    def _is_safe(self, url: str) -> bool:
        """Whether nobody can listen: TLS, or within this machine to where the registry is as well."""
        scheme, host, _ = _origin(url)
        return bool(host) and (scheme == "https" or (is_local(url) and is_local(self._base)))

    def _spoken(self) -> str:
        """The base of the registry on this machine, which may speak plain HTTP as for the docker command."""
        plain = f"http://{self._reference.host}"
        try:
            with self._sent("GET", f"{plain}/v2/") as response:
                return self._base if response.status_code == 400 else plain
        except AgainError:
            return plain

    def explained(self, error: Exception) -> Exception:
        """What went wrong on the wire: an :class:`AgainError`, or a TargetError where another try would not help."""
        causes = list(_causes(error))
        if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes):
            return TargetError(
                f"{self.where}: the certificate of its registry cannot be checked;"
                " REQUESTS_CA_BUNDLE names the file of its authority"
            )
        if any("WRONG_VERSION_NUMBER" in str(cause) for cause in causes if isinstance(cause, ssl.SSLError)):
            return TargetError(
                f"{self.where}: its registry speaks no TLS; plain HTTP is spoken within this machine alone"
                " (localhost, 127.0.0.1)"
            )
        if any("Timeout" in type(cause).__name__ for cause in causes):
            return AgainError(f"its registry did not answer within {self._timeout:g} seconds (--timeout)")
        if any(isinstance(cause, socket.gaierror) and cause.errno == socket.EAI_NONAME for cause in causes):
            return TargetError(f"{self.where}: there is no host {self._reference.host}")
        for cause in reversed(causes):
            if isinstance(cause, OSError) and cause.strerror:
                return AgainError(f"its registry cannot be reached: {cause.strerror}")
        # Not in its own words: they may hold the address of a redirect, and that a signature.
        return AgainError(f"the connection to its registry failed ({type(causes[-1]).__name__})")


def is_local(url: str) -> bool:
    """Whether an address is of this machine, where docker takes plain HTTP as well: 127.0.0.0/8, ::1, localhost."""
    host = _origin(url)[1]
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port; empty where the address is none."""
    try:
        parts = urlsplit(url)
        scheme = parts.scheme.lower()
        return scheme, (parts.hostname or "").lower(), parts.port or {"http": 80, "https": 443}[scheme]
    except (ValueError, KeyError):
        return "", "", 0


def _retry_after(response: Any) -> float:
    """Seconds that a server wants to be left alone (RFC 9110, section 10.2.3)."""
    text = response.headers.get("Retry-After", "").strip()
    if text.isdecimal():
        return float(text[:9])
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, OverflowError):
        return 0.0


def _causes(error: BaseException | None, depth: int = 0) -> Iterator[BaseException]:
    """An exception with all that it wraps, the innermost last."""
    if error is None or depth > 8:
        return
    yield error
    for inner in (*error.args, getattr(error, "reason", None), error.__cause__ or error.__context__):
        if isinstance(inner, BaseException):
            yield from _causes(inner, depth + 1)
