"""A package has the same name and another build: its local version label differs, `+cu121` against `+cpu`.

## What it compares

The part of the version after `+`. A CUDA or ROCm build in training and a CPU build (or the other GPU's) in serving is
an error, told once for all packages that it hits. Any other difference of labels under one version is a warning, or a
note where both are known to be builds for the same CUDA.

## Why it breaks

`torch==2.4.0` is satisfied by 2.4.0+cpu and by 2.4.0+cu121 alike, so version checks pass. But a checkpoint whose
tensors were on a GPU is put back there: "RuntimeError: Attempting to deserialize object on a CUDA device but
torch.cuda.is_available() is False".

## Example

Training has torch 2.4.0+cu121, serving 2.4.0+cpu: one error.

## How to fix

Install the same build: `pip install 'torch==2.4.0' --index-url https://download.pytorch.org/whl/cu121`. Where serving
has no GPU on purpose, load with `map_location="cpu"`.

## What it cannot see

Builds without a label: the wheels of PyTorch on PyPI carry none. EA402 compares what the framework says of itself.
"""

from __future__ import annotations

from collections.abc import Iterator

from envaudit.model import Component, Finding, Severity, Snapshot, Unknown
from envaudit.rules import Rule
from envaudit.rules._gpu import build_of, cuda_of, gone_with_gpu, lost
from envaudit.rules._helpers import attribute, attributes, listed, real, shared, shown
from envaudit.rules._packages import install

PUT_BACK = "https://github.com/dongkwonjin/Eigenlanes/issues/1"
LABELS = "https://packaging.python.org/en/latest/specifications/version-specifiers/#local-version-identifiers"


def check(train: Snapshot, serve: Snapshot) -> Iterator[Finding | Unknown]:
    """Compare the labels of all packages that both sides have."""
    gone = lost(train, serve)
    hit = []
    for name, ours, theirs in shared(train, serve, "distribution"):
        if theirs.version is None or attribute(ours, "label") == attribute(theirs, "label"):
            continue
        if serve.target.declared and attribute(theirs, "label") is None:
            continue  # a lockfile without a label takes whichever build its index offers
        if name in gone:
            hit.append((name, ours, theirs))
        elif _told_by_cuda(train, serve, name):
            continue
        elif ours.version == theirs.version or build_of(train, name) != build_of(serve, name):
            yield _other(train, serve, name, ours, theirs)
    if hit:
        yield _lost(train, serve, hit)


def _told_by_cuda(train: Snapshot, serve: Snapshot, name: str) -> bool:
    """Whether the framework itself says that both are CUDA builds, for different CUDA: EA401 judges that."""
    before, after = _cuda(train, name), _cuda(serve, name)
    return bool(before and after and before != after and build_of(train, name) == build_of(serve, name))


def _lost(train: Snapshot, serve: Snapshot, hit: list[tuple[str, Component, Component]]) -> Finding:
    """One finding for all packages of a GPU build."""
    hit.sort(key=lambda item: (item[0] != "torch", item[0]))
    name, ours, theirs = hit[0]
    before, after = build_of(train, name), build_of(serve, name)
    text = f"Training used a {before} build of {listed([item[0] for item in hit])}, serving has a {after} build. "
    if after == "cpu":
        text += (
            "A checkpoint with tensors on a GPU will not load without map_location: RuntimeError: Attempting to "
            "deserialize object on a CUDA device but torch.cuda.is_available() is False."
        )
    else:
        text += "Kernels compiled for one do not run on the other, and results differ."
    keys = [key for name, _, _ in hit for key in attributes(name, "label", "build", "tags", "hashes")]
    keys += [("framework", name, key) for name, _, _ in hit for key in ("version", "cuda", "cudnn", "hip", "variant")]
    return Finding(
        "error",
        name,
        text,
        install(*((name, ours) for name, ours, _ in hit), cuda=_cuda(train, name)),
        shown(ours),
        shown(theirs),
        PUT_BACK,
        real(train, serve, (*keys, *gone_with_gpu(train, serve))),
    )


def _cuda(train: Snapshot, name: str) -> str | None:
    framework = train.of("framework").get(name)
    return cuda_of(framework) if framework else None


def _other(train: Snapshot, serve: Snapshot, name: str, ours: Component, theirs: Component) -> Finding:
    severity: Severity = "warning"
    before, after = train.of("framework").get(name), serve.of("framework").get(name)
    if before is not None and after is not None and attribute(before, "cuda") == attribute(after, "cuda"):
        severity, text = "note", "Both are builds for the same hardware; no effect on a model is known."
    elif build_of(serve, name) == "cuda":
        text = (
            "The builds use other GPU libraries: results may differ in the last digits, and another driver is needed."
        )
    else:
        text = "Version checks see no difference, but the two builds have different origins and may behave differently."
    return Finding(
        severity,
        name,
        text,
        install((name, ours)),
        shown(ours),
        shown(theirs),
        LABELS,
        attributes(name, "label", "build", "tags", "hashes"),
    )


RULE = Rule(check)
