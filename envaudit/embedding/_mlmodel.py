"""The MLmodel file of an MLflow model folder: read as YAML, edited as text.

Format: mlflow.org/docs/latest/ml/model ("The MLmodel File"). MLflow writes it with ``yaml.safe_dump`` and reads it with
``yaml.safe_load``; ``metadata`` is the user's own table in it. Writing it anew would change bytes that belong to
others, so an entry is put in, and taken out again, as lines.
"""

from __future__ import annotations

import json
import re
from typing import Final

from envaudit.errors import EmbeddingError
from envaudit.model import Json

NAME: Final = "MLmodel"
KEY: Final = "envaudit"
"""Under ``metadata``."""
MAX_BYTES: Final = 8 << 20
"""A signature of fifty thousand columns has three million."""
_MAX_NODES: Final = 100_000
"""Keys and values, each counted as often as YAML's aliases repeat it."""
_DEEPEST: Final = 50
_TABLE: Final = re.compile(rb"metadata:(?P<rest>[^\r\n]*)")
_EMPTY: Final = re.compile(rb"\s*(\{\s*\}|null|~|)\s*")
_OURS: Final = b"metadata:  # added by envaudit"
_WAS: Final = b"metadata:  # envaudit:"
"""Followed by what stood there: ``{}``, ``null``, ``~`` or nothing."""


def parse(text: bytes, where: str) -> dict[str, Json]:
    """The document, with every scalar as its text: nothing is resolved to numbers, dates or merged tables.

    Raises :class:`~envaudit.errors.EmbeddingError` where it is no YAML table, or one that grows by its aliases.
    """
    import yaml

    loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
    if len(text) > MAX_BYTES:
        raise EmbeddingError(f"{where}: {len(text)} bytes are too many for MLflow's description of a model")
    try:
        decoded = text.decode()
        _bound(yaml.parse(decoded, Loader=loader), where)
        document = yaml.load(decoded, Loader=loader)  # noqa: S506  (BaseLoader makes texts, lists and tables only)
    except UnicodeDecodeError:
        raise EmbeddingError(f"{where}: is not UTF-8 text") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = "" if mark is None else f" in line {mark.line + 1}"
        why = getattr(error, "problem", None) or getattr(error, "reason", "damaged")
        raise EmbeddingError(f"{where}: is no YAML: {why}{line}") from None
    except RecursionError:
        raise EmbeddingError(f"{where}: is nested too deeply") from None
    if not isinstance(document, dict):
        raise EmbeddingError(f"{where}: is no table, as MLflow writes it")
    return document


def _bound(events: Json, where: str) -> None:
    """Count what a document holds before it is made: making nested lists has no bound in libyaml's binding, and an
    alias of aliases stands for more than memory holds."""
    import yaml

    sizes: dict[str, int] = {}
    still_open: list[tuple[str | None, int]] = []
    total = 0
    for event in events:
        if isinstance(event, yaml.CollectionEndEvent):
            anchor, before = still_open.pop()
            if anchor is not None:
                sizes[anchor] = total - before
            continue
        if isinstance(event, yaml.AliasEvent):
            total += sizes.get(event.anchor, _MAX_NODES)  # one of a table that is still open repeats it for ever
        elif isinstance(event, yaml.NodeEvent):
            total += 1
            if isinstance(event, yaml.CollectionStartEvent):
                still_open.append((event.anchor, total))
                if event.anchor is not None:
                    sizes.pop(event.anchor, None)
            elif event.anchor is not None:
                sizes[event.anchor] = 1
        if total > _MAX_NODES or len(still_open) > _DEEPEST:
            raise EmbeddingError(f"{where}: holds more than MLflow writes: {_MAX_NODES} values, nested {_DEEPEST} deep")


def table(document: dict[str, Json], *keys: str) -> dict[str, Json]:
    """The table under these keys; an empty one where there is none."""
    found: Json = document
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


def insert(text: bytes, entry: dict[str, str], where: str) -> bytes | None:
    """The file with an entry in its metadata; None where it is not written in lines, as MLflow writes it.

    ``text`` has none yet (:func:`without`). Raises :class:`~envaudit.errors.EmbeddingError` as :func:`parse` does.
    """
    before = parse(text, where)
    newline = b"\r\n" if b"\r\n" in text[:4096] else b"\n"
    lines, missing = _lines(text, newline)
    at = _metadata(lines)
    indent = b"  "
    if at is None:
        at = next((row for row, line in enumerate(lines) if line[:1].isalpha()), len(lines))
        lines.insert(at, _OURS + newline)
    else:
        rest = lines[at].rstrip(b"\r\n")[len(b"metadata:") :]
        children = [line for line in lines[at + 1 : _end(lines, at)] if _is_content(line)]
        if children:
            indent = _indent(children[0])
        elif _EMPTY.fullmatch(rest):
            lines[at] = _WAS + rest + newline
    block = [indent + KEY.encode() + b":"]
    block += [indent + b"  " + f"{name}: {json.dumps(value)}".encode() for name, value in entry.items()]
    lines[at + 1 : at + 1] = [line + newline for line in block]
    changed = b"".join(lines).removesuffix(missing)
    wanted = {**table(before, "metadata"), KEY: entry}
    return changed if _means(changed, {**before, "metadata": wanted}, where) and without(changed) == text else None


def without(text: bytes) -> bytes:
    """The file without the entry, byte for byte as it was before; unchanged where it is not written in lines."""
    lines, missing = _lines(text, b"\n")
    at = _metadata(lines)
    if at is None:
        return text
    end = _end(lines, at)
    indent = next((_indent(line) for line in lines[at + 1 : end] if _is_content(line)), b"")
    entry = indent + KEY.encode() + b":"
    first = next((row for row in range(at + 1, end) if lines[row].rstrip() == entry), None)
    if first is None:
        return text
    last = next((row for row in range(first + 1, end) if len(_indent(lines[row])) <= len(indent)), end)
    del lines[first:last]
    line = lines[at].rstrip(b"\r\n")
    if line.startswith(_WAS):
        lines[at] = b"metadata:" + line[len(_WAS) :] + lines[at][len(line) :]
    elif not any(map(_is_content, lines[at + 1 : _end(lines, at)])):  # the entry was all that it held
        del lines[at]
    return b"".join(lines).removesuffix(missing)


def is_without(after: bytes, before: bytes, where: str) -> bool:
    """Whether ``after`` says what ``before`` says, but for the entry.

    Raises :class:`~envaudit.errors.EmbeddingError` as :func:`parse` does.
    """
    old, new = parse(before, where), parse(after, where)
    kept = {key: value for key, value in table(old, "metadata").items() if key != KEY}
    rest = [{key: value for key, value in document.items() if key != "metadata"} for document in (old, new)]
    return kept == table(new, "metadata") and rest[0] == rest[1]


def _means(text: bytes, wanted: dict[str, Json], where: str) -> bool:
    try:
        return parse(text, where) == wanted
    except EmbeddingError:
        return False


def _lines(text: bytes, newline: bytes) -> tuple[list[bytes], bytes]:
    """The lines, each with its end, and what had to be added for the last one to have one."""
    missing = b"" if text.endswith(b"\n") else newline
    return (text + missing).splitlines(keepends=True), missing


def _metadata(lines: list[bytes]) -> int | None:
    return next((row for row, line in enumerate(lines) if _TABLE.match(line)), None)


def _end(lines: list[bytes], at: int) -> int:
    """The first line after the table that begins in line ``at``."""
    later = range(at + 1, len(lines))
    return next((row for row in later if lines[row][:1].strip() and not lines[row].startswith(b"#")), len(lines))


def _is_content(line: bytes) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith(b"#")


def _indent(line: bytes) -> bytes:
    return line[: len(line) - len(line.lstrip(b" "))]
