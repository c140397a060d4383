"""The targets of ``python -m tests.fuzz`` without atheris: their seeds, whole and cut, end as they may."""

from __future__ import annotations

from itertools import islice

import pytest

from envaudit.errors import EnvauditError
from tests.fuzz.targets import TARGETS, Target

FEW = 6


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_are_read_and_halves_of_them_are_errors_of_one_line(name: str) -> None:
    target = TARGETS[name]
    assert issubclass(target.allowed, EnvauditError)
    seeds = list(islice(target.seeds(), FEW))
    assert seeds
    ends = [end_of(target, part) for seed in seeds for part in (seed, seed[: len(seed) // 2], b"")]
    assert "" in ends
    assert all(end.isprintable() for end in ends)


def end_of(target: Target, data: bytes) -> str:
    """The error that an input ends in; empty where it is read."""
    try:
        target.attempt(data)
    except target.allowed as error:
        return str(error) or "an error without words\n"
    return ""
