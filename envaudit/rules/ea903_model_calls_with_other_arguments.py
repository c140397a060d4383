"""A model file hands other arguments to a function than the one in serving takes.

## What it compares

The calls that loading the file makes (constructors, `__setstate__`, functions that rebuild an object) with the
parameters that these functions have in serving. Asked only where a model file is given (`compare --model FILE`).

## Why it breaks

A pickle stores the arguments of such calls as they were in training. Where the function has other parameters now, the
load fails.

## Example

A random state saved with numpy 1.24, served with numpy 1.23:
`TypeError: __randomstate_ctor() takes from 0 to 1 positional arguments but 2 were given`. An error.

## How to fix

Install the version that wrote the file, or train and save again with serving's versions.

## What it cannot see

Parameters of compiled functions whose source is not shipped with the package.
"""

from __future__ import annotations

from envaudit.rules._artifacts import rule

RULE = rule("signature")
