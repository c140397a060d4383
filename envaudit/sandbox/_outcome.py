"""Talking with the runner: the script to send, and its reply as an :class:`Outcome`.

What a model file did in the sandbox may have written the reply, so nothing in it is believed to have the right type.
"""

from __future__ import annotations

import json
import os
import re
from typing import Final, NamedTuple

from envaudit.model import Json
from envaudit.sandbox._job import FORMS, Job, Raw

_LISTED: Final = 20
_TEXT: Final = 4000
_COLOUR: Final = re.compile("\x1b\\[[0-9;]*m")
"""What some libraries (torch) put around words for a terminal (ECMA-48, "Select graphic rendition")."""
_PHASES: Final = ("import", "load", "sample", "predict", "done")


class Failure(NamedTuple):
    """An exception that was raised there."""

    type: str
    """Its class, without the module."""
    text: str
    """As Python prints it, all lines."""
    memory: bool
    """Whether it is a MemoryError or one of its subclasses (numpy has one)."""
    frames: tuple[str, ...] = ()
    """``file:line in function: code``, outermost first."""

    @property
    def line(self) -> str:
        """The first line."""
        return self.text.partition("\n")[0]


class Missing(NamedTuple):
    """A name that was not found."""

    failure: Failure
    imported: bool
    """Whether its module could be imported."""


class Outcome(NamedTuple):
    """How one run ended and what was told on the way."""

    ended: str
    """``exit``, ``signal``, ``time-out``, ``too-much`` (it told more than the cap) or ``silent`` (nothing came)."""
    code: int = 0
    """The exit code or the number of the signal."""
    phase: str = "import"
    """How far it came: ``import`` (of the loader), ``load``, ``sample``, ``predict`` or ``done``."""
    method: str = ""
    """The method that was called last."""
    loaded: str | None = None
    """The class of what the file holds; None where it was not loaded."""
    failure: Failure | None = None
    """The exception that ended it."""
    failed: dict[str, Failure] = {}  # noqa: RUF012
    """Methods that raised."""
    answers: dict[str, Json] = {}  # noqa: RUF012
    missing: dict[int, Missing] = {}  # noqa: RUF012
    """Names that were not found, by their place in :attr:`Job.names`."""
    sought: int = 0
    """How many names were looked for; of the last one nothing more is known unless all was done."""
    cut: frozenset[str] = frozenset()
    """Methods of whose answer only the first rows were told."""
    untold: dict[str, Failure] = {}  # noqa: RUF012
    """Methods that answered something that is neither array nor list."""
    form: str | None = None
    warnings: tuple[str, ...] = ()
    stderr: str = ""
    out_of_memory: bool = False
    """Whether the kernel killed a process of it for want of memory."""
    peak: int = 0
    """Bytes of real memory at most."""
    seconds: float = 0.0
    python: str = ""
    unreadable: str | None = None
    """Why the place could not read the model file at all; nothing was tried then."""
    error: str | None = None
    """What failed in the runner itself."""

    @property
    def was_loaded(self) -> bool:
        """Whether loading came back with an object, and went on from there."""
        return self.loaded is not None and self.phase in ("sample", "predict", "done")

    @property
    def was_done(self) -> bool:
        """Whether it came to its own end."""
        return self.phase == "done" and self.ended == "exit" and self.code == 0


def script(job: Job, model: str, *, path: list[str], user: int | None, limits: dict[str, int]) -> tuple[bytes, bytes]:
    """The runner with its work and its call appended, and the token that will frame the reply.

    ``model`` is the path of the file there, ``path`` what is put before ``sys.path``, ``user`` the user to become,
    ``limits`` names of ``RLIMIT_...`` and their values.
    """
    import base64

    sample = None
    if job.sample is not None:
        data = base64.b64encode(job.sample.data).decode("ascii")
        sample = {"kind": job.sample.kind, "rows": job.sample.rows, "columns": job.sample.columns, "data": data}
    request = {
        "model": model if job.names is None else None,
        "size": os.path.getsize(job.model) if job.names is None else None,
        "names": job.names,
        "protocol": job.protocol,
        "loader": job.loader,
        "sample": sample,
        "methods": list(job.expect.answers) if job.expect is not None else None,
        "form": job.expect.form if job.expect is not None else None,
        "seconds": job.limits.seconds,
        "path": path,
        "user": user,
        "limits": {"CORE": 0, "FSIZE": job.limits.disk, **limits},
    }
    token = "envaudit-" + os.urandom(16).hex()
    source, work = _source("runner.py"), "work"
    if job.names is not None:
        source, work = source + _source("finder.py"), "find_names"
    encoded = base64.b64encode(json.dumps(request).encode()).decode("ascii")
    return source + f"\n_main({encoded!r}, {token!r}, {work})\n".encode(), token.encode()


def _source(name: str) -> bytes:
    """One of the scripts that are sent; it ends in a newline."""
    with open(os.path.join(os.path.dirname(__file__), name), "rb") as stream:
        return stream.read()


def read(raw: Raw, token: bytes) -> Outcome:
    """Cut the reply out of what was printed and make sense of it, whatever it is."""
    parts = raw.stdout.split(token)
    reply: Json = None
    if len(parts) >= 3:
        try:
            reply = json.loads(parts[-2])
        except (ValueError, RecursionError):
            reply = None
    if not isinstance(reply, dict):
        stderr = raw.stderr.decode("utf-8", "replace")
        return Outcome("time-out" if raw.late else "silent", stderr=stderr)
    for key in ("unreadable", "error"):
        if isinstance(reply.get(key), str):
            return Outcome("silent", **{key: reply[key]})
    outcome = Outcome(
        ended=reply["ended"] if reply.get("ended") in ("exit", "signal", "time-out", "too-much") else "silent",
        code=_integer(reply.get("code")),
        stderr=_text(reply.get("stderr")),
        out_of_memory=reply.get("out_of_memory") is True,
        peak=_integer(reply.get("peak")),
        seconds=reply["seconds"] if isinstance(reply.get("seconds"), float) else 0.0,
        python=_text(reply.get("python")),
    )
    messages = reply.get("messages")
    return _with_messages(outcome, messages if isinstance(messages, list) else [])


def _with_messages(outcome: Outcome, messages: list[Json]) -> Outcome:
    failed, answers, untold = dict[str, Failure](), dict[str, Json](), dict[str, Failure]()
    cut, warnings, missing = set[str](), list[str](), dict[int, Missing]()
    for message in messages:
        if not isinstance(message, dict):
            continue
        failure = _failure(message["exception"]) if "exception" in message else None
        if message.get("phase") in _PHASES:
            outcome = outcome._replace(phase=message["phase"], method=_text(message.get("method")))
        elif "loaded" in message:
            outcome = outcome._replace(loaded=_text(message["loaded"]) or None)
        elif message.get("form") in FORMS:
            outcome = outcome._replace(form=message["form"])
        elif "warning" in message:
            warnings.append(_text(message["warning"]))
        elif "finding" in message:
            outcome = outcome._replace(sought=_integer(message["finding"]) + 1)
        elif "missing" in message:
            like = missing.get(_integer(message["like"])) if "like" in message else None
            found = like if failure is None else Missing(failure, message.get("imported") is True)
            if found is not None:
                missing[_integer(message["missing"])] = found
        elif "failed" in message and failure is not None:
            failed[_text(message["failed"])] = failure
        elif "answered" in message:
            name = _text(message["answered"])
            if failure is not None:
                untold[name] = failure
            else:
                answers[name] = message.get("value")
                if message.get("cut") is True:
                    cut.add(name)
        elif failure is not None:
            outcome = outcome._replace(failure=failure)
    return outcome._replace(
        failed=failed,
        answers=answers,
        untold=untold,
        missing=missing,
        cut=frozenset(cut),
        warnings=tuple(warnings[:_LISTED]),
    )


def _failure(found: Json) -> Failure:
    if not isinstance(found, dict):
        return Failure("Exception", "an exception that cannot be told", False)
    frames = found.get("frames")
    return Failure(
        _text(found.get("type")) or "Exception",
        _COLOUR.sub("", _text(found.get("text"))) or "an exception that cannot be told",
        found.get("memory") is True,
        tuple(_text(frame) for frame in frames[-_LISTED:]) if isinstance(frames, list) else (),
    )


def _text(found: Json) -> str:
    return found[:_TEXT] if isinstance(found, str) else ""


def _integer(found: Json) -> int:
    return found if isinstance(found, int) and not isinstance(found, bool) else 0
