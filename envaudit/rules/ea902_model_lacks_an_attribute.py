"""The code in serving reads an attribute that the model file did not store.

## What it compares

The attributes that the objects in the model file were stored with, and those that their classes in serving give them,
with the attributes that serving's own code reads on the way of a load and of a prediction. The code is followed, not
run. Asked only where a model file is given (`compare --model FILE`).

## Why it breaks

Loading sets the attributes that were stored and runs no constructor. Where a newer release began to read a new
attribute (or an older one still reads one that was dropped), the load works, and the first request fails.

## Example

A `MinMaxScaler` of scikit-learn 0.23 in 0.24, which reads its new parameter `clip`:
`AttributeError: 'MinMaxScaler' object has no attribute 'clip'`. An error.

## How to fix

Install the version that wrote the file, or train and save again with serving's versions. Setting the attribute by hand
helps only if all missing ones are set to what training meant; the finding names all of them.

## What it cannot see

Attributes that are read under a condition which depends on the data of a request are told as likely, not as proved.
"""

from __future__ import annotations

from envaudit.rules._artifacts import rule

RULE = rule("missing-attribute")
