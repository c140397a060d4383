"""MLflow model folders: in a file ``envaudit.json`` beside MLmodel, which names it in its metadata.

Where the training code gave ``metadata=envaudit.mlflow.metadata()`` to ``log_model`` or ``save_model``, the record
rides in MLmodel itself. MLflow wrote the model's files after that, so it is tied to none of them.

The record is tied to the files that hold the model. Those that MLflow writes anew in a finished folder are left out:
``MLmodel`` (``mlflow.models.set_signature``), ``registered_model_meta`` (downloads from the registry), ``conda.yaml``
and ``requirements.txt`` (``mlflow.models.update_model_requirements``), and what Python compiles.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final, NamedTuple

from envaudit.embedding import _mlmodel, _records
from envaudit.embedding._embedding import MAX_TEXT, Embedding, Identity, Record
from envaudit.embedding._file import lock, opened, replace
from envaudit.embedding._pieces import Span, digest_of
from envaudit.errors import EmbeddingError
from envaudit.model import Json, Snapshot

FILE: Final = "envaudit.json"
SCHEME: Final = "sha256/files:"
"""The SHA-256 of one line ``DIGEST SIZE PATH`` for each file, sorted by path."""
_MAX_FILES: Final = 100_000
_REWRITTEN: Final = frozenset(
    {_mlmodel.NAME, FILE, "registered_model_meta", "conda.yaml", "python_env.yaml", "requirements.txt"}
)
_LEFT_BEHIND: Final = re.compile(rf"\.({_mlmodel.NAME}|{re.escape(FILE)})\.[0-9a-f]{{12}}")
"""What a writer that was killed has left."""


def claims(path: str, head: bytes) -> bool:
    """A folder with a description of the model by MLflow."""
    return not head and os.path.isfile(os.path.join(path, _mlmodel.NAME)) and os.path.isdir(path)


def entry(record: Record) -> dict[str, str]:
    """A record that is written before the model is: what stands under ``envaudit`` in MLmodel's metadata."""
    text = _records.dumps(record._replace(digest=None, size=0))
    return {"record": base64.b64encode(_records.packed(text)).decode(), "summary": _summary(record.snapshot)}


def of_entry(value: Json, where: str) -> Record:
    """Such a record again. Raises :class:`~envaudit.errors.EmbeddingError` where it is damaged."""
    try:
        packed = base64.b64decode(value["record"], validate=True)
    except (TypeError, KeyError, ValueError, binascii.Error):
        raise EmbeddingError(f"{where}: the snapshot in it is damaged: no text in base64") from None
    return _records.loads(_records.unpacked(packed, where), where)._replace(digest=None, size=0)


def _summary(snapshot: Snapshot) -> str:
    python = snapshot.of("python").get("python")
    version = "" if python is None or python.version is None else f"Python {python.version}, "
    return f"{version}{len(snapshot.of('distribution'))} distributions"


def read(path: str) -> Record | None:
    """The file; else what MLmodel itself holds."""
    beside = os.path.join(path, FILE)
    if os.path.lexists(beside):
        return _records.loads(_text(beside, MAX_TEXT), beside)
    described = os.path.join(path, _mlmodel.NAME)
    found = _entry(_text(described, _mlmodel.MAX_BYTES), described)
    if found is None:
        return None
    if isinstance(found, dict) and "file" in found:
        raise EmbeddingError(f"{described}: names a snapshot in {FILE}, which is not there: was it not copied?")
    return of_entry(found, described)


def identity(path: str) -> Identity:
    """All files that hold the model."""
    total, digest = 0, hashlib.sha256()
    for name in _files(path):
        with opened(os.path.join(path, name)) as file:
            line = f"{digest_of(file.descriptor, (Span(0, file.size),))} {file.size} ".encode()
            digest.update(line + os.fsencode(name) + b"\n")
            total += file.size
    return Identity(SCHEME + digest.hexdigest(), total)


def write(path: str, record: Record) -> bool:
    """The file first: a folder that has it, and an MLmodel that does not name it, is whole."""
    with _locked(path):
        described = os.path.join(path, _mlmodel.NAME)
        before = _text(described, _mlmodel.MAX_BYTES)
        named = {"file": FILE, "summary": _summary(record.snapshot)}
        after = _mlmodel.insert(_mlmodel.without(before), named, described)
        own = identity(path)
        replace(os.path.join(path, FILE), _records.pretty(record._replace(digest=own.digest, size=own.size)))
        if after is not None and after != before:
            replace(described, after)
    return True


def remove(path: str) -> bool:
    """Take both away. A folder in which only the file is left is read as one with a snapshot."""
    with _locked(path):
        described, beside = os.path.join(path, _mlmodel.NAME), os.path.join(path, FILE)
        before = _text(described, _mlmodel.MAX_BYTES)
        after = _mlmodel.without(before)
        if not _mlmodel.is_without(after, before, described):
            raise EmbeddingError(f"{described}: is not written as MLflow writes it: take {_mlmodel.KEY} out by hand")
        there = after != before or os.path.lexists(beside)
        if after != before:
            replace(described, after)
        try:
            with suppress(FileNotFoundError):
                os.unlink(beside)
        except OSError as error:
            raise EmbeddingError(f"{beside}: cannot be removed: {error.strerror or error}") from None
    return there


def description(path: str) -> dict[str, Json]:
    """MLmodel, every value as its text. Raises :class:`~envaudit.errors.EmbeddingError` where it cannot be read."""
    described = os.path.join(path, _mlmodel.NAME)
    return _mlmodel.parse(_text(described, _mlmodel.MAX_BYTES), described)


class ModelFile(NamedTuple):
    """A file of a model folder that is loaded to predict."""

    path: str
    loader: str | None = None
    """The call that MLflow reads it with, one of :data:`envaudit.model.LOADERS`; None where the file itself tells."""


def model_files(path: str) -> tuple[ModelFile, ...]:
    """The files that the flavors of a model load, as far as MLmodel names them; the model comes first, what it is
    wrapped in after it. Formats of a library's own (``model.skops``, ``model.xgb``) are among them.

    Raises :class:`~envaudit.errors.EmbeddingError` where MLmodel cannot be read.
    """
    flavors = dict(_mlmodel.table(description(path), "flavors"))
    python = flavors.pop("python_function", None)
    named = [item for name, flavor in sorted(flavors.items()) for item in _of_flavor(name, flavor)]
    named += [ModelFile(item.path) for item in _of_flavor("python_function", python)]
    root = os.path.realpath(path) + os.sep
    found: dict[str, ModelFile] = {}
    for item in named:
        real = os.path.realpath(os.path.join(path, item.path))
        if real.startswith(root) and os.path.isfile(real):
            found.setdefault(real, item._replace(path=os.path.join(path, item.path)))
    return tuple(found.values())


def _of_flavor(name: str, flavor: Json) -> Iterator[ModelFile]:
    """What a flavor names. Source: the ``_load_model`` of the modules ``mlflow.NAME`` of MLflow 2.9 and 3.17."""
    keys = ("pickled_model", "model_data", "data", "python_model", "model_path")
    for key in keys if isinstance(flavor, dict) else ():
        value = flavor.get(key)
        if not isinstance(value, str) or "\0" in value:
            continue
        if name == "pytorch" and key == "model_data":  # a folder; whole modules are stored, or exported programs
            yield ModelFile(os.path.join(value, "model.pth"), "torch.load(weights_only=False)")
            yield ModelFile(os.path.join(value, "model.pt2"))
        else:
            yield ModelFile(value)


def _entry(text: bytes, where: str) -> Json:
    return _mlmodel.table(_mlmodel.parse(text, where), "metadata").get(_mlmodel.KEY)


def _text(path: str, most: int) -> bytes:
    """The bytes of a file of the folder itself: a link could lead anywhere."""
    if os.path.islink(path):
        raise EmbeddingError(f"{path}: is a link, which MLflow does not write")
    with opened(path) as file:
        if file.size > most:
            raise EmbeddingError(f"{path}: {file.size} bytes are too many (at most {most})")
        return file.part(0, file.size)


def _files(path: str) -> list[str]:
    """The relative paths of all files that hold the model, sorted."""
    found: list[str] = []
    folders = [""]
    try:
        while folders:
            folder = folders.pop()
            with os.scandir(os.path.join(path, folder)) as entries:
                for item in entries:
                    name = os.path.join(folder, item.name)
                    mode = item.stat(follow_symlinks=False).st_mode
                    if stat.S_ISDIR(mode):
                        folders += [name] if item.name != "__pycache__" else []
                    elif stat.S_ISREG(mode):
                        own = folder or not (item.name in _REWRITTEN or _LEFT_BEHIND.fullmatch(item.name))
                        found += [name] if own else []
                    else:
                        raise EmbeddingError(f"{os.path.join(path, name)}: is a link or no file: MLflow writes neither")
                    if len(found) + len(folders) > _MAX_FILES:
                        raise EmbeddingError(f"{path}: has more than {_MAX_FILES} files")
    except OSError as error:
        raise EmbeddingError(f"{path}: cannot be read: {error.strerror or error}") from None
    return sorted(found, key=os.fsencode)


@contextmanager
def _locked(path: str) -> Iterator[None]:
    """Keep others who embed out of the folder."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise EmbeddingError(f"{path}: cannot be read: {error.strerror or error}") from None
    try:
        lock(descriptor)
        yield
    finally:
        os.close(descriptor)


EMBEDDING = Embedding("in its MLflow folder", claims, read, identity, write, remove)
