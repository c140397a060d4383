"""A compiled class in serving has other members than the one that a model file stored.

## What it compares

The checksum that Cython stored with an object of a compiled class with those that the class in serving accepts, read
from its binary. Asked only where a model file is given (`compare --model FILE`).

## Why it breaks

The checksum is made of the names of the class's members. A class that got or lost one refuses older objects.

## Example

A loss function or a distance metric of another release:
`PickleError: Incompatible checksums (0x... vs (0x...) = (...))`. An error.

## How to fix

Install the version that wrote the file, or train and save again with serving's versions.

## What it cannot see

Classes whose accepted checksums cannot be read from the binary.
"""

from __future__ import annotations

from envaudit.rules._artifacts import rule

RULE = rule("checksum")
