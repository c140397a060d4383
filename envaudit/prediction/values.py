"""The symbolic values of an evaluation.

Constants (None, bool, int, float, complex, str, bytes, Ellipsis, :class:`packaging.version.Version`) stand for
themselves. Everything else is one of the classes here; what is not known at all is :data:`UNKNOWN`. Absence of
knowledge never makes an error: an operation on UNKNOWN is UNKNOWN.
"""

from __future__ import annotations

import ast
import struct
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from packaging.version import Version

Abstract = Any
"""A symbolic value."""

CONSTANTS: Final = (type(None), bool, int, float, complex, str, bytes, type(Ellipsis), Version)


class Unknown:
    """The type of :data:`UNKNOWN` and :data:`ABSENT`."""


UNKNOWN: Final = Unknown()
ABSENT: Final = Unknown()
"""What a missing attribute stands for, once it is recorded, and what is made of it. Where another branch knows a value,
that one counts, so that what fails behind it is found too."""


class Input:
    """What the caller hands to ``predict``: new data. ``frame`` says whether it is a pandas DataFrame."""

    __slots__ = ("frame",)

    def __init__(self, frame: bool | None) -> None:
        self.frame = frame


class Sequence:
    """A list, tuple, set or frozenset; a lazy iterator counts as a list.

    ``exact``: the items are all there, in order; otherwise they are examples of what can be in it.
    """

    __slots__ = ("exact", "items", "kind")

    def __init__(self, kind: str, items: list[Abstract], exact: bool = True) -> None:
        self.kind = kind
        self.items = items
        self.exact = exact


class Dictionary:
    """A dict with constant keys. ``exact``: it has no other keys; else ``others`` are examples of further values."""

    __slots__ = ("entries", "exact", "others")

    def __init__(self, entries: dict[Any, Abstract] | None = None, exact: bool = True) -> None:
        self.entries: dict[Any, Abstract] = {} if entries is None else entries
        self.exact = exact
        self.others: list[Abstract] = []

    def store(self, key: Abstract, value: Abstract) -> None:
        """``self[key] = value``."""
        try:
            plain = concrete(key)
            hash(plain)
        except (NotConcrete, TypeError):
            if isinstance(key, (External, ClassValue, Function)):
                self.entries[key] = value
                return
            self.exact = False
            self.others.append(value)
            return
        self.entries[plain] = value

    def update(self, value: Abstract) -> None:
        """``self.update(value)``."""
        if isinstance(value, Dictionary):
            self.entries.update(value.entries)
            self.exact = self.exact and value.exact
            self.others += value.others
        else:
            self.exact = False


class ArrayValue(NamedTuple):
    """A numpy array of the artifact."""

    need: Any
    """The :class:`envaudit.needs.Array`."""


def numbers(array: Any) -> list[Any] | None:
    """The values of an :class:`envaudit.needs.Array` of floats or objects, where they are at hand and all constants."""
    if array.items is not None:
        whole = array.items.length == len(array.items.items) and all(is_constant(item) for item in array.items.items)
        return list(array.items.items) if whole else None
    spec = array.dtype.spec if array.dtype is not None else ""
    if array.data is None or spec[1:] not in ("f4", "f8"):
        return None
    order = ">" if spec[0] == ">" else "<"
    return [value for (value,) in struct.iter_unpack(order + ("d" if spec[2] == "8" else "f"), array.data)]


class ModuleValue(NamedTuple):
    """A module of the target."""

    name: str


class External(NamedTuple):
    """Something that exists and whose code cannot be read: a name of an extension module or a builtin."""

    module: str
    name: str

    @property
    def dotted(self) -> str:
        """``module.name``."""
        return f"{self.module}.{self.name}"


class Frame:
    """The names of one running function, or of a module (``names`` then stays empty: they are looked up)."""

    __slots__ = (
        *("body", "cls", "first", "module", "names", "outer"),
        *("returned", "unsure", "yields", "yields_all"),
    )

    def __init__(self, module: str, outer: Frame | None = None) -> None:
        self.module = module
        self.outer = outer
        self.names: dict[str, Abstract] = {}
        self.cls: ClassValue | None = outer.cls if outer else None
        self.first: Abstract = UNKNOWN
        """The first argument, for ``super()``."""
        self.body: ClassValue | None = None
        """The class whose body this is."""
        self.returned: list[Abstract] = []
        self.yields: list[Abstract] = []
        self.yields_all = True
        """Whether exactly these will be yielded."""
        self.unsure = 0
        """How uncertain it was that the call happens at all."""


class Function:
    """A function of the target's source."""

    __slots__ = ("cls", "frame", "name", "node")

    def __init__(
        self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, frame: Frame, cls: ClassValue | None = None
    ) -> None:
        self.node = node
        self.frame = frame
        self.cls = cls
        self.name = getattr(node, "name", "<lambda>")

    @property
    def module(self) -> str:
        """Where it is defined."""
        return self.frame.module

    @property
    def qualname(self) -> str:
        """``Class.name`` of a method (PEP 3155)."""
        return f"{self.cls.name}.{self.name}" if self.cls is not None else self.name

    def __repr__(self) -> str:
        return f"<function {self.module}.{self.name}>"


class Bound(NamedTuple):
    """A method with its instance (or class)."""

    function: Abstract
    instance: Abstract


class Partial(NamedTuple):
    """``functools.partial``, and what ``delayed`` makes."""

    function: Abstract
    args: tuple[Abstract, ...]
    kwargs: tuple[tuple[str, Abstract], ...] = ()


class Descriptor(NamedTuple):
    """A ``property``, ``cached_property``, ``staticmethod``, ``classmethod`` or ``available_if`` around a function."""

    kind: str
    function: Abstract
    check: Abstract = None


class Super(NamedTuple):
    """``super()``: look behind ``cls`` in the MRO of ``instance``."""

    cls: Abstract
    instance: Abstract


class Slice(NamedTuple):
    """``lower:upper:step``."""

    lower: Abstract
    upper: Abstract
    step: Abstract


class ClassValue:
    """A class of the target's source.

    ``mro`` is the C3 linearization of what could be read; ``open`` says that a base or metaclass could not be, so
    that a missing attribute proves nothing. ``lineage`` holds those other bases too, in their places: an
    :class:`External` is one of compiled code.
    """

    __slots__ = ("body", "frame", "lineage", "module", "mro", "name", "natives", "node", "open")

    def __init__(self, module: str, node: ast.ClassDef, frame: Frame) -> None:
        self.module = module
        self.node = node
        self.name = node.name
        self.frame = frame
        self.mro: list[ClassValue] = [self]
        self.lineage: list[Abstract] = [self]
        self.open = False
        self.natives: set[str] = set()
        """Attributes that builtin bases give."""
        self.body: dict[str, list[Any]] | None = None

    def __repr__(self) -> str:
        return f"<class {self.module}.{self.name}>"


class Instance:
    """An object. ``cls`` is a :class:`ClassValue` or :class:`External`; ``attributes`` is its ``__dict__``."""

    __slots__ = ("attributes", "cls", "need")

    def __init__(self, cls: Abstract, attributes: Dictionary | None = None, need: Any = None) -> None:
        self.cls = cls
        self.attributes = attributes if attributes is not None else Dictionary()
        self.need = need
        """The :class:`envaudit.needs.Made` where it comes from the artifact."""

    def __repr__(self) -> str:
        return f"<instance of {self.cls!r}>"


class Union:
    """One of several values."""

    __slots__ = ("options",)

    def __init__(self, options: list[Abstract]) -> None:
        self.options = options


MOST_OPTIONS: Final = 6


def is_constant(value: Abstract) -> bool:
    """Whether a value stands for itself."""
    return isinstance(value, CONSTANTS)


def same(left: Abstract, right: Abstract) -> bool:
    """Whether two values are surely one and the same."""
    if left is right:
        return True
    if is_constant(left) and is_constant(right):
        return type(left) is type(right) and left == right
    if isinstance(left, (External, ModuleValue)):
        return bool(left == right)
    return False


def join(values: Iterable[Abstract]) -> Abstract:
    """One value that stands for any of several."""
    options: list[Abstract] = []
    known = [value for value in values if value is not ABSENT]
    if not known:
        return ABSENT
    for value in known:
        for option in value.options if isinstance(value, Union) else [value]:
            if isinstance(option, Unknown):
                return UNKNOWN
            if not any(same(option, other) for other in options):
                options.append(option)
    if len(options) == 1:
        return options[0]
    return Union(options) if 0 < len(options) <= MOST_OPTIONS else UNKNOWN


class NotConcrete(Exception):  # noqa: N818
    """A value is not fully known."""


def concrete(value: Abstract, depth: int = 4) -> Any:
    """The Python object that a fully known plain value stands for. Raises :class:`NotConcrete` for others."""
    if is_constant(value):
        return value
    if depth and isinstance(value, Sequence) and value.exact and len(value.items) <= 200:
        items = [concrete(item, depth - 1) for item in value.items]
        try:
            return {"list": list, "tuple": tuple, "set": set, "frozenset": frozenset}[value.kind](items)
        except TypeError:
            raise NotConcrete from None
    if depth and isinstance(value, Dictionary) and value.exact and len(value.entries) <= 200:
        return {key: concrete(item, depth - 1) for key, item in value.entries.items()}
    raise NotConcrete


def abstract(value: Any) -> Abstract:
    """The symbolic value of a plain Python object; UNKNOWN for anything else."""
    if is_constant(value):
        return value
    if isinstance(value, (list, tuple, set, frozenset)):
        items = sorted(value, key=repr) if isinstance(value, (set, frozenset)) else value
        return Sequence(type(value).__name__, [abstract(item) for item in items])
    if isinstance(value, dict):
        return Dictionary({key: abstract(item) for key, item in value.items()})
    return UNKNOWN


def interesting(value: Abstract, depth: int = 3) -> bool:
    """Whether a value leads to an object or to code of the artifact, so that code that gets it is worth following."""
    if isinstance(value, (Instance, ClassValue, Function, Bound, Partial, Super)):
        return True
    if depth and isinstance(value, Sequence):
        return any(interesting(item, depth - 1) for item in value.items[:20])
    if depth and isinstance(value, Dictionary):
        return any(interesting(item, depth - 1) for item in list(value.entries.values())[:50])
    if isinstance(value, Union):
        return any(interesting(item, depth) for item in value.options)
    return False


def known(value: Abstract, depth: int = 2) -> bool:
    """Whether a value is what it is, so that code that gets it may come to a definite answer."""
    if depth and isinstance(value, Sequence):
        return value.exact and len(value.items) <= 50 and all(known(item, depth - 1) for item in value.items)
    if depth and isinstance(value, Dictionary):
        return value.exact and len(value.entries) <= 50
    return is_constant(value) or isinstance(value, (Input, External))
