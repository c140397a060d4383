"""Requirements files as logical lines, as pip reads them ("Requirements File Format" in pip's reference).

Continuations are joined, comments stripped, ``-r`` and ``-c`` followed. Three things differ on purpose:
``${VARIABLE}`` stays as it is written (what a file means must not depend on who audits it, and the value may
be a secret), includes from the network are left standing as lines (nothing is fetched), and text that is not
UTF-8 is read as Latin-1 rather than by the locale.
"""

from __future__ import annotations

import codecs
import os
import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from envaudit.errors import LockfileError
from envaudit.evidence import MIB, FileText, RequirementLine
from envaudit.targets import _lock_file

CAP: Final = 16 * MIB
"""Bytes of one file."""
FILES: Final = 500
"""Files that one requirements file may include."""
LINES: Final = 50_000
"""Lines of them all that say something."""
LONGEST: Final = 8192
"""Characters of a line before its hashes."""

PROJECT: Final = "pyproject.toml"

_BOMS: Final = (  # UTF-32 first: its little-endian mark starts with that of UTF-16
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_CODING: Final = re.compile(rb"coding[:=]\s*([-\w.]+)")
_ASCII: Final = b"xn--mnchen-3ya.\\x41 \\u0041 +AGE- ~"
"""Reads otherwise in UTF-7, in the escape encodings and in everything that is no superset of ASCII."""
_COMMENT: Final = re.compile(r"(?:^|(?<=\s))#.*$")
_ELSEWHERE: Final = re.compile(r"(https?|file|ftp):|.*\$\{[A-Z0-9_]+\}", re.IGNORECASE)


_DISTRIBUTION: Final = r"[A-Za-z0-9][A-Za-z0-9._-]*\s*(?:\[[A-Za-z0-9._,\s-]*\])?"
_LIKELY: Final = re.compile(
    rf"{_DISTRIBUTION}$"
    rf"|(?P<sure>{_DISTRIBUTION}\s*(?:(?:===|==|~=|!=|>=|<=|>|<)\s*[A-Za-z0-9]|@\s*\S+(?::|/)\S)"
    r"|-[rcei]\s*\S|--(?:requirement|constraint|editable|index-url|extra-index-url|require-hashes)\b)"
)
_LOOKED_AT: Final = 20
"""Lines by which a file of another name is told."""


class Requirements(NamedTuple):
    """What one requirements file and all that it includes say."""

    lines: tuple[RequirementLine, ...]
    comments: tuple[RequirementLine, ...]
    """Comments that start in the first column: there tools say what made the file."""


class _File(NamedTuple):
    path: str
    constraint: bool
    steps: Iterator[tuple[int, str]]


def read(path: str) -> Requirements:
    """Read a requirements file and what it includes; each file once as requirements and once as constraints.

    Raises :class:`~envaudit.errors.LockfileError`, naming file and line, where a file is missing or no text.
    """
    lines: list[RequirementLine] = []
    comments: list[RequirementLine] = []
    seen: set[tuple[str, bool]] = set()

    def enter(path: str, constraint: bool, included_from: str) -> Iterator[_File]:
        try:
            key = (os.path.realpath(path), constraint)
            if included_from and not path.isprintable():
                raise ValueError
        except ValueError:  # a name that the file system cannot spell, or a terminal not show
            raise LockfileError(f"{included_from}{path!a}: is no file name") from None
        if key in seen:
            return
        seen.add(key)
        if len(seen) > FILES:
            raise LockfileError(f"{included_from}includes more than {FILES} files")
        text = _text(path, included_from)
        if not constraint:
            comments.extend(_comments(path, text))
        yield _File(path, constraint, logical_lines(text))

    stack = list(enter(path, False, ""))
    while stack:
        file = stack[-1]
        step = next(file.steps, None)
        if step is None:
            stack.pop()
            continue
        number, text = step
        if len(text) > LONGEST and text.find(" --hash", 0, LONGEST) < 0:
            raise LockfileError(f"{file.path}:{number}: has {len(text)} characters, which no requirement has")
        if len(lines) >= LINES:
            raise LockfileError(f"{file.path}:{number}: more than {LINES} lines are no requirements")
        include = _include(text, f"{file.path}:{number}")
        if include is None or _ELSEWHERE.match(include[0]):
            lines.append(RequirementLine(file.path, number, text, file.constraint))
            continue
        name, constraint = include
        # As in pip, -r inside of a constraints file requires what it names.
        stack.extend(enter(_beside(file.path, name), constraint, f"{file.path}:{number}: "))
    return Requirements(tuple(lines), tuple(comments))


def decode(data: bytes, where: str) -> str:
    """The text of a requirements file: byte order mark, else coding line (PEP 263), UTF-8, Latin-1."""
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return _decoded(data[len(mark) :], encoding, where)
    for line in data.split(b"\n")[:2]:
        coding = _CODING.search(line) if line.startswith(b"#") else None
        if coding is not None:
            return _decoded(data, _declared(coding[1].decode("ascii"), where), where)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """``(number of the first physical line, text)`` of every line that says something."""
    first, joined = 0, ""
    for number, line in enumerate(text.splitlines(), start=1):
        comment = line.lstrip().startswith("#")  # a line that is all comment ends a continuation
        if line.endswith("\\") and not comment:
            first = first or number
            joined += line.strip("\\")
            continue
        whole = _COMMENT.sub("", joined + (" " if comment else "") + line).strip()
        if whole:
            yield first or number, whole
        first, joined = 0, ""
    whole = _COMMENT.sub("", joined).strip()
    if whole:
        yield first, whole


def looks_like_one(path: str) -> bool:
    """Whether the first lines of a file are all requirements, and one of them nothing else."""
    try:
        with open(path, "rb") as stream:
            text = decode(stream.read(65536), path)
    except (OSError, LockfileError):
        return False
    sure = False
    for count, (_, line) in enumerate(logical_lines(text)):
        match = _LIKELY.match(line)
        if match is None:
            return False
        sure = sure or bool(match["sure"])
        if count >= _LOOKED_AT:
            break
    return sure


def projects(lines: Iterable[RequirementLine]) -> dict[str, FileText]:
    """The project files of the folders that lines install from, by path as collectors build it."""
    files: dict[str, FileText] = {}
    for line in lines:
        text = re.sub(r"^(-e\s*|--editable(=|\s+))", "", line.text)
        if text == line.text and not re.match(r"\.|/|file:|[^\s\[;=<>!~@]+/", text):
            continue
        place = re.split(r"\s|;|\[|#", text.removeprefix("file://").removeprefix("file:"), maxsplit=1)[0]
        path = _beside(line.file, os.path.join(place, PROJECT))
        try:
            with open(path, "rb") as stream:
                files[path] = FileText(stream.read(MIB).decode("utf-8", "replace"))
        except (OSError, ValueError):
            continue  # the collector says that the name is not known
    return files


def _text(path: str, included_from: str) -> str:
    try:
        data = _lock_file.read(path, CAP, included_from)
    except FileNotFoundError:
        raise LockfileError(f"{included_from or path + ': '}{_missing(path, included_from)}") from None
    text = decode(data, path)
    if "\0" in text:
        raise LockfileError(f"{path}: is no text (it holds NUL bytes; UTF-16 needs a byte order mark)")
    return text


def _missing(path: str, included_from: str) -> str:
    return f"included file {path} does not exist" if included_from else "there is no such file"


def _decoded(data: bytes, encoding: str, where: str) -> str:
    try:
        return data.decode(encoding)
    except ValueError:
        raise LockfileError(f"{where}: is not in the encoding that it declares, {encoding}") from None


def _declared(name: str, where: str) -> str:
    """A declared encoding, if it is one that a coding line can stand in: a superset of ASCII (PEP 263)."""
    try:
        if _ASCII.decode(name) == _ASCII.decode("ascii"):
            return name
    except (LookupError, ValueError):
        pass
    raise LockfileError(f"{where}: declares {name}, which is no encoding for a file like this")


def _comments(path: str, text: str) -> Iterator[RequirementLine]:
    for number, line in enumerate(text.splitlines(), start=1):
        if line.startswith("#"):
            yield RequirementLine(path, number, line[1:].strip())


def _include(text: str, where: str) -> tuple[str, bool] | None:
    """``(file, as constraints)`` if it is an include; as in pip the first ``-r``, else the first ``-c``."""
    if not text.startswith("-") or not re.search(r"-r|-c|--requirement|--constraint", text):
        return None
    import shlex

    try:
        words = shlex.split(text)
    except ValueError:
        raise LockfileError(f"{where}: has an unbalanced quote") from None
    found: dict[bool, str] = {}
    for word, following in zip(words, [*words[1:], ""], strict=True):
        for short, long, constraint in (("-r", "--requirement", False), ("-c", "--constraint", True)):
            if word in (short, long):
                found.setdefault(constraint, following)
            elif word.startswith(long + "="):
                found.setdefault(constraint, word[len(long) + 1 :])
            elif word.startswith(short):
                found.setdefault(constraint, word[2:])
        if word.startswith(("-e", "--editable")):
            return None
    for constraint, name in sorted(found.items()):
        if not name:
            raise LockfileError(f"{where}: names no file to include")
        return name, constraint
    return None


def _beside(path: str, name: str) -> str:
    """A path relative to the file that names it, spelled as short as possible."""
    return os.path.normpath(os.path.join(os.path.dirname(path), name))
