"""A package comes from another place than in training, or its files were changed after it was installed.

## What it compares

What direct_url.json (PEP 610) says: repository and commit, archive and hash, whether it is an editable install. Also
the files whose content is not what RECORD says (`modified`) or that are gone (`missing_files`). Differences are a
warning, a package whose own `__init__.py` is gone in serving an error; two installs from folders, whose contents
cannot be compared, are a note. Where the versions differ, EA201 speaks.

## Why it breaks

A version number says nothing about code from a repository, a folder or a patched file: the same version may hide
other code, and pip sees it as satisfied.

## Example

Training has features 1.0 from commit 1f3a9c2, serving has features 1.0 from the package index: a warning.

## How to fix

Install from the same place: `pip install 'features @ git+https://example.org/features@1f3a9c2…'`. Build a wheel of
what was editable and install that on both sides.

## What it cannot see

What the difference in code does, and packages that were copied in without an installer.
"""

from __future__ import annotations

from collections.abc import Iterator

from envaudit.model import Component, Finding, Json, Severity, Snapshot, Unknown
from envaudit.rules import Rule
from envaudit.rules._helpers import attributes, listed, shared
from envaudit.rules._packages import install, is_tool

PEP_610 = "https://packaging.python.org/en/latest/specifications/direct-url/"
RECORD = "https://packaging.python.org/en/latest/specifications/recording-installed-packages/"


def check(train: Snapshot, serve: Snapshot) -> Iterator[Finding | Unknown]:
    """Compare sources, then files."""
    for name, ours, theirs in shared(train, serve, "distribution"):
        if not (ours.attributes or theirs.attributes):
            continue
        if ours.version == theirs.version and _identity(ours) != _identity(theirs):
            yield _source(name, ours, theirs)
        for key in ("modified", "missing_files"):
            if ours.attributes.get(key) != theirs.attributes.get(key):
                yield _files(name, ours, theirs, key)


def _identity(component: Component) -> Json:
    """What decides which code it is: the commit or the archive's hash where there is one, else where it came from."""
    source = component.attributes.get("source") or {}
    exact = source.get("commit") or source.get("hash")
    if exact:
        return [exact, source.get("subdirectory")]
    return {key: value for key, value in source.items() if key not in ("where", "requested")}


def _source(name: str, ours: Component, theirs: Component) -> Finding:
    before, after = ours.attributes.get("source") or {}, theirs.attributes.get("source") or {}
    severity: Severity = "note" if is_tool(name) else "warning"
    text = f"The same version of {name} may be other code: pip compares version numbers only."
    if before.get("kind") == after.get("kind") == "directory" and before.get("editable") == after.get("editable"):
        severity = "note"
        text = "Both sides installed it from a folder; whether the folders hold the same code cannot be told."
    elif after.get("editable") and not before.get("editable"):
        text = f"Serving runs {name} from a source folder: every change of that folder changes the service."
    elif before.get("editable"):
        text = f"Training ran {name} from a source folder, with code that may never have been released."
    return Finding(
        severity,
        name,
        text,
        _same_source(name, ours, before),
        _place(before),
        _place(after),
        PEP_610,
        attributes(name, "source", "build", "hashes"),
    )


def _same_source(name: str, ours: Component, source: dict[str, Json]) -> str:
    """The command that installs the package from where training had it."""
    if source.get("kind") == "vcs" and source.get("url"):
        url = f"git+{source['url']}"
        if source.get("commit"):
            url += f"@{source['commit']}"
        return f"pip install '{name} @ {url}'"
    if source.get("kind") == "archive" and source.get("url"):
        return f"pip install '{name} @ {source['url']}'"
    if source:
        return f"pip wheel --no-deps {source.get('url', '.')} (and install that wheel of {name} on both sides)"
    return f"{install((name, ours))} --force-reinstall --no-deps"


def _place(source: dict[str, Json]) -> str:
    """A source in a few words."""
    if not source:
        return "package index"
    words = [str(source.get("url", source.get("kind", "?")))]
    if source.get("commit"):
        words.append(f"@{str(source['commit'])[:12]}")
    elif source.get("hash"):
        words.append(f" ({str(source['hash'])[:19]})")
    if source.get("editable"):
        words.append(" (editable)")
    return "".join(words)


def _files(name: str, ours: Component, theirs: Component, key: str) -> Finding:
    before, after = ours.attributes.get(key) or [], theirs.attributes.get(key) or []
    only = [file for file in after if file not in before]
    what = "were changed after the installation" if key == "modified" else "are missing"
    if only:
        text = f"Files of {name} {what} in serving only: {listed(only, 3)}. It does not run the code that training ran."
    else:
        only = [file for file in before if file not in after]
        text = f"Files of {name} {what} in training only: {listed(only, 3)}. Training ran other code than serving will."
    severity: Severity = "warning"
    if key == "missing_files" and any(file.endswith("/__init__.py") and file.count("/") == 1 for file in only):
        severity, text = "error", f"The files of {name} are gone: {listed(only, 3)}. Importing it fails."
    return Finding(
        severity,
        name,
        text,
        f"{install((name, ours))} --force-reinstall --no-deps",
        f"{len(before)} files",
        f"{len(after)} files",
        RECORD,
        attributes(name, key),
    )


RULE = Rule(check)
