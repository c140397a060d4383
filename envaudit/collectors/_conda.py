"""Build strings and channels of conda packages, from conda-meta/NAME-VERSION-BUILD.json.

Only the head of each record is asked for: the file name already tells name, version and build string, and conda
writes its keys sorted, so that ``channel`` stands before the long list of files.
"""

from __future__ import annotations

import re

from envaudit.collectors._names import normalise
from envaudit.collectors._redact import redact_url
from envaudit.evidence import Evidence, FileRequest
from envaudit.model import Json

FILES = FileRequest("{prefix}/conda-meta/*.json", cap=4096)
_RECORD = re.compile(r".*/conda-meta/(?P<name>[^/]+)-(?P<version>[^-/]+)-(?P<build>[^-/]+)\.json$")
_CHANNEL = re.compile(r'"channel":\s*"([^"]*)"')


def packages(evidence: Evidence) -> dict[str, dict[str, Json]]:
    """Normalised package name -> ``{"build", "channel"}`` of the conda package of that name."""
    found: dict[str, dict[str, Json]] = {}
    for path, file in evidence.files.items():
        match = _RECORD.match(path)
        if match is None:
            continue
        record: dict[str, Json] = {"build": match["build"]}
        channel = _CHANNEL.search(file.text)
        if channel:
            # .../conda-forge/linux-64 -> conda-forge; a private channel's address may hold a login or a token
            path = re.sub(r"/t/[^/]+", "", redact_url(channel[1]).partition("://")[2] or channel[1])
            parts = [part.rpartition("@")[2] for part in path.split("/") if part]
            record["channel"] = parts[-2] if len(parts) > 1 else parts[-1] if parts else ""
        found[normalise(match["name"])] = record
    return found
