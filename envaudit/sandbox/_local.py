"""Running a model in an interpreter of this machine: under bubblewrap, or without it where that was asked for."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, Final, NamedTuple

from envaudit import knowledge
from envaudit.errors import SandboxError
from envaudit.evidence import MIB, Evidence
from envaudit.sandbox import _bubblewrap, _outcome
from envaudit.sandbox._job import Job, Raw

THERE: Final = "/envaudit"
"""The folder in which the model file lies in a sandbox."""

REPLY_CAP: Final = 80 * MIB
GRACE: Final = 30.0
"""Seconds for the interpreter to start and for the runner to end a model that is over its time."""

_ENVIRON: Final = ("PATH", "HOME", "PYTHONPATH", "LD_LIBRARY_PATH", "VIRTUAL_ENV", "CONDA_PREFIX", "TZ")
"""Besides the settings that change results: nothing else of this process' environment is a model's business."""


class Place(NamedTuple):
    """An interpreter of this machine."""

    python: str
    path: tuple[str, ...]
    """Its ``sys.path`` and the prefixes of its installation."""


def place_of(evidence: Evidence) -> Place:
    """Where the interpreter that was looked at has its files."""
    found = evidence.interpreter
    if evidence.environment is None:
        raise SandboxError("there is no interpreter to run the model in")
    places = (found["prefix"], found["base_prefix"], *found["path"])
    return Place(evidence.environment.python, tuple(dict.fromkeys(place for place in places if os.path.isabs(place))))


def run(job: Job, place: Place, *, unsafe: bool) -> tuple[_outcome.Outcome, tuple[str, ...]]:
    """Run the job; what happened, and notes on how.

    Raises :class:`~envaudit.errors.SandboxError` where there is no sandbox and ``unsafe`` does not allow to go without.
    """
    try:
        wrapper = _bubblewrap.find(as_nobody := _is_open(place))
    except SandboxError as error:
        if not unsafe:
            what = "a model file" if job.names is None else "what is imported"
            raise SandboxError(
                f"{error}; without it {what} could do anything here: --unsafe runs it all the same,"
                " or name a container image as the target"
            ) from None
        return _unsafe(job, place), (f"ran without a sandbox (--unsafe): {error}",)
    notes = ["ran under bubblewrap: no network, everything read-only"]
    if not as_nobody:
        notes.append("ran as root, for whom the limit on processes does not hold: others may not read this environment")
    return _wrapped(job, place, wrapper), tuple(notes)


def _is_open(place: Place) -> bool:
    """Whether every user can read the environment: else root must not become another, who would miss modules."""
    if os.geteuid() != 0:
        return True
    paths = [path for path in place.path if os.path.exists(path)]
    for folder in [path for path in paths if os.path.isdir(path)]:
        paths += [os.path.join(folder, name) for name in os.listdir(folder)]
    return all(_open_to_all(path) for path in paths)


def _open_to_all(path: str) -> bool:
    try:
        mode = os.stat(path).st_mode
    except OSError:  # a broken link is so for everyone
        return True
    needed = 0o005 if stat.S_ISDIR(mode) else 0o004
    return mode & needed == needed


def _unsafe(job: Job, place: Place) -> _outcome.Outcome:
    model = os.path.abspath(job.model)
    source, token = _outcome.script(job, model, path=[], user=None, limits=_limits(job, os.getuid()))
    raw = _execute([place.python, "-B", "-"], source, environ(), job.limits.seconds + GRACE)
    return _outcome.read(raw, token)


def _wrapped(job: Job, place: Place, wrapper: _bubblewrap.Wrapper) -> _outcome.Outcome:
    model = f"{THERE}/{os.path.basename(job.model)}"
    user = os.getuid() if wrapper.user is None else wrapper.user
    source, token = _outcome.script(job, model, path=[], user=wrapper.user, limits=_limits(job, user))
    settings = {**environ(), "TMPDIR": "/tmp"}  # noqa: S108
    shown = [os.path.abspath(place.python), *place.path, *settings.get("LD_LIBRARY_PATH", "").split(os.pathsep)]
    with _readable(job.files, wrapper) as files:
        command = wrapper.command(
            [path for path in shown if os.path.isabs(path)],
            [(path, f"{THERE}/{os.path.basename(name)}") for name, path in files],
            job.limits.disk,
            "/tmp",  # noqa: S108
        )
        command[-1:-1] = [word for name, value in settings.items() for word in ("--setenv", name, value)]
        raw = _execute([*command, place.python, "-B", "-"], source, environ(), job.limits.seconds + GRACE)
    outcome = _outcome.read(raw, token)
    if outcome.unreadable is not None or outcome.error is not None:
        raise SandboxError(f"{job.model}: cannot be run under bubblewrap: {outcome.unreadable or outcome.error}")
    if outcome.ended == "silent" and outcome.stderr.startswith("bwrap: "):
        raise SandboxError(f"{job.model}: {outcome.stderr.strip()}")
    return outcome


@contextmanager
def _readable(files: list[str], wrapper: _bubblewrap.Wrapper) -> Iterator[list[tuple[str, str]]]:
    """``(name, path)`` of files that the sandbox's user can read: copies of those that only this user can."""
    import shutil
    import tempfile

    if wrapper.user is None or all(os.stat(path).st_mode & 0o004 for path in files):
        yield [(path, path) for path in files]
        return
    with tempfile.TemporaryDirectory(prefix="envaudit-") as folder:  # closed to all others; the copies are not
        copies = []
        for path in files:
            copies.append((path, os.path.join(folder, os.path.basename(path))))
            shutil.copyfile(*copies[-1])
            os.chmod(copies[-1][1], 0o444)
        yield copies


def environ() -> dict[str, str]:
    """The variables of this process that a model may see."""
    allowed = {*_ENVIRON, *knowledge.names("settings")}
    return {name: value for name, value in os.environ.items() if name in allowed}


def _limits(job: Job, user: int) -> dict[str, int]:
    """Limits of the child. That on processes counts all of the user's, so those that are there come on top."""
    return {"AS": 2 * job.limits.memory, "NPROC": _threads_of(user) + job.limits.processes}


def _threads_of(user: int) -> int:
    """How many threads a user has on this machine now, as far as can be seen."""
    count = 0
    for name in os.listdir("/proc") if os.path.isdir("/proc") else ():
        try:
            if name.isdigit() and os.stat(f"/proc/{name}").st_uid == user:
                count += len(os.listdir(f"/proc/{name}/task"))
        except OSError:  # noqa: PERF203  (each may end while we look)
            continue
    return count


def _execute(command: list[str], source: bytes, env: dict[str, str], seconds: float) -> Raw:
    """Run a command with the script on standard input; its output is kept on disk up to a cap."""
    import subprocess
    import tempfile

    with tempfile.TemporaryFile() as script, tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        script.write(source)
        script.seek(0)
        try:
            process = subprocess.Popen(
                command, stdin=script, stdout=stdout, stderr=stderr, env=env, start_new_session=True
            )
        except OSError as error:
            raise SandboxError(f"{command[0]}: cannot be started: {error.strerror or error}") from None
        late = False
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            late = True
        finally:
            _end(process.pid)
            process.wait()
        return Raw(_head(stdout), _head(stderr), late)


def _end(group: int) -> None:
    """Kill what is left of a process group."""
    import signal

    with suppress(OSError):
        os.killpg(group, signal.SIGKILL)


def _head(stream: IO[bytes]) -> bytes:
    stream.seek(0)
    return stream.read(REPLY_CAP)
