"""The same version of a package is another conda build, or comes from conda on one side only.

## What it compares

Build string, channel and platform of the conda package that brought each package, where version and label agree. A
difference is a note.

## Why it breaks

It hardly ever breaks. But conda builds are compiled with other options than wheels and link against other libraries,
BLAS above all, so that results can differ in the last digits.

## Example

numpy 1.26.4 from conda-forge in training, numpy 1.26.4 from PyPI in serving: a note.

## How to fix

Install from the same place: `conda install -c conda-forge 'numpy=1.26.4=py311h64a7726_0'`.

## What it cannot see

Which BLAS each build really uses.
"""

from __future__ import annotations

from collections.abc import Iterator

from envaudit.model import Component, Finding, Json, Snapshot, Unknown
from envaudit.rules import Rule
from envaudit.rules._helpers import attributes, shared
from envaudit.rules._packages import install

REFERENCE = "https://docs.conda.io/projects/conda-build/en/stable/resources/package-spec.html"


def check(train: Snapshot, serve: Snapshot) -> Iterator[Finding | Unknown]:
    """Compare what conda says about packages of one version."""
    for name, ours, theirs in shared(train, serve, "distribution"):
        before, after = ours.attributes.get("conda"), theirs.attributes.get("conda")
        if before == after or ours.version != theirs.version or theirs.version is None:
            continue
        yield Finding(
            "note",
            name,
            "The two builds of this version were compiled with other options and may use another BLAS; results can "
            "differ in the last digits.",
            _same(name, ours, before),
            _shown(before),
            _shown(after),
            REFERENCE,
            attributes(name, "conda", "build", "tags", "installer"),
        )


def _same(name: str, ours: Component, conda: dict[str, Json] | None) -> str:
    if not conda:
        return f"{install((name, ours))} --force-reinstall --no-deps"
    build = f"={conda['build']}" if conda.get("build") else ""
    channel = f"-c {conda['channel']} " if conda.get("channel") else ""
    return f"conda install {channel}'{name}={ours.version}{build}'"


def _shown(conda: dict[str, Json] | None) -> str:
    return (
        " ".join(str(conda[key]) for key in ("channel", "build", "subdir") if conda.get(key)) if conda else "no conda"
    )


RULE = Rule(check)
