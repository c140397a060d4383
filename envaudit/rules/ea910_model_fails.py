"""A model file makes code in serving fail in a way that has no rule of its own.

## What it compares

What happens when serving's own code is followed through the load and the calls that answer requests: an exception that
it raises for what the file holds. Asked only where a model file is given (`compare --model FILE`).

## Why it breaks

The functions that rebuild an object refuse what another release stored, or read it in another way and then fail.

## Example

A random generator saved with numpy 2 and served with numpy 1.26, whose constructor is handed a class where it knows
only names: `ValueError: <class 'numpy.random._mt19937.MT19937'> is not a known BitGenerator module.` An error.

## How to fix

Install the version that wrote the file, or train and save again with serving's versions.

## What it cannot see

Failures that depend on the data of a request. `envaudit probe MODEL --in TARGET --run --sample FILE` really tries one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from envaudit import registry
from envaudit.model import Finding, Unknown, Verdict
from envaudit.rules import Rule
from envaudit.rules._artifacts import of_reasons


def judge(verdict: Verdict) -> Iterator[Finding | Unknown]:
    """Speak of all causes that no other rule speaks of, so that none is lost."""
    rules = cast("dict[str, Rule]", registry.load("rules", "RULE"))
    claimed = {cause for rule in rules.values() for cause in rule.causes}
    yield from of_reasons(verdict, lambda reason: reason.cause not in claimed)


RULE = Rule(judge=judge)
