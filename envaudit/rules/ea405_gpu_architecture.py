"""Serving has GPUs of another architecture than training, or none.

## What it compares

The compute capabilities of the GPUs on both sides, and what the CUDA build of serving's framework can run on. A GPU
that this CUDA no longer supports is an error; one that it does not know yet, or no GPU for a GPU build, is a warning;
any other difference is a note.

## Why it breaks

Compiled GPU code runs on one generation: "no kernel image is available for execution on the device" at the first
kernel. Between generations results differ in the last digits, and from Ampere on TF32 may round inputs to 10 bits.

## Example

Training on an A100 (8.0), serving on a T4 (7.5): a note. Serving on a V100 (7.0) with a CUDA 13 build: an error.

## How to fix

Serve on the same generation, or install a build whose CUDA knows serving's GPU.

## What it cannot see

Which architectures the installed build was really compiled for.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from envaudit.knowledge import load
from envaudit.model import Finding, Snapshot, Unknown
from envaudit.rules import Rule
from envaudit.rules._gpu import cuda_of
from envaudit.rules._helpers import listed, unseen_kind
from envaudit.rules._versions import compare

NO_IMAGE = "https://github.com/CosmiQ/solaris/issues/419"
REPRODUCIBLE = "https://docs.nvidia.com/cuda/cublas/index.html#results-reproducibility"
COVERS = (("gpu", "*", "*"),)


def check(train: Snapshot, serve: Snapshot) -> Iterator[Finding | Unknown]:
    """Compare capabilities, and serving's with what its framework can run on."""
    unknown = unseen_kind(train, serve, "gpu", "GPU")
    if unknown:
        yield unknown
        return
    ours, theirs = _capabilities(train), _capabilities(serve)
    if ours == theirs or not ours:
        return
    if not theirs:
        if _cuda(serve) and not serve.of("gpu"):
            yield _none(train)
        return
    sides = _shown(train), _shown(serve)
    for capability in sorted(theirs - ours):
        bad = _not_run(_cuda(serve), capability)
        if bad is not None:
            old, text, source = bad
            yield Finding(
                "error" if old else "warning",
                f"GPU {capability}",
                f"{text}: CUDA error: no kernel image is available for execution on the device.",
                "Serve on GPUs of training's generation, or install a build for another CUDA",
                *sides,
                source,
                COVERS,
            )
            return
    yield Finding(
        "note",
        "GPU",
        "Results can differ in the last digits between GPU generations; cuBLAS promises the same bits on "
        "one architecture only.",
        f"Serve on a GPU with compute capability {listed(sorted(ours))}",
        *sides,
        REPRODUCIBLE,
        COVERS,
    )


def _none(train: Snapshot) -> Finding:
    return Finding(
        "warning",
        "GPU",
        "Serving has a CUDA build and no GPU: tensors that a checkpoint puts on a GPU will not load "
        "without map_location, and everything runs on the CPU.",
        "docker run --gpus all (or another way to give the service a GPU)",
        _shown(train),
        "no GPU",
        "https://github.com/dongkwonjin/Eigenlanes/issues/1",
        COVERS,
    )


def _capabilities(snapshot: Snapshot) -> set[str]:
    found = (gpu.attributes.get("compute_capability") for gpu in snapshot.of("gpu").values())
    return {str(capability) for capability in found if capability}


def _cuda(snapshot: Snapshot) -> str | None:
    """The CUDA that a framework of the snapshot was built for."""
    for _, framework in sorted(snapshot.of("framework").items()):
        if cuda_of(framework):
            return cuda_of(framework)
    return None


def _not_run(cuda: str | None, capability: str) -> tuple[bool, str, str] | None:
    """Whether the GPU is too old (True) or too new for a build, why, and the source; None where it should run."""
    if cuda is None:
        return None
    fitting: dict[str, Any] | None = None
    for row in load("cuda")["capability"]:
        if (compare(cuda, row["from"]) or 0) >= 0:
            fitting = row
    if fitting is None:
        return None
    if (compare(capability, fitting["oldest"]) or 0) < 0:
        return True, f"CUDA {cuda} no longer supports compute capability {capability}", fitting["source"]
    if (compare(capability, fitting["newest"]) or 0) > 0:
        return False, f"CUDA {cuda} does not know compute capability {capability} and relies on PTX", NO_IMAGE
    return None


def _shown(snapshot: Snapshot) -> str:
    gpus = snapshot.of("gpu").values()
    names = sorted(
        {f"{gpu.attributes.get('product', 'GPU')} ({gpu.attributes.get('compute_capability', '?')})" for gpu in gpus}
    )
    return listed(names, 3)


RULE = Rule(check)
