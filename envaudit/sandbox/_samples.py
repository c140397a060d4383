"""Samples and expected answers: read here, without numpy or pandas, so that a mistake in them is told before a run."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable
from typing import Final

from envaudit import store
from envaudit.errors import SandboxError, SnapshotError
from envaudit.evidence import MIB
from envaudit.model import Artifact, Json, RecordedAnswer, Snapshot
from envaudit.sandbox import _npy
from envaudit.sandbox._job import FORMS, METHODS, Expectation, Sample

CAP: Final = 16 * MIB
"""Bytes of a sample: a few rows are meant, not a data set."""


def read_sample(path: str) -> Sample:
    """A sample from an ``.npy``, ``.csv`` or ``.json`` file (docs/run.md tells the forms).

    Raises :class:`~envaudit.errors.SandboxError` with one line where it is none.
    """
    return sample_of(path, _read(path))


def sample_of(path: str, data: bytes) -> Sample:
    """A sample from what such a file holds; its form is told by the ending of the name. Errors as above."""
    readers: dict[str, Callable[[bytes], Sample]] = {".npy": _from_npy, ".csv": _from_csv, ".json": _from_json}
    reader = readers.get(os.path.splitext(path)[1].lower())
    if reader is None:
        raise SandboxError(f"{path}: a sample is an .npy, .csv or .json file")
    try:
        return reader(data)
    except (ValueError, RecursionError, csv.Error) as error:
        raise SandboxError(f"{path}: {_in_words(error)}") from None


def read_expectation(path: str) -> Expectation | Snapshot:
    """Expected answers from JSON (``{"predict": [...], "predict_proba": [[...]]}``), or of ``predict`` from ``.npy``;
    or a snapshot, which may hold the answers of several model files.

    Raises :class:`~envaudit.errors.SandboxError` with one line where it is neither, and
    :class:`~envaudit.errors.SnapshotError` for a snapshot that cannot be read.
    """
    data = _read(path)
    try:
        if path.lower().endswith(".npy"):
            return Expectation({"predict": RecordedAnswer(_npy.values(data))})
        document = json.loads(data.decode("utf-8-sig"))
        if isinstance(document, dict) and store.MARK in document:
            return store.loads(data, path)
        return _by_hand(document)
    except (ValueError, RecursionError) as error:
        raise SandboxError(f"{path}: {_in_words(error)}") from None


def _by_hand(document: Json) -> Expectation:
    """Expected answers as they stand in JSON. Raises ValueError, in words, where they are malformed."""
    if not isinstance(document, dict):
        raise ValueError('expected answers are an object such as {"predict": [0, 1]}')
    answers = dict(document)
    form = answers.pop("form", None)
    if not answers or not all(isinstance(answer, list) for answer in answers.values()):
        raise ValueError('each expected answer is a list, as in {"predict": [0, 1]}')
    return _checked({method: RecordedAnswer(values) for method, values in answers.items()}, form)


def of_artifact(artifact: Artifact, where: str) -> Expectation:
    """What a snapshot has recorded of a model file that was run. ``where`` is the snapshot's name.

    Raises :class:`~envaudit.errors.SnapshotError` with one line for answers that no envaudit records: a method that is
    named there would be called.
    """
    try:
        return _checked(artifact.answers, artifact.sample and artifact.sample.form)
    except ValueError as error:
        raise SnapshotError(f"{where}: {artifact.file}: {error}") from None


def _checked(answers: dict[str, RecordedAnswer], form: Json) -> Expectation:
    """Raises ValueError, in words, for a method or a form that is not known."""
    unknown = sorted(set(answers) - set(METHODS))
    if unknown:
        raise ValueError(f"unknown method {unknown[0]!r}; answers can be of {', '.join(METHODS)}")
    if form is not None and form not in FORMS:
        raise ValueError(f"the form is one of {', '.join(FORMS)}")
    return Expectation(answers, form)


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as stream:
            data = stream.read(CAP + 1)
    except OSError as error:
        raise SandboxError(f"{path}: cannot be read: {error.strerror or error}") from None
    if len(data) > CAP:
        raise SandboxError(f"{path}: is larger than {CAP // MIB} MiB; a few rows suffice")
    return data


def _in_words(error: BaseException) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "is not UTF-8"
    if isinstance(error, json.JSONDecodeError):
        return f"line {error.lineno}: is no JSON: {error.msg}"
    return "is nested too deeply" if isinstance(error, RecursionError) else " ".join(str(error).split())


def _from_npy(data: bytes) -> Sample:
    found = _npy.header(data)
    if not found.shape or 0 in found.shape:
        raise ValueError(f"has the shape {found.shape}; at least one row is needed")
    return Sample("npy", data=data)


def _from_csv(data: bytes) -> Sample:
    lines = [line for line in csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")) if line]
    if not lines:
        raise ValueError("is empty")
    columns = None if any(isinstance(_number(cell), float) for cell in lines[0]) else tuple(lines.pop(0))
    if not lines:
        raise ValueError("has a header and no rows")
    width = len(columns or lines[0])
    for number, line in enumerate(lines, start=2 if columns else 1):
        if len(line) != width:
            raise ValueError(f"row {number} has {len(line)} cells, not {width}")
    cells = [_column([line[at] for line in lines]) for at in range(width)]
    return Sample("table", tuple(list(row) for row in zip(*cells, strict=True)), columns)


def _number(text: str) -> float | str:
    try:
        return text if "_" in text else float(text)  # 2024_01 names a column, though Python reads a number in it
    except ValueError:
        return text


def _column(texts: list[str]) -> list[Json]:
    """One column with the type that all its cells share, as pandas.read_csv would tell it; an empty cell is missing."""
    missing = any(not text.strip() for text in texts)
    if not missing and all(text.strip().lstrip("+-").isdecimal() for text in texts):
        return [int(text) for text in texts]
    if not missing and set(texts) <= {"True", "False"}:
        return [text == "True" for text in texts]
    numbers = [_number(text) if text.strip() else float("nan") for text in texts]
    if all(isinstance(number, float) for number in numbers):
        return numbers
    return [text or None for text in texts]


def _from_json(data: bytes) -> Sample:
    found = json.loads(data.decode("utf-8-sig"))
    if isinstance(found, dict) and set(found) >= {"columns", "data"}:  # pandas: orient="split"
        columns, rows = found["columns"], found["data"]
        if not isinstance(columns, list) or not all(isinstance(name, str) for name in columns):
            raise ValueError("columns is a list of names")
        return _table(rows, tuple(columns))
    if isinstance(found, dict):  # orient="list"
        lengths = {len(cells) if isinstance(cells, list) else -1 for cells in found.values()}
        if len(lengths) != 1 or -1 in lengths:
            raise ValueError("an object holds lists of the same length, one for each column")
        return _table([list(row) for row in zip(*found.values(), strict=True)], tuple(found))
    if not isinstance(found, list) or not found:
        raise ValueError("a sample is a list of rows, or an object of columns")
    if all(isinstance(row, str) for row in found):
        return Sample("list", tuple(found))
    if all(isinstance(row, dict) for row in found):  # orient="records"
        columns = tuple(dict.fromkeys(name for row in found for name in row))
        if len(columns) * len(found) > CAP:  # of a small file: a cell is made for each of them
            raise ValueError(f"its {len(found)} rows have {len(columns)} different columns, which is too much")
        return _table([[row.get(name) for name in columns] for row in found], columns)
    return _table(found, None)


def _table(rows: Json, columns: tuple[str, ...] | None) -> Sample:
    if not isinstance(rows, list) or not rows or not all(isinstance(row, list) for row in rows):
        raise ValueError("a sample is a list of rows, each of them a list of cells")
    width = len(columns) if columns is not None else len(rows[0])
    for number, row in enumerate(rows, start=1):
        if len(row) != width:
            raise ValueError(f"row {number} has {len(row)} cells, not {width}")
        if not all(cell is None or isinstance(cell, (str, int, float)) for cell in row):
            raise ValueError(f"row {number} holds something else than numbers and texts")
    return Sample("table", tuple(rows), columns)
