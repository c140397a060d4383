"""Serving's Python has another pointer width or byte order than training's.

## What it compares

`pointer_bits` (64 or 32) and `byteorder` (`little` or `big`) on both sides. A difference is an error.

## Why it breaks

Compiled models store arrays whose items are as wide as a pointer, and in the byte order of the machine.
scikit-learn's trees and neighbour models refuse such files: "Buffer dtype mismatch, expected 'SIZE_t' but got 'long
long'", "Little-endian buffer not supported on big-endian compiler".

## Example

Training on 64-bit Linux, serving on a 32-bit ARM board: an error.

## How to fix

Serve on a 64-bit, little-endian platform, or export the model to a portable format such as ONNX.

## What it cannot see

Whether the model holds arrays of that kind. scikit-learn converts trees between widths since 1.1.
"""

from __future__ import annotations

from collections.abc import Iterator

from envaudit.model import Finding, Snapshot, Unknown
from envaudit.rules import Rule
from envaudit.rules._helpers import attribute, both


def check(train: Snapshot, serve: Snapshot) -> Iterator[Finding | Unknown]:
    """Compare both properties."""
    pair = both(train, serve, "python", "python")
    if pair is None:
        return
    ours, theirs = attribute(pair[0], "pointer_bits"), attribute(pair[1], "pointer_bits")
    if ours and theirs and ours != theirs:
        yield Finding(
            "error",
            "pointer width",
            "Models with arrays of pointer-wide integers, decision trees among them, will not load: "
            "ValueError: Buffer dtype mismatch, expected 'SIZE_t' but got 'long long'.",
            f"Serve on a {ours}-bit Python: FROM python:{pair[0].version or '3'}-slim for a {ours}-bit platform",
            f"{ours} bit",
            f"{theirs} bit",
            "https://github.com/Hironsan/HotPepperGourmetDialogue/issues/3",
            (("python", "python", "pointer_bits"),),
        )
    ours, theirs = attribute(pair[0], "byteorder"), attribute(pair[1], "byteorder")
    if ours and theirs and ours != theirs:
        yield Finding(
            "error",
            "byte order",
            "Models with compiled arrays, forests and nearest neighbours among them, will not load: "
            f"ValueError: {ours.capitalize()}-endian buffer not supported on {theirs}-endian compiler.",
            f"Serve on a {ours}-endian machine, or export the model to ONNX",
            ours,
            theirs,
            "https://github.com/scikit-learn/scikit-learn/issues/21237",
            (("python", "python", "byteorder"),),
        )


RULE = Rule(check)
