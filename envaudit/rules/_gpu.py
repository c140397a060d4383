"""What several rules need to know about CUDA: which build a framework is, and what was lost with it."""

from __future__ import annotations

from collections.abc import Iterator

from envaudit.model import Component, Snapshot
from envaudit.rules._helpers import attribute
from envaudit.rules._packages import variant

COMPANIONS = ("triton", "pytorch-triton")
"""Distributions beside ``nvidia-*`` that only a GPU build of a framework brings along."""


def build_of(snapshot: Snapshot, name: str) -> str | None:
    """``cuda``, ``rocm``, ``cpu`` or None where it is not known, for one framework or distribution."""
    distribution = snapshot.of("distribution").get(name)
    from_label = variant(attribute(distribution, "label")) if distribution else None
    framework = snapshot.of("framework").get(name)
    return from_label or (attribute(framework, "variant") if framework else None)


def lost(train: Snapshot, serve: Snapshot) -> list[str]:
    """The distributions and frameworks that training had for a GPU and that serving has for the CPU or another GPU."""
    names = []
    for name in sorted({*train.of("framework"), *_labelled(train)}):
        there = serve.of("distribution").get(name) or serve.of("framework").get(name)
        before, after = build_of(train, name), build_of(serve, name)
        if there is not None and before in ("cuda", "rocm") and after not in (None, before):
            names.append(name)
    return names


def _labelled(snapshot: Snapshot) -> Iterator[str]:
    for name, component in snapshot.of("distribution").items():
        if component.attributes and variant(component.attributes.get("label")):
            yield name


def companions(snapshot: Snapshot) -> list[str]:
    """The distributions that a GPU build brought along."""
    return sorted(name for name in snapshot.of("distribution") if is_companion(name))


def is_companion(name: str) -> bool:
    """Whether the distribution is a part of CUDA rather than something of its own."""
    return name.startswith("nvidia-") or name in COMPANIONS


def gone_with_gpu(train: Snapshot, serve: Snapshot) -> tuple[tuple[str, str, str], ...]:
    """``covers`` for everything that differs only because one side has no CUDA."""
    keys = [("distribution", name, "*") for name in companions(train) if name not in serve.of("distribution")]
    keys += [("cuda", name, "*") for name in sorted(train.of("cuda")) if name not in serve.of("cuda")]
    return tuple(keys)


def cuda_of(component: Component) -> str | None:
    """The CUDA version that a framework was built for."""
    return attribute(component, "cuda")
