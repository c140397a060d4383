"""The image's own configuration: platform, user, what it starts, labels.

Its environment variables are not passed on: the settings among them are seen through the interpreter, under
an allow-list; any other may be a secret. A secret in a label or in the command line is hidden.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from envaudit.collectors import _redact
from envaudit.evidence import Collector, Evidence, Request
from envaudit.model import Component, Json

_PLATFORM: Final = ("architecture", "os", "variant")
_CONFIG: Final = ("user", "entrypoint", "cmd", "workdir", "labels", "created")
_ASSIGNMENT: Final = r"([\w.-]+)=([^\s;&|\"']+)"
_HIDE_UNDER: Final = r"(?i)passw|passphrase|pwd|token|secret|key|credential"


def collect(evidence: Evidence) -> Iterator[Component]:
    """One ``image`` component (attributes: docs/snapshot.md)."""
    found = evidence.image
    attributes: dict[str, Json] = {key: found[key] for key in (*_PLATFORM, *_CONFIG) if found.get(key)}
    for key in ("entrypoint", "cmd"):
        if key in attributes:
            attributes[key] = _command(attributes[key])
    if "labels" in attributes:
        attributes["labels"] = {
            name: _redact.HIDDEN if _is_secret(name) else _redact.redact(str(value))
            for name, value in sorted(attributes["labels"].items())
        }
    digests = sorted(text.rpartition("@")[2] for text in found.get("digests", ()))
    if digests:
        attributes["digest"] = digests[0]
    yield Component("image", "config", None, attributes)


def _is_secret(name: str) -> bool:
    return re.search(_HIDE_UNDER, name) is not None


def _command(words: list[str]) -> list[str]:
    """A command line without its secrets: ``--token X``, ``--token=X``, ``API_KEY=X`` and URLs."""
    shown = list[str]()
    hide = False
    for word in words:
        if hide and not word.startswith("-"):
            shown.append(_redact.HIDDEN)
            hide = False
            continue
        hide = word.startswith("-") and "=" not in word and " " not in word and _is_secret(word)
        shown.append(re.sub(_ASSIGNMENT, _assignment, _redact.redact(word)))
    return shown


def _assignment(match: re.Match[str]) -> str:
    return f"{match[1]}={_redact.HIDDEN}" if _is_secret(match[1]) else match[0]


COLLECTOR = Collector(kinds=("image",), needs=frozenset({"image"}), request=Request(), collect=collect)
