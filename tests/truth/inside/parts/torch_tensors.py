"""Runs inside the environments of torch (Python 3.7+): what torch.load gives back, as arrays that can be compared."""
# mypy: ignore-errors

from __future__ import annotations

import argparse

import numpy as np
import torch

# The types that numpy has no array for, or that a release does not turn into one.
FOREIGN = {getattr(torch, name, None) for name in ("int8", "float16", "bfloat16", "float8_e4m3fn")}


class Loaded:
    """An object of a file, which is asked for its content or, where it is a module, for its forward pass."""

    def __init__(self, thing):
        self.thing = thing

    def content(self):
        """Everything that it holds."""
        return plain(self.thing)

    def forward(self, given):
        """The answer of a module to an array."""
        with torch.no_grad():
            return plain(self.thing(torch.from_numpy(given)))


def load(path):
    """What a service does that has a state dict to read."""
    return Loaded(torch.load(path))


def load_whole(path):
    """What a service does that has whole objects to read: since 2.6 it has to say so."""
    strict = hasattr(torch.serialization, "_default_to_weights_only")
    return Loaded(torch.load(path, weights_only=False) if strict else torch.load(path))


def load_script(path):
    """What a service does with TorchScript."""
    return Loaded(torch.jit.load(path))


def plain(value):
    """A value as arrays, numbers, texts and lists of these."""
    if isinstance(value, torch.Tensor):
        return _array(value.detach())
    if isinstance(value, torch.nn.Module):
        return plain(value.state_dict())
    if isinstance(value, argparse.Namespace):
        return plain(vars(value))
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()} if value else "{}"
    if isinstance(value, (set, frozenset)):
        return sorted(map(str, value))
    if isinstance(value, (list, tuple)):
        items = [plain(item) for item in value]
        return {str(place): item for place, item in enumerate(items)} if items else "[]"
    return value if isinstance(value, (bool, int, float, np.ndarray)) else getattr(value, "__name__", str(value))


def _array(tensor):
    if getattr(tensor, "is_quantized", False):
        tensor = tensor.dequantize()
    if tensor.layout != torch.strided:
        tensor = tensor.to_dense()
    if hasattr(tensor, "resolve_conj"):
        tensor = tensor.resolve_conj()
    return (tensor.float() if tensor.dtype in FOREIGN else tensor).numpy()
