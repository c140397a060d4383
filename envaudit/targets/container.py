"""``container://NAME``: a running container of the local engine, by its name or id.

The inspector runs in it as ``docker exec`` would run it, as the container's own user and with its
environment; nothing is installed or written there. Which Python is looked at is decided by the container's
own configuration, so a command given to ``docker run`` counts (see :mod:`envaudit.targets._active`).
"""

from __future__ import annotations

from typing import Any

from envaudit.errors import EngineError
from envaudit.evidence import Evidence, Options, Request, Target
from envaudit.model import Json
from envaudit.targets import _engine


def gather(reference: str, request: Request, options: Options) -> Evidence:
    """Run the inspector in the container; its image's configuration is evidence as well."""
    with _engine.connect(options.timeout) as client:
        container = _running(client, reference)

        config = _engine.process_config(container["Config"])

        def start(python: str, source: bytes, token: bytes) -> _engine.Answer | None:
            return _execute(client, container["Id"], config, python, source, token, reference, options.timeout)

        evidence = _engine.inspect(
            reference,
            config,
            request,
            options,
            start,
            # In the host's process namespace, process 1 is the host's.
            of_init=container["HostConfig"].get("PidMode") in (None, "", "private"),
            limit=int(options.timeout) + 2,
        )
        image = _image_of(client, container["Image"])
    return evidence._replace(image=image, offers=evidence.offers | {"image"}) if image else evidence


def _running(client: Any, reference: str) -> dict[str, Json]:
    """The container, if it runs."""
    from docker.errors import NotFound, NullResource

    try:
        container: dict[str, Json] = client.inspect_container(reference)
    except NullResource:
        raise EngineError("container://: the name is missing; write container://NAME") from None
    except NotFound:
        hint = "docker ps lists them"
        if _image_of(client, reference):
            hint = f"an image of that name is there: image://{reference}"
        raise EngineError(f"no container '{reference}' in the local engine; {hint}") from None
    state = container["State"]
    if state.get("Paused"):
        raise EngineError(f"container '{reference}' is paused; docker unpause {reference} wakes it")
    if not state.get("Running") or state.get("Restarting"):
        raise EngineError(
            f"container '{reference}' is not running ({state.get('Status')});"
            f" start it, or look at its image: image://{container['Config'].get('Image')}"
        )
    return container


def _image_of(client: Any, reference: str) -> dict[str, Json]:
    """The configuration of an image; empty where it is gone (removed by force under the container)."""
    from docker.errors import APIError

    try:
        return _engine.image_config(client.inspect_image(reference))
    except APIError:
        return {}


def _execute(
    client: Any,
    container: str,
    config: dict[str, Json],
    python: str,
    source: bytes,
    token: bytes,
    where: str,
    timeout: float,
) -> _engine.Answer | None:
    from docker.errors import APIError

    try:
        created = client.exec_create(container, _engine.arguments(client, python, source), stdin=True)
        attached = client.exec_start(created["Id"], socket=True)
    except APIError as error:
        if _engine.is_missing_program(_engine.explain(error)):
            return None
        raise
    stdout, stderr = _engine.converse(attached, source, token, where, timeout)
    if token in stdout:
        return _engine.Answer(stdout, stderr)
    exit_code = client.exec_inspect(created["Id"])["ExitCode"]
    # Depending on its version, the engine puts its own complaint into either stream, or outside of both.
    said = (stdout + stderr).decode("utf-8", "replace")
    if "exec format error" in said or (exit_code in (126, 127) and "exec failed" in said):
        if _engine.is_missing_program(said):
            return None
        raise _engine.cannot_start(where, python, config, said)
    return _engine.Answer(stdout, stderr or stdout, exit_code)


TARGET = Target(kind="container", schemes=("container",), gather=gather)
