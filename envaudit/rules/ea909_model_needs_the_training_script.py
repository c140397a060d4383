"""A model file names a class or function that only the script that trained has.

## What it compares

The names that the file looks for in `__main__`: the program that is started. Asked only where a model file is given
(`compare --model FILE`).

## Why it breaks

What a notebook or a training script defines itself is stored as `__main__.Name`. In serving another program is
`__main__` (gunicorn, uvicorn), and has no such name.

## Example

A `FunctionTransformer(clean)` with `def clean` in the notebook:
`AttributeError: Can't get attribute 'clean' on <module '__main__'>`. An error.

## How to fix

Put it into a module that training and serving both import, and save the model again.

## What it cannot see

Whether the serving program defines the name itself: the answer is likely, never proved.
"""

from __future__ import annotations

from envaudit.rules._artifacts import rule

RULE = rule("main-module")
