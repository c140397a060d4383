"""A model file is written in a pickle protocol that the Python in serving cannot read.

## What it compares

The protocol of the file with the highest one that serving's Python reads: 5 since Python 3.8, 4 before. Asked only
where a model file is given (`compare --model FILE`).

## Why it breaks

An older Python does not know the newer opcodes and refuses the file at its first byte.

## Example

`pickle.dump(model, file, protocol=5)` in training, Python 3.7 in serving:
`ValueError: unsupported pickle protocol: 5`. An error.

## How to fix

Serve with Python 3.8 or newer, or save the model again with `protocol=4`.

## What it cannot see

A serving program that reads with a backport such as `pickle5`.
"""

from __future__ import annotations

from envaudit.rules._artifacts import rule

RULE = rule("pickle-protocol")
