"""Running a model in a throw-away container of an image, or of the image that a running container was made from."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterator
from typing import Any, Final, NamedTuple, cast

from envaudit import knowledge
from envaudit.errors import EngineError, InspectorError, SandboxError
from envaudit.evidence import MIB, Evidence, Options, Request
from envaudit.model import Json
from envaudit.sandbox import _local, _outcome
from envaudit.sandbox._job import Job, Raw
from envaudit.targets import _engine

THERE: Final = _local.THERE
_FROM_CONTAINER: Final = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "VIRTUAL_ENV", "CONDA_PREFIX", "TZ")
"""Variables of a running container that are taken over, besides the settings that change results. What else it was
given may be a secret, and the image's own variables are in the image."""


class Place(NamedTuple):
    """What to make the container from."""

    where: str
    image: str
    """The image's id."""
    python: str
    config: dict[str, Json]
    """Keys as in :attr:`Evidence.image`: user, workdir, env."""
    notes: tuple[str, ...]


def place_of(kind: str, reference: str, evidence: Evidence, options: Options) -> Place:
    """The image to use and its Python, which the inspector found. A running container itself is left alone."""
    assert evidence.environment is not None  # a live target always tells
    python = evidence.environment.python
    if kind == "image":
        config = evidence.image
        kept: dict[str, Json] = {"user": config.get("user"), "workdir": config.get("workdir"), "env": {}}
        return Place(reference, config["id"], python, kept, ())
    with _engine.connect(options.timeout) as client:
        container = client.inspect_container(reference)
    config = _engine.process_config(container["Config"])
    allowed = {*_FROM_CONTAINER, *knowledge.names("settings")}
    config["env"] = {name: value for name, value in config["env"].items() if name in allowed}
    notes = [f"ran in a fresh container of the image of {reference}: what was changed in the running one is not there"]
    mounts = sorted(mount.get("Destination", "") for mount in container.get("Mounts") or ())
    if mounts:
        notes.append(f"nor what is mounted in it: {', '.join(mounts)}")
    return Place(reference, container["Image"], python, config, tuple(notes))


def gather(kind: str, reference: str, options: Options) -> Evidence:
    """Find the Python; an image that is not there is pulled where that was asked for."""
    from envaudit import registry

    target: Any = registry.module("targets", kind).TARGET
    return cast(Evidence, target.gather(reference, Request(), options))


def run(job: Job, place: Place, options: Options) -> tuple[_outcome.Outcome, tuple[str, ...]]:
    """Run the job; what happened, and notes on how.

    The engine mounts the model file where it can see the same file as we do; where it cannot (it is on another
    machine, or the image's user may not read the file), a copy goes into the container.
    """
    note = "ran in a container of its own: no network, read-only, no capabilities"
    outcome = None
    with _engine.connect(options.timeout) as client:
        for copied in (False, True):
            outcome = _once(client, job, place, copied)
            if outcome is not None and outcome.unreadable is None:
                break
    if outcome is None or outcome.unreadable is not None or outcome.error is not None:
        why = (outcome.unreadable or outcome.error) if outcome is not None else "the engine cannot mount it"
        raise SandboxError(f"{job.model}: cannot be run in {place.where}: {why}")
    return outcome, (note, *place.notes)


def _once(client: Any, job: Job, place: Place, copied: bool) -> _outcome.Outcome | None:
    """One run in one container; None where the engine cannot mount the model file."""
    from docker.errors import APIError

    model = f"{THERE}/{os.path.basename(job.model)}"
    path = [place.config["workdir"]] if place.config.get("workdir") else []  # as ``python serve.py`` would have it
    source, token = _outcome.script(job, model, path=path, user=None, limits={})
    name = f"envaudit-{os.urandom(6).hex()}"
    created = False
    try:
        try:
            client.create_container(**_settings(client, job, place, name, source, copied))
            created = True
            if copied:
                _copy(client, name, job)
            attached = client.attach_socket(name, params={"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1})
            client.start(name)
        except APIError as error:
            if not copied and ("bind source path" in str(error) or "mount" in str(error)):
                return None
            raise EngineError(f"{place.where}: cannot be run: {_engine.explain(error)}") from None
        return _outcome.read(_talk(attached, source, token, job, place), token)
    finally:
        _engine.remove(client, name, created)


def _talk(attached: Any, source: bytes, token: bytes, job: Job, place: Place) -> Raw:
    try:
        return Raw(*_engine.converse(attached, source, token, place.where, job.limits.seconds + _local.GRACE))
    except InspectorError as error:  # whatever the model did to the runner is an outcome
        return Raw(b"", str(error).encode(), late="no answer within" in str(error))


def _settings(client: Any, job: Job, place: Place, name: str, source: bytes, copied: bool) -> dict[str, Any]:
    """All that makes the container what it is: a place from which nothing gets out and where nothing lasts."""
    from docker.types import Mount, Ulimit

    command = _engine.arguments(client, place.python, source)
    limits = job.limits
    mounts = [
        Mount(f"{THERE}/{os.path.basename(path)}", path, type="bind", read_only=True)
        for path in ([] if copied else job.files)
    ]
    host = client.create_host_config(
        network_mode="none",
        read_only=True,
        cap_drop=["ALL"],
        security_opt=["no-new-privileges"],
        pids_limit=limits.processes,
        mem_limit=limits.memory,
        memswap_limit=limits.memory,
        shm_size=64 * MIB,
        tmpfs={"/tmp": f"size={limits.disk},mode=1777"},  # noqa: S108
        ulimits=[Ulimit(name="core", soft=0, hard=0), Ulimit(name="fsize", soft=limits.disk, hard=limits.disk)],
        mounts=mounts,
        auto_remove=True,
        log_config={"Type": "none"},
    )
    return {
        "image": place.image,
        "name": name,
        "entrypoint": command[:1],
        "command": command[1:],
        "user": place.config.get("user"),
        "working_dir": place.config.get("workdir"),
        "environment": place.config["env"],
        "volumes": [THERE] if copied else None,  # nothing can be copied onto a read-only root, but onto a volume
        "stdin_open": True,
        "network_disabled": True,
        "healthcheck": {"test": ["NONE"]},
        "labels": {_engine.LABEL: "sandbox"},
        "host_config": host,
    }


def _copy(client: Any, container: str, job: Job) -> None:
    """Put the model file into the container, readable for its user."""
    for path in job.files:
        client.put_archive(container, THERE, _archive(path))


def _archive(path: str) -> Iterator[bytes]:
    """A tar archive of one file, without holding it in memory."""
    with open(path, "rb") as stream:
        member = tarfile.TarInfo(os.path.basename(path))
        member.size, member.mode = os.fstat(stream.fileno()).st_size, 0o444
        yield member.tobuf(tarfile.PAX_FORMAT)
        left = member.size
        while left:
            block = stream.read(min(left, MIB)).ljust(min(left, MIB), b"\0")  # a file that shrinks is refused there
            left -= len(block)
            yield block
        yield b"\0" * (-member.size % tarfile.BLOCKSIZE + 2 * tarfile.BLOCKSIZE)
