"""Installed Python distributions, read from their metadata files as any tool would leave them.

Formats: PyPA "Recording installed projects" (dist-info, RECORD, INSTALLER), core metadata, PEP 610
(direct_url.json), setuptools' egg-info and egg forms, and conda's conda-meta folder.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from envaudit.collectors import _conda, _requires, _sites
from envaudit.collectors._names import normalise
from envaudit.collectors._redact import redact_url
from envaudit.evidence import Collector, Evidence, FileRequest, FileText, RecordDigest, Request
from envaudit.model import Component, Gap, Json

_METADATA = re.compile(
    r"(.*)/([^/]+)\.(dist-info/METADATA|egg-info/PKG-INFO|egg-info)$|(.*\.egg)/EGG-INFO/PKG-INFO$", re.S
)
_CAP = 1024 * 1024


class _Found:
    """One metadata folder (or file) on sys.path."""

    def __init__(self, path: str, folder: str, stem: str, rank: int, headers: dict[str, list[str]]) -> None:
        self.path = path
        self.folder = folder  # the metadata folder, "" for a plain egg-info file
        self.where = path.rpartition("/")[0] if not folder else folder.rpartition("/")[0]
        self.rank = rank
        self.headers = headers
        from_name = re.sub(r"-py\d[\d.]*$", "", stem).partition("-")
        self.name = (headers.get("name") or [from_name[0]])[0].strip()
        self.version = (headers.get("version") or [""])[0].strip()


def collect(evidence: Evidence) -> Iterator[Component | Gap]:
    """One ``distribution`` per normalised name; of several copies the one that sys.path finds first."""
    by_name: dict[str, list[_Found]] = {}
    for found in _all(evidence):
        if isinstance(found, Gap):
            yield found
        elif not found.version:
            yield Gap("distribution", normalise(found.name), f"{found.path}: names no version")
        else:
            by_name.setdefault(normalise(found.name), []).append(found)
    for place, why in evidence.errors:
        if place in evidence.interpreter["path"]:
            yield Gap("distribution", None, f"{place}: {why}")
    winners = {name: _winner(copies, evidence) for name, copies in by_name.items()}
    checker = _requires.Checker({name: one.version for name, one in winners.items()}, evidence.interpreter)
    unmet = {name: checker.unmet(one.headers.get("requires-dist", ())) for name, one in winners.items()}
    requested = _requested(winners, checker.wanted, evidence)
    conda = _conda.packages(evidence)
    pip = None if evidence.pip is None else {normalise(name): version for name, version in evidence.pip.items()}
    for name, winner in winners.items():
        public, _, label = winner.version.partition("+")
        attributes = _attributes(winner, evidence)
        attributes["label"] = label
        attributes["unmet"] = unmet[name]
        attributes["requested"] = name in requested
        attributes["shadowed"] = _shadowed(winner, by_name[name])
        attributes["conda"] = conda.get(name)
        if pip is not None and not _same_version(pip.get(name), winner.version):
            attributes["pip_disagrees"] = pip.get(name) or "pip does not list it"
        yield Component("distribution", name, public, {key: value for key, value in attributes.items() if value})
    for name, version in (pip or {}).items():
        if name not in winners:
            yield Gap("distribution", name, f"pip lists version {version}, but no metadata was found on sys.path")


def _shadowed(winner: _Found, copies: list[_Found]) -> list[Json]:
    """The other copies on sys.path, which this one hides; ``beside`` it where they lie in one folder."""
    hidden = {(copy.version, copy.where) for copy in copies} - {(winner.version, winner.where)}
    return [
        {"version": version, "where": where, **({"beside": True} if where == winner.where else {})}
        for version, where in sorted(hidden)
    ]


def _all(evidence: Evidence) -> Iterator[_Found | Gap]:
    ranks = _sites.ranks(evidence)
    for path, file in evidence.files.items():
        match = _METADATA.match(path)
        if match is None:
            continue
        stem = match[2] or match[4].rpartition("/")[2].removesuffix(".egg")
        if stem.startswith("~"):  # pip's leftover of an interrupted removal, never imported
            continue
        site = match[1] or match[4]
        if site not in ranks:
            continue
        if file.error:
            yield Gap("distribution", normalise(stem.partition("-")[0]), f"{path}: {file.error}")
            continue
        folder = "" if match[3] == "egg-info" else path.rpartition("/")[0]
        yield _Found(path, folder, stem, ranks[site], _headers(file.text))
    with_metadata = {path.rpartition("/")[0] for path in evidence.files if path.endswith("/METADATA")}
    for path in evidence.names:
        folder, _, last = path.rpartition("/")
        if last.endswith(".dist-info") and folder in ranks and path not in with_metadata and last[0] != "~":
            yield Gap("distribution", normalise(last.partition("-")[0]), f"{path}: has no METADATA")


def _headers(text: str) -> dict[str, list[str]]:
    """The header fields by lower-case name; continuation lines joined."""
    fields: dict[str, list[str]] = {}
    last: list[str] | None = None
    for line in text.splitlines():
        if not line:
            break
        if line[0] in " \t":  # also a line of blanks only, as in the folded License of many packages
            if last is not None:
                last[-1] += " " + line.strip()
            continue
        key, separator, value = line.partition(":")
        if separator:
            last = fields.setdefault(key.lower(), [])
            last.append(value.strip())
    return fields


def _winner(copies: list[_Found], evidence: Evidence) -> _Found:
    """The copy that ``import`` finds: the first on sys.path; in one folder the one whose files are as recorded."""

    def quality(copy: _Found) -> tuple[int, int, str]:
        record = evidence.records.get(copy.folder + "/RECORD")
        damaged = 0 if record is not None and not record.modified and not record.missing else 1
        return (copy.rank, damaged, copy.path)

    return min(copies, key=quality)


def _same_version(of_pip: str | None, of_metadata: str) -> bool:
    if of_pip is None or of_pip == of_metadata:
        return of_pip is not None
    from packaging.version import InvalidVersion, Version

    try:
        return Version(of_pip) == Version(of_metadata)
    except InvalidVersion:
        return False


def _requested(winners: dict[str, _Found], wanted: set[str], evidence: Evidence) -> set[str]:
    """What somebody asked for by name: marked by a REQUESTED file (PEP 376), as pip writes it.

    Where all are marked (uv marks everything) or none, it is what no other distribution requires.
    """
    marks = {path for path in evidence.names if path.endswith("/REQUESTED")}
    marked = {name for name, winner in winners.items() if winner.folder + "/REQUESTED" in marks}
    return marked if 0 < len(marked) < len(winners) else winners.keys() - wanted


def _attributes(found: _Found, evidence: Evidence) -> dict[str, Json]:
    """What the metadata folder tells; empty values are left out later."""
    if not found.folder:
        return {}
    installer = evidence.files.get(found.folder + "/INSTALLER", FileText())
    wheel = evidence.files.get(found.folder + "/WHEEL", FileText())
    record = evidence.records.get(found.folder + "/RECORD", RecordDigest())
    return {
        "installer": installer.text.split()[0] if installer.text.strip() else None,
        "tags": sorted(_headers(wheel.text).get("tag", [])),
        "build": record.digest if record.files else None,
        "modified": list(record.modified),
        "missing_files": list(record.missing),
        "source": _source(found, evidence),
    }


def _source(found: _Found, evidence: Evidence) -> dict[str, Json]:
    """Where it was installed from, when not from an index: direct_url.json (PEP 610), credentials redacted."""
    file = evidence.files.get(found.folder + "/direct_url.json")
    if file is None or file.error:
        return {}
    import json

    try:
        document = json.loads(file.text)
        url = redact_url(str(document["url"]))
        if "vcs_info" in document:
            info = document["vcs_info"]
            source = {
                "kind": "vcs",
                "url": url,
                "commit": info.get("commit_id"),
                "requested": info.get("requested_revision"),
            }
        elif "archive_info" in document:
            info = document["archive_info"]
            hashes = info.get("hashes") or {}
            digest = f"sha256:{hashes['sha256']}" if "sha256" in hashes else (info.get("hash") or "").replace("=", ":")
            source = {"kind": "archive", "url": url, "hash": digest}
        else:
            source = {
                "kind": "directory",
                "editable": bool((document.get("dir_info") or {}).get("editable")),
                "where": url,
            }
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {"kind": "unreadable"}
    source["subdirectory"] = document.get("subdirectory")
    return {key: value for key, value in source.items() if value not in (None, "", False)}


COLLECTOR = Collector(
    kinds=("distribution",),
    needs=frozenset({"interpreter", "files", "names", "records"}),
    request=Request(
        files=(
            FileRequest("{site}/*.dist-info/METADATA", cap=_CAP, headers=True),
            FileRequest("{site}/*.egg-info/PKG-INFO", cap=_CAP, headers=True),
            FileRequest("{site}/*.egg-info", cap=_CAP, headers=True),
            FileRequest("{site}/EGG-INFO/PKG-INFO", cap=_CAP, headers=True),
            FileRequest("{site}/*.dist-info/WHEEL", cap=65536),
            FileRequest("{site}/*.dist-info/INSTALLER", cap=1024),
            FileRequest("{site}/*.dist-info/direct_url.json", cap=65536),
            _conda.FILES,
        ),
        names=("{site}/*.dist-info", "{site}/*.dist-info/REQUESTED"),
        records=("{site}/*.dist-info/RECORD",),
    ),
    collect=collect,
)
