"""Snapshots of models that MLflow keeps: given to it when a model is logged, and fetched from it by a model's URI.

    >>> mlflow.sklearn.log_model(model, name="fraud", metadata=envaudit.mlflow.metadata())
    >>> with fetch("models:/fraud/1") as folder:
    ...     embedding.read(folder).record.snapshot

How the pieces behave in which MLflow is said in docs/mlflow.md. MLflow itself is started only to fetch, in a process of
its own: it takes seconds to import, logs as it likes, and waits minutes for a server that does not answer.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final, TypeVar, cast

from envaudit.embedding import _mlmodel, mlflow_folder
from envaudit.embedding._embedding import Record
from envaudit.embedding._file import replace
from envaudit.embedding._records import pretty
from envaudit.errors import EmbeddingError, EnvauditError, MissingExtraError, TargetError
from envaudit.evidence import Options
from envaudit.model import Json, Snapshot

_Result = TypeVar("_Result")
TAG: Final = "envaudit.snapshot"
"""Holds the summary; ``envaudit.snapshot.2-of-4`` is a part of the record."""
TAG_LENGTH: Final = 5000
"""Characters of a tag's value that every MLflow takes (2.9: 5000, from 2.17 on: 8000, MAX_TAG_VAL_LENGTH)."""
MOST_TAGS: Final = 40
_PART: Final = re.compile(re.escape(TAG) + r"\.([1-9][0-9]?)-of-([1-9][0-9]?)")
_FOR_MLFLOW: Final = {
    # A wrong address is told in seconds instead of minutes.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_ALLOW_FILE_STORE": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}
"""Variables that MLflow reads, where the user has not set them."""


def metadata(snapshot: Snapshot | None = None) -> dict[str, dict[str, str]]:
    """What ``log_model`` and ``save_model`` of MLflow take as ``metadata=``, so that the model carries a snapshot.

    ``snapshot`` defaults to one of this environment. It is written before the model's files are, and so is tied to
    none of them. Raises :class:`~envaudit.errors.EnvauditError` where this environment cannot be looked at.
    """
    if snapshot is None:
        from envaudit.take import take

        snapshot = take()
    return {_mlmodel.KEY: mlflow_folder.entry(Record(snapshot))}


def tags(snapshot: Snapshot) -> dict[str, str]:
    """A snapshot as tags of a run or of a logged model.

    Raises :class:`~envaudit.errors.EmbeddingError` where it would take too many.
    """
    entry = mlflow_folder.entry(Record(snapshot))
    text = entry["record"]
    count = -(-len(text) // TAG_LENGTH)
    if count > MOST_TAGS:
        raise EmbeddingError(f"a snapshot of {len(text)} characters is too long for MLflow's tags")
    parts = (text[start : start + TAG_LENGTH] for start in range(0, len(text), TAG_LENGTH))
    return {TAG: entry["summary"], **{f"{TAG}.{number}-of-{count}": part for number, part in enumerate(parts, 1)}}


def of_tags(found: Mapping[str, str], where: str) -> Record | None:
    """What :func:`tags` made; None where there is none.

    Raises :class:`~envaudit.errors.EmbeddingError` where a part is missing or damaged.
    """
    matches = [(match, value) for key, value in found.items() if (match := _PART.fullmatch(key))]
    if not matches:
        return None
    count = int(matches[0][0][2])
    parts = {int(match[1]): value for match, value in matches if int(match[2]) == count}
    if sorted(parts) != list(range(1, count + 1)) or len(parts) != len(matches):
        raise EmbeddingError(f"{where}: the snapshot in its tags is damaged: not all of its {count} parts are there")
    return mlflow_folder.of_entry({"record": "".join(parts[number] for number in sorted(parts))}, where)


@contextmanager
def fetch(uri: str, options: Options | None = None) -> Iterator[str]:
    """The model folder that a URI names, with the snapshot that the model carries, in a temporary place that is removed
    afterwards.

    MLflow names a model ``models:/NAME/VERSION``, ``models:/NAME@ALIAS``, ``models:/m-ID`` or ``runs:/ID/PATH``.
    A snapshot that only the tags of the model, or of its run, hold is written into the folder. Which server is asked
    says MLFLOW_TRACKING_URI, as for MLflow itself.

    Raises :class:`~envaudit.errors.TargetError` where there is no such model, it is none, or the server does not
    answer; :class:`~envaudit.errors.EmbeddingError` where it carries no snapshot;
    :class:`~envaudit.errors.MissingExtraError` where MLflow is not installed.
    """
    options = options or Options()
    options.progress(f"fetching {uri} through MLflow")
    with tempfile.TemporaryDirectory(prefix="envaudit-") as scratch:
        reply = _ask(uri, scratch)
        folder = reply["folder"]
        if not mlflow_folder.claims(folder, b""):
            raise TargetError(f"{uri}: is no model of MLflow's: it has no MLmodel file")
        try:
            if mlflow_folder.read(folder) is None:
                record = of_tags(reply["tags"], uri)
                if record is None:
                    raise EmbeddingError(
                        f"{uri}: carries no snapshot: log it with metadata=envaudit.mlflow.metadata(), or train "
                        "with ENVAUDIT_MLFLOW=1 set (docs/mlflow.md)"
                    )
                replace(os.path.join(folder, mlflow_folder.FILE), pretty(record))
            yield folder
        except EnvauditError as error:
            error.args = (str(error).replace(folder, uri),)  # nobody knows the temporary folder
            raise


def _ask(uri: str, scratch: str) -> dict[str, Json]:
    """Have MLflow download a model below a folder; what the process answered."""
    code = (
        "import sys, json; sys.path[:] = json.loads(sys.argv[1]); "
        "from envaudit.mlflow.client import main; main(*sys.argv[2:])"
    )
    answer = os.path.join(scratch, "answer.json")
    environ = {**_FOR_MLFLOW, **os.environ, "PYTHONWARNINGS": "ignore", "ENVAUDIT_MLFLOW": ""}
    own = sys.modules.get("mlflow")
    if own is not None:  # what set_tracking_uri was told in this process
        environ |= {"MLFLOW_TRACKING_URI": own.get_tracking_uri(), "MLFLOW_REGISTRY_URI": own.get_registry_uri()}
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps(sys.path), uri, scratch, answer],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        env=environ,
    )
    try:
        with open(answer, encoding="utf-8") as stream:
            reply: dict[str, Json] = json.load(stream)
    except (OSError, ValueError):
        last = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
        reply = {"error": f"MLflow ended with exit code {done.returncode}: {last}"}
    if "missing" in reply:
        raise MissingExtraError("mlflow", uri)
    if "error" in reply:
        raise TargetError(f"{uri}: {_shown(reply['error'])}")
    return reply


def _shown(text: str) -> str:
    """A message of MLflow's on one line, without credentials."""
    from envaudit.collectors._redact import redact_tokens

    line = " ".join(redact_tokens(text).split())
    return line if len(line) <= 400 else f"{line[:400]} ..."


def renamed(value: _Result, folder: str, uri: str) -> _Result:
    """A result that was made with the folder of :func:`fetch`, in words that hold when that is gone: all texts in it
    that name the folder name the URI."""
    if isinstance(value, str):
        return cast(_Result, value.replace(f"model://{folder}", uri).replace(folder, uri))
    if not isinstance(value, tuple):
        return value
    parts = [renamed(item, folder, uri) for item in value]
    return cast(_Result, type(value)(*parts) if hasattr(value, "_fields") else tuple(parts))
