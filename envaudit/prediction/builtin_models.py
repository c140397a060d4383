"""What Python's builtin functions do with symbolic values (docs.python.org/3/library/functions.html)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from envaudit.prediction.attributes import Method, body_of, dir_of
from envaudit.prediction.container_methods import get_attribute, set_attribute
from envaudit.prediction.core import Core, Signal
from envaudit.prediction.instance_checks import instance_of
from envaudit.prediction.values import (
    UNKNOWN,
    Abstract,
    ArrayValue,
    Bound,
    ClassValue,
    Dictionary,
    External,
    Function,
    Input,
    Instance,
    NotConcrete,
    Partial,
    Sequence,
    Super,
    Unknown,
    abstract,
    concrete,
    is_constant,
)

Model = Callable[[Any, list[Abstract], dict[str, Abstract]], Abstract]


def _hasattr(core: Core, args: list[Abstract], kwargs: dict[str, Abstract]) -> Abstract:
    if len(args) < 2 or not isinstance(args[1], str):
        return UNKNOWN
    value, name = args[0], args[1]
    if isinstance(value, Input):
        return value.frame if name in ("iloc", "columns", "dtypes", "loc") and value.frame is not None else UNKNOWN
    if isinstance(value, Instance) and not isinstance(value.cls, ClassValue):
        return True if name in value.attributes.entries else UNKNOWN
    if isinstance(value, Method):
        return UNKNOWN
    if isinstance(value, ArrayValue):
        return False if name in ("iloc", "columns", "sparse", "__dataframe__", "toarray") else UNKNOWN
    if is_constant(value):
        return hasattr(value, name)
    if isinstance(value, (Sequence, Dictionary)):
        kind = {"list": list, "tuple": tuple, "set": set, "frozenset": frozenset}
        return hasattr(kind[value.kind] if isinstance(value, Sequence) else dict, name)
    try:
        with core.catching("AttributeError"):
            found = core.attribute(value, name)
    except Signal as signal:
        if signal.kind in ("AttributeError", "NotFittedError"):
            if isinstance(value, Instance) and not name.startswith("__"):
                core.lacking = (value.need, name)
            return False
        raise
    if isinstance(found, Unknown) and not _surely_has(core, value, name):
        return UNKNOWN
    return True


def _surely_has(core: Core, value: Abstract, name: str) -> bool:
    if isinstance(value, Instance) and isinstance(value.cls, ClassValue):
        return name in value.attributes.entries or name in dir_of(value.cls)
    return isinstance(value, ClassValue) and name in dir_of(value)


def _getattr(core: Core, args: list[Abstract], kwargs: dict[str, Abstract]) -> Abstract:
    if len(args) < 2 or not isinstance(args[1], str):
        return UNKNOWN
    if len(args) < 3:
        return core.attribute(args[0], args[1])
    try:
        with core.catching("AttributeError"):
            return core.attribute(args[0], args[1])
    except Signal as signal:
        if signal.kind in ("AttributeError", "NotFittedError"):
            return args[2]
        raise


def _type(core: Core, args: list[Abstract], kwargs: dict[str, Abstract]) -> Abstract:
    if len(args) == 1:
        value = args[0]
        if isinstance(value, Instance):
            return value.cls
        if is_constant(value):
            return External("builtins", type(value).__name__)
        if isinstance(value, Sequence):
            return External("builtins", value.kind)
        if isinstance(value, Dictionary):
            return External("builtins", "dict")
    return UNKNOWN


def _isinstance(core: Core, args: list[Abstract], kwargs: dict[str, Abstract]) -> Abstract:
    truth = instance_of(args[0], args[1]) if len(args) == 2 else None
    return UNKNOWN if truth is None else truth


def _issubclass(core: Core, args: list[Abstract], kwargs: dict[str, Abstract]) -> Abstract:
    if len(args) == 2 and isinstance(args[0], ClassValue) and isinstance(args[1], ClassValue):
        return args[1] in args[0].mro or (UNKNOWN if args[0].open else False)
    return UNKNOWN


def _super(core: Core, args: list[Abstract], kwargs: dict[str, Abstract]) -> Abstract:
    return Super(args[0], args[1]) if len(args) == 2 else UNKNOWN


def _vars(core: Core, args: list[Abstract], kwargs: dict[str, Abstract]) -> Abstract:
    value = args[0] if args else UNKNOWN
    if isinstance(value, Instance):
        return value.attributes
    if isinstance(value, ClassValue):
        return Dictionary(dict.fromkeys(body_of(value), UNKNOWN))
    if value == External("builtins", "object"):
        return Dictionary(dict.fromkeys(vars(object), UNKNOWN))
    return UNKNOWN


def _dir(core: Core, args: list[Abstract], kwargs: dict[str, Abstract]) -> Abstract:
    if args and isinstance(args[0], Instance) and isinstance(args[0].cls, ClassValue):
        names = sorted({*args[0].attributes.entries, *dir_of(args[0].cls)})
        return Sequence("list", list(names), not args[0].cls.open and args[0].attributes.exact)
    return UNKNOWN


def _list(kind: str) -> Model:
    def make(core: Core, args: list[Abstract], kwargs: dict[str, Abstract]) -> Abstract:
        if not args:
            return Sequence(kind, [])
        items, exact = core.items_of(args[0])
        return Sequence(kind, items, exact)

    return make


def mapping(core: Core, args: list[Abstract], kwargs: dict[str, Abstract]) -> Abstract:
    """``dict`` and its kin."""
    made = Dictionary()
    if args:
        source = args[0]
        if isinstance(source, Dictionary):
            made = Dictionary(dict(source.entries), source.exact)
        elif isinstance(source, Sequence) and all(
            isinstance(item, Sequence) and len(item.items) == 2 for item in source.items
        ):
            made.exact = source.exact
            for item in source.items:
                made.store(item.items[0], item.items[1])
        else:
            made.exact = False
    made.entries.update(kwargs)
    return made


def _len(core: Core, args: list[Abstract], kwargs: dict[str, Abstract]) -> Abstract:
    value = args[0] if args else UNKNOWN
    if isinstance(value, (str, bytes)):
        return len(value)
    if isinstance(value, Sequence) and value.exact:
        return len(value.items)
    if isinstance(value, Dictionary) and value.exact:
        return len(value.entries)
    if isinstance(value, ArrayValue) and value.need.shape:
        return value.need.shape[0]
    if isinstance(value, Instance) and isinstance(value.cls, ClassValue):
        member = core.member(value.cls, "__len__")
        if isinstance(member, Function):
            return core.call(Bound(member, value), [])
    return UNKNOWN


def _zip(core: Core, args: list[Abstract], kwargs: dict[str, Abstract]) -> Abstract:
    columns = [core.items_of(value) for value in args]
    if not columns:
        return Sequence("list", [])
    known = [items for items, _ in columns if items]
    count = min(
        (len(items) for items, exact in columns if exact), default=max((len(items) for items in known), default=0)
    )
    rows = []
    for index in range(min(count, 1000)):
        row = [
            items[index] if index < len(items) else (items[0] if items and not exact else UNKNOWN)
            for items, exact in columns
        ]
        rows.append(Sequence("tuple", row))
    return Sequence("list", rows, all(exact for _, exact in columns))


def _enumerate(core: Core, args: list[Abstract], kwargs: dict[str, Abstract]) -> Abstract:
    items, exact = core.items_of(args[0]) if args else ([], False)
    return Sequence("list", [Sequence("tuple", [index, item]) for index, item in enumerate(items)], exact)


def _range(core: Core, args: list[Abstract], kwargs: dict[str, Abstract]) -> Abstract:
    try:
        rounds = range(*[concrete(value) for value in args])
    except (NotConcrete, TypeError, ValueError):
        return UNKNOWN
    return Sequence("list", list(rounds[:50]), len(rounds) <= 50)


def same_items(core: Core, args: list[Abstract], kwargs: dict[str, Abstract]) -> Abstract:
    """The same items in another order, or some of them."""
    items, _ = core.items_of(args[0]) if args else ([], False)
    return Sequence("list", items, exact=False)


def _reversed(core: Core, args: list[Abstract], kwargs: dict[str, Abstract]) -> Abstract:
    items, exact = core.items_of(args[0]) if args else ([], False)
    return Sequence("list", items[::-1], exact)


def _sorted(core: Core, args: list[Abstract], kwargs: dict[str, Abstract]) -> Abstract:
    items, exact = core.items_of(args[0]) if args else ([], False)
    try:
        if exact and not kwargs:
            return abstract(sorted(concrete(item) for item in items))
    except (NotConcrete, TypeError):
        pass
    return Sequence("list", items, exact=False)


def _map(core: Core, args: list[Abstract], kwargs: dict[str, Abstract]) -> Abstract:
    if len(args) != 2:
        return UNKNOWN
    items, exact = core.items_of(args[1])
    return Sequence("list", [core.call(args[0], [item]) for item in items], exact)


def _any(core: Core, args: list[Abstract], kwargs: dict[str, Abstract]) -> Abstract:
    items, exact = core.items_of(args[0]) if args else ([], False)
    truths = [core.truth_of(item) for item in items]
    return True if True in truths else False if exact and None not in truths else UNKNOWN


def _all(core: Core, args: list[Abstract], kwargs: dict[str, Abstract]) -> Abstract:
    items, exact = core.items_of(args[0]) if args else ([], False)
    truths = [core.truth_of(item) for item in items]
    return False if False in truths else True if exact and None not in truths else UNKNOWN


def pure(function: Callable[..., Any]) -> Model:
    """A function without effects, done where its arguments are fully known."""

    def run(core: Core, args: list[Abstract], kwargs: dict[str, Abstract]) -> Abstract:
        return UNKNOWN if kwargs else core.compute(function, *args)

    return run


def _number(kind: type) -> Model:
    """``int`` or ``float``, which refuse a text that is no number."""

    def make(core: Core, args: list[Abstract], kwargs: dict[str, Abstract]) -> Abstract:
        if len(args) == 1 and isinstance(args[0], str) and not kwargs:
            try:
                return kind(args[0])
            except ValueError as error:
                raise core.fail("ValueError", str(error), "raises", core.running()) from None
        return UNKNOWN if kwargs else core.compute(kind, *args)

    return make


def _text(core: Core, args: list[Abstract], kwargs: dict[str, Abstract]) -> Abstract:
    return core.formatted(args[0], "s") if len(args) == 1 else UNKNOWN


def _bool(core: Core, args: list[Abstract], kwargs: dict[str, Abstract]) -> Abstract:
    truth = core.truth_of(args[0]) if args else False
    return UNKNOWN if truth is None else truth


def _callable(core: Core, args: list[Abstract], kwargs: dict[str, Abstract]) -> Abstract:
    value = args[0] if args else UNKNOWN
    if isinstance(value, (Function, Bound, ClassValue, Partial, Method)):
        return True
    if is_constant(value) or isinstance(value, (Sequence, Dictionary, ArrayValue)):
        return False
    return UNKNOWN


def _next(core: Core, args: list[Abstract], kwargs: dict[str, Abstract]) -> Abstract:
    items, _ = core.items_of(args[0]) if args else ([], False)
    return items[0] if items else UNKNOWN


def first(core: Core, args: list[Abstract], kwargs: dict[str, Abstract]) -> Abstract:
    """What hands its first argument on."""
    return args[0] if args else UNKNOWN


def constant(value: Abstract) -> Model:
    """What always returns the same."""

    def give(core: Core, args: list[Abstract], kwargs: dict[str, Abstract]) -> Abstract:
        return value

    return give


BUILTINS: Final[dict[str, Model]] = {
    "hasattr": _hasattr, "getattr": _getattr, "setattr": set_attribute, "type": _type, "isinstance": _isinstance,
    "issubclass": _issubclass, "super": _super, "vars": _vars, "dir": _dir, "list": _list("list"),
    "tuple": _list("tuple"), "set": _list("set"), "frozenset": _list("frozenset"), "dict": mapping, "len": _len,
    "zip": _zip, "iter": first, "enumerate": _enumerate, "range": _range, "reversed": _reversed, "sorted": _sorted,
    "map": _map, "any": _any, "all": _all, "str": _text, "bool": _bool, "callable": _callable, "next": _next,
    "int": _number(int), "float": _number(float), "max": pure(max), "min": pure(min), "abs": pure(abs),
    "sum": pure(sum), "id": constant(UNKNOWN),
    "object.__setattr__": set_attribute, "object.__getattribute__": get_attribute,
}  # fmt: skip
"""By name."""
