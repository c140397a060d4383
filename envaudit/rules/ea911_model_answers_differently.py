"""A model loads and predicts in serving, and will answer differently than in training.

## What it compares

The classes and stored parameters in the model file with the known changes of behaviour between training's and
serving's versions (knowledge/silent-*.toml, each with its source). A change speaks of a file only where the file holds
an object that it touches. Asked only where a model file is given (`compare --model FILE`).

## Why it breaks

Nothing fails, no test in serving notices, and the answers are others: a default changed, an algorithm was corrected, a
stored array is read in another way.

## Example

A `LogisticRegression` of two classes, fitted by scikit-learn 1.5 and served by 1.4: older versions do not know its
stored parameter `multi_class="deprecated"` and compute the probabilities in another way. A warning.

## How to fix

Install the version that wrote the file, or train again with serving's versions and look at the answers.

## What it cannot see

Changes that nobody wrote down, and differences in the last digits.
`envaudit probe MODEL --in TARGET --run --sample FILE --expect FILE` really compares answers.
"""

from __future__ import annotations

from envaudit.rules._artifacts import rule

RULE = rule("known-change", "different-answers")
