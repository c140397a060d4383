"""What is to be run, and within which limits."""

from __future__ import annotations

import os
from typing import Final, NamedTuple

from envaudit.evidence import MIB
from envaudit.model import Json, RecordedAnswer

GIB: Final = 1024 * MIB

METHODS: Final = ("predict", "predict_proba", "decision_function", "transform", "forward")
"""What may be called; ``forward`` stands for calling a torch module."""

FORMS: Final = ("frame", "array", "list")
"""How a sample may be handed over: as a pandas DataFrame, a numpy array, or a list."""


class Limits(NamedTuple):
    """What one run may use."""

    seconds: float = 120.0
    """Of wall-clock time, from the start of the loader to the last answer; of CPU time as much on each core."""
    memory: int = 4 * GIB
    """Bytes. In a container of real memory; locally twice as much of address space, since libraries reserve more than
    they use."""
    processes: int = 256
    """Processes and threads."""
    disk: int = 256 * MIB
    """Bytes of ``/tmp`` (which is in memory), and of any one file."""


class Sample(NamedTuple):
    """Input for the model, as read by :func:`envaudit.sandbox.read_sample`."""

    kind: str
    """``npy``: ``data`` is such a file; ``table``: ``rows`` and maybe ``columns``; ``list``: ``rows`` are texts."""
    rows: tuple[Json, ...] = ()
    columns: tuple[str, ...] | None = None
    data: bytes = b""


class Expectation(NamedTuple):
    """The answers of the training environment to a sample."""

    answers: dict[str, RecordedAnswer]
    """By method."""
    form: str | None = None
    """How the sample was handed over there, one of :data:`FORMS`; None where that is not known."""
    failed: dict[str, str] = {}  # noqa: RUF012
    """Methods that did not answer even there, and the first line of why: nothing is expected of them."""


class Job(NamedTuple):
    """One run of one model file, or a look for the names that it asks for."""

    model: str
    loader: str
    sample: Sample | None
    expect: Expectation | None
    limits: Limits
    names: tuple[tuple[str, str], ...] | None = None
    """``(module, qualified name)`` in the order of the file: these are looked for, and the file itself stays here."""
    protocol: int = 0
    """Of the pickle that asks for them."""

    @property
    def files(self) -> list[str]:
        """What the place has to be given: the model file, and beside it the arrays that joblib before 0.10 wrote into
        files of their own."""
        if self.names is not None:
            return []
        folder, name = os.path.split(os.path.abspath(self.model))
        beside = sorted(other for other in os.listdir(folder) if other.startswith(f"{name}_") and ".npy" in other)
        return [os.path.join(folder, other) for other in (name, *beside)]


class Raw(NamedTuple):
    """What a run left: the two streams, and whether it had to be ended from outside."""

    stdout: bytes
    stderr: bytes
    late: bool = False
