"""A package has another version in serving than in training.

## What it compares

The version of every package that both sides have. How grave a difference is depends on the package, on whether major,
minor or patch number differ, on the direction, and on what is known:

- a known break between the two versions (knowledge/breaks-*.toml) decides severity, consequence and reference;
- else packages that models depend on are weighed one by one (knowledge/packages.toml): scikit-learn in serving that
  is a minor version older is an error, a minor version newer a warning, another patch a note;
- else another major version is a warning, everything smaller a note, as are version numbers that are dates.

Where a lockfile does not pin the package, the rule asks whether it admits training's version.

## Why it breaks

Model files name classes and private functions by module, and hold attributes as one version wrote them. Another
version may have moved the class, may expect attributes that are not there, or may read them in another way and give
other answers without an error.

## Example

Training with scikit-learn 1.4.2, serving with 1.3.2: an error. Training with pandas 1.5.3, serving with 2.0.3: an
error for pickled DataFrames (`ModuleNotFoundError: No module named 'pandas.core.indexes.numeric'`).

## How to fix

Install training's version in serving: `pip install 'scikit-learn==1.4.2'`. Where that is not possible, train again
with serving's version.

## What it cannot see

Which of the package's classes the model file really holds. Most pairs of neighbouring scikit-learn versions load most
models, and the finding names those that are known not to load.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from envaudit.knowledge import breaks
from envaudit.model import Component, Finding, Severity, Snapshot, Unknown
from envaudit.rules import Rule
from envaudit.rules._gpu import is_companion
from envaudit.rules._helpers import RANK, attributes, graver, listed, shared, shown
from envaudit.rules._packages import install, is_needed, is_tool, known, pin, weight
from envaudit.rules._versions import allowed, compare, plain, step, within

LEVELS = ("major", "minor", "patch")
DATED = 1990
"""From here on a first number is a year, and a larger one says nothing about compatibility."""


def check(train: Snapshot, serve: Snapshot) -> Iterator[Finding | Unknown]:
    """Weigh every difference of a version."""
    parts: list[tuple[str, Component, Component]] = []
    for name, ours, theirs in shared(train, serve, "distribution"):
        if ours.version and theirs.version:
            if ours.version == theirs.version or not compare(ours.version, theirs.version):
                continue
            if is_companion(name):
                parts.append((name, ours, theirs))
            else:
                finding = _weighed(name, ours, theirs)
                if name in train.of("framework") and name in serve.of("framework"):
                    more = (("framework", name, "version"), ("framework", name, "cudnn"))
                    finding = finding._replace(covers=finding.covers + more)
                yield finding
        else:
            yield from _unpinned(name, ours, theirs)
    if parts:
        yield _cuda_parts(parts)


def _weighed(name: str, ours: Component, theirs: Component) -> Finding:
    train, serve = str(ours.version), str(theirs.version)
    apart = step(train, serve)
    level, older = apart or (2, False)
    severity: Severity = "note" if (plain(train) or (0,))[0] >= DATED else weight(name, level, older)
    crossed = [item for item in breaks(name) if within(train, item["train"]) and within(serve, item["serve"])]
    entry = known(name)
    reference = entry["source"] if entry else None
    if crossed:
        crossed.sort(key=lambda item: -RANK[item["severity"]])
        gravest: Any = crossed[0]["severity"]
        severity = graver(severity, gravest)
        text, reference = _broken(name, train, serve, crossed), crossed[0]["source"]
    else:
        text = _apart(name, train, serve, severity, LEVELS[level], older)
    return Finding(severity, name, text, install((name, ours)), shown(ours), shown(theirs), reference, _covers(name))


def _broken(name: str, train: str, serve: str, crossed: list[dict[str, str]]) -> str:
    """What the gravest known break does, and what else is hit."""
    first = crossed[0]
    hits = first["hits"][0].upper() + first["hits"][1:]
    text = {
        "load": f"{hits} from {name} {train} will not load in {serve}: {first['error']}",
        "predict": f"{hits} from {name} {train} load in {serve}, and then fail: {first['error']}",
        "silent": f"{hits} will answer differently in {name} {serve} than in {train}: {first['error']}",
    }[first["effect"]]
    others = list(dict.fromkeys(item["hits"] for item in crossed[1:] if item["hits"] != first["hits"]))
    text = text.rstrip(".") + "."
    return f"{text} Other known breaks between the two versions hit: {'; '.join(others[:4])}." if others else text


def _apart(name: str, train: str, serve: str, severity: Severity, level: str, older: bool) -> str:
    """What a difference means where no known break lies between."""
    entry = known(name)
    if severity == "note":
        return f"No effect of this {level} difference on a model is known."
    relation = "an older" if older else "a newer"
    text = f"Serving has {relation} {level} version. "
    if entry is None:
        return text + "A major release may remove or rename what the model or its feature code uses."
    text += str(entry["why"])
    if severity == "error":
        text += f" A file from {train} may name classes and attributes that {serve} lacks, and then fails to load."
    return text


def _unpinned(name: str, ours: Component, theirs: Component) -> Iterator[Finding | Unknown]:
    """One side is a lockfile that does not name one version."""
    pinned, loose, side = (ours, theirs, "serving") if ours.version else (theirs, ours, "training")
    if not pinned.version or loose.attributes.get("source"):
        return
    specifier = loose.attributes.get("specifier")
    if specifier is None:
        if "candidates" in loose.attributes:
            yield Unknown(name, f"which version {side} installs depends on markers that could not be settled")
        return
    if allowed(pinned.version, specifier) is not False:
        return
    severity: Severity = "error" if is_needed(name) else "note" if is_tool(name) else "warning"
    entry = known(name)
    other = "training" if side == "serving" else "serving"
    yield Finding(
        severity,
        name,
        f"The lockfile of {side} asks for {name}{specifier}, which excludes {other}'s version {pinned.version}: "
        "the two sides will run different versions.",
        f"Pin it in the lockfile of {side}: {pin(name, pinned)}",
        shown(ours),
        shown(theirs),
        entry["source"] if entry else None,
        _covers(name),
    )


def _cuda_parts(parts: list[tuple[str, Component, Component]]) -> Finding:
    """One note for the many wheels that CUDA is cut into; EA401 to EA404 judge CUDA itself."""
    names = [name for name, _, _ in parts]
    name, ours, theirs = parts[0]
    more = f" and {len(parts) - 1} more" if len(parts) > 1 else ""
    return Finding(
        "note",
        "nvidia-*",
        f"Parts of CUDA have other versions ({listed(names, 3)}), as the framework asks for them.",
        install(*((name, ours) for name, ours, _ in parts)),
        f"{name} {ours.version}{more}",
        f"{name} {theirs.version}{more}",
        None,
        tuple(key for name, _, _ in parts for key in _covers(name)),
    )


def _covers(name: str) -> tuple[tuple[str, str, str], ...]:
    """The version, and what belongs to one version and hence differs with it."""
    return attributes(name, "version", "label", "specifier", "build", "tags", "hashes", "conda")


RULE = Rule(check)
