"""A package that training had is not in serving.

## What it compares

The names of all packages. A missing package whose objects commonly sit inside model files (knowledge/packages.toml)
is an error. Any other is a warning if somebody asked for it by name in training (the REQUESTED file), and a note if it
only came along with another package. Installers, notebooks, test and lint tools, and envaudit's own dependencies
(knowledge/tools.toml) are a note, as are the parts of CUDA that come as wheels. A requirements file that does not name
what training asked for, and models hold, is a warning: it may still come in with something else.

## Why it breaks

A pickle holds the names of classes, not their code. Where the module cannot be imported, loading ends in
ModuleNotFoundError.

## Example

Training has imbalanced-learn 0.12.3, serving has not: an error.

## How to fix

`pip install 'imbalanced-learn==0.12.3'` in serving.

## What it cannot see

Whether the model or its feature code uses the package, and what a requirements file pulls in without naming it.
"""

from __future__ import annotations

from collections.abc import Iterator

from envaudit.model import Component, Finding, Gap, Severity, Snapshot, Unknown
from envaudit.rules import Rule
from envaudit.rules._gpu import is_companion, lost
from envaudit.rules._helpers import listed, shown, unseen_kind
from envaudit.rules._packages import install, is_needed, is_tool, twin

REFERENCE = "https://docs.python.org/3/library/pickle.html#what-can-be-pickled-and-unpickled"


def check(train: Snapshot, serve: Snapshot) -> Iterator[Finding | Unknown]:
    """Look every package of training up in serving."""
    unknown = unseen_kind(train, serve, "distribution", "packages")
    if unknown:
        yield unknown
        return
    theirs = serve.of("distribution")
    gaps: dict[str, list[str]] = {}
    parts: list[tuple[str, Component]] = []
    asks = any("requested" in component.attributes for component in train.of("distribution").values())
    for name, component in sorted(train.of("distribution").items()):
        if name in theirs:
            continue
        there = serve.find("distribution", name)
        if isinstance(there, Gap):
            if serve.target.declared and is_needed(name) and "requested" in component.attributes:
                yield _left_open(name, component)
                continue
            gaps.setdefault(there.reason, []).append(name)
        elif is_companion(name):
            parts.append((name, component))
        elif twin(name, theirs) is None:
            yield _missing(name, component, asked="requested" in component.attributes or not asks)
    for reason, names in sorted(gaps.items()):
        yield Unknown(names[0] if len(names) == 1 else listed(names, 3), f"not seen in serving: {reason}")
    if parts and not lost(train, serve):
        yield _parts(parts)


def _left_open(name: str, component: Component) -> Finding:
    return Finding(
        "warning",
        name,
        f"Serving does not name {name}: it is missing, or comes in whichever version something else pulls in.",
        install((name, component)),
        shown(component),
        "not named",
        REFERENCE,
        (("distribution", name, "*"),),
    )


def _missing(name: str, component: Component, *, asked: bool) -> Finding:
    severity: Severity = "note"
    if is_needed(name):
        severity, text = "error", "A model that holds an object of it will not load: ModuleNotFoundError."
    elif is_tool(name):
        text = "It serves people at work; models do not need it."
    elif asked:
        severity, text = "warning", "If the model or its feature code uses it, loading ends in ModuleNotFoundError."
    else:
        text = "In training it only came along with another package."
    return Finding(
        severity,
        name,
        f"Serving does not have {name}. {text}",
        install((name, component)),
        shown(component),
        None,
        REFERENCE,
        (("distribution", name, "*"),),
    )


def _parts(parts: list[tuple[str, Component]]) -> Finding:
    names = [name for name, _ in parts]
    return Finding(
        "note",
        "nvidia-*",
        f"Parts of CUDA that training had as packages are not in serving ({listed(names, 3)}); its framework may bring "
        "them along or take them from the system.",
        install(*parts),
        listed([f"{name} {component.version}" for name, component in parts], 2),
        None,
        None,
        tuple(("distribution", name, "*") for name in names),
    )


RULE = Rule(check)
