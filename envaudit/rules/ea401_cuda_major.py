"""Serving uses CUDA of another major version than training.

## What it compares

The CUDA version that each framework was built for, and where no framework says one, the CUDA runtime that is
installed. Another major version is a warning, another minor version a note.

## Why it breaks

The libraries of CUDA 11 and 12 have other file names: what was built for one does not find the other
("libcublas.so.11: cannot open shared object file"). Another CUDA also needs another driver, and its libraries round
differently.

## Example

Training with a PyTorch built for CUDA 11.8, serving with one for CUDA 12.1: a warning.

## How to fix

Install the build for training's CUDA: `pip install 'torch==2.4.0' --index-url
https://download.pytorch.org/whl/cu118`.

## What it cannot see

Extension modules of other packages that were compiled against one CUDA.
"""

from __future__ import annotations

from collections.abc import Iterator

from envaudit.model import Finding, Severity, Snapshot, Unknown
from envaudit.rules import Rule
from envaudit.rules._gpu import build_of, cuda_of, lost
from envaudit.rules._helpers import Key, attributes, both, listed, shared, unseen_kind
from envaudit.rules._packages import wheel_index
from envaudit.rules._versions import release

REFERENCE = "https://docs.nvidia.com/deploy/cuda-compatibility/minor-version-compatibility.html"


def check(train: Snapshot, serve: Snapshot) -> Iterator[Finding | Unknown]:
    """Compare what frameworks say, else the runtime."""
    unknown = unseen_kind(train, serve, "cuda", "CUDA")
    if unknown:
        yield unknown
    theirs_by_name = serve.of("framework")
    told = any(cuda_of(ours) and name in theirs_by_name for name, ours in train.of("framework").items())
    libraries = _libraries(train, serve, () if told else ("runtime", "toolkit"))
    for name, ours, theirs in shared(train, serve, "framework"):
        before, after = cuda_of(ours), cuda_of(theirs)
        if not before or not after or before == after or build_of(train, name) != build_of(serve, name):
            continue
        labels = attributes(name, "label", "build", "tags", "hashes") if name in train.of("distribution") else ()
        covers = (("framework", name, "cuda"), *labels, *libraries)
        yield _finding(name, before, after, _fix(train, name, before), covers)
        libraries = ()
    if lost(train, serve):
        return
    for name in () if told else ("runtime", "toolkit"):
        pair = both(train, serve, "cuda", name)
        if pair and pair[0].version and pair[1].version and pair[0].version != pair[1].version:
            before, after = pair[0].version, pair[1].version
            image = f"FROM nvidia/cuda:{before} (or another image with CUDA {_minor(before)})"
            yield _finding(f"CUDA {name}", before, after, image, (("cuda", name, "version"), *libraries))
            libraries = ()
    if libraries:
        names = sorted({key[1] for key in libraries})
        yield Finding(
            "note",
            "CUDA libraries",
            f"{listed(names)} have other versions; results may differ in the last digits.",
            "Nothing has to be done where the findings on packages are settled",
            _versions(train, names),
            _versions(serve, names),
            REFERENCE,
            libraries,
        )


def _libraries(train: Snapshot, serve: Snapshot, without: tuple[str, ...]) -> tuple[Key, ...]:
    """What differs of the single libraries; EA404 judges cuDNN, down to its third number."""
    return tuple(
        ("cuda", name, key)
        for name, ours, theirs in shared(train, serve, "cuda")
        for key in ("version", "from")
        if name not in without and (name != "cudnn" or release(ours.version or "") == release(theirs.version or ""))
    )


def _versions(snapshot: Snapshot, names: list[str]) -> str:
    return listed([f"{name} {snapshot.of('cuda')[name].version}" for name in names], 2)


def _finding(subject: str, before: str, after: str, fix: str, covers: tuple[tuple[str, str, str], ...]) -> Finding:
    major = before.partition(".")[0]
    severity: Severity = "note"
    text = "Programs run on any CUDA of the same major version; results may differ in the last digits."
    if major != after.partition(".")[0]:
        severity = "warning"
        text = (
            f"What was built for CUDA {major} does not find its libraries (libcublas.so.{major}: cannot open shared "
            f"object file), and CUDA {_minor(after)} needs another driver. Results may differ in the last digits."
        )
    return Finding(severity, subject, text, fix, f"CUDA {before}", f"CUDA {after}", REFERENCE, covers)


def _fix(train: Snapshot, name: str, cuda: str) -> str:
    version = train.of("framework")[name].version
    wanted = f"{name}=={version}" if version else name
    if name == "torch":
        return f"pip install '{wanted}' --index-url {wheel_index('cu' + ''.join(cuda.split('.')[:2]))}"
    return f"pip install '{wanted}' (the build for CUDA {cuda})"


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])


RULE = Rule(check)
