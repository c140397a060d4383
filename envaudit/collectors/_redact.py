"""Credentials are taken out of URLs and texts here, before one can reach a snapshot or a message."""

from __future__ import annotations

import re

HIDDEN = "***"

# Patterns are texts, compiled at their first use: most environments hold no URL, and every command imports this.
_SCHEME = r"[A-Za-z][A-Za-z0-9+.-]*://"
_URL = r"[A-Za-z][A-Za-z0-9+.-]{0,40}://\S+"  # bounded: a text is searched for it from each of its letters on
_HIDE_UNDER = (
    r"(?i)token|key|passw|pwd|passphrase|secret|signature|credential"
    r"|(?:^|[^a-z])(?:sig|auth|pass|pw|jwt|bearer|authorization)(?:$|[^a-z])"
)
_ASSIGNMENT = r"""(["']?)(?<![\w.-])([\w.-]+)\1(\s*[=:]\s*)("[^"]*"|'[^']*'|(?:[Bb](?:earer|asic)\s+)?[^\s;&|"']+)"""

# Tokens that are told by their form. Sources: gitleaks' rules of these names
# (github.com/gitleaks/gitleaks/blob/b58d3f102cf3/config/gitleaks.toml) and, for Azure,
# github.com/Yelp/detect-secrets/blob/052fb20e256b/detect_secrets/plugins/azure_storage_key.py.
_TOKENS = "|".join(
    (
        r"\b(?:A3T[A-Z0-9]|AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}\b",  # aws-access-token
        r"\bgh[oprsu]_[0-9A-Za-z]{36}|\bgithub_pat_\w{82}",  # github-oauth, -pat, -refresh-token, -app-token, ...
        r"\bglpat-[\w-]{20,}",  # gitlab-pat
        r"\bhf_[0-9A-Za-z]{34}\b",  # huggingface-access-token
        r"\bpypi-AgEIcHlwaS5vcmc[\w-]{50,}",  # pypi-upload-token
        r"\bAIza[\w-]{35}",  # gcp-api-key
        r"\bxox[a-z]-[0-9]{10,13}-[0-9A-Za-z-]+",  # slack-bot-token, slack-user-token
        r"(?<![\w-])sk-(?:ant-|[\w-]{20,90}T3BlbkFJ)[\w-]{20,}",  # anthropic-api-key, openai-api-key
        r"\bdapi[a-f0-9]{32}",  # databricks-api-token
        r"\bey[A-Za-z0-9]{17,}\.ey[\w-]{17,}\.[\w-]{10,}",  # jwt
        r"(?<=AccountKey=)[A-Za-z0-9+/]{86}==",
        r"-----BEGIN[ A-Z0-9_-]{0,100}PRIVATE KEY[\s\S]*",  # private-key
    )
)
# Words in the name of a variable that say what it holds: those of Docker's build check SecretsUsedInArgOrEnv, with its
# exceptions (github.com/moby/buildkit/blob/b7fdd3291ba8/frontend/dockerfile/dockerfile2llb/validations.go), and what
# people shorten "password" to.
_SECRET_WORDS = r"""(?ix)(?:_|^)(?:
    apikey | auth | credentials? | key | \w{0,40}passw(?:or)?d | pword | secret | token | (?:ssh)?pass(?:phrase)? | pwd
    )(?:_|$)"""  # noqa: S105  (words, no password)
_OPEN_WORDS = r"(?i)(?:_|^)(?:public|file|version)(?:_|$)"
# What may stand under such a name and is no secret: nothing, a switch, a number, a path, a URL, a placeholder, and a
# fingerprint as in GPG_KEY of the official Python images.
_HARMLESS = r"""(?x)
    | (?i:true|false|yes|no|on|off|none|null) | -?[\d.]+ | [~.]{0,2}(?:/[\w.@\ -]{0,30})+ | [a-z][a-z0-9+.-]*://.*
    | <.*> | \$\{?\w+\}? | (?:[0-9A-F]{40}\s*)+"""


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


def looks_secret(name: str, value: str) -> bool:
    """Whether a variable holds a secret, by its name or by the form of its value."""
    if redact_tokens(value) != value:
        return True
    if re.search(_SECRET_WORDS, name) is None or re.search(_OPEN_WORDS, name) is not None:
        return False
    return re.fullmatch(_HARMLESS, value.strip()) is None


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
        shown.append(re.sub(_ASSIGNMENT, _assignment, redact_tokens(word)))
    return shown


def _assignment(match: re.Match[str]) -> str:
    if not is_secret_name(match[2]) or match[4].startswith("//"):
        return match[0]
    return f"{match[1]}{match[2]}{match[1]}{match[3]}{HIDDEN}"


def redact(text: str) -> str:
    """A text with every URL in it redacted."""
    return re.sub(_URL, lambda match: redact_url(match[0]), text)


def redact_tokens(text: str) -> str:
    """A text with every URL in it redacted, and every token that is told by its form."""
    return re.sub(_TOKENS, HIDDEN, redact(text))


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
