"""Credentials are taken out of URLs here, before one can reach a snapshot or a message."""

from __future__ import annotations

import re

HIDDEN = "***"

# Patterns are texts, compiled at their first use: most environments hold no URL, and every command imports this.
_SCHEME = r"[A-Za-z][A-Za-z0-9+.-]*://"
_HIDE_UNDER = (
    r"(?i)token|key|passw|pwd|passphrase|secret|signature|credential"
    r"|(?:^|[^a-z])(?:sig|auth|pass|pw|jwt|bearer|authorization)(?:$|[^a-z])"
)
_ASSIGNMENT = r"""(["']?)([\w.-]+)\1(\s*[=:]\s*)("[^"]*"|'[^']*'|(?:[Bb](?:earer|asic)\s+)?[^\s;&|"']+)"""


def redact_url(url: str) -> str:
    """The URL with ``***`` in place of a user, a password or a token.

    ``git@`` stays: it is how everyone logs in over ssh, and no secret. Query and fragment values go by the
    name they stand under (``X-Amz-Signature``, ``access_token``, ``sig``, ...).
    """
    match = re.match(_SCHEME, url)
    if match is None:
        return re.sub(r"^[^/@\s]*:[^/@\s]*@", f"{HIDDEN}@", url)
    scheme, rest = match[0], url[match.end() :]
    user, at, rest = _split_user(rest)
    if at and user != "git":
        user = HIDDEN
    rest, hash_sign, fragment = rest.partition("#")
    rest, question_mark, query = rest.partition("?")
    return scheme + user + at + rest + question_mark + _values(query) + hash_sign + _values(fragment)


def is_secret_name(name: str) -> bool:
    """Whether what stands under such a name is not for other eyes."""
    return re.search(_HIDE_UNDER, name) is not None


def redact_command(words: list[str]) -> list[str]:
    """A command line without its secrets: ``--token X``, ``--token=X``, ``API_KEY="X"``, ``sh -c`` bodies, URLs."""
    shown: list[str] = []
    hide = False
    for word in words:
        if hide:
            shown.append(HIDDEN)
            hide = False
            continue
        hide = word.startswith("-") and "=" not in word and " " not in word and is_secret_name(word)
        shown.append(re.sub(_ASSIGNMENT, _assignment, redact(word)))
    return shown


def _assignment(match: re.Match[str]) -> str:
    if not is_secret_name(match[2]) or match[4].startswith("//"):
        return match[0]
    return f"{match[1]}{match[2]}{match[1]}{match[3]}{HIDDEN}"


def redact(text: str) -> str:
    """A text with every URL in it redacted."""
    return re.sub(_SCHEME + r"\S+", lambda match: redact_url(match[0]), text)


def _split_user(rest: str) -> tuple[str, str, str]:
    """``(user information, "@" or "", what follows)``."""
    authority = re.match(r"[^/?#]*", rest)
    length = authority.end() if authority else 0
    user, at, host = rest[:length].rpartition("@")
    if at:
        return user, at, host + rest[length:]
    # user:pa/ss@host: an unquoted delimiter in a password ends the authority early; what is left looks like a
    # host with a port that is no number.
    _, colon, port = rest[:length].partition(":")
    if colon and not rest.startswith("[") and port.strip("0123456789"):
        user, at, host = rest.rpartition("@")
        if at:
            return user, at, host
    return "", "", rest


def _values(query: str) -> str:
    parts = re.split(r"([&;])", query)
    for index, part in enumerate(parts):
        name, equals, value = part.partition("=")
        if equals and value and re.search(_HIDE_UNDER, name):
            parts[index] = f"{name}={HIDDEN}"
    return "".join(parts)
