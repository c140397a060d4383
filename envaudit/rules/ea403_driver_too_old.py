"""Serving's NVIDIA driver is too old for the CUDA that serving's own framework was built for.

## What it compares

The CUDA version that serving needs, by its frameworks or its CUDA runtime, against its driver. Below the minimum of
the CUDA major version is an error, or a warning where the forward compatibility package (`cuda-compat`) is installed.
A driver that is older than the toolkit, yet above that minimum, is a note. A mismatch that training has as well is
left out.

## Why it breaks

The first CUDA call ends in "CUDA driver version is insufficient for CUDA runtime version". Above the minimum,
programs run, but code that is compiled at run time from PTX does not.

## Example

Serving has torch built for CUDA 12.1 and driver 470.82.01: an error, CUDA 12 needs 525.60.13.

## How to fix

Update the driver of the host, or install a build for an older CUDA.

## What it cannot see

The driver of the host on which an image will run, where only the image was looked at.
"""

from __future__ import annotations

from collections.abc import Iterator

from envaudit.knowledge import load
from envaudit.model import Finding, Gap, Snapshot, Unknown
from envaudit.rules import Rule
from envaudit.rules._gpu import cuda_of
from envaudit.rules._versions import compare

COVERS = (("driver", "nvidia", "version"), ("driver", "nvidia", "cuda"))


def check(train: Snapshot, serve: Snapshot) -> Iterator[Finding | Unknown]:
    """Hold serving's driver against what serving needs."""
    needed = _needed(serve)
    if needed is None:
        return
    what, cuda = needed
    there = serve.find("driver", "nvidia")
    if isinstance(there, Gap) and not isinstance(train.find("driver", "nvidia"), Gap):
        yield Unknown("NVIDIA driver", f"not seen in serving: {there.reason}")
    state = _state(serve, cuda)
    if state is None or _same_in_training(train, state):
        return
    grave, minimum = state
    driver = serve.of("driver")["nvidia"].version
    source: str = load("cuda")["minimum"]["source"]
    sides = (_driver(train), f"driver {driver}")
    if not grave:
        yield Finding(
            "note",
            "NVIDIA driver",
            f"{what} was built for CUDA {cuda}, whose own driver is {minimum}. It runs on {driver} as far as nothing "
            "is compiled at run time from PTX.",
            f"Update the host's driver to {minimum} or newer",
            *sides,
            source,
            COVERS,
        )
    elif "compat" in serve.of("cuda"):
        yield Finding(
            "warning",
            "NVIDIA driver",
            f"{what} was built for CUDA {cuda}, which needs driver {minimum}. Serving relies on the forward "
            "compatibility package, which works on data-centre GPUs only; on others CUDA fails with error 804.",
            f"Update the host's driver to {minimum} or newer",
            *sides,
            "https://docs.nvidia.com/deploy/cuda-compatibility/forward-compatibility.html",
            COVERS,
        )
    else:
        yield Finding(
            "error",
            "NVIDIA driver",
            f"{what} was built for CUDA {cuda}, which needs driver {minimum}. The first CUDA call will fail: CUDA "
            "driver version is insufficient for CUDA runtime version.",
            f"Update the host's driver to {minimum} or newer",
            *sides,
            source,
            COVERS,
        )


def _needed(snapshot: Snapshot) -> tuple[str, str] | None:
    """Who needs CUDA, and which: the newest that a framework was built for, else the runtime."""
    found: tuple[str, str] | None = None
    for name, framework in sorted(snapshot.of("framework").items()):
        cuda = cuda_of(framework)
        if cuda and (found is None or (compare(cuda, found[1]) or 0) > 0):
            found = name, ".".join(cuda.split(".")[:2])
    runtime = snapshot.of("cuda").get("runtime")
    if found is None and runtime is not None and runtime.version:
        found = "The CUDA runtime", ".".join(runtime.version.split(".")[:2])
    return found


def _state(snapshot: Snapshot, cuda: str) -> tuple[bool, str] | None:
    """Whether the driver is below the minimum (True) or only below the toolkit's own, and that driver; None if fine."""
    driver = snapshot.of("driver").get("nvidia")
    if driver is None or not driver.version:
        return None
    table = load("cuda")
    minimum, own = table["minimum"].get(cuda.partition(".")[0]), table["toolkit"].get(cuda)
    if own and (not minimum or (compare(own, minimum) or 0) < 0):
        minimum = own  # CUDA 11.0 runs on its own driver, which is older than the one of minor-version compatibility
    if minimum and (compare(driver.version, minimum) or 0) < 0:
        return True, minimum
    if own and (compare(driver.version, own) or 0) < 0:
        return False, own
    return None


def _same_in_training(train: Snapshot, state: tuple[bool, str]) -> bool:
    """Whether training ran on such a mismatch itself."""
    needed = _needed(train)
    there = _state(train, needed[1]) if needed else None
    return there is not None and there[0] >= state[0]


def _driver(train: Snapshot) -> str | None:
    driver = train.of("driver").get("nvidia")
    return f"driver {driver.version}" if driver and driver.version else None


RULE = Rule(check)
