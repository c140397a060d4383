"""Whole processes, measured in turn so that a drifting machine meets all of them alike."""

from __future__ import annotations

import os
import resource
import subprocess
import time
from collections.abc import Container, Mapping, Sequence
from typing import NamedTuple


class Cost(NamedTuple):
    """The least of several runs: seconds of CPU (user and system, children included) and of wall time."""

    cpu: float
    wall: float


def once(arguments: Sequence[str], codes: Container[int] | None = None) -> Cost:
    """Run a command to its end; its output is thrown away, its exit code is judged where ``codes`` are given."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        arguments, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False
    )
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if codes is not None and done.returncode not in codes:
        raise subprocess.CalledProcessError(done.returncode, arguments)
    return Cost(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall)


def together(commands: Mapping[str, Sequence[str]], runs: int) -> dict[str, Cost]:
    """Measure several commands A B C A B C ...; the least CPU and the least wall time of each."""
    for arguments in commands.values():
        once(arguments)
    costs: dict[str, list[Cost]] = {name: [] for name in commands}
    for _ in range(runs):
        for name, arguments in commands.items():
            costs[name].append(once(arguments))
    return {name: Cost(min(c.cpu for c in found), min(c.wall for c in found)) for name, found in costs.items()}


class Row(NamedTuple):
    """One figure: what, against what, the ratio that is aimed at, and the one that has to be kept meanwhile."""

    what: str
    seconds: float
    against: str
    floor: float
    goal: float | None = None
    """The ratio aimed at; None: the figure is shown for orientation."""
    held: float | None = None
    """Where the goal is not reached yet: the ratio above which it counts as having got worse."""

    @property
    def ratio(self) -> float:
        """How many times the floor."""
        return self.seconds / self.floor

    @property
    def kept(self) -> bool:
        """Whether the ratio is within its goal, or within what is held until the goal is reached."""
        return self.goal is None or self.ratio <= (self.held or self.goal)

    def __str__(self) -> str:
        verdict = ""
        if self.goal is not None:
            reached = self.ratio <= self.goal
            verdict = f"  goal {self.goal:g}x: {'reached' if reached else 'not reached' if self.kept else 'WORSE'}"
        digits = 3 if self.ratio < 0.1 else 2
        return (
            f"{self.what:<46} {_milliseconds(self.seconds):>5} ms  "
            f"{self.ratio:5.{digits}f}x of {self.against} ({_milliseconds(self.floor)} ms){verdict}"
        )


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.{0 if seconds >= 0.01 else 1}f}"


class Figure(NamedTuple):
    """One figure that has a limit of its own instead of a peer."""

    what: str
    value: float
    unit: str
    beside: str = ""
    limit: float | None = None
    held: float | None = None
    """Where the limit is not kept yet: the value above which it counts as having got worse."""

    @property
    def kept(self) -> bool:
        """Whether the value is within its limit, or within what is held until the limit is kept."""
        return self.limit is None or self.value <= (self.held or self.limit)

    def __str__(self) -> str:
        verdict = ""
        if self.limit is not None:
            reached = self.value <= self.limit
            verdict = f"  goal {self.limit:g} {self.unit}: "
            verdict += "reached" if reached else "not reached" if self.kept else "WORSE"
        beside = f"  ({self.beside})" if self.beside else ""
        return f"{self.what:<46} {self.value:5.{0 if self.value >= 10 else 2}f} {self.unit}{beside}{verdict}"


def load() -> str:
    """The machine's load while measuring, since a loaded machine widens everything."""
    return f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}"
