"""Playing a load: the needs of an artifact become symbolic objects of the target's classes."""

from __future__ import annotations

from typing import Any, Final

from envaudit.needs import UNSET, Array, DType, Global, Items, Long, Made, Mapping, Persistent, Value
from envaudit.prediction import layouts
from envaudit.prediction.core import Core, Place, Signal
from envaudit.prediction.values import (
    UNKNOWN,
    Abstract,
    ArrayValue,
    Bound,
    ClassValue,
    Dictionary,
    External,
    Function,
    Instance,
    Partial,
    Sequence,
    Unknown,
    is_constant,
)
from envaudit.prediction.world import MISSING, NoModule, World

RECONSTRUCTORS: Final = frozenset({"copyreg._reconstructor", "copyreg.__newobj__", "copyreg.__newobj_ex__"})

BLOCK_MANAGER: Final = External("pandas._libs.internals", "BlockManager")
"""The compiled base of what a DataFrame keeps its columns in, since pandas 1.3."""
MAPPINGS: Final = frozenset(
    f"{module}.{name}" for module in ("collections", "_collections") for name in ("OrderedDict", "defaultdict")
)
"""Dictionaries that are made by a call and filled item by item."""


def symbolic(core: Core, value: Value) -> Abstract:
    """The symbolic value of a need; each is made once."""
    if is_constant(value):
        return value
    key = id(value)
    if key in core.symbols:
        return core.symbols[key]
    if isinstance(value, Global):
        return resolve(core, value)
    core.spend()
    core.symbols[key] = UNKNOWN  # a cycle finds this
    if isinstance(value, Items):
        made = Sequence(value.kind, [], value.length == len(value.items))
        core.symbols[key] = made
        made.items += [symbolic(core, item) for item in value.items]
    elif isinstance(value, Mapping):
        table = Dictionary()
        core.symbols[key] = table
        _fill(core, table, value)
    elif isinstance(value, Array):
        if value.items is not None:
            for item in value.items.items:
                symbolic(core, item)
        core.symbols[key] = ArrayValue(value)
    elif isinstance(value, Made):
        core.symbols[key] = _make(core, value)
        if isinstance(core.symbols[key], Partial) and isinstance(value.state, Items):
            core.symbols[key] = _partial(core, value.state)
        _feed(core, value, core.symbols[key])
    elif isinstance(value, Persistent) and isinstance(value.id, Items) and value.id.items[:1] == ["module"]:
        core.symbols[key] = symbolic(core, value.id.items[1])  # torch's legacy form of a class with its source
    elif isinstance(value, (DType, Long, Persistent)):
        core.symbols[key] = UNKNOWN
    return core.symbols[key]


def _fill(core: Core, table: Dictionary, value: Mapping) -> None:
    table.exact = value.length == len(value.pairs)
    for key, item in value.pairs:
        plain = symbolic(core, key)
        entry = symbolic(core, item)
        if is_constant(plain):
            table.entries[plain] = entry
        else:
            table.exact = False
            table.others.append(entry)


def resolve(core: Core, name: Global) -> Abstract:
    """What a global means in the target; UNKNOWN where it is missing (that is reported once for the whole file)."""
    module, dotted = renamed(name, core.world)
    head, *rest = dotted.split(".")
    try:
        value = core.world.lookup(module, head)
    except NoModule:
        return UNKNOWN
    for part in rest:
        if value is MISSING:
            break
        try:
            value = core.attribute(value, part)
        except Signal:
            return UNKNOWN
    return UNKNOWN if value is MISSING else value


def renamed(name: Global, world: World) -> tuple[str, str]:
    """The module and name that the loader really asks for: a Python 2 name as Python 3's unpickler maps it
    (Lib/_compat_pickle.py, protocols below 3); one of an older pandas as ``pandas.read_pickle`` does."""
    import _compat_pickle  # the standard library's own table

    if world.loader == "pandas.read_pickle":
        moved = _moved(name, world)
        if moved is not None:
            return moved
    if name.module in PYTHON_2 or (name.module, name.name) in _compat_pickle.NAME_MAPPING:
        pair = _compat_pickle.NAME_MAPPING.get((name.module, name.name))
        if pair is not None:
            return str(pair[0]), str(pair[1])
        return str(_compat_pickle.IMPORT_MAPPING.get(name.module, name.module)), name.name
    return name.module, name.name


def _moved(name: Global, world: World) -> tuple[str, str] | None:
    """Where the target's pandas says that a name has gone (``_class_locations_map`` of pandas.compat.pickle_compat)."""
    try:
        table = world.lookup("pandas.compat.pickle_compat", "_class_locations_map")
    except NoModule:
        return None
    found = table.entries.get((name.module, name.name)) if isinstance(table, Dictionary) else None
    if isinstance(found, Sequence) and len(found.items) == 2 and all(isinstance(item, str) for item in found.items):
        return found.items[0], found.items[1]
    return None


PYTHON_2: Final = frozenset(
    {"copy_reg", "__builtin__", "Queue", "cPickle", "StringIO", "cStringIO", "exceptions", "itertools"}
)


def _make(core: Core, made: Made) -> Abstract:
    """Play the call that makes an object."""
    call = symbolic(core, made.call)
    args = [symbolic(core, item) for item in made.args]
    kwargs: dict[str, Abstract] = {}
    if isinstance(made.kwargs, Mapping):
        kwargs = {key: symbolic(core, item) for key, item in made.kwargs.pairs if isinstance(key, str)}
    core.offset = made.at
    dotted = getattr(call, "dotted", "") or (f"{call.module}.{call.name}" if isinstance(call, Function) else "")
    if dotted in MAPPINGS:
        return Dictionary(exact=len(args) < 2)
    if dotted == "_codecs.encode":  # how protocols below 3 spell bytes (Modules/_pickle.c, save_bytes)
        return args[0].encode(args[1]) if args[1:] == ["latin1"] and isinstance(args[0], str) else UNKNOWN
    if dotted in RECONSTRUCTORS and args:
        call = args[0]
        return _object(core, made, call)
    if made.how == "newobj":
        if isinstance(call, ClassValue):
            constructor = core.member(call, "__new__")
            if isinstance(constructor, Function):
                result = _played(core, made, constructor, [call, *args], kwargs)
                if isinstance(result, Instance):
                    result.need = made
                    return result
        return _object(core, made, call)
    if isinstance(call, External):
        layouts.check_call(core, made, call, args)
        if call.name.startswith("__pyx_unpickle_") and args:
            return _object(core, made, args[0])
        result = core.call(call, args, kwargs)
        return _object(core, made, call) if isinstance(result, Unknown) else result
    result = _played(core, made, call, args, kwargs)
    if isinstance(result, Instance) and result.need is None:
        result.need = made
    return _object(core, made, UNKNOWN) if result is None or isinstance(result, Unknown) else result


def _partial(core: Core, state: Items) -> Abstract:
    """A ``functools.partial`` from its state ``(function, args, keywords, namespace)`` (Lib/functools.py)."""
    parts = [symbolic(core, item) for item in state.items]
    if len(parts) < 3 or not isinstance(parts[1], Sequence):
        return UNKNOWN
    keywords = parts[2].entries if isinstance(parts[2], Dictionary) else {}
    named = tuple((name, item) for name, item in keywords.items() if isinstance(name, str))
    return Partial(parts[0], tuple(parts[1].items), named)


def _object(core: Core, made: Made, call: Abstract) -> Instance:
    instance = Instance(call, need=made)
    instance.attributes.exact = isinstance(call, ClassValue)
    return instance


def _played(core: Core, made: Made, call: Abstract, args: list[Abstract], kwargs: dict[str, Abstract]) -> Abstract:
    """Follow a call of the load; an exception that it must raise is a problem of the load, and the rest goes on."""
    core.offset = made.at
    core.stack.append(Place("", str(made.call), made.at))
    try:
        layouts.check_types(core, made, call, args)
        return core.call(call, args, kwargs)
    except Signal:
        return UNKNOWN
    finally:
        core.stack.pop()


def _feed(core: Core, made: Made, value: Abstract) -> None:
    """Play what follows the making: items, pairs, and the state."""
    if made.items is not None or made.pairs is not None:
        items = symbolic(core, made.items) if made.items is not None else None
        pairs = symbolic(core, made.pairs) if made.pairs is not None else None
        if isinstance(value, Sequence) and isinstance(items, Sequence):
            value.items += items.items
        elif isinstance(value, Dictionary) and isinstance(pairs, Dictionary):
            value.entries.update(pairs.entries)
        elif isinstance(value, Instance):
            value.attributes.entries.setdefault("<items>", items if items is not None else pairs)
    for state in (made.state, *made.more_states):
        if state is not UNSET:
            _set_state(core, made, value, state)


def _set_state(core: Core, made: Made, value: Abstract, state: Value) -> None:
    given = symbolic(core, state)
    core.offset = made.at
    if not isinstance(value, Instance):
        return
    layouts.check_payload(core, made)
    if isinstance(value.cls, ClassValue):
        setter = core.member(value.cls, "__setstate__")
        if layouts.check_inherited(core, made, value.cls, given):
            value.attributes.exact = False
        if BLOCK_MANAGER in value.cls.lineage:
            _coerce_blocks(core, made, given)
        if isinstance(setter, Function):
            _played(core, made, Bound(setter, value), [given], {})
            return
        if setter is not MISSING:
            value.attributes.exact = False
    elif isinstance(value.cls, External):
        layouts.check_state(core, made, value.cls, state, given)
    parts: list[Any] = [given]
    if (
        isinstance(given, Sequence)
        and given.kind == "tuple"
        and (len(given.items) == 2 or _has_compiled_base(value.cls))
    ):
        parts = given.items
    for part in parts:
        if isinstance(part, Dictionary):
            value.attributes.entries.update((key, item) for key, item in part.entries.items() if isinstance(key, str))
            value.attributes.exact = value.attributes.exact and part.exact


def _has_compiled_base(cls: Abstract) -> bool:
    """Whether a state may be for Cython's generated ``__setstate_cython__``: C members, and then the ``__dict__``."""
    return isinstance(cls, ClassValue) and any(isinstance(item, External) for item in cls.lineage)


def _coerce_blocks(core: Core, made: Made, state: Abstract) -> None:
    """Play what the compiled ``BlockManager.__setstate__`` calls for each block of columns, which is Python code that
    looks at the arrays (pandas/_libs/internals.pyx)."""
    whole = state.items[3] if isinstance(state, Sequence) and len(state.items) > 3 else None
    parts = whole.entries.get("0.14.1") if isinstance(whole, Dictionary) else None  # the form's own name
    if not isinstance(parts, Dictionary):
        return
    axes, blocks = parts.entries.get("axes"), parts.entries.get("blocks")
    try:
        coerce = core.world.lookup("pandas.core.internals.blocks", "ensure_block_shape")
    except NoModule:
        return
    if isinstance(coerce, Function) and isinstance(axes, Sequence) and isinstance(blocks, Sequence):
        for block in blocks.items:
            if isinstance(block, Dictionary):
                _played(core, made, coerce, [block.entries.get("values", UNKNOWN)], {"ndim": len(axes.items)})
