"""What live targets share: the inspector as bytes to send, its framed reply, and the reply as evidence.

A transport only has to feed :func:`script` to ``python -B -`` on standard input and hand the bytes of standard output,
of standard error and the exit code to :func:`read_reply`. Never a TTY, never standard error merged into standard
output, never a shell.
"""

from __future__ import annotations

import json
import os
from typing import Final

from envaudit.errors import InspectorError
from envaudit.evidence import CommandOutput, Evidence, FileText, FolderContent, RecordDigest, Request
from envaudit.model import Environment, Json

ARGUMENTS: Final = ("-B", "-")
"""Arguments of the inspected interpreter. ``-B``: no bytecode is written into the target. Neither ``-I`` nor ``-S``:
PYTHONPATH, the user site and .pth files are the skew that is looked for."""

REFUSED: Final = 79
MARKER: Final = "envaudit-inspector-refuses"
_SHAPE: Final = {
    "interpreter": dict,
    "files": dict,
    "records": dict,
    "names": list,
    "commands": list,
    "environ": dict,
    "folders": dict,
    "errors": list,
}
"""The keys of a reply and their types."""
_UNPACKED_CAP: Final = 512 * 1024 * 1024
OFFERS: Final = frozenset({"interpreter", "files", "names", "records", "commands", "environ"})


def as_json(request: Request, timeout: float = 60.0, *, of_init: bool = False) -> dict[str, Json]:
    """The request in the form that the inspector reads (docs/evidence.md).

    A command gets a fraction of the ``timeout`` in seconds, so that one that hangs is a gap and not the end.
    """
    return {
        "files": [list(item) for item in request.files],
        "names": list(request.names),
        "records": list(request.records),
        "commands": [list(item) for item in request.commands],
        "command_timeout": min(10.0, timeout / 4),
        "environ": list(request.environ),
        "environ_of_init": of_init,
        "folders": [list(item) for item in request.folders],
    }


def script(request: Request, timeout: float = 60.0, *, of_init: bool = False) -> tuple[bytes, bytes]:
    """The inspector with its call appended, and the token that will frame the reply."""
    import base64

    token = "envaudit-" + os.urandom(16).hex()
    wanted = base64.b64encode(json.dumps(as_json(request, timeout, of_init=of_init)).encode()).decode("ascii")
    with open(os.path.join(os.path.dirname(__file__), "inspector.py"), "rb") as stream:
        source = stream.read()
    return source + f"\n_main({wanted!r}, {token!r})\n".encode(), token.encode()


def read_reply(stdout: bytes, stderr: bytes, exit_code: int | None, token: bytes, where: str) -> dict[str, Json]:
    """Cut the reply out of whatever else the target printed.

    Raises :class:`~envaudit.errors.InspectorError` where there is no whole reply, with the likeliest reason.
    """
    parts = stdout.split(token)
    if len(parts) >= 3:
        try:
            reply = json.loads(parts[-2])
        except (ValueError, RecursionError):
            reply = None
        if isinstance(reply, dict) and "error" in reply:
            raise InspectorError(f"{where}: the inspector failed there: {reply['error']}")
        if not isinstance(reply, dict) or not all(isinstance(reply.get(key), kind) for key, kind in _SHAPE.items()):
            raise InspectorError(f"{where}: what it answered is no reply of the inspector; is this a Python?")
        return reply
    said = stderr.decode("utf-8", "replace").strip()
    if exit_code == REFUSED and MARKER in said:
        version = said.partition(MARKER)[2].strip().splitlines()[0]
        raise InspectorError(f"{where}: {version} is too old to be inspected; Python 3.6 or newer is needed")
    last = said.splitlines()[-1] if said else "it printed nothing"
    raise InspectorError(f"{where}: the interpreter did not answer (exit code {exit_code}): {last}")


def evidence(reply: dict[str, Json], environment: Environment | None, request: Request) -> Evidence:
    """The inspector's reply as evidence."""
    binary = {item.pattern for item in request.files if item.binary}
    return Evidence(
        environment=environment,
        offers=OFFERS,
        interpreter=reply["interpreter"],
        files={path: _file(content, path in binary) for path, content in reply["files"].items()},
        names=tuple(reply["names"]),
        records={path: _record(content) for path, content in reply["records"].items()},
        commands={tuple(arguments): CommandOutput(*output) for arguments, output in reply["commands"]},
        environ=reply["environ"],
        folders=_folders(reply["folders"], len(request.folders)),
        errors=tuple((where, why) for where, why in reply["errors"]),
    )


def _file(content: Json, binary: bool) -> FileText:
    if isinstance(content, dict):
        return FileText(error=content["error"])
    text, truncated = content
    if binary:
        import base64

        return FileText(data=base64.b64decode(text), truncated=truncated)
    return FileText(text=text, truncated=truncated)


def _folders(content: dict[str, Json], count: int) -> tuple[FolderContent, ...]:
    """The packed contents, cut apart again."""
    if not count:
        return ()
    import base64
    import zlib

    if "error" in content:
        raise InspectorError(f"the packages there cannot be read: {content['error']}")
    found = [FolderContent({}, {}) for _ in range(count)]
    try:
        data = zlib.decompressobj().decompress(base64.b64decode(content["data"]), _UNPACKED_CAP)
        for number, inside, names in content["listings"]:
            found[number].listings[inside] = tuple(names)
        position = 0
        for number, inside, size in content["files"]:
            if position + size > len(data):
                break
            found[number].files[inside] = data[position : position + size]
            position += size
    except (zlib.error, ValueError, TypeError, LookupError):
        raise InspectorError("the packages there cannot be read: the reply is damaged") from None
    return tuple(found)


def _record(content: dict[str, Json]) -> RecordDigest:
    if "error" in content:
        return RecordDigest(error=content["error"])
    return RecordDigest(content["digest"], content["files"], tuple(content["modified"]), tuple(content["missing"]))
