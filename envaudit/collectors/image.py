"""The image's own configuration: which image it is, platform, user, what it starts, labels.

Its environment variables are not passed on: the settings among them are seen through the interpreter, under
an allow-list; any other may be a secret. Of those that look like one only the names are told. A secret in a label or
in the command line is hidden.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from envaudit.collectors import _redact
from envaudit.evidence import Collector, Evidence, Request
from envaudit.model import Component, Json

_PLATFORM: Final = ("architecture", "os", "variant")
_CONFIG: Final = ("id", "user", "entrypoint", "cmd", "workdir", "labels", "created")


def collect(evidence: Evidence) -> Iterator[Component]:
    """One ``image`` component (attributes: docs/snapshot.md)."""
    found = evidence.image
    attributes: dict[str, Json] = {key: found[key] for key in (*_PLATFORM, *_CONFIG) if found.get(key)}
    for key in ("entrypoint", "cmd"):
        if key in attributes:
            attributes[key] = _redact.redact_command(attributes[key])
    if "labels" in attributes:
        attributes["labels"] = {
            name: _redact.HIDDEN if _redact.is_secret_name(name) else _redact.redact_tokens(str(value))
            for name, value in sorted(attributes["labels"].items())
        }
    digests = [text for text in found.get("digests", ()) if "<none>" not in text]
    if digests:
        # The first is the one that a registry has under the tag: of an image for several platforms, its index.
        attributes["digest"] = digests[0].rpartition("@")[2]
        attributes["digests"] = sorted(digests)
    secrets = [name for name, value in found.get("env", {}).items() if _redact.looks_secret(name, value)]
    if secrets:
        attributes["secrets"] = sorted(_redact.redact_tokens(name) for name in secrets)
    yield Component("image", "config", None, attributes)


COLLECTOR = Collector(kinds=("image",), needs=frozenset({"image"}), request=Request(), collect=collect)
