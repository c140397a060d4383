"""One command in a process of its own: its largest memory and what it read, which only its parent can tell."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from typing import NamedTuple

_PARENT = """
import json, os, resource, sys, time
silent = [(os.POSIX_SPAWN_DUP2, int(sys.argv[1]), number) for number in (1, 2)]
start = time.perf_counter()
pid = os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ, file_actions=silent)
os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
wall = time.perf_counter() - start
read = next(int(line.split()[1]) for line in open(f"/proc/{pid}/io") if line.startswith("rchar"))
code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([code, used.ru_utime + used.ru_stime, wall, used.ru_maxrss / 1024, read / 1e6]))
"""
"""A small parent: a process starts with the memory of its parent as its largest (Linux, ``exec_mmap``)."""


class Apart(NamedTuple):
    """What a command took."""

    cpu: float
    """Seconds of user and system, children included."""
    wall: float
    megabytes: float
    """The process at its largest (MiB)."""
    read: float
    """MB that it read, from files or pipes, out of memory or not."""


def apart(arguments: Sequence[str], environment: Mapping[str, str]) -> Apart:
    """Run a command. Raises RuntimeError with what it said where it fails."""
    with tempfile.TemporaryFile() as said:
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _PARENT, str(said.fileno()), *arguments],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True, env=environment,
            pass_fds=[said.fileno()],
        )  # fmt: skip
        code, *figures = json.loads(done.stdout)
        if code:
            said.seek(0)
            text = said.read().decode(errors="replace")
            raise RuntimeError(f"{' '.join(arguments)} ended with {code}: {text[-2000:]}")
    return Apart(*figures)


def middle(runs: Sequence[Apart]) -> Apart:
    """The median of each figure."""
    return Apart(*(statistics.median(figures) for figures in zip(*runs, strict=True)))
