"""A joblib file aligns its arrays, and the joblib in serving does not know of that.

## What it compares

Whether arrays in an uncompressed joblib file are padded to aligned addresses, and whether the joblib in serving skips
the padding. Asked only where a model file is given (`compare --model FILE`).

## Why it breaks

joblib writes padding since 1.2. An older joblib takes it for the first bytes of the array, loses its place in the
file, and fails, or loads garbage.

## Example

Training with joblib 1.3, serving with joblib 1.1. An error.

## How to fix

`pip install 'joblib>=1.2'` in serving, or save the model compressed (`joblib.dump(model, path, compress=3)`).

## What it cannot see

Files that are read by something else than `joblib.load`.
"""

from __future__ import annotations

from envaudit.rules._artifacts import rule

RULE = rule("joblib-alignment")
