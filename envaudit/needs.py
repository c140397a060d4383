"""Needs: what a model file asks of any environment that is to load it, as a graph of symbolic values.

An artifact reader (``artifacts/``) walks the file without importing or calling anything and yields :class:`Needs`.
Where a real load would call something, the graph holds a :class:`Made` that says what would be called, on what, and
which state it would then be given. Plain constants (None, bool, int, float, str, bytes, bytearray) stand for
themselves. Values are mutable and shared where the stream shares them; the graph may be cyclic.

``at`` is the byte offset of the opcode in the *decompressed* stream, ``-1`` where there is none.
"""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple

RECORD: Final = b"\x80\x03C\x0fenvaudit record0B"
"""How a record of envaudit's begins behind a pickle (``envaudit/embedding``): PROTO, a name that is pushed and dropped,
BINBYTES. It belongs to no model."""

Value = Any
"""A constant, or one of the classes of this module."""

LISTED: Final = 1000
"""Items of one container that are kept; of the rest only the count, and one instance of each class not seen before."""

DISTRIBUTIONS: Final = {
    "sklearn": "scikit-learn",
    "skimage": "scikit-image",
    "imblearn": "imbalanced-learn",
    "PIL": "pillow",
    "cv2": "opencv-python",
    "_loss": "scikit-learn",
}
"""Top-level module -> distribution, where the names differ (the projects' own installation pages). ``_loss`` is how the
compiled classes of ``sklearn._loss`` name their module."""


def distribution_of(module: str) -> str:
    """The normalised name (PEP 503) of the distribution that a top-level module usually comes from."""
    return re.sub(r"[-_.]+", "-", DISTRIBUTIONS.get(module, module)).lower()


class Global(NamedTuple):
    """``module.name`` as the stream spells it; ``name`` is a dotted qualified name from protocol 4 on."""

    module: str
    name: str
    at: int = -1

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


_COMMANDS: Final = frozenset("os posix nt subprocess pty runpy socket commands webbrowser".split())
_BUILTINS: Final = frozenset("eval exec execfile compile open breakpoint __import__".split())


def runs_commands(item: Global) -> bool:
    """Whether a pickle that asks for it can do as it likes, which no model needs: modules, and functions of
    ``builtins``, of malicious pickles (docs.python.org/3/library/pickle.html, the warning at its beginning)."""
    return item.module in _COMMANDS or (item.module in ("builtins", "__builtin__") and item.name in _BUILTINS)


class Made:
    """An object that loading makes by calling ``call(*args, **kwargs)`` and then feeding it.

    ``how``: ``reduce`` calls it, ``newobj`` calls ``call.__new__(call, *args)``, ``inst`` is the protocol-0 form of
    ``reduce`` (a classic instance), ``ext`` a number of copyreg's extension registry, which only the target can
    resolve: ``args`` holds it and ``call`` is None. ``state`` is what BUILD hands to ``__setstate__`` or ``__dict__``
    (:data:`UNSET` where there is no BUILD; a second BUILD is kept in ``more_states``), ``items`` what is appended or
    added, ``pairs`` what is set by key.
    """

    __slots__ = ("args", "at", "call", "how", "items", "kwargs", "more_states", "pairs", "state")

    def __init__(self, how: str, call: Value, args: list[Value], kwargs: Value = None, at: int = -1) -> None:
        self.how = how
        self.call = call
        self.args = args
        self.kwargs: Value = kwargs
        """A :class:`Mapping`, or None."""
        self.state: Value = UNSET
        self.more_states: list[Value] = []
        self.items: Items | None = None
        self.pairs: Mapping | None = None
        self.at = at

    def attributes(self) -> dict[str, Value]:
        """The stored instance attributes by name, as default unpickling would set them: the pairs of a state that is
        a mapping, or of both parts of a ``(dict, slots)`` state. Empty where the state has another form."""
        found: dict[str, Value] = {}
        for state in (self.state, *self.more_states):
            parts = [state]
            if isinstance(state, Items) and state.kind == "tuple" and len(state.items) == 2:
                parts = state.items
            for part in parts:
                if isinstance(part, Mapping):
                    found.update((key, value) for key, value in part.pairs if isinstance(key, str))
        return found

    def __repr__(self) -> str:
        return f"<{self.how} {self.call} at {self.at}>"


_RECONSTRUCTORS: Final = frozenset({"_reconstructor", "__newobj__", "__newobj_ex__"})


def class_of(made: Made) -> Global | None:
    """The class that a :class:`Made` becomes an instance of, as far as the stream says so: what is called, or the
    first argument of copyreg's and Cython's reconstructors, or the class that torch's legacy form refers to."""
    call = made.call
    if isinstance(call, Persistent) and isinstance(call.id, Items) and call.id.items[:1] == ["module"]:
        call = call.id.items[1] if len(call.id.items) > 1 else None
    if not isinstance(call, Global):
        return None
    if made.args and isinstance(made.args[0], Global):
        copyreg = call.module in ("copyreg", "copy_reg") and call.name in _RECONSTRUCTORS
        if copyreg or call.name.startswith("__pyx_unpickle_"):
            return made.args[0]
    return call


class Items:
    """A list, tuple, set or frozenset. ``length`` is the real one; ``items`` may be cut (see :data:`LISTED`)."""

    __slots__ = ("items", "kind", "length")

    def __init__(self, kind: str, items: list[Value], length: int | None = None) -> None:
        self.kind = kind
        self.items = items
        self.length = len(items) if length is None else length

    def __repr__(self) -> str:
        return f"<{self.kind} of {self.length}>"


class Mapping:
    """A dict. ``length`` counts the stores; ``pairs`` may be cut (see :data:`LISTED`), later stores stand later."""

    __slots__ = ("length", "pairs")

    def __init__(self, pairs: list[tuple[Value, Value]], length: int | None = None) -> None:
        self.pairs = pairs
        self.length = len(pairs) if length is None else length

    def __repr__(self) -> str:
        return f"<dict of {self.length}>"


class Long(NamedTuple):
    """A str, bytes, bytearray or int that is too long to be kept, or a protocol-5 out-of-band buffer.

    ``kind`` is ``str``, ``bytes``, ``bytearray``, ``int``, ``buffer``; ``dropped`` for a reference back to a value that
    was let go because the file holds too many (a note of the needs says so then).
    """

    kind: str
    length: int
    """Characters or bytes."""
    start: Value
    """Its first 256 characters or bytes; 64 KiB of what begins like a JSON object."""
    end: Value = b""
    """What its last 256 bytes hold (not of an int): some payloads state their version there."""
    at: int = -1
    """Where its first byte lies, so that a reader can come back to it."""


class DType:
    """A numpy dtype. Format: ``numpy.dtype.__reduce__``, ``__setstate__`` (numpy/_core/src/multiarray/descriptor.c)."""

    __slots__ = ("call", "fields", "itemsize", "made", "spec", "subdtype")

    def __init__(self, spec: str, call: Value = None) -> None:
        self.spec = spec
        """As ``numpy.dtype.str`` spells it: ``<f8``, ``|O``, ``|V64``."""
        self.fields: list[tuple[str, DType, int]] = []
        """``(name, dtype, offset)`` of a record layout; empty for others."""
        self.itemsize: int = 0
        """Bytes; 0 where the stream does not say."""
        self.subdtype: Value = None
        """``(DType, shape)`` of a sub-array dtype, else None."""
        self.call: Value = call
        self.made: Made | None = None
        """The symbolic call and state from which this was read."""

    def __repr__(self) -> str:
        if self.fields:
            return "[" + ", ".join(f"{name}:{kind!r}@{offset}" for name, kind, offset in self.fields) + "]"
        return self.spec


class Array:
    """A numpy array (or subclass): its type and shape, and where its bytes lie, never the bytes themselves.

    ``how``: ``state`` for numpy's own pickling (``_reconstruct`` and a BUILD), ``buffer`` for ``_frombuffer``
    (protocol 5), ``joblib`` for raw bytes that follow joblib's ``NumpyArrayWrapper``, ``npy`` for an .npy member.
    """

    __slots__ = ("at", "data", "dtype", "how", "items", "made", "nbytes", "order", "padded", "shape", "subclass")

    def __init__(self, how: str, at: int = -1) -> None:
        self.how = how
        self.dtype: DType | None = None
        self.shape: tuple[int, ...] | None = None
        self.order = "C"
        self.subclass: Value = None
        """The :class:`Global` of its class; ``numpy.ndarray`` for most."""
        self.nbytes = 0
        self.at = at
        self.data: bytes | None = None
        """The raw bytes of a small one (up to 512 bytes) where they were at hand."""
        self.items: Items | None = None
        """The elements of an array of objects (dtype ``|O``)."""
        self.padded: bool | None = None
        """joblib only: whether the bytes are aligned by padding (joblib >= 1.2 writes so)."""
        self.made: Made | None = None
        """The symbolic call from which this was read; its ``call`` and ``args`` still have to work in the target."""

    def __repr__(self) -> str:
        return f"<array {self.dtype!r} {self.shape} at {self.at}>"


class Persistent(NamedTuple):
    """A persistent id (PERSID, BINPERSID): torch refers to its storages so."""

    id: Value
    at: int = -1


class Unset:
    """The type of :data:`UNSET`."""

    def __repr__(self) -> str:
        return "UNSET"


UNSET: Final = Unset()
"""There is no state: no BUILD came."""


class Code(NamedTuple):
    """A code object by value (cloudpickle, dill): ``types.CodeType(...)`` as the stream would call it."""

    name: str
    python: tuple[int, int] | None
    """The CPython minor version whose bytecode it is, as far as the arguments tell; the oldest one possible."""
    newest: tuple[int, int] | None
    """The newest version that it can be of; equal to ``python`` where the version is certain."""
    names: tuple[str, ...]
    """``co_names``: global names and attributes that its bytecode refers to."""
    at: int = -1


class Needs(NamedTuple):
    """What one model file asks for."""

    format: str
    """Name of the reader in ``artifacts/``: ``pickle``, ``joblib``, ``torch_zip``, ``npy``, ..."""
    loader: str
    """The call that usually reads such a file: ``pickle.load``, ``joblib.load``, ``torch.load``, ``numpy.load``, ..."""
    compression: str | None
    """``zlib``, ``gzip``, ``bz2``, ``xz``, ``lzma``, ``lz4``, None."""
    size: int
    """Bytes of the file."""
    protocol: int | None
    """The highest pickle protocol that the stream declares or whose opcodes it uses."""
    roots: tuple[Value, ...]
    """What each load of the file yields, mostly one."""
    globals: tuple[Global, ...]
    """Every distinct global in the order of its first use, with that offset."""
    codes: tuple[Code, ...] = ()
    array_bytes: int = 0
    """Bytes of all arrays together."""
    versions: dict[str, tuple[str, ...]] = {}  # noqa: RUF012
    """Versions that the file itself states, by distribution: ``{"scikit-learn": ("1.4.2",)}``, sorted."""
    nested: tuple[tuple[Made, Value], ...] = ()
    """Pickles that stand as bytes in the file and that loading unpickles: the call that does, and what they yield.
    Their globals are among ``globals``."""
    notes: tuple[str, ...] = ()
    """What a reader has to be told: a cut container, an old joblib form, nested pickles that were not opened, ..."""
    record_at: int | None = None
    """Where a record of envaudit's (:data:`RECORD`) follows the pickle; also one that is not whole."""

    @property
    def modules(self) -> frozenset[str]:
        """The top-level modules that the file names."""
        return frozenset(item.module.partition(".")[0] for item in self.globals)

    @property
    def wanted(self) -> list[str]:
        """The modules that loading imports: the packages first, then the modules in them, each as often as named."""
        return [*sorted(self.modules), *(item.module for item in self.globals)]
