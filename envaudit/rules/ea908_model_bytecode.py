"""A model file holds functions as bytecode of another Python than the one in serving.

## What it compares

The Python version of the code objects that cloudpickle or dill stored in the file with the Python in serving. Asked
only where a model file is given (`compare --model FILE`).

## Why it breaks

Bytecode is not portable between minor versions of Python. Another version refuses it at the load, or runs it and
crashes, or computes nonsense.

## Example

A pipeline with a lambda, saved with cloudpickle in Python 3.10, served with Python 3.11:
`TypeError: code() argument 13 must be str, not int`. An error.

## How to fix

Serve with training's Python, or put the function into a module that training and serving both import: then the file
names it and holds no bytecode.

## What it cannot see

The exact minor version, where several write code objects of the same form.
"""

from __future__ import annotations

from envaudit.rules._artifacts import rule

RULE = rule("bytecode")
