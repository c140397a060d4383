"""``open_surface(target) -> Surface``: what the packages of a target offer, beside ``take(target) -> Snapshot``.

A local environment is asked once for its ``sys.path``, and its folders are read from here. In a container or an image
the inspector hands files over, whole packages in one round; of an image that is not run they are read from its layers.
Where nothing is installed yet (a lockfile) or the place is not at hand (a snapshot), wheels of the package index are
read (:mod:`envaudit.surface._wheelhouse`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from envaudit.errors import TargetError
from envaudit.evidence import Evidence, Options, Request
from envaudit.model import Json, Snapshot
from envaudit.surface._image import Image
from envaudit.surface._remote import FIRST, Remote
from envaudit.surface._trace import Trace
from envaudit.surface.platform import Platform
from envaudit.surface.surface import Surface
from envaudit.surface.tree import editable, local_tree
from envaudit.take import HERE, everything, resolve, take

if TYPE_CHECKING:
    from envaudit.surface._index import Index

LOCAL = ("here", "venv", "python")
_ENGINE = ("container", "image")
_STATIC = ("archive", "registry", "root")


def open_surface(
    text: str = HERE,
    options: Options | None = None,
    *,
    python: tuple[int, int] | None = None,
    index: Index | None = None,
    evidence: Evidence | None = None,
) -> Surface:
    """The surface of a target, written as for :func:`envaudit.take.take`. ``evidence`` is what a look at it gave.

    For a lockfile or a snapshot ``python`` says for which Python it is to be read (default: what it says itself, else
    an assumption that :attr:`Surface.assumptions` tells), and ``index`` which package index is asked.

    Raises :class:`~envaudit.errors.TargetError` where the target cannot be looked at, or has no packages to read.
    """
    options = options or Options()
    target, reference = resolve(text)
    where = reference or "this environment"
    if target.kind in LOCAL:
        asked = evidence or cast(Evidence, target.gather(reference, Request(), options._replace(pip=False)))
        trees = [local_tree(entry) for entry in dict.fromkeys(asked.interpreter["path"])]
        # Import hooks come last: they are asked only where sys.path has nothing.
        trees += filter(None, [editable(tree) for tree in trees])
        version, facts = _version(asked.interpreter), _facts(asked.interpreter)
        trace = Trace(trees, [version, where, facts])
        return Surface(version, trace.trees, where, trace=trace, **facts)
    if target.kind in (*_ENGINE, *_STATIC):

        def ask(request: Request) -> Evidence:
            return cast(Evidence, target.gather(reference, request, options))

        # Where files are read, the same request as the snapshot's: the layers need not be gone through again.
        static = options.static or target.kind in _STATIC
        first = (evidence or ask(everything())) if static else ask(FIRST)
        if "interpreter" not in first.offers:
            raise TargetError(f"{where}: {first.unseen}")
        far = Remote(first, ask) if first.tree is None else Image(first.tree, first.interpreter["path"])
        return Surface(
            _version(first.interpreter),
            far.trees,
            where,
            prefetch=far.prefetch,
            read_ahead=far.read_ahead,
            **_facts(first.interpreter),
        )
    return of_snapshot(take(text, options), python=python, index=index)


def of_snapshot(snapshot: Snapshot, *, python: tuple[int, int] | None = None, index: Index | None = None) -> Surface:
    """The surface of a snapshot's distributions, from their wheels in the package index."""
    from envaudit.surface._wheelhouse import surface_of

    return surface_of(snapshot, python=python, index=index)


def _version(interpreter: dict[str, Json]) -> tuple[int, int]:
    major, minor = interpreter["version"].split(".")[:2]
    return int(major), int(minor)


def _facts(interpreter: dict[str, Json]) -> dict[str, Json]:
    platform = Platform(_version(interpreter), interpreter["machine"])
    libc = interpreter["libc"] or ("musl" if "musl" in (interpreter["extension_suffix"] or "") else "")
    return {
        "builtins": interpreter.get("builtin_modules"),
        "suffix": interpreter["extension_suffix"],
        "platform": platform._replace(libc=libc) if libc else platform,
    }
