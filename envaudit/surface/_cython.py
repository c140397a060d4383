"""What the Cython sources that some packages ship say of a module: C structs (.pxd) and signatures (.pyx).

Not a parser of Cython: declarations stand on lines of their own in all of these files, and what does not read as one
is passed over, so that what is returned is either right or absent.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from itertools import islice
from typing import Final, NamedTuple

from envaudit.surface._shapes import Layout, Signature

_COMMENT: Final = re.compile(r"#[^\n]*")
_BLANKS: Final = re.compile(r"(?<=\S)[ \t]{2,}")
_DOCSTRING: Final = re.compile(r'"""(?:.|\n)*?"""|\'\'\'(?:.|\n)*?\'\'\'')
_STRUCT: Final = re.compile(
    r"^(?:cdef|ctypedef)\s+(packed\s+)?struct\s+(\w+)\s*:\s*\n((?:[ \t]+[^\n]*\n|[ \t]*\n)+)", re.M
)
_TYPEDEF: Final = re.compile(r"^[ \t]*ctypedef\s+([\w. ]+?)\s+(\w+)[ \t]*$", re.M)
_CIMPORT: Final = re.compile(r"^[ \t]*from\s+([\w.]+)\s+cimport\s+(\([^)]*\)|[^\n]+)", re.M)
_FIELD: Final = re.compile(r"^\s*([\w. ]+?)\s*(?:\[(\d+)\]\s*|\s)(\w+(?:\s*,\s*\w+)*)\s*(?:\[(\d+)\]\s*)?$")

_C: Final = {
    "char": "i1", "signed char": "i1", "unsigned char": "u1", "short": "i2", "unsigned short": "u2", "int": "i4",
    "unsigned int": "u4", "unsigned": "u4", "long": "i8", "unsigned long": "u8", "long long": "i8",
    "unsigned long long": "u8", "Py_ssize_t": "i8", "size_t": "u8", "bint": "i4", "float": "f4", "double": "f8",
    "int8_t": "i1", "int16_t": "i2", "int32_t": "i4", "int64_t": "i8", "uint8_t": "u1", "uint16_t": "u2",
    "uint32_t": "u4", "uint64_t": "u8", "intp_t": "i8", "uintp_t": "u8", "float32_t": "f4", "float64_t": "f8",
    "npy_intp": "i8", "npy_uintp": "u8", "npy_bool": "u1", "npy_int8": "i1", "npy_int16": "i2", "npy_int32": "i4",
    "npy_int64": "i8", "npy_uint8": "u1", "npy_uint16": "u2", "npy_uint32": "u4", "npy_uint64": "u8",
    "npy_float32": "f4", "npy_float64": "f8",
}  # fmt: skip
"""C and numpy type -> numpy dtype on 64-bit Linux (LP64; numpy/__init__.pxd, libc/stdint.pxd)."""

_DEFINED_ELSEWHERE: Final = ("numpy", "libc.stdint", "libc.stddef")
_DEPTH: Final = 10
_LINE: Final = 400
"""A longer declaration is none; it bounds what the patterns may cost."""
_BORDER: Final = re.compile(r"[()\[\]{},]")
_ARGUMENTS: Final = 4_000
"""Characters of a function's arguments."""
_DEFINITIONS: Final = 5_000

Text = Callable[[str], "str | None"]
"""Dotted module -> the text of its .pxd, or None."""


def _cleaned(text: str) -> str:
    """Without comments and docstrings; between words one blank, which the patterns then need not tell apart."""
    return _BLANKS.sub(" ", _COMMENT.sub("", _DOCSTRING.sub('""', text))) + "\n"


class _Declarations(NamedTuple):
    typedefs: dict[str, str]
    """New name -> what it stands for."""
    cimports: dict[str, tuple[str, str]]
    """Name here -> module and name there."""


@lru_cache(maxsize=64)
def _declarations(text: str) -> _Declarations:
    plain = _cleaned(text)
    cimports = {}
    for source, names in _CIMPORT.findall(plain):
        for item in names.strip("()").replace("\n", " ").split(","):
            original, _, alias = (part.strip() for part in item.partition(" as "))
            cimports[alias or original] = (source, original)
    return _Declarations({name: target for target, name in _TYPEDEF.findall(plain)}, cimports)


class _Field(NamedTuple):
    name: str
    spec: str
    size: int
    alignment: int


def structs(module: str, text: str, pxd: Text) -> dict[str, Layout]:
    """The structs that a source of ``module`` declares and whose every field's type is known, as gcc lays them out."""
    found = {}
    for match in _STRUCT.finditer(_cleaned(text)):
        fields: list[_Field] = []
        for line in filter(str.strip, match[3].splitlines()):
            declared = _fields(line, module, text, pxd)
            if not declared:
                break
            fields += declared
        else:
            if fields:
                found[match[2]] = _laid_out(fields, packed=bool(match[1]))
    return found


def _fields(line: str, module: str, text: str, pxd: Text) -> list[_Field]:
    """The fields of one line; none where it is no declaration or its type is not known."""
    match = _FIELD.match(line.strip()) if len(line) < _LINE else None
    spec = _resolved(match[1], module, text, pxd, 0) if match else None
    if match is None or spec is None:
        return []
    size = int(spec[1:])
    count = int(match[2] or match[4] or 1)
    whole = f"|V{size * count}" if match[2] or match[4] else ("|" if size == 1 else "<") + spec
    return [_Field(name.strip(), whole, size * count, size) for name in match[3].split(",")]


def _laid_out(fields: list[_Field], *, packed: bool) -> Layout:
    """Offsets and size by the System V ABI: each field at a multiple of its alignment, the whole of the largest."""
    placed, offset, widest = [], 0, 1
    for field in fields:
        step = 1 if packed else field.alignment
        widest = max(widest, step)
        offset = -(-offset // step) * step
        placed.append((field.name, field.spec, offset))
        offset += field.size
    return Layout(tuple(placed), -(-offset // widest) * widest)


def _resolved(kind: str, module: str, text: str, pxd: Text, depth: int) -> str | None:
    """The numpy dtype of a C type as it is named in a source: by its typedefs there, else by where it is cimported."""
    kind = " ".join(word for word in kind.split() if word != "const")
    if depth > _DEPTH:
        return None
    declared = _declarations(text)
    if declared.typedefs.get(kind, kind) != kind:
        return _resolved(declared.typedefs[kind], module, text, pxd, depth + 1)
    source, original = declared.cimports.get(kind, ("", kind))
    if source and source not in _DEFINED_ELSEWHERE:
        where = _absolute(module, source)
        there = pxd(where)
        return None if there is None else _resolved(original, where, there, pxd, depth + 1)
    return _C.get(original.rpartition(".")[2])


def _absolute(module: str, source: str) -> str:
    """The module that a (relative) cimport names."""
    level = len(source) - len(source.lstrip("."))
    return ".".join([*module.split(".")[:-level], source.lstrip(".")]) if level else source


_DEFINITION: Final = re.compile(
    r"^([ \t]*)(?:(?:cdef[ \t]+)?class[ \t]+(\w+)|(cdef|cpdef|def)\b[^\n(=]*?(\w+)[ \t]*(?=\())", re.M
)


def functions(text: str) -> dict[str, Signature]:
    """``name`` or ``Class.name`` -> signature, of all functions that Python code can call."""
    text = _cleaned(text)
    found: dict[str, Signature] = {}
    stack: list[tuple[int, str | None]] = []
    """Indentation and class name (None: a function) of what encloses the present line."""
    for match in islice(_DEFINITION.finditer(text), _DEFINITIONS):
        indentation = len(match[1].expandtabs())
        while stack and stack[-1][0] >= indentation:
            stack.pop()
        if match[2]:
            stack.append((indentation, match[2]))
            continue
        enclosing = [name for _, name in stack]
        if match[3] != "cdef" and None not in enclosing:
            signature = _signature(text[match.end() : match.end() + _ARGUMENTS])
            if signature:
                found[".".join([*map(str, enclosing), match[4]])] = signature
        stack.append((indentation, None))
    return found


def _signature(text: str) -> Signature | None:
    """The arguments that stand in the parentheses at the beginning of a text."""
    positional: list[str] = []
    keyword_only: list[str] = []
    required = 0
    varargs = keywords = star = False
    for part in _arguments(text):
        declared, has_default = _without_default(part)
        name = re.search(
            r"(\w+)[ \t]*(?:\[[^\]]*\][ \t]*)?(?:(?:not|or)\s+None\s*)?(?::[^:].*)?$", declared.strip(), re.S
        )
        if part == "/":
            continue
        if len(declared) > _LINE:
            return None
        if part.startswith("*"):
            keywords, varargs, star = keywords or part.startswith("**"), varargs or part[1:2] not in ("", "*"), True
        elif name is None:
            return None
        elif star:
            keyword_only.append(name[1])
        else:
            positional.append(name[1])
            required += not has_default
    return Signature(tuple(positional), required, varargs, tuple(keyword_only), keywords)


def _without_default(argument: str) -> tuple[str, bool]:
    """An argument up to the ``=`` that stands outside of all brackets, and whether there is one."""
    depth = 0
    for position, character in enumerate(argument):
        depth += (character in "([{") - (character in ")]}")
        if character == "=" and depth == 0:
            return argument[:position], True
    return argument, False


def _arguments(text: str) -> list[str]:
    """The parts between the commas of a parenthesis; none where it does not close."""
    depth, begin, parts = 0, 1, []
    for match in _BORDER.finditer(text):
        position, character = match.start(), match[0]
        depth += (character in "([{") - (character in ")]}")
        if (character == "," and depth == 1) or depth == 0:
            parts.append(" ".join(text[begin:position].split()))
            begin = position + 1
        if depth == 0:
            return [part for part in parts if part]
    return []
