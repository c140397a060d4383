"""``pylock://PATH``: a lock file of the standard form (PEP 751), ``pylock.toml`` or ``pylock.NAME.toml``."""

from __future__ import annotations

import os
import re
from typing import Final

from envaudit.errors import LockfileError, TargetError
from envaudit.evidence import MIB, Evidence, Options, Request, Target
from envaudit.model import Json
from envaudit.targets import _lock_file

CAP: Final = 64 * MIB
LONGEST: Final = 8192
"""Bytes of one text or key: what reads them takes time by their square."""
_TEXT: Final = re.compile(rb"\"[^\"]*\"|'[^']*'")
_BORDER: Final = re.compile(rb"[\[\]{},=]")


def gather(reference: str, request: Request, options: Options) -> Evidence:
    """The parsed document; what it means is for the collector to say."""
    return Evidence(
        offers=frozenset({"pylock"}),
        unseen="a lock file does not say",
        pylock=_parse(_read(reference), reference),
    )


def claims(path: str) -> bool:
    """By its name, which the standard fixes."""
    parts = os.path.basename(path).split(".")
    named = parts[0] == "pylock" and parts[-1] == "toml" and len(parts) in (2, 3) and all(parts)
    return named and os.path.isfile(path)


def _read(path: str) -> bytes:
    try:
        return _lock_file.read(path, CAP)
    except FileNotFoundError:
        raise TargetError(f"{path}: no such file") from None


def _parse(data: bytes, where: str) -> dict[str, Json]:
    import sys
    from importlib import import_module

    for row, content in enumerate(data.split(b"\n"), start=1):
        if len(content) > LONGEST and not content.startswith(b"#"):
            longest = max(map(len, _TEXT.findall(content) + _BORDER.split(_TEXT.sub(b"", content))))
            if longest > LONGEST:
                raise LockfileError(f"{where}:{row}: has a part of {longest} bytes, which no lock file has")
    tomllib = import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    try:
        document: dict[str, Json] = tomllib.loads(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise LockfileError(f"{where}:{line}: is not UTF-8, which TOML has to be") from None
    except tomllib.TOMLDecodeError as error:
        reason, _, place = str(error).partition(" (at ")
        number = re.match(r"line (\d+)", place)
        line = int(number[1]) if number else data.count(b"\n") + 1
        raise LockfileError(f"{where}:{line}: {reason}") from None
    except RecursionError:
        raise LockfileError(f"{where}: is nested too deeply") from None
    except ValueError as error:  # a number of thousands of digits
        raise LockfileError(f"{where}: {error}") from None
    return document


TARGET = Target(kind="pylock", schemes=("pylock",), gather=gather, claims_path=claims)
