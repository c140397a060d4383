"""Who asks a registry: what the Docker configuration knows of it, and what the registry wants to see.

Formats: RFC 9110, section 11.6.1 (``WWW-Authenticate``); distribution/distribution, ``docs/spec/auth/token.md`` and
``oauth.md`` (bearer tokens, identity tokens); docker/cli, ``config.json`` (``auths``, ``credsStore``, ``credHelpers``).
"""

from __future__ import annotations

import base64
import re
import warnings
from typing import Final, NamedTuple

from envaudit.errors import MissingExtraError

_PARAMETER: Final = re.compile(
    r'[\s,]*(?:([A-Za-z][\w-]*)[ \t]+)?([A-Za-z][\w-]*)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^\s",]+))', re.ASCII
)


class Login(NamedTuple):
    """What the Docker configuration holds for a registry; nothing where it holds nothing."""

    username: str = ""
    password: str = ""
    identity_token: str = ""
    problem: str = ""
    """Why it could not be asked, where that is so."""

    def __repr__(self) -> str:
        """Without what is secret: a representation ends up in tracebacks and logs."""
        return f"Login({'of somebody' if self else 'of nobody'})"

    def __bool__(self) -> bool:
        return bool(self.username or self.identity_token)

    @property
    def basic(self) -> str:
        """The header of the Basic scheme (RFC 7617)."""
        return "Basic " + base64.b64encode(f"{self.username}:{self.password}".encode()).decode("ascii")


class Challenge(NamedTuple):
    """One way to authorize that a server offers."""

    scheme: str
    """In lower case."""
    parameters: dict[str, str]


def login(host: str) -> Login:
    """What ``docker login`` kept for a registry: in DOCKER_CONFIG or ~/.docker, or with the helper named there.

    Raises :class:`~envaudit.errors.MissingExtraError` without the Docker SDK.
    """
    try:
        import docker.auth
        import docker.errors
    except ImportError:
        raise MissingExtraError("docker", "reading from a registry") from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a helper that is not installed, which is told below
            found = docker.auth.load_config().resolve_authconfig(host) or {}
        # A helper spells them with capitals.
        found = {key.lower(): value for key, value in found.items() if isinstance(value, str)}
        return Login(found.get("username", ""), found.get("password", ""), found.get("identitytoken", ""))
    except docker.errors.DockerException:
        # Nothing of its words: they hold what the helper printed.
        return Login(problem="the credential helper named in the Docker configuration cannot be asked")
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Login(problem="the Docker configuration cannot be read")


def challenges(header: str) -> list[Challenge]:
    """What a ``WWW-Authenticate`` header offers; several such headers are joined with commas."""
    found = list[Challenge]()
    at = 0
    while match := _PARAMETER.match(header, at):
        scheme, name, quoted, plain = match.groups()
        if scheme:
            found.append(Challenge(scheme.lower(), {}))
        if found:
            value = plain if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
            found[-1].parameters.setdefault(name.lower(), value)
        at = match.end()
    return found or [Challenge(word.strip().lower(), {}) for word in header.split(",") if word.strip()]
