"""A framework is built for other hardware in serving than in training: for the CPU instead of CUDA, or for ROCm.

## What it compares

What the installed framework says of itself (`torch/version.py`, TensorFlow's build information), and distributions
that come in two variants, such as onnxruntime-gpu and onnxruntime. A GPU build in training and none in serving is an
error for a framework and a warning for such a pair, whose models load on both; the reverse is a note. What local
version labels say is left to EA204.

## Why it breaks

A checkpoint whose tensors were on a GPU is put back there, which fails without CUDA. TensorFlow and ONNX Runtime go
on with the CPU, many times slower, and say so only in a log line.

## Example

Training has torch 2.4.0 built for CUDA 12.1, serving has a CPU build of it: an error.

## How to fix

Install the build that training had: `pip install 'onnxruntime-gpu==1.20.1'`.

## What it cannot see

Whether the model uses the GPU at all.
"""

from __future__ import annotations

from collections.abc import Iterator

from envaudit.model import Component, Finding, Gap, Severity, Snapshot, Unknown
from envaudit.rules import Rule
from envaudit.rules._gpu import build_of, cuda_of, gone_with_gpu
from envaudit.rules._helpers import attribute, real, shown
from envaudit.rules._packages import install, twin, variant

PUT_BACK = "https://github.com/dongkwonjin/Eigenlanes/issues/1"
PROVIDERS = "https://onnxruntime.ai/docs/execution-providers/CUDA-ExecutionProvider.html"


def check(train: Snapshot, serve: Snapshot) -> Iterator[Finding | Unknown]:
    """Compare frameworks, then pairs of distributions."""
    for name, ours in sorted(train.of("framework").items()):
        before = attribute(ours, "variant")
        theirs = serve.find("framework", name)
        if isinstance(theirs, Gap):
            if before in ("cuda", "rocm") and name in serve.of("distribution") and not build_of(serve, name):
                yield Unknown(name, f"whether serving has a GPU build was not seen: {theirs.reason}")
        elif theirs is not None and before and not _told_by_label(train, serve, name):
            after = attribute(theirs, "variant")
            if after and after != before and attribute(ours, "distribution") == attribute(theirs, "distribution"):
                yield _framework(train, serve, name, ours, before, after)
    for name in sorted(train.of("distribution")):
        if name not in serve.of("distribution"):
            other = twin(name, serve.of("distribution"))
            if other:
                yield _pair(train, serve, name, other)


def _told_by_label(train: Snapshot, serve: Snapshot, name: str) -> bool:
    """Whether EA204 has compared the labels of this package."""
    labels = [
        attribute(side.of("distribution")[name], "label") if name in side.of("distribution") else None
        for side in (train, serve)
    ]
    return labels[0] != labels[1] and any(variant(label) for label in labels)


def _framework(train: Snapshot, serve: Snapshot, name: str, ours: Component, before: str, after: str) -> Finding:
    keys: tuple[tuple[str, str, str], ...] = tuple(
        ("framework", name, key) for key in ("variant", "cuda", "cudnn", "hip")
    )
    severity: Severity = "error"
    if before == "cpu":
        severity = "note"
        text = f"Serving has a {after} build: predictions may run on a GPU and differ in the last digits."
    elif after == "cpu" and name != "torch":
        severity = "warning"
        text = "Everything runs on the CPU: slower, and with other last digits."
    elif after == "cpu":
        text = (
            "A checkpoint with tensors on a GPU will not load without map_location (RuntimeError: Attempting to "
            "deserialize object on a CUDA device but torch.cuda.is_available() is False); everything runs on the CPU."
        )
    else:
        text = f"Kernels compiled for {before} do not run on {after}, and results differ."
    if before != "cpu":
        keys += gone_with_gpu(train, serve)
    distribution = train.of("distribution").get(name, ours)
    return Finding(
        severity,
        name,
        text,
        install((name, distribution), cuda=cuda_of(ours)),
        f"{before} build",
        f"{after} build",
        PUT_BACK,
        keys,
    )


def _pair(train: Snapshot, serve: Snapshot, name: str, other: str) -> Finding:
    ours, theirs = train.of("distribution")[name], serve.of("distribution")[other]
    framework = other.partition("-")[0]
    slower = name.endswith(("-gpu", "-rocm", "-cu12", "-cu13")) or other.endswith("-cpu")
    severity: Severity = "warning" if slower else "note"
    text = (
        "Models load, and run on the CPU: slower, and with other last digits."
        if slower
        else "Models load, and may run on a GPU: results can differ in the last digits."
    )
    return Finding(
        severity,
        name,
        f"Serving has {other} instead of {name}. {text}",
        f"pip uninstall -y {other} && {install((name, ours))}",
        f"{name} {shown(ours)}",
        f"{other} {shown(theirs)}",
        PROVIDERS,
        real(
            train,
            serve,
            (
                ("distribution", name, "*"),
                ("distribution", other, "*"),
                *(("framework", framework, key) for key in ("variant", "cuda", "cudnn", "hip", "distribution")),
            ),
        ),
    )


RULE = Rule(check)
