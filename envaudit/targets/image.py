"""``image://REF`` or just ``REF``: an image of the local engine, by its name, digest or id.

The inspector runs in a container made for it: no network, a read-only file system, no capabilities, no volume
but what the image itself declares, and instead of the image's entry point the Python that it would serve with
(see :mod:`envaudit.targets._active`). The container is removed in any case. An image that is not there is
pulled only where that is asked for.

Without capabilities even root reads only what the permissions of a file allow: what is closed to it (the home
of another user, mode 0700) shows up as not seen.
"""

from __future__ import annotations

import os
import re
from typing import Any, Final

from envaudit.errors import EngineError, EnvauditError, InspectorError
from envaudit.evidence import FILE_ENDINGS, Evidence, Options, Request, Target
from envaudit.model import Json
from envaudit.targets import _engine, _live

LABEL: Final = _engine.LABEL
_MEMORY: Final = "1g"
_PROCESSES: Final = 128
_QUICK: Final = 2.0
"""Seconds that the question whether a path's name is an image's as well may take."""

_PART: Final = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REFERENCE: Final = (
    rf"(?:[a-zA-Z0-9.-]+(?::[0-9]+)?/)?{_PART}(?:/{_PART})*(?::[\w][\w.-]{{0,127}})?(?:@sha256:[0-9a-f]{{64}})?$"
)
"""The grammar of github.com/distribution/reference, ASCII and sha256 only."""


def gather(reference: str, request: Request, options: Options) -> Evidence:
    """Run the inspector once in a throw-away container of the image; where nothing in it can be run, read its files."""
    with _engine.connect(options.timeout) as client:
        found = _find(client, reference, options)
        config = _engine.image_config(found)
        _see_platform(config, reference, options)
        if not options.static:
            try:
                return _inspected(client, config, reference, request, options)
            except _engine.NotRunnableError as error:
                options.progress(f"reading {reference}, of which nothing can be run here")
                try:
                    return _read(config, reference, request, options)
                except InspectorError:
                    raise error from None
    return _read(config, reference, request, options)


def _read(config: dict[str, Json], reference: str, request: Request, options: Options) -> Evidence:
    """What the image's files tell."""
    from envaudit.targets import _static
    from envaudit.targets._exported import Exported

    return _static.of_image(Exported(config["id"], options.timeout), request, options, reference, config)


def _see_platform(config: dict[str, Json], reference: str, options: Options) -> None:
    """An engine of this kind has one platform of an image; another one is not there."""
    if options.platform is None:
        return
    from envaudit.images import platform

    has = platform.stated(config)
    if has is None or has not in platform.fitting(platform.parse(options.platform)):
        raise EngineError(
            f"{reference}: the local engine has it for {has or 'no platform that it names'}, not for"
            f" {options.platform}; docker pull --platform {options.platform} {reference}"
        )


def _inspected(client: Any, config: dict[str, Json], reference: str, request: Request, options: Options) -> Evidence:

    def start(python: str, source: bytes, token: bytes) -> _engine.Answer | None:
        return _run(client, config, python, source, token, reference, options.timeout)

    evidence = _engine.inspect(reference, config, request, options, start)
    # It ran without devices: what nvidia-smi would say in service is not to be seen this way.
    return evidence._replace(image=config, offers=(evidence.offers | {"image"}) - {"commands"}, unseen=_engine.UNSEEN)


def claims(text: str) -> bool:
    """Whether the local engine has such an image; False at once for what reads like a path."""
    if text.startswith((".", "/", "~")) or text.endswith(FILE_ENDINGS) or not re.match(_REFERENCE, text):
        return False
    try:
        with _engine.connect(_QUICK) as client:
            client.inspect_image(text)
    except EnvauditError:
        return False
    return True


def _find(client: Any, reference: str, options: Options) -> dict[str, Json]:
    """What the engine says about the image, which is pulled if it is not there and that was asked for."""
    from docker.errors import APIError, NotFound, NullResource

    try:
        found: dict[str, Json] = client.inspect_image(reference)
    except NullResource:
        raise EngineError("image://: the name is missing; write image://NAME:TAG") from None
    except NotFound:
        if not options.pull:
            raise EngineError(_not_there(client, reference)) from None
        _pull(client, reference, options)
        found = client.inspect_image(reference)
    except APIError as error:
        if "invalid reference" in str(error):
            raise EngineError(f"'{reference}' is no image reference, and no such file exists") from None
        raise
    return found


def _not_there(client: Any, reference: str) -> str:
    from docker.errors import APIError

    try:
        client.inspect_container(reference)
    except APIError:
        pass
    else:
        return f"no image '{reference}' in the local engine, but a container; write container://{reference}"
    last = reference.rsplit("/", 1)[-1]
    either = ""
    if ":" not in last and "@" not in last and ("." in last or "/." in reference):
        either = ", nor a file of that name"
    return (
        f"no image '{reference}' in the local engine{either}; envaudit does not pull unasked:"
        f" --pull, or docker pull {reference}"
    )


def _pull(client: Any, reference: str, options: Options) -> None:
    from docker.errors import APIError
    from docker.utils import parse_repository_tag

    options.progress(f"pulling {reference}")
    repository, tag = parse_repository_tag(reference)
    try:
        for event in client.pull(repository, tag=tag or "latest", stream=True, decode=True):
            if "error" in event:
                raise EngineError(f"{reference} cannot be pulled: {' '.join(event['error'].split())}")
    except APIError as error:
        raise EngineError(f"{reference} cannot be pulled: {_engine.explain(error)}") from None


def _run(
    client: Any, config: dict[str, Json], python: str, source: bytes, token: bytes, where: str, timeout: float
) -> _engine.Answer | None:
    from docker.errors import APIError

    # The name is chosen here: an interrupt can come before the engine has told the id.
    name = f"envaudit-{os.urandom(6).hex()}"
    created = False
    try:
        command = _engine.arguments(client, python, source)
        client.create_container(
            config["id"],
            name=name,
            entrypoint=command[:1],
            command=command[1:],
            stdin_open=True,
            network_disabled=True,
            healthcheck={"test": ["NONE"]},
            labels={LABEL: "inspector"},
            host_config=client.create_host_config(
                network_mode="none",
                read_only=True,
                cap_drop=["ALL"],
                security_opt=["no-new-privileges"],
                pids_limit=_PROCESSES,
                mem_limit=_MEMORY,
                auto_remove=True,
                log_config={"Type": "none"},
            ),
        )
        created = True
        attached = client.attach_socket(name, params={"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1})
        try:
            client.start(name)
        except APIError as error:
            _engine.hang_up(attached)
            if _engine.is_missing_program(_engine.explain(error)):
                return None
            raise _engine.cannot_start(where, python, config, _engine.explain(error)) from None
        stdout, stderr = _engine.converse(attached, source, token, where, timeout)
    finally:
        _engine.remove(client, name, created)
    if token not in stdout and _live.MARKER.encode() not in stderr:
        last = stderr.decode("utf-8", "replace").strip().rpartition("\n")[2] or "it printed nothing"
        if "exec format error" in last:  # some runtimes notice it only once the container has started
            raise _engine.cannot_start(where, python, config, last)
        raise InspectorError(f"{where}: its {python} did not answer: {last}")
    return _engine.Answer(stdout, stderr, _live.REFUSED)


TARGET = Target(kind="image", schemes=("image",), gather=gather, claims_name=claims)
