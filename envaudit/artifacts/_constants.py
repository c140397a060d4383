"""The opcodes that put a constant on the stack."""

from __future__ import annotations

import codecs
from collections.abc import Callable
from typing import Final

from envaudit.artifacts._reader import EDGE, KEPT_BYTES, Reader
from envaudit.artifacts._state import State
from envaudit.needs import Long, Value

MAX_DIGITS: Final = 255
"""Bytes of an integer that is kept as one."""

Handler = Callable[[State], None]


def push(value: Value) -> Handler:
    """A constant that the opcode itself is."""
    return lambda m: m.stack.append(value)


def decimal(m: State) -> None:
    """INT: decimal text; ``00`` and ``01`` are bools."""
    line, _ = m.line()
    m.stack.append({b"00": False, b"01": True}[line] if line in (b"00", b"01") else int(line[:EDGE], 0))


def long_decimal(m: State) -> None:
    """LONG: decimal text with an L."""
    line, length = m.line()
    digits = line.rstrip(b"L")
    m.stack.append(int(digits, 0) if length <= EDGE else Long("int", length, line[:EDGE]))


def float_text(m: State) -> None:
    """FLOAT: decimal text."""
    line, _ = m.line()
    m.stack.append(float(line))


def binint2(m: State) -> None:
    """BININT2."""
    m.stack.append(m.reader.u2())


def counted_long(m: State, size: int) -> None:
    """LONG1, LONG4: two's complement bytes."""
    if size < 0:
        raise ValueError("a negative length")
    if size > MAX_DIGITS:
        m.stack.append(m.long("int", size))
    else:
        m.stack.append(int.from_bytes(m.reader.take(size), "little", signed=True))


def old_string(m: State, data: bytes) -> None:
    """A ``str`` of Python 2: text or bytes, as the loader's ``encoding`` has it; Latin-1 loses nothing."""
    if not data.isascii():
        m.note("holds Python 2 strings that are not ASCII: pickle.load takes them only with encoding='latin1'")
    m.stack.append(data.decode("latin-1"))


def string(m: State) -> None:
    """STRING: a Python 2 literal on a line."""
    line, length = m.line()
    line = line.strip()
    if length > KEPT_BYTES:
        m.stack.append(Long("str", length, line[1 : EDGE + 1].decode("latin-1")))
        return
    if len(line) < 2 or line[0] != line[-1] or line[:1] not in (b'"', b"'"):
        raise ValueError("a STRING without quotes")
    old_string(m, codecs.escape_decode(line[1:-1])[0])


def counted_string(m: State, size: int) -> None:
    """BINSTRING, SHORT_BINSTRING."""
    if size < 0:
        raise ValueError("a negative length")
    if size > KEPT_BYTES:
        found = m.long("str", size)
        m.stack.append(found)
    else:
        old_string(m, m.reader.take(size))


def unicode(m: State) -> None:
    """UNICODE: a line of escaped text."""
    line, length = m.line()
    if length > KEPT_BYTES:
        m.stack.append(Long("str", length, line[:EDGE].decode("latin-1")))
    else:
        m.stack.append(str(line, "raw-unicode-escape"))


def sized(read: Callable[[Reader], int], then: Callable[[State, int], None]) -> Handler:
    """A handler that reads a length first."""
    return lambda m: then(m, read(m.reader))


def text(m: State, size: int) -> None:
    """BINUNICODE and its kin."""
    m.stack.append(m.text(size))


def raw_bytes(m: State, size: int) -> None:
    """BINBYTES and its kin."""
    m.stack.append(m.bytes("bytes", size))


def raw_bytearray(m: State, size: int) -> None:
    """BYTEARRAY8."""
    m.stack.append(m.bytes("bytearray", size))


def next_buffer(m: State) -> None:
    """NEXT_BUFFER: one that was split off when the pickle was written."""
    m.note("holds out-of-band buffers: it loads only with the buffers that were split off when it was written")
    m.stack.append(Long("buffer", 0, b""))


BY_PROTOCOL: Final[list[dict[bytes, Handler]]] = [
    {b"N": push(None), b"I": decimal, b"L": long_decimal, b"F": float_text, b"S": string, b"V": unicode},
    {
        b"M": binint2, b"T": sized(Reader.i4, counted_string), b"U": sized(Reader.u1, counted_string),
        b"X": sized(Reader.u4, text),
    },
    {
        b"\x88": push(True), b"\x89": push(False), b"\x8a": sized(Reader.u1, counted_long),
        b"\x8b": sized(Reader.i4, counted_long),
    },
    {b"B": sized(Reader.u4, raw_bytes), b"C": sized(Reader.u1, raw_bytes)},
    {b"\x8d": sized(Reader.u8, text), b"\x8e": sized(Reader.u8, raw_bytes)},
    {b"\x96": sized(Reader.u8, raw_bytearray), b"\x97": next_buffer},
]  # fmt: skip
"""Handlers by opcode, by the lowest protocol that has it."""
