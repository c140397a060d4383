"""Snapshots as JSON files: written sorted and atomically, read with the path of what is wrong.

The format is documented in docs/snapshot.md and docs/snapshot.schema.json. ``SCHEMA`` grows when a reader of the old
number could misread the new file; every older number stays readable.
"""

from __future__ import annotations

import errno
import json
import os
from math import isfinite
from typing import Final

from envaudit import __version__
from envaudit.errors import SnapshotError
from envaudit.model import (
    DEEPEST,
    Artifact,
    Component,
    Environment,
    Gap,
    Json,
    RecordedAnswer,
    RecordedSample,
    Snapshot,
    TargetInfo,
)

SCHEMA: Final = 1
MARK: Final = "envaudit_snapshot"
"""The key that says "this is a snapshot" and holds the schema number."""
_WIDTH: Final = 100
_encode = json.JSONEncoder(ensure_ascii=False).encode
_LONGEST_VERSION: Final = 4000  # a setting's version is its value
_DEEPEST: Final = 30
"""Levels inside of an attribute; what is written here has four at most."""
_MAX_BYTES: Final = 256 * 1024 * 1024


def to_json(snapshot: Snapshot) -> dict[str, Json]:
    """A snapshot as JSON-plain values, in the order in which it is written."""
    target: dict[str, Json] = {"kind": snapshot.target.kind, "reference": snapshot.target.reference}
    environment = snapshot.target.environment
    if environment is not None:
        target["environment"] = {**environment._asdict(), "others": list(environment.others)}
    return {
        MARK: SCHEMA,
        "written_by": f"envaudit {__version__}",
        "target": target,
        "components": {
            kind: {name: _component(component) for name, component in sorted(names.items())}
            for kind, names in sorted(snapshot.components.items())
        },
        "gaps": [gap._asdict() for gap in snapshot.gaps],
        **({"artifacts": list(map(_artifact, snapshot.artifacts))} if snapshot.artifacts else {}),
    }


def _artifact(artifact: Artifact) -> dict[str, Json]:
    document = {key: value for key, value in artifact._asdict().items() if value not in (None, "", {})}
    if artifact.sample is not None:
        document["sample"] = _known(artifact.sample._asdict())
    if artifact.answers:
        document["answers"] = {
            method: _known({**answer._asdict(), "values": _finite(answer.values)})
            for method, answer in artifact.answers.items()
        }
    return document


def _known(table: dict[str, Json]) -> dict[str, Json]:
    return {key: value for key, value in table.items() if value is not None}


def _finite(value: Json) -> Json:
    """An answer in plain JSON, which has no word for the numbers ``nan``, ``inf`` and ``-inf``."""
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return {"float": repr(value)} if isinstance(value, float) and not isfinite(value) else value


def _component(component: Component) -> dict[str, Json]:
    known = {} if component.version is None else {"version": component.version}
    return {**known, **dict(sorted(component.attributes.items()))}


def dumps(snapshot: Snapshot) -> str:
    """The text of a snapshot file. What fits on a line stands on one, so that a pull request shows what changed."""
    return pretty(to_json(snapshot))


def pretty(document: dict[str, Json]) -> str:
    """JSON text that reads well in a pull request."""
    return _pretty(document, "") + "\n"


def _pretty(value: Json, indent: str) -> str:
    line = _encode(value)
    if not value or not isinstance(value, (dict, list)):
        return line
    shallow = all(not isinstance(item, dict) for item in (value.values() if isinstance(value, dict) else value))
    if shallow and len(indent) + len(line) <= _WIDTH:
        return line
    inner = indent + "  "
    if isinstance(value, list) and all(isinstance(item, (int, float)) for item in value):
        lines = [inner]
        for number in map(_encode, value[:-1]):
            if len(lines[-1]) + len(number) + 1 > _WIDTH:
                lines[-1] = lines[-1].rstrip()
                lines.append(inner)
            lines[-1] += f"{number}, "
        return "[\n" + "\n".join(lines) + f"{_encode(value[-1])}\n{indent}]"
    if isinstance(value, dict):
        body = [f"{inner}{_encode(key)}: {_pretty(item, inner)}" for key, item in value.items()]
        return "{\n" + ",\n".join(body) + f"\n{indent}}}"
    return "[\n" + ",\n".join(inner + _pretty(item, inner) for item in value) + f"\n{indent}]"


def write(snapshot: Snapshot, path: str) -> None:
    """Write a snapshot file, whole or not at all; an existing file is replaced only by a finished one.

    Raises :class:`~envaudit.errors.SnapshotError` where the folder is missing or cannot be written.
    """
    text = dumps(snapshot)
    goal = os.path.realpath(path)
    try:
        if os.path.exists(path) and not os.path.isfile(path):  # a pipe or a device takes the text as it comes
            with open(path, "w", encoding="utf-8", errors="backslashreplace") as stream:
                stream.write(text)
            return
        mode = os.stat(goal).st_mode & 0o777 if os.path.exists(goal) else 0o666 & ~umask()
        temporary, descriptor = _beside(goal)
        try:
            # A file name that is no UTF-8 stands in the text as a lone surrogate; \\udcff is its JSON form.
            with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as stream:
                stream.write(text)
                stream.flush()
                os.fsync(stream.fileno())
            os.chmod(temporary, mode)
            os.replace(temporary, goal)
        except BaseException:
            if os.path.exists(temporary):
                os.unlink(temporary)
            raise
    except OSError as error:
        raise SnapshotError(f"{path}: cannot be written: {error.strerror or error}") from None


def check_writable(path: str) -> None:
    """Try whether :func:`write` could write there, for who has long work to do before it has something to write.

    Raises :class:`~envaudit.errors.SnapshotError` where it could not.
    """
    try:
        if os.path.isdir(path):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not os.path.exists(path) or os.path.isfile(path):
            temporary, descriptor = _beside(os.path.realpath(path))
            os.close(descriptor)
            os.unlink(temporary)
    except OSError as error:
        raise SnapshotError(f"{path}: cannot be written: {error.strerror or error}") from None


def _beside(goal: str) -> tuple[str, int]:
    """A new file in the same folder, to be renamed over the goal: its path and its descriptor. Raises OSError."""
    temporary = os.path.join(os.path.dirname(goal), f".{os.path.basename(goal)}.{os.urandom(6).hex()}")
    return temporary, os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)


def umask() -> int:
    """The mode bits that new files of this process do not get."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def read(path: str) -> Snapshot:
    """Read a snapshot file.

    Raises :class:`~envaudit.errors.SnapshotError`: not there, too large, not JSON, JSON of something else, a newer
    schema, or a value of the wrong type, with its path inside the document.
    """
    try:
        size = os.stat(path).st_size
        if size > _MAX_BYTES:
            raise SnapshotError(f"{path}: {size} bytes are too many for a snapshot (at most {_MAX_BYTES})")
        with open(path, "rb") as stream:
            data = stream.read()
    except OSError as error:
        raise SnapshotError(f"{path}: cannot be read: {error.strerror or error}") from None
    return loads(data, path)


def loads(data: bytes, where: str = "snapshot") -> Snapshot:
    """Parse the bytes of a snapshot file; errors as in :func:`read`, starting with ``where``."""
    try:
        document = json.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise SnapshotError(f"{where}: is no snapshot: not UTF-8 text") from None
    except json.JSONDecodeError as error:
        if not data.strip():
            raise SnapshotError(f"{where}: is empty") from None
        raise SnapshotError(
            f"{where}: line {error.lineno}: is not whole JSON ({error.msg}); was it cut short?"
        ) from None
    except RecursionError:
        raise SnapshotError(f"{where}: is no snapshot: nested too deeply") from None
    except ValueError as error:  # a number of thousands of digits
        raise SnapshotError(f"{where}: is no snapshot: {error}") from None
    return of_json(document, where)


def of_json(document: Json, where: str) -> Snapshot:
    """A snapshot from the parsed JSON of a snapshot file; errors as in :func:`loads`."""
    if not isinstance(document, dict) or MARK not in document:
        raise SnapshotError(f'{where}: is JSON, but no envaudit snapshot (it has no "{MARK}")')
    schema = document[MARK]
    if not isinstance(schema, int) or isinstance(schema, bool) or schema < 1:
        raise SnapshotError(f"{where}: {MARK}: a schema number is expected, not {_shown(schema)}")
    if schema > SCHEMA:
        raise SnapshotError(
            f"{where}: was written by a newer envaudit (schema {schema!s:.20}, this one reads up to {SCHEMA}); "
            "pip install --upgrade envaudit"
        )
    return _Reader(where).snapshot(document)


def _shown(value: Json) -> str:
    try:
        return json.dumps(value)[:40]
    except RecursionError:
        return "something nested deeply"


# What attributes may hold (docs/snapshot.md); what is not named here is only shown.
_TABLES: Final = frozenset({"source", "conda", "labels"})
_LISTS: Final = frozenset(
    {"tags", "unmet", "modified", "missing_files", "hashes", "extras", "entrypoint", "cmd", "digests", "secrets"}
)
_LISTS_OF_TABLES: Final = frozenset({"shadowed", "candidates"})
_TEXTS: Final = frozenset(
    {"label", "specifier", "build", "requires", "id", "digest", "user", "family", "architecture", "cuda", "variant"}
)


class _Reader:
    """Checks types on the way in, so that nothing later meets a value it does not expect."""

    def __init__(self, where: str) -> None:
        self.where = where

    def fail(self, path: str, expected: str, value: Json) -> SnapshotError:
        return SnapshotError(f"{self.where}: {ascii(path)[1:-1]:.200}: {expected} is expected, not {_shown(value)}")

    def text(self, value: Json, path: str) -> str:
        if not isinstance(value, str):
            raise self.fail(path, "a text", value)
        return value

    def optional(self, value: Json, path: str) -> str | None:
        return None if value is None else self.text(value, path)

    def table(self, value: Json, path: str) -> dict[str, Json]:
        if not isinstance(value, dict):
            raise self.fail(path, "an object", value)
        return value

    def array(self, value: Json, path: str) -> list[Json]:
        if not isinstance(value, list):
            raise self.fail(path, "an array", value)
        return value

    def snapshot(self, document: dict[str, Json]) -> Snapshot:
        components: dict[str, dict[str, Component]] = {}
        for kind, names in self.table(document.get("components"), "components").items():
            path = f"components.{kind}"
            components[kind] = {
                name: self.component(kind, name, value, f"{path}.{name}")
                for name, value in self.table(names, path).items()
            }
        gaps = []
        for index, item in enumerate(self.array(document.get("gaps", []), "gaps")):
            path = f"gaps[{index}]"
            gap = self.table(item, path)
            gaps.append(
                Gap(
                    self.text(gap.get("kind"), f"{path}.kind"),
                    self.optional(gap.get("name"), f"{path}.name"),
                    self.text(gap.get("reason"), f"{path}.reason"),
                )
            )
        artifacts = [
            self.artifact(item, f"artifacts[{index}]")
            for index, item in enumerate(self.array(document.get("artifacts", []), "artifacts"))
        ]
        return Snapshot(self.target(document.get("target")), components, tuple(gaps), tuple(artifacts))

    def artifact(self, value: Json, path: str) -> Artifact:
        table = self.table(value, path)
        sample = None
        if table.get("sample") is not None:
            inner = f"{path}.sample"
            found = self.table(table["sample"], inner)
            sample = RecordedSample(*self.file(found, inner), self.optional(found.get("form"), f"{inner}.form"))
        return Artifact(
            *self.file(table, path),
            self.text(table.get("loader"), f"{path}.loader"),
            self.text(table.get("summary", ""), f"{path}.summary"),
            self.shallow(self.table(table.get("needs", {}), f"{path}.needs"), f"{path}.needs"),
            sample,
            {
                method: self.answer(item, f"{path}.answers.{method}")
                for method, item in self.table(table.get("answers", {}), f"{path}.answers").items()
            },
            {
                method: self.text(item, f"{path}.failed.{method}")
                for method, item in self.table(table.get("failed", {}), f"{path}.failed").items()
            },
        )

    def file(self, table: dict[str, Json], path: str) -> tuple[str, str, int]:
        """Name, digest and size."""
        digest = self.text(table.get("sha256"), f"{path}.sha256")
        return self.text(table.get("file"), f"{path}.file"), digest, self.count(table.get("size"), f"{path}.size")

    def shallow(self, value: Json, path: str, deepest: int = _DEEPEST) -> Json:
        if isinstance(value, (dict, list)):
            if not deepest:
                raise SnapshotError(f"{self.where}: {ascii(path)[1:-1]:.200}: is nested too deeply")
            for item in value.values() if isinstance(value, dict) else value:
                self.shallow(item, path, deepest - 1)
        return value

    def count(self, value: Json, path: str) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise self.fail(path, "a number of at least 0", value)
        return value

    def answer(self, value: Json, path: str) -> RecordedAnswer:
        table = self.table(value, path)
        if "values" not in table:
            raise self.fail(path, 'an object with "values"', value)
        if table.get("sha256") is None:
            return RecordedAnswer(self.numbers(table.get("values"), f"{path}.values"))
        return RecordedAnswer(
            [self.numbers(item, f"{path}.values") for item in self.array(table.get("values"), f"{path}.values")],
            self.count(table.get("rows"), f"{path}.rows"),
            self.text(table["sha256"], f"{path}.sha256"),
        )

    def numbers(self, value: Json, path: str, deepest: int = DEEPEST) -> Json:
        """An answer as it was before ``_finite``."""
        if isinstance(value, list):
            if not deepest:
                raise self.fail(path, f"a list of at most {DEEPEST} dimensions", value)
            return [self.numbers(item, path, deepest - 1) for item in value]
        if not isinstance(value, dict) or set(value) != {"float"}:
            return value
        if value["float"] not in ("nan", "inf", "-inf"):
            raise self.fail(path, "nan, inf or -inf", value["float"])
        return float(value["float"])

    def component(self, kind: str, name: str, value: Json, path: str) -> Component:
        attributes = dict(self.table(value, path))
        version = self.optional(attributes.pop("version", None), f"{path}.version")
        if version is not None and len(version) > _LONGEST_VERSION:
            raise self.fail(f"{path}.version", f"a version of at most {_LONGEST_VERSION} characters", version)
        for key, item in attributes.items():
            if key in _TABLES:
                self.table(item, f"{path}.{key}")
            elif key in _LISTS or key in _LISTS_OF_TABLES:
                for index, inner in enumerate(self.array(item, f"{path}.{key}")):
                    (self.text if key in _LISTS else self.table)(inner, f"{path}.{key}[{index}]")
            elif key in _TEXTS:
                self.text(item, f"{path}.{key}")
            self.shallow(item, f"{path}.{key}")
        return Component(kind, name, version, attributes)

    def target(self, value: Json) -> TargetInfo:
        target = self.table(value, "target")
        environment = None
        if target.get("environment") is not None:
            path = "target.environment"
            table = self.table(target["environment"], path)
            environment = Environment(
                self.text(table.get("python"), f"{path}.python"),
                self.text(table.get("prefix"), f"{path}.prefix"),
                self.text(table.get("chosen_by"), f"{path}.chosen_by"),
                tuple(
                    self.text(item, f"{path}.others[{index}]")
                    for index, item in enumerate(self.array(table.get("others", []), f"{path}.others"))
                ),
            )
        return TargetInfo(
            self.text(target.get("kind"), "target.kind"),
            self.text(target.get("reference"), "target.reference"),
            environment,
        )
