"""Evidence: what a target handed over, raw and uninterpreted, and the request under which it did.

A collector declares a :class:`Request`; :func:`envaudit.take.take` merges those of all collectors; a target serves
the merged request, live (through the inspector) or static (from files alone), and returns :class:`Evidence`.

Patterns are absolute paths whose components may hold ``*``, ``?`` and ``[...]``. Two words stand for places that
only the target knows: ``{site}`` for each directory on its ``sys.path``, ``{prefix}`` for its ``sys.prefix``.
There is no ``**``: no target is ever walked from its root.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple, TypeVar

from envaudit.model import Environment, Json, Snapshot

MIB: Final = 1024 * 1024
FILE_ENDINGS: Final = (
    *(".json", ".txt", ".toml", ".lock", ".tar", ".tgz", ".tar.gz"),
    *(".joblib", ".pkl", ".pickle", ".pt", ".pth", ".onnx"),
)
"""What is written with one of these is meant as a file, and never as the name of an image."""
SIDECAR: Final = ".envaudit.json"
"""What the name of a model ends with in that of the file beside it that holds its snapshot."""
NO_PYTHON: Final = "no Python found in it"
"""How the reason of a gap begins where a place was looked through and has none."""
_Item = TypeVar("_Item")


class FileRequest(NamedTuple):
    """Ask for the contents of the files that match ``pattern``."""

    pattern: str
    cap: int = MIB
    """Bytes; a longer file is cut there and its :class:`FileText` says so."""
    headers: bool = False
    """Stop at the first blank line (RFC 822 style headers without the body)."""
    binary: bool = False
    """Hand the bytes over as they are instead of decoding UTF-8."""


class FolderRequest(NamedTuple):
    """Ask for the names in a folder, and for the contents of those of its files whose names end so.

    The only request that goes below a folder: it is meant for one package on ``sys.path``, by its absolute path,
    which may also be that of a single file.
    """

    path: str
    endings: tuple[str, ...] = ()
    deep: bool = False
    skip: tuple[str, ...] = ()
    """Names of inner folders that are not gone into."""


class Request(NamedTuple):
    """What collectors want to see of a target."""

    files: tuple[FileRequest, ...] = ()
    names: tuple[str, ...] = ()
    """Patterns whose matching paths are wanted without their contents."""
    records: tuple[str, ...] = ()
    """Patterns of wheel RECORD files to be digested and checked where they lie (they can be megabytes)."""
    commands: tuple[tuple[str, ...], ...] = ()
    """Fixed argument lists; run only where the program is on PATH, without a shell."""
    environ: tuple[str, ...] = ()
    """Names of environment variables. An allow-list: no other variable leaves the target."""
    folders: tuple[FolderRequest, ...] = ()

    def merge(self, others: Iterable[Request]) -> Request:
        """The union of this and other requests, each part asked for once."""
        everything = (self, *others)
        return Request(
            files=_once(request.files for request in everything),
            names=_once(request.names for request in everything),
            records=_once(request.records for request in everything),
            commands=_once(request.commands for request in everything),
            environ=_once(request.environ for request in everything),
            folders=_once(request.folders for request in everything),
        )


def _once(parts: Iterable[tuple[_Item, ...]]) -> tuple[_Item, ...]:
    return tuple(dict.fromkeys(item for part in parts for item in part))


class FileText(NamedTuple):
    """One file of the target: its text (or bytes), or why it could not be read."""

    text: str = ""
    data: bytes = b""
    """The raw bytes, only where the request said ``binary``."""
    error: str | None = None
    truncated: bool = False


class RecordDigest(NamedTuple):
    """What a wheel's RECORD says and whether the files beside it agree. Format: PyPA "Recording installed projects"."""

    digest: str | None = None
    """SHA-256 over the normalised RECORD lines: the identity of the *build*, equal wherever it is installed."""
    files: int = 0
    modified: tuple[str, ...] = ()
    """Files whose content is not what RECORD says, relative to the site directory; at most 20."""
    missing: tuple[str, ...] = ()
    """Files that RECORD lists and that are not there; at most 20."""
    error: str | None = None


class FolderContent(NamedTuple):
    """What one folder request found; both are empty where there is no such path."""

    listings: dict[str, tuple[str, ...]]
    """Relative path of a folder (``""``: the one asked for) -> the names in it."""
    files: dict[str, bytes]
    """Relative path -> contents. Over the cap of a reply files are left out: ask for those that are wanted alone."""


class CommandOutput(NamedTuple):
    """One finished command. ``exit_code`` is None where it could not be started or ran out of time."""

    exit_code: int | None
    stdout: str
    stderr: str


class RequirementLine(NamedTuple):
    """One logical line of a requirements file: continuations joined, comments stripped, includes followed."""

    file: str
    line: int
    text: str
    constraint: bool = False
    """The line stands in a file that was included with ``-c``."""


class Evidence(NamedTuple):
    """All that one target handed over.

    Live and static targets fill ``interpreter``, ``files``, ``names``, ``records``, ``commands``, ``environ``;
    lockfile targets fill ``requirements`` or ``pylock`` and leave the rest. ``offers`` names the parts that this
    target could serve at all: what is not in it was not *seen*, and ``unseen`` says why.
    """

    environment: Environment | None = None
    offers: frozenset[str] = frozenset()
    """Of ``interpreter files names records commands environ image requirements pylock``."""
    unseen: str = "this target does not tell"
    interpreter: dict[str, Json] = {}  # noqa: RUF012
    """The interpreter's own answers; keys in docs/evidence.md."""
    files: dict[str, FileText] = {}  # noqa: RUF012
    names: tuple[str, ...] = ()
    records: dict[str, RecordDigest] = {}  # noqa: RUF012
    commands: dict[tuple[str, ...], CommandOutput] = {}  # noqa: RUF012
    """Only commands whose program was found."""
    environ: dict[str, str] = {}  # noqa: RUF012
    image: dict[str, Json] = {}  # noqa: RUF012
    """The image's own configuration, keys as in the OCI image specification (config.md), plus ``digests``."""
    requirements: tuple[RequirementLine, ...] = ()
    pylock: dict[str, Json] = {}  # noqa: RUF012
    """A parsed pylock.toml (PEP 751)."""
    pip: dict[str, str] | None = None
    """pip's own view, name -> version; None where it was not asked (:attr:`Options.pip`)."""
    errors: tuple[tuple[str, str], ...] = ()
    """``(where, why)`` of places that could not be listed."""
    folders: tuple[FolderContent, ...] = ()
    """One for each folder request, in that order."""
    tree: Any = None
    """The files that all this was read from (:class:`envaudit.images.tree.Tree`), where they can be asked for more."""
    comments: tuple[RequirementLine, ...] = ()
    """Comments of a requirements file that start in the first column: there tools say what made the file."""


class Options(NamedTuple):
    """How a target is to be looked at."""

    python: str | None = None
    """Path or name of the interpreter inside the target; overrides the choice that envaudit makes."""
    timeout: float = 60.0
    """Seconds until a live target counts as hanging."""
    pull: bool = False
    """Whether an image that is not there may be pulled."""
    pip: bool = False
    """Whether pip inside a local environment is asked too, as a cross-check (starts pip: a second or more)."""
    progress: Callable[[str], None] = lambda message: None
    """Told in a few words what is being waited for."""
    static: bool = False
    """Whether an image of the local engine is read from its bytes instead of being run."""
    platform: str | None = None
    """``OS/ARCHITECTURE[/VARIANT]`` to be taken of an image that is there for several; default this machine's."""
    in_process: bool = False
    """Whether this process itself is meant, and is to be looked at from within it: no program is started, and no
    package index is asked."""


class Target(NamedTuple):
    """A kind of place that can be looked at. Each file in ``targets/`` holds one as ``TARGET``."""

    kind: str
    schemes: tuple[str, ...]
    """Explicit spellings: ``("venv",)`` claims ``venv://PATH``."""
    gather: Callable[[str, Request, Options], Evidence | Snapshot]
    """``(reference, request, options)`` -> evidence; a saved snapshot hands itself over as it is."""
    claims_path: Callable[[str], bool] = lambda path: False
    """Whether an existing path, written without a scheme, is this kind of place."""
    claims_name: Callable[[str], bool] = lambda text: False
    """Whether such a place of that name exists besides an existing path; asked to notice two meanings."""


class Collector(NamedTuple):
    """A pure function from evidence to components and gaps. Each file in ``collectors/`` holds one as ``COLLECTOR``."""

    kinds: tuple[str, ...]
    needs: frozenset[str]
    """The parts of :attr:`Evidence.offers` without which it cannot say anything."""
    request: Request
    collect: Callable[[Evidence], Iterable[object]]
    """Yields :class:`~envaudit.model.Component` and :class:`~envaudit.model.Gap`."""
