"""What each pickle opcode does to the machine. Names and meaning: Lib/pickletools.py of CPython."""

from __future__ import annotations

from typing import Final

from envaudit.artifacts import _constants, _numpy
from envaudit.artifacts._bytecode import builds_code, note_code
from envaudit.artifacts._constants import Handler, push
from envaudit.artifacts._joblib import is_wrapper, read_wrapped
from envaudit.artifacts._nested import open_nested, unpickles
from envaudit.artifacts._reader import EDGE, KEPT_BYTES
from envaudit.artifacts._state import DROPPED, PLAIN, State
from envaudit.artifacts._versions import note_versions
from envaudit.needs import UNSET, Array, DType, Global, Items, Made, Mapping, Persistent, Value

HIGHEST_PROTOCOL: Final = 5

MAX_PERSISTENT: Final = 100_000
REFUSING: Final = PLAIN | {Items}

EMPTY_TUPLE: Final = Items("tuple", [])


def _unknown(m: State) -> None:
    reader = m.reader
    if reader.pos > reader.end:
        raise reader.truncated()
    raise ValueError(f"unknown opcode {reader.window[reader.pos - 1]:#04x}")


# -- containers -----------------------------------------------------------------------------------------------------


def _mark(m: State) -> None:
    m.marks.append(m.stack)
    m.stack = []


def _pop(m: State) -> None:
    if m.stack:
        m.stack.pop()
    else:
        m.pop_mark()


def _pop_mark(m: State) -> None:
    m.pop_mark()


def _dup(m: State) -> None:
    m.stack.append(m.stack[-1])


def _new_items(m: State, kind: str, values: list[Value]) -> None:
    box = Items(kind, [])
    m.extend(box, values)
    m.stack.append(box)


def _empty(kind: str) -> Handler:
    return lambda m: _new_items(m, kind, [])


def _marked(kind: str) -> Handler:
    def handler(m: State) -> None:
        values = m.pop_mark()
        _new_items(m, kind, values)

    return handler


def _tuple_of(count: int) -> Handler:
    def handler(m: State) -> None:
        values = m.stack[-count:]
        if len(values) < count:
            raise IndexError("stack underflow")
        del m.stack[-count:]
        _new_items(m, "tuple", values)

    return handler


def _empty_dict(m: State) -> None:
    m.stack.append(Mapping([]))


def _dict(m: State) -> None:
    values = m.pop_mark()
    box = Mapping([])
    m.store(box, values)
    m.stack.append(box)


def _add(m: State, values: list[Value], kind: str) -> None:
    target = m.stack[-1]
    if type(target) is Items and target.kind in ("list", "set"):
        m.extend(target, values)
    elif type(target) is Made:
        if target.items is None:
            target.items = Items(kind, [])
        m.extend(target.items, values)
    elif type(target) in REFUSING and target is not DROPPED:
        raise TypeError(f"items are added to a {type(target).__name__}")


def _append(m: State) -> None:
    value = m.stack.pop()
    _add(m, [value], "list")


def _appends(m: State) -> None:
    values = m.pop_mark()
    _add(m, values, "list")


def _additems(m: State) -> None:
    values = m.pop_mark()
    _add(m, values, "set")


def _set(m: State, values: list[Value]) -> None:
    target = m.stack[-1]
    if type(target) is Mapping:
        m.store(target, values)
    elif type(target) is Made:
        if target.pairs is None:
            target.pairs = Mapping([])
        m.store(target.pairs, values)
    elif type(target) in REFUSING and target is not DROPPED:
        raise TypeError(f"keys are set on a {type(target).__name__}")


def _setitem(m: State) -> None:
    value = m.stack.pop()
    key = m.stack.pop()
    _set(m, [key, value])


def _setitems(m: State) -> None:
    values = m.pop_mark()
    _set(m, values)


# -- globals and calls ----------------------------------------------------------------------------------------------


def _name(m: State) -> str:
    line, length = m.line()
    if length > KEPT_BYTES:
        raise ValueError("a global with an endless name")
    return line.decode("utf-8")


def _global(m: State) -> None:
    m.here()
    module = _name(m)
    m.stack.append(m.find(module, _name(m)))


def _stack_global(m: State) -> None:
    m.here()
    name = m.stack.pop()
    module = m.stack.pop()
    m.stack.append(m.find(module, name))


def _extension(size: int) -> Handler:
    def handler(m: State) -> None:
        m.here()
        number = int.from_bytes(m.reader.take(size), "little", signed=True)
        m.note("uses copyreg's extension registry: the numbers mean what the target registered")
        m.stack.append(Made("ext", None, [number], at=m.at))

    return handler


def _make(m: State, how: str, call: Value, args: list[Value], kwargs: Value = None) -> None:
    made = Made(how, call, args, kwargs, m.at)
    if how == "reduce":
        special = _numpy.MAKERS.get((call.module, call.name)) if type(call) is Global else None
        if special:
            m.stack.append(special(m, made))
            return
        if builds_code(call):
            note_code(m, made)
        elif unpickles(call):
            open_nested(m, made)
    m.stack.append(made)


def _arguments(value: Value) -> list[Value]:
    return value.items if type(value) is Items else [value]


def _reduce(m: State) -> None:
    m.here()
    args = m.stack.pop()
    _make(m, "reduce", m.stack.pop(), _arguments(args))


def _newobj(m: State) -> None:
    m.here()
    args = m.stack.pop()
    _make(m, "newobj", m.stack.pop(), _arguments(args))


def _newobj_ex(m: State) -> None:
    m.here()
    kwargs = m.stack.pop()
    args = m.stack.pop()
    _make(m, "newobj", m.stack.pop(), _arguments(args), kwargs)


def _inst(m: State) -> None:
    m.here()
    module = _name(m)
    name = _name(m)
    args = m.pop_mark()
    _make(m, "inst", m.find(module, name), args)


def _obj(m: State) -> None:
    m.here()
    args = m.pop_mark()
    _make(m, "inst", args.pop(0), args)


def _build(m: State) -> None:
    m.here()
    state = m.stack.pop()
    target = m.stack[-1]
    if type(target) is Made:
        if target.state is UNSET:
            target.state = state
            note_versions(m, target, state)
            if is_wrapper(target) and not m.depth:
                m.stack[-1] = read_wrapped(m, target)
        elif len(target.more_states) < m.listed:
            target.more_states.append(state)
            note_versions(m, target, state)
    elif type(target) is DType:
        _numpy.set_dtype(target, state)
    elif type(target) is Array:
        _numpy.set_array(m, target, state)
    elif type(target) in PLAIN and target is not DROPPED:
        raise TypeError(f"a state is given to a {type(target).__name__}")
    else:
        m.note(f"a state is given to a {type(target).__name__} at byte {m.at}, which is not followed")


def _refer(m: State, to: Value) -> None:
    found = Persistent(to, m.at)
    if len(m.persistent) < MAX_PERSISTENT:
        m.persistent.append(found)
    m.stack.append(found)


def _persid(m: State) -> None:
    m.here()
    _refer(m, _name(m))


def _binpersid(m: State) -> None:
    m.here()
    _refer(m, m.stack.pop())


# -- memo and framing -----------------------------------------------------------------------------------------------


def _put(m: State) -> None:
    index = int(m.line()[0][:EDGE])
    if index < 0:
        raise ValueError("a negative memo number")
    m.put(index, m.stack[-1])


def _recall(m: State, index: int) -> None:
    value = m.get(index)
    if value is DROPPED:
        m.note("refers back to values that were let go, because it holds too many: their places say `dropped`")
    m.stack.append(value)


def _get(m: State) -> None:
    _recall(m, int(m.line()[0][:EDGE]))


def _long_binget(m: State) -> None:
    _recall(m, m.reader.u4())


def _memoize(m: State) -> None:
    m.put(len(m.memo) + len(m.far), m.stack[-1])


def _proto(m: State) -> None:
    version = m.reader.u1()
    if version > HIGHEST_PROTOCOL:
        raise ValueError(f"pickle protocol {version} is not known")
    m.protocol = max(m.protocol, version)


def _frame(m: State) -> None:
    m.reader.skip(8)


def _readonly_buffer(m: State) -> None:
    """The buffer stays what it is."""


_BY_PROTOCOL: Final[list[dict[bytes, Handler]]] = [
    {
        b"0": _pop, b"2": _dup, b"(": _mark, b"1": _pop_mark, b"a": _append, b"l": _marked("list"),
        b"t": _marked("tuple"), b"d": _dict, b"s": _setitem, b"c": _global, b"R": _reduce, b"b": _build, b"i": _inst,
        b"P": _persid, b"p": _put, b"g": _get,
    },
    {
        b"]": _empty("list"), b"e": _appends, b"}": _empty_dict, b"u": _setitems, b")": push(EMPTY_TUPLE), b"o": _obj,
        b"Q": _binpersid, b"j": _long_binget,
    },
    {
        b"\x80": _proto, b"\x81": _newobj, b"\x82": _extension(1), b"\x83": _extension(2), b"\x84": _extension(4),
        b"\x85": _tuple_of(1), b"\x86": _tuple_of(2), b"\x87": _tuple_of(3),
    },
    {},
    {
        b"\x8f": _empty("set"), b"\x90": _additems, b"\x91": _marked("frozenset"), b"\x92": _newobj_ex,
        b"\x93": _stack_global, b"\x94": _memoize, b"\x95": _frame,
    },
    {b"\x98": _readonly_buffer},
]  # fmt: skip

TABLE: Final[list[Handler]] = [_unknown] * 256
"""Handlers by opcode; those that the machine's loop holds itself are not here."""
LOWEST: Final = [0] * 256
"""The lowest protocol that has the opcode."""

for _group in (_BY_PROTOCOL, _constants.BY_PROTOCOL):
    for _protocol, _handlers in enumerate(_group):
        for _code, _handler in _handlers.items():
            TABLE[_code[0]] = _handler
            LOWEST[_code[0]] = _protocol
