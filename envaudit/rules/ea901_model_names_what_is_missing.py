"""A model file names a module, class or function that serving does not have.

## What it compares

Every name that the model file asks for (the globals of its pickle) with what the packages in serving offer, read from
their own files: modules, classes, functions, re-exports, names that a module makes on request, and the names inside of
compiled modules. Nothing is imported, and the model file is not loaded. Asked only where a model file is given
(`compare --model FILE`).

## Why it breaks

A pickle holds no code: it names where the code stands, and loading imports it from there. Packages move and rename
private modules between releases: `numpy.core` became `numpy._core` in numpy 2, `sklearn.ensemble.forest` became
`sklearn.ensemble._forest` in scikit-learn 0.22.

## Example

A model saved with numpy 2.2, served with numpy 1.26.0:
`ModuleNotFoundError: No module named 'numpy._core'`. An error.

## How to fix

Install the version that wrote the file, or train and save again with serving's versions.

## What it cannot see

Names that code makes while it runs, and modules that the serving program itself puts in place before it loads.
"""

from __future__ import annotations

from envaudit.rules._artifacts import rule

RULE = rule("missing-module", "missing-name")
