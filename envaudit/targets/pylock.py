"""``pylock://PATH``: a lock file of the standard form (PEP 751), ``pylock.toml`` or ``pylock.NAME.toml``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from envaudit.errors import LockfileError, TargetError
from envaudit.evidence import MIB, Evidence, Options, Request, Target
from envaudit.model import Json

CAP: Final = 64 * MIB
_NAME: Final = re.compile(r"pylock(\.[^.]+)?\.toml$")
_PLACE: Final = re.compile(r"\s*\(at (?:line (\d+), column \d+|end of document)\)$")


def gather(reference: str, request: Request, options: Options) -> Evidence:
    """The parsed document; what it means is for the collector to say."""
    return Evidence(
        offers=frozenset({"pylock"}),
        unseen="a lock file does not say",
        pylock=_parse(_read(reference), reference),
    )


def claims(path: str) -> bool:
    """By its name, which the standard fixes."""
    return bool(_NAME.match(Path(path).name)) and Path(path).is_file()


def _read(path: str) -> bytes:
    try:
        with Path(path).open("rb") as stream:
            data = stream.read(CAP + 1)
    except FileNotFoundError:
        raise TargetError(f"{path}: no such file") from None
    except OSError as error:
        raise LockfileError(f"{path}: cannot be read: {error.strerror or error}") from None
    if len(data) > CAP:
        raise LockfileError(f"{path}: is larger than {CAP // MIB} MiB")
    return data


def _parse(data: bytes, where: str) -> dict[str, Json]:
    import sys
    from importlib import import_module

    tomllib = import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    try:
        document: dict[str, Json] = tomllib.loads(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise LockfileError(f"{where}:{line}: is not UTF-8, which TOML has to be") from None
    except tomllib.TOMLDecodeError as error:
        message = str(error)
        place = _PLACE.search(message)
        line = int(place[1]) if place and place[1] else data.count(b"\n") + 1
        raise LockfileError(f"{where}:{line}: {_PLACE.sub('', message)}") from None
    except RecursionError:
        raise LockfileError(f"{where}: is nested too deeply") from None
    return document


TARGET = Target(kind="pylock", schemes=("pylock",), gather=gather, claims_path=claims)
