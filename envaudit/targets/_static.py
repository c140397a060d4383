"""Evidence of a file tree that is not run: the image's layers, or a folder that holds a whole system.

The same request is served by the same code as in a live target (:class:`envaudit.targets.inspector.Gatherer`), on the
tree's files instead of the machine's. Only what an interpreter would say of itself is derived
(:mod:`envaudit.images.interpreter`).
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any, BinaryIO, Final, NamedTuple

from envaudit.errors import InspectorError, TargetError
from envaudit.evidence import MIB, Evidence, Options, Request
from envaudit.images import interpreter
from envaudit.images.open import open_tree
from envaudit.images.source import Source
from envaudit.images.tree import DiskFile, File, Tree
from envaudit.model import Json
from envaudit.targets import _active, _engine, _live, inspector

_UNSEEN_OF_ROOT: Final = "a root file system tells neither settings nor devices"
_ROOM: Final = 1024 * MIB
"""Bytes of all that is handed over; the database of rpm may have 256 MiB of them."""
_OFFERS: Final = _live.OFFERS - {"commands"}


class _Stat(NamedTuple):
    st_size: int
    st_mtime: float


class _Files:
    """A tree's files, with the functions that the inspector asks of its machine's."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self.listdir = tree.listdir
        self.lexists = tree.exists
        self.isfile = tree.is_file
        self.ahead = tree.ahead
        self._given = 0

    def open(self, path: str, whole: bool = True) -> BinaryIO:
        data = self._tree.read(path) if whole else self._tree.beginning(path)
        self._given += 0 if whole else len(data)  # a whole file is digested, and not handed over
        if self._given > _ROOM:
            raise TargetError(f"what is wanted of the files has more than {_ROOM // MIB} MiB, up to {path}")
        return io.BytesIO(data)

    def stat(self, path: str) -> _Stat:
        found = self._tree.entry(path)
        return _Stat(found.size, found.mtime) if isinstance(found, (File, DiskFile)) else _Stat(0, 0.0)

    def walk(self, path: str) -> Iterator[tuple[str, list[str], list[str]]]:
        """As os.walk: from the top, without following links to folders."""
        ahead = [path]
        while ahead:
            place = ahead.pop()
            try:
                names = self._tree.listdir(place)
            except OSError:
                continue
            folders = [name for name in names if self._tree.is_folder(f"{place}/{name}")]
            yield place, folders, sorted(set(names) - set(folders))
            inner = [f"{place}/{name}" for name in reversed(folders)]
            ahead += [folder for folder in inner if not isinstance(self._tree.entry(folder, follow=False), str)]


def of_image(
    source: Source, request: Request, options: Options, where: str, config: dict[str, Json] | None = None
) -> Evidence:
    """What an image's layers hold for a request. Its configuration is evidence as well: the source's, where it is not
    given under the keys of :attr:`Evidence.image`."""
    tree = open_tree(source, interpreter.REQUEST.merge([request]), options.progress)
    if config is None:
        config = image_config(source)
    evidence = gather(tree, config, request, options, where)
    return evidence._replace(image=config, offers=evidence.offers | {"image"}) if config else evidence


def image_config(source: Source) -> dict[str, Json]:
    """The image's configuration under the keys of :attr:`Evidence.image`; empty ones left out."""
    described = {
        **{key: source.config.get(key) for key in ("architecture", "os", "variant", "created")},
        **source.facts,
        **_engine.process_config(source.config.get("config") or {}),
    }
    return {key: value for key, value in described.items() if value}


def gather(tree: Tree, config: dict[str, Json], request: Request, options: Options, where: str) -> Evidence:
    """What the tree holds for a request. ``config`` has the keys of :attr:`Evidence.image`.

    An image without a Python has its other files all the same. Raises :class:`~envaudit.errors.InspectorError` where
    the one that was named is not there, or a Python's files do not tell enough.
    """
    env = config.get("env") or {}
    workdir = config.get("workdir") or "/"
    tried = []
    for name, chosen_by in _active.candidates(config, options.python):
        executable = interpreter.find(tree, name, env, workdir)
        if executable is None:
            tried.append(name)
            continue
        options.progress(f"reading {where} for its {executable}")
        python = interpreter.look(tree, executable, where, env.get("PYTHONHOME", ""))
        found = interpreter.facts(tree, python, env, config.get("user") or "", workdir, where)
        reply = _reply(tree, found, env, request._replace(names=(*request.names, *_active.places(config))))
        evidence = _active.evidence(reply, config, request, name, chosen_by)
        return _offered(evidence, tree, config)
    nothing = _active.nothing(options.python, tried)
    if options.python is not None:
        raise InspectorError(f"{where}: {nothing}")
    reply = _reply(tree, {"path": [], "prefix": "/-", "errors": []}, env, request)
    evidence = _offered(_live.evidence(reply, None, request), tree, config)
    return evidence._replace(offers=evidence.offers - {"interpreter"}, unseen=nothing)


def _offered(evidence: Evidence, tree: Tree, config: dict[str, Json]) -> Evidence:
    """The evidence with what it could tell at all; without a configuration nobody knows the variables."""
    if config:
        return evidence._replace(offers=_OFFERS, unseen=_engine.UNSEEN, tree=tree)
    return evidence._replace(offers=_OFFERS - {"environ"}, unseen=_UNSEEN_OF_ROOT, tree=tree)


def _reply(tree: Tree, found: dict[str, Json], env: dict[str, str], request: Request) -> dict[str, Json]:
    """What the inspector would answer there."""
    gatherer: Any = inspector.Gatherer(found["path"], found["prefix"], _Files(tree))
    asked = _live.as_json(request)
    reply: dict[str, Json] = gatherer.gather(asked)
    return {
        **reply,
        "folders": gatherer.folders(asked["folders"]),
        "commands": [],
        "environ": {name: env[name] for name in request.environ if name in env},
        "errors": [*sorted(gatherer.errors.items()), *found.pop("errors")],
        "interpreter": found,
    }
