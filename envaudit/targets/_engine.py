"""What containers and images share: the engine's client, and the talk with the inspector.

The engine is the one that the ``docker`` command would use: DOCKER_HOST, else the current context, else the
default socket. The SDK is imported only when an engine is really asked.
"""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

from envaudit.errors import EngineError, InspectorError, MissingExtraError
from envaudit.evidence import MIB, Evidence, Options, Request
from envaudit.model import Json
from envaudit.targets import _live

REPLY_CAP: Final = 64 * MIB
"""A whole Debian with a few hundred distributions replies with under 2 MiB."""

LABEL: Final = "envaudit"
"""Label of the containers that envaudit makes, so that a leftover (envaudit killed, engine down) can be recognised."""

UNSEEN: Final = "an image is looked at without devices"
"""Why an image shows no driver and no GPU, whether it is run or only read."""

DEFAULT_SOCKET: Final = "unix:///var/run/docker.sock"
_NOT_THERE: Final = ("executable file not found", "no such file or directory", "not a directory")


class NotRunnableError(InspectorError):
    """Nothing in the image can be run here: there is no Python, or it is for another architecture."""


class Answer(NamedTuple):
    """What one run of the inspector printed. ``exit_code`` is None where the engine does not tell."""

    stdout: bytes
    stderr: bytes
    exit_code: int | None = None


Start = Callable[[str, bytes, bytes], "Answer | None"]
"""``(python, source, token)`` -> what it printed; None where the place has no such program."""


@contextmanager
def connect(timeout: float) -> Iterator[Any]:
    """The engine's low-level API client. What goes wrong on the wire becomes an EngineError of one line."""
    _knock(timeout)
    try:
        import docker
        import requests
    except ImportError:
        raise MissingExtraError("docker", "looking at containers and images") from None
    client = None
    try:
        client = docker.from_env(timeout=timeout).api
        yield client
    except docker.errors.APIError as error:
        raise EngineError(f"the container engine refuses: {explain(error)}") from None
    except (
        docker.errors.DockerException,
        requests.exceptions.RequestException,
        OSError,
        ValueError,
    ) as error:
        raise EngineError(_why(error, timeout)) from None
    finally:
        if client is not None:
            client.close()


def _knock(timeout: float) -> None:
    """Whether anybody listens on the socket: the system's own error is clear, and told before the SDK is imported."""
    host = os.environ.get("DOCKER_HOST")
    if not host:
        config = os.environ.get("DOCKER_CONFIG") or os.path.expanduser("~/.docker")
        if os.environ.get("DOCKER_CONTEXT") or os.path.exists(os.path.join(config, "config.json")):
            return  # the current context may name another
        host = DEFAULT_SOCKET
    if not host.startswith("unix://"):
        return
    import socket

    with socket.socket(socket.AF_UNIX) as knocking:
        knocking.settimeout(timeout)
        try:
            knocking.connect(host[len("unix://") :])
        except OSError as error:
            raise EngineError(_why(error, timeout)) from None


def address() -> str:
    """Where an engine is looked for, in words for a message."""
    if os.environ.get("DOCKER_HOST"):
        return os.environ["DOCKER_HOST"]
    if os.environ.get("DOCKER_CONTEXT"):
        return f"the docker context {os.environ['DOCKER_CONTEXT']}"
    return DEFAULT_SOCKET


def explain(error: BaseException) -> str:
    """The engine's own words on one line."""
    return " ".join(str(getattr(error, "explanation", None) or error).split())


def _why(error: BaseException, timeout: float) -> str:
    causes = list(_causes(error))
    if any(isinstance(cause, PermissionError) for cause in causes):
        return (
            f"{address()}: permission denied; add this user to the docker group"
            " (sudo usermod -aG docker $USER, then log in anew) or use sudo"
        )
    if any(isinstance(cause, TimeoutError) or "Timeout" in type(cause).__name__ for cause in causes):
        return f"the container engine at {address()} did not answer within {timeout:g} seconds"
    if any(isinstance(cause, (FileNotFoundError, ConnectionRefusedError)) for cause in causes):
        return (
            f"no container engine answers at {address()}; start one (sudo systemctl start docker)"
            " or let DOCKER_HOST name another"
        )
    return f"the container engine at {address()}: {explain(error)}"


def _causes(error: BaseException | None, depth: int = 0) -> Iterator[BaseException]:
    """An exception with all that it wraps: the SDK, requests and urllib3 each wrap the system error."""
    if error is None or depth > 8:
        return
    yield error
    for inner in (error.__cause__, error.__context__, *error.args):
        if isinstance(inner, BaseException):
            yield from _causes(inner, depth + 1)


def is_missing_program(message: str) -> bool:
    """Whether the engine says that the program to be started is not there."""
    return any(words in message for words in _NOT_THERE)


def cannot_start(where: str, python: str, config: dict[str, Json], why: str) -> InspectorError:
    """Why a program that is there cannot be started; ``why`` is what the engine says."""
    if "exec format error" in why:
        return NotRunnableError(
            f"{where}: its {python} is not for this machine (the image says {config.get('architecture')});"
            " use the image of this platform, or set up emulation (qemu binfmt)"
        )
    if "permission denied" in why:
        user = config.get("user") or "root"
        return InspectorError(f"{where}: its user '{user}' may not run {python}; --python names another")
    return InspectorError(f"{where}: {python} cannot be started: {' '.join(why.split())}")


def arguments(client: Any, python: str, source: bytes) -> list[str]:
    """The command line of the inspected interpreter.

    TLS knows no half-closed connection, so that the end of the script cannot be told there; its length can.
    """
    if client.base_url.startswith("https://"):
        return [python, "-B", "-c", f"import sys; exec(sys.stdin.read({len(source)}))"]
    return [python, *_live.ARGUMENTS]


def converse(attached: Any, source: bytes, token: bytes, where: str, timeout: float) -> tuple[bytes, bytes]:
    """Send the script over an attached connection; return standard output and standard error, told apart.

    Stops as soon as the reply is whole. Raises :class:`~envaudit.errors.InspectorError` where it takes too
    long or does not end.
    """
    wire = getattr(attached, "_sock", attached)
    streams = Streams()
    deadline = time.monotonic() + timeout
    try:
        wire.settimeout(timeout)
        try:
            wire.sendall(source)
            _half_close(wire)
        except (BrokenPipeError, ConnectionResetError):
            pass  # nothing reads it there: what was printed says why
        read = _reader(attached)
        found = 0
        while found < 2:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            wire.settimeout(left)
            data = read(MIB)
            if not data:
                break
            searched = max(0, len(streams.stdout) - len(token) + 1)
            streams.feed(data)
            found += streams.stdout.count(token, searched)
            if streams.size > REPLY_CAP:
                raise InspectorError(f"{where}: the reply is longer than {REPLY_CAP // MIB} MiB; this is no Python")
    except TimeoutError:
        raise InspectorError(f"{where}: no answer within {timeout:g} seconds (--timeout sets the limit)") from None
    finally:
        hang_up(attached)
    return bytes(streams.stdout), bytes(streams.stderr)


def hang_up(attached: Any) -> None:
    """Close an attached connection, which the client no longer counts among its own."""
    wire = getattr(attached, "_sock", attached)
    response = getattr(attached, "_response", None)
    if response is not None:
        response.close()
    wire.close()


def _half_close(wire: Any) -> None:
    if hasattr(wire, "shutdown_write"):  # a channel of an SSH connection
        wire.shutdown_write()
    elif not hasattr(wire, "unwrap"):  # not TLS
        import socket

        wire.shutdown(socket.SHUT_WR)


def _reader(attached: Any) -> Callable[[int], bytes]:
    """How to read on. What came along with the HTTP headers already lies in the response's own buffer."""
    response = getattr(attached, "_response", None)
    buffered: Any = None if response is None else response.raw._fp.fp
    read: Callable[[int], bytes] = buffered.read1 if hasattr(buffered, "read1") else attached.recv
    return read


def remove(client: Any, name: str, created: bool) -> None:
    """Remove a container, even one that the engine may only be about to create."""
    from docker.errors import APIError

    for attempt in range(100):
        try:
            client.remove_container(name, v=True, force=True)
            return
        except APIError as error:  # noqa: PERF203  (the loop is there for the exception)
            # 409: the engine is removing it already: wait until it has. 404: it has, or it has not come into being yet.
            # 500: it came to its end by itself just before the engine would end it.
            ended = error.status_code == 500 and "is not running" in str(error)
            if error.status_code == 404 and (created or attempt == 20):
                return
            if error.status_code not in (404, 409) and not ended:
                raise
            time.sleep(0.05)


class Streams:
    """The engine's multiplexed stream: frames of a stream number, three zero bytes, a length, the payload."""

    def __init__(self) -> None:
        self.stdout = bytearray()
        self.stderr = bytearray()
        self.size = 0
        self._rest = bytearray()
        self._plain = False

    def feed(self, data: bytes) -> None:
        """Take what arrived. Text in no frame is a message of the engine; it counts as standard error."""
        self.size += len(data)
        self._rest += data
        while len(self._rest) >= 8 and not self._plain:
            number, padding, length = struct.unpack(">B3sL", self._rest[:8])
            if number > 2 or padding != b"\0\0\0":
                self._plain = True
                break
            if len(self._rest) < 8 + length:
                break
            (self.stderr if number == 2 else self.stdout).extend(self._rest[8 : 8 + length])
            del self._rest[: 8 + length]
        if self._plain:
            self.stderr += self._rest
            self._rest.clear()


def image_config(found: dict[str, Json]) -> dict[str, Json]:
    """What ``docker image inspect`` says, under the keys of :attr:`Evidence.image`; empty ones left out."""
    described = {
        "architecture": found.get("Architecture"),
        "os": found.get("Os"),
        "variant": found.get("Variant"),
        "created": found.get("Created"),
        "id": found.get("Id"),
        "digests": sorted(found.get("RepoDigests") or ()),
        "tags": sorted(tag for tag in found.get("RepoTags") or () if "<none>" not in tag),
        **process_config(found.get("Config") or {}),
    }
    return {key: value for key, value in described.items() if value}


def process_config(config: dict[str, Json]) -> dict[str, Json]:
    """The part of a configuration that an image and a container have in common."""
    return {
        "user": config.get("User"),
        "entrypoint": _words(config.get("Entrypoint")),
        "cmd": _words(config.get("Cmd")),
        "workdir": config.get("WorkingDir"),
        "env": dict(item.partition("=")[::2] for item in config.get("Env") or ()),
        "labels": dict(sorted((config.get("Labels") or {}).items())),
    }


def _words(value: Json) -> list[str]:
    return [value] if isinstance(value, str) else list(value or ())


def inspect(
    where: str,
    config: dict[str, Json],
    request: Request,
    options: Options,
    start: Start,
    *,
    of_init: bool = False,
    limit: int = 0,
) -> Evidence:
    """Run the inspector in the first of the candidates for the active Python that is there.

    ``limit`` makes the inspector end itself after so many seconds, for places where nobody else can end it.
    Raises :class:`~envaudit.errors.InspectorError` where there is no Python, or none that answers.
    """
    from envaudit.targets import _active

    places = _active.places(config)
    source, token = _live.script(request._replace(names=(*request.names, *places)), options.timeout, of_init=of_init)
    if limit:
        source = b"import signal; signal.alarm(%d)\n" % limit + source
    tried = []
    for python, chosen_by in _active.candidates(config, options.python):
        options.progress(f"inspecting {where} with its {python}")
        answer = start(python, source, token)
        if answer is None:
            tried.append(python)
            continue
        reply = _live.read_reply(answer.stdout, answer.stderr, answer.exit_code, token, where)
        return _active.evidence(reply, config, request, python, chosen_by)
    nothing = f"{where}: {_active.nothing(options.python, tried)}"
    raise InspectorError(nothing) if options.python else NotRunnableError(nothing)
