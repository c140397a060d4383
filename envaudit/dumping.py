"""``dump(model, path)``: joblib's, with the snapshot of this very environment in the file.

The one module of envaudit that imports a library which can load models, and of it only what writes them.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import suppress
from typing import Any

from envaudit.errors import EmbeddingError, MissingExtraError


def dump(value: object, filename: Any, compress: Any = 0, protocol: int | None = None, **more: Any) -> list[str]:
    """Persist any Python object into one file, and in it the snapshot of the environment of this process.

    A drop-in for ``joblib.dump``, with its parameters: ``filename`` is a path or a file object, ``compress`` a level, a
    method or both, ``protocol`` pickle's; what joblib has besides is handed on to it. The file is loaded with
    ``joblib.load``, with and without envaudit, and appears whole or not at all.

    Returns a list of the path, as joblib does; an empty list for a file object.

    Raises :class:`~envaudit.errors.EnvauditError` where this environment cannot be looked at or the file cannot be
    written, and what ``joblib.dump`` raises of the object.
    """
    from envaudit.api import snapshot
    from envaudit.embedding import ENDING, Record, write

    try:
        from joblib import dump as joblib_dump
    except ImportError:
        raise MissingExtraError("sklearn", "writing a model with joblib") from None
    path = None if hasattr(filename, "write") else os.fspath(filename)
    try:
        goal = os.path.realpath(path) if path is not None else os.path.join(tempfile.gettempdir(), "model")
        mode = os.stat(goal).st_mode & 0o7777 if path is not None and os.path.exists(goal) else None
    except (OSError, ValueError) as error:
        raise EmbeddingError(f"{path!r}: cannot be written: {error}") from None
    # Beside the goal, to be renamed; with the same ending, by which joblib chooses the compression.
    folder, name = os.path.split(goal)
    temporary = os.path.join(folder, f".{os.urandom(6).hex()}.{name[-200:]}")
    try:
        joblib_dump(value, temporary, compress=compress, protocol=protocol, **more)
        write(temporary, Record(snapshot()))
        if path is None:
            with open(temporary, "rb") as stream:
                shutil.copyfileobj(stream, filename, 1 << 20)
            return []
        if mode is not None:
            os.chmod(temporary, mode)
        if os.path.exists(temporary + ENDING):
            os.replace(temporary + ENDING, goal + ENDING)
        os.replace(temporary, goal)
    except OSError as error:
        raise EmbeddingError(f"{path or 'the model'}: cannot be written: {error.strerror or error}") from error
    finally:
        for left in (temporary, temporary + ENDING):
            with suppress(OSError):
                os.unlink(left)
    return [path] if path is not None else []
