"""Methods of containers, of texts, and those that every object has."""

from __future__ import annotations

import operator
from typing import Any, Final

from envaudit.prediction.attributes import Method
from envaudit.prediction.core import Core, Signal
from envaudit.prediction.expressions import WIDE
from envaudit.prediction.values import (
    UNKNOWN,
    Abstract,
    ClassValue,
    Dictionary,
    Instance,
    NotConcrete,
    Sequence,
    concrete,
    is_constant,
    join,
)

TEXT_METHODS: Final = frozenset(
    "startswith endswith split rsplit strip lstrip rstrip lower upper replace partition rpartition format join isdigit "
    "isidentifier find count title capitalize".split()
)


def method(core: Core, bound: Method, args: list[Abstract], kwargs: dict[str, Abstract]) -> Abstract:
    """A method of a container, a constant, or one that every object has."""
    value, name = bound
    if isinstance(value, str):
        if name in TEXT_METHODS and not kwargs and not (name == "format" and WIDE.search(value)):
            if name == "format":
                args = [core.formatted(item, "s") if _plain(item) is UNKNOWN else item for item in args]
            plain = [_plain(item) for item in args]
            return UNKNOWN if UNKNOWN in plain else core.compute(operator.methodcaller(name, *plain), value)
        return UNKNOWN
    if isinstance(value, Dictionary):
        return _dictionary(core, value, name, args, kwargs)
    if isinstance(value, Sequence):
        return _sequence(core, value, name, args)
    if name == "mro":
        return core.attribute(value, "__mro__")
    if name == "__new__":
        target = args[0] if args else value
        return Instance(target) if isinstance(target, ClassValue) else UNKNOWN
    if name == "__setattr__":
        return set_attribute(core, [value, *args], {})
    if name == "__getattribute__":
        return get_attribute(core, [value, *args], {})
    return None if name == "__init__" else UNKNOWN


def get_attribute(core: Core, args: list[Abstract], kwargs: dict[str, Abstract]) -> Abstract:
    """``object.__getattribute__(value, name)``."""
    value, name = args[0], args[-1]
    if not isinstance(name, str):
        return UNKNOWN
    plain = isinstance(value, Instance) and isinstance(value.cls, ClassValue)
    return core.plain_attribute(value, name) if plain else core.attribute(value, name)


def set_attribute(core: Core, args: list[Abstract], kwargs: dict[str, Abstract]) -> Abstract:
    """``setattr(value, name, new)``."""
    if len(args) == 3 and isinstance(args[1], str):
        core.set_attribute(args[0], args[1], args[2])
    elif args and isinstance(args[0], Instance):
        args[0].attributes.exact = False
    return None


def _plain(value: Abstract) -> Any:
    try:
        return concrete(value)
    except NotConcrete:
        return UNKNOWN


def _dictionary(
    core: Core, value: Dictionary, name: str, args: list[Abstract], kwargs: dict[str, Abstract]
) -> Abstract:
    key = args[0] if args else None
    if name in ("get", "pop", "setdefault"):
        try:
            known = key in value.entries
        except TypeError:
            return UNKNOWN
        if known:
            return value.entries.pop(key) if name == "pop" and not core.maybe else value.entries[key]
        fallback = args[1] if len(args) > 1 else None
        if name == "setdefault":
            value.entries[key] = fallback
        if not value.exact or not is_constant(key):
            return join([*value.others[:3], UNKNOWN])
        if name == "pop" and len(args) < 2 and not core.maybe:
            if core.caught("KeyError"):
                raise Signal("KeyError", repr(key))
            return UNKNOWN
        return fallback
    if name == "update":
        for item in args:
            value.update(item)
        value.entries.update(kwargs)
        return None
    if name == "copy":
        made = Dictionary(dict(value.entries), value.exact)
        made.others = list(value.others)
        return made
    if name == "keys":
        return Sequence("list", list(value.entries), value.exact)
    if name == "values":
        return Sequence("list", [*value.entries.values(), *value.others], value.exact)
    if name == "items":
        pairs = [Sequence("tuple", [item, entry]) for item, entry in value.entries.items()]
        return Sequence("list", [*pairs, *(Sequence("tuple", [UNKNOWN, entry]) for entry in value.others)], value.exact)
    return UNKNOWN


def _sequence(core: Core, value: Sequence, name: str, args: list[Abstract]) -> Abstract:
    if name in ("append", "add", "insert", "appendleft") and args:
        value.items.append(args[-1])
        value.exact = value.exact and not core.maybe and not core.fuzzy and name != "insert"
        return None
    if name in ("extend", "update") and args:
        items, exact = core.items_of(args[0])
        value.items += items
        value.exact = value.exact and exact and not core.maybe and not core.fuzzy
        return None
    if name == "any" and value.exact and all(isinstance(item, bool) for item in value.items):
        return any(value.items)  # of a mask
    if name == "copy":
        return Sequence(value.kind, list(value.items), value.exact)
    if name == "pop":
        return value.items[-1] if value.items else UNKNOWN
    if name in ("union", "difference", "intersection"):
        return Sequence("set", list(value.items), exact=False)
    if name == "index" and args and value.exact:
        for index, item in enumerate(value.items):
            if is_constant(item) and is_constant(args[0]) and item == args[0]:
                return index
    return UNKNOWN
