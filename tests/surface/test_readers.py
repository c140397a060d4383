"""The readers of Cython sources and of shared objects on what is made for them, harmless or not."""

from __future__ import annotations

import bz2
import inspect
import os
import re
import struct
import time
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envaudit.surface import _binary, _cython, _elf, _layouts, _strings
from envaudit.surface._names import Names
from envaudit.surface._shapes import Layout


@pytest.mark.parametrize(
    ("declared", "python"),
    [
        ("a, b=1, *, c, d=2, **e", "a, b=1, *, c, d=2, **e"),
        ("object a not None, int[:, ::1] b, const double *c=NULL", "a, b, c=None"),
        ("self, *args", "self, *args"),
        ("a, /, b: int = 3, c: 'x' = None", "a, b=3, c=None"),
        ("np.ndarray[np.float64_t, ndim=1] values,\n        bint flag=True", "values, flag=True"),
        ("", ""),
    ],
)
def test_signatures_are_read_as_python_reads_them(declared: str, python: str) -> None:
    found = _cython.functions(f"cpdef int f({declared}) except -1:\n    pass\n")["f"]
    scope: dict[str, object] = {}
    exec(f"def f({python}): pass", scope)
    parameters = inspect.signature(scope["f"]).parameters.values()  # type: ignore[arg-type]
    positional = [item for item in parameters if item.kind is item.POSITIONAL_OR_KEYWORD]
    assert found.positional == tuple(item.name for item in positional)
    assert found.required == sum(item.default is item.empty for item in positional)
    assert found.varargs == any(item.kind is item.VAR_POSITIONAL for item in parameters)
    assert found.keyword_only == tuple(item.name for item in parameters if item.kind is item.KEYWORD_ONLY)
    assert found.keywords == any(item.kind is item.VAR_KEYWORD for item in parameters)


def test_methods_stand_under_their_class_and_inner_functions_nowhere() -> None:
    text = """
cdef class Tree:
    '''def lie(self): pass'''
    def __setstate__(self, d):  # def this(x)
        def inner(x): pass
    cdef int hidden(self) nogil: pass
    cpdef int seen(self, a=(1, 2)): pass
class Plain(object):
    class Nested:
        def method(self): pass
def outside(): pass
"""
    assert set(_cython.functions(text)) == {
        "Tree.__setstate__", "Tree.seen", "Plain.Nested.method", "outside"
    }  # fmt: skip


def test_packed_strings_are_cut_by_their_lengths_or_searched_whole() -> None:
    words = [b"alpha", b"", b"beta_gamma", b"x" * 60, b"delta"]
    table = zlib.compress(b"".join(words))
    numbers = struct.pack("<7I", 0, *map(len, words), 0)
    cut, packed = _strings.identifiers([table, numbers], "<")
    assert [word for word in packed if word] == [word for word in words if word]
    assert "alpha" in cut
    assert "eta_gamma" not in cut
    whole, _ = _strings.identifiers([table], "<")
    assert "alpha" in whole
    assert "eta_gamma" in whole
    assert "epsilon" not in whole


def test_what_is_no_shared_object_is_none() -> None:
    assert _elf.parse(b"") is None
    assert _elf.parse(b"MZ" + b"\0" * 100) is None
    far = bytearray(b"\x7fELF\2\1" + b"\0" * 100)
    far[40:48], far[58:62] = b"\xff" * 8, b"\x40\0\x01\0"
    assert _elf.parse(bytes(far)) is None


def shared_object(**sections: bytes) -> bytes:
    """A 64-bit ELF file for x86-64 with read-only data in sections of these names (a leading dot is added)."""
    naming = b"\0.names\0" + b"".join(b".%s\0" % name.encode() for name in sections)
    contents = {".names": naming, **{f".{name}": data for name, data in sections.items()}}
    at, headers, body = 64, [bytes(64)], []
    for name, data in contents.items():
        start = naming.index(name.encode() + b"\0")
        flags = 0 if name == ".names" else 2
        headers.append(struct.pack("<IIQQQQIIQQ", start, 1, flags, at, at, len(data), 0, 0, 1, 0))
        body.append(data)
        at += len(data)
    head = (
        b"\x7fELF\2\1\1"
        + bytes(9)
        + struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 0, at, 0, 64, 0, 0, 64, len(headers), 1)
    )
    return head + b"".join(body) + b"".join(headers)


def test_a_big_module_is_read_in_place() -> None:
    """Like catboost's: 270 MB, of them 220 MB code for GPUs, and much that looks like a packed table of strings."""
    table = zlib.compress(b"alpha_beta")
    strings = b"\0PyInit_big\0" + table + b"x\x9c\x01" * 4000
    data = shared_object(rodata=strings, nv_fatbin=(b"x\x9c" + os.urandom(30)) * (1 << 20) + b"\0kernel\0")
    tracemalloc.start()
    facts = _binary.drawn(data, "big")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert facts is not None
    names = facts["names"][0].split()
    assert "PyInit_big" in names
    assert "kernel" not in names
    assert peak < 8 << 20


def test_more_strings_than_a_module_has_are_as_good_as_unseen() -> None:
    words = b"\0".join(b"w%d" % number for number in range(1_100_000))
    facts = _binary.drawn(shared_object(rodata=words), "big")
    assert facts is not None
    assert facts["names"] == ["", "", None]
    assert "anything" in Names.of_plain(facts["names"])


def test_sections_that_overlap_are_no_module() -> None:
    data = shared_object(rodata=bytes(5000))
    header = data[-64:]
    assert _elf.parse(data) is not None
    at = struct.unpack_from("<Q", data, 40)[0]
    many = data[:at] + header * 400
    assert _elf.parse(many[:60] + struct.pack("<H", 400) + many[62:]) is None


@given(st.binary(max_size=400))
def test_any_bytes_after_the_magic_are_read_or_refused(data: bytes) -> None:
    binary = _elf.parse(b"\x7fELF\2\1" + data)
    if binary is not None:
        _layouts.layouts(binary)
        _strings.identifiers(binary.constants(), binary.order)
        binary.functions(b"x")


FLOODS = {
    "zlib": b"x\x9c" * 500_000,
    "bzip2": b"BZh91AY&SY" * 50_000,
    "zeros": b"\0" * 2_000_000,
    "letters": b"a" * 2_000_000,
    "zlib bombs": zlib.compress(bytes(1 << 24)) * 500,
    "bzip2 bombs": bz2.compress(bytes(1 << 24)) * 5000,
}


@pytest.mark.parametrize("name", FLOODS)
def test_a_flood_of_likely_beginnings_costs_bounded_time(name: str) -> None:
    begin = time.process_time()
    _strings.identifiers([FLOODS[name] + b"\0_cython_3_2_5\0"], "<")
    assert time.process_time() - begin < 10


STRUCT = "cdef struct A:\n  unknown x\n\n"
TEXTS = {
    "blanks in a typedef": STRUCT + "ctypedef a" + " " * 50_000 + ";\n",
    "blanks in a field": "cdef struct A:\n  " + ("a" + " " * 390 + ";\n  ") * 2000,
    "blanks before a field": "cdef struct A:\n" + (" " * 390 + ";\n") * 2000,
    "definitions that never close": "def f(\n" * 50_000,
    "cimports that never close": STRUCT + "from a cimport (a\n" * 5000,
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_flood_of_half_declarations_costs_bounded_time(name: str) -> None:
    begin = time.process_time()
    _cython.functions(TEXTS[name])
    _cython.structs("a.b", TEXTS[name], lambda module: None)
    assert time.process_time() - begin < 10


@given(st.text(alphabet="def cs:()[]{}=,*\n\t \"'#abxy_0.", max_size=300))
def test_any_text_is_read_as_far_as_it_goes(text: str) -> None:
    _cython.functions(text)
    _cython.structs("a.b", text, lambda module: None)


def test_structs_are_laid_out_as_the_c_compiler_does() -> None:
    text = """
from ._types cimport small, wide as broad
from unknown cimport strange
ctypedef unsigned char flag
cdef struct Loose:
    # a comment
    flag a
    broad b, c  # two
    small[3] d
    int e
cdef packed struct Tight:
    flag a
    broad b
cdef struct Unknown:
    strange a
cdef struct Nested:
    Loose inner
"""
    found = _cython.structs(
        "pack.module", text,
        lambda module: "ctypedef float small\nctypedef Py_ssize_t wide\n" if module == "pack._types" else None,
    )  # fmt: skip
    assert found == {
        "Loose": Layout((("a", "|u1", 0), ("b", "<i8", 8), ("c", "<i8", 16), ("d", "|V12", 24), ("e", "<i4", 36)), 40),
        "Tight": Layout((("a", "|u1", 0), ("b", "<i8", 1)), 9),
    }


@given(st.binary(max_size=300) | st.text("aZ_09\0 .é", max_size=300).map(str.encode), st.integers(1, 40))
def test_identifiers_are_those_that_a_regular_expression_finds(data: bytes, window: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_strings, "_WINDOW", window)
        found = _strings._distinct([data, memoryview(data)])
    assert found == set(re.findall(rb"[A-Za-z_][A-Za-z0-9_]*\0?", data))


@pytest.mark.parametrize(
    ("data", "seen"),
    [
        (b"_loss.Half\0", True), (b"x\0_loss.Half\0", True), (b"sklearn._loss._loss.Half\0", True),
        (b"a_loss.Half\0", False), (b"_loss.half\0", False), (b"_loss.Half", False), (b"", False),
    ],
)  # fmt: skip
def test_a_module_shows_how_it_names_its_classes(data: bytes, seen: bool) -> None:
    assert (_strings.types([data], [], "_loss") is not None) == seen
    assert (_strings.types([memoryview(data)], [], "_loss") is not None) == seen
