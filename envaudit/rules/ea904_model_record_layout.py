"""Compiled code in serving lays the records of a model's arrays out differently than the file does.

## What it compares

The fields, types and offsets of record arrays in the model file (the nodes of decision trees, of gradient boosting)
with the layout that the compiled code in serving takes, read from its own binary or its shipped declarations. Asked
only where a model file is given (`compare --model FILE`).

## Why it breaks

Compiled code reads such arrays as they lie in memory. Another layout is refused at the load.

## Example

A random forest of scikit-learn 1.2 in 1.3, where nodes got the field `missing_go_to_left`:
`ValueError: node array from the pickle has an incompatible dtype`. An error.

## How to fix

Install the version that wrote the file, or train again with serving's: there is no way to convert the file by hand.

## What it cannot see

Layouts of compiled code that neither ships declarations nor names the fields in its binary.
"""

from __future__ import annotations

from envaudit.rules._artifacts import rule

RULE = rule("record-layout")
