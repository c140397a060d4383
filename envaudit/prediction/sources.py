"""Sources of modules, of which only what is asked for is parsed: one statement of the top level, one function's body.

Where everything begins is an index: plain data that is drawn from the whole syntax tree once and kept on disk for the
next time (:mod:`envaudit.surface._facts`). Lines keep their numbers, since what is left out becomes empty lines.
"""

from __future__ import annotations

import ast
import gc
import sys
import warnings
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from envaudit.model import Json
from envaudit.prediction import bindings
from envaudit.prediction.bindings import Binding, Bindings

if TYPE_CHECKING:
    from envaudit.surface._facts import Facts

_SHORT: Final = 6
"""Lines of a function's body below which it is parsed with what surrounds it."""


class _Part(NamedTuple):
    """A statement of the top level, or several that share a line; its lines end where the next one's begin."""

    first: int
    names: list[str]
    """What it binds; ``*`` for a star import."""
    bodies: list[tuple[int, int]]
    """First and last line of the bodies of its functions; not of short ones, nor of those inside of others."""


class ModuleBindings:
    """The names of one module."""

    __slots__ = ("_lines", "_parts", "_read", "_starred", "dynamic", "names")

    def __init__(self, text: str, index: Json) -> None:
        self._lines = text.split("\n")
        self._parts = [_Part(*item) for item in index["parts"]]
        self._read: dict[int, Bindings] = {}
        places: dict[str, list[int]] = {}
        for number, part in enumerate(self._parts):
            for name in part.names:
                places.setdefault(name, []).append(number)
        self._starred = places.pop("*", [])
        self.names: Mapping[str, list[Binding]] = _Names(self, places)
        self.dynamic: bool = index["dynamic"]
        """It also binds names in ways that cannot be read off (``globals()[...] = ...``, ``exec``)."""

    @property
    def stars(self) -> list[Binding]:
        """``from module import *``, in order."""
        return [binding for number in self._starred for binding in self.part(number).stars]

    def part(self, number: int) -> Bindings:
        """What one part binds."""
        if number not in self._read:
            part = self._parts[number]
            end = self._parts[number + 1].first - 1 if number + 1 < len(self._parts) else None
            lines = self._lines[part.first - 1 : end]
            texts = {}
            for begin, last in part.bodies:
                texts[last] = _text(begin - 1, ["if 1:", *self._lines[begin - 1 : last], ""])
                blank = [*[""] * (last - begin), _indentation(self._lines[begin - 1]) + "..."]
                lines[begin - part.first : last - part.first + 1] = blank
            try:
                tree = _parsed(_text(part.first, lines))
                for statements, position, node in _functions(tree.body):
                    if node.end_lineno in texts:
                        statements[position] = _deferred(node, texts[node.end_lineno])
                found = Bindings(tree)
            except (SyntaxError, RecursionError, MemoryError):
                # Too deep for what is left of the stack by now, or of a syntax that an earlier statement switches on.
                found = Bindings(ast.Module([], []))
                found.names = {name: [Binding("opaque", None)] for name in part.names}
            self._read[number] = found
        return self._read[number]


class _Names(Mapping[str, "list[Binding]"]):
    """Name -> the places where it is bound, in order."""

    def __init__(self, module: ModuleBindings, places: dict[str, list[int]]) -> None:
        self._module = module
        self._places = places

    def __getitem__(self, name: str) -> list[Binding]:
        parts = [self._module.part(number) for number in self._places[name]]
        return [binding for part in parts for binding in part.names[name]]

    def __contains__(self, name: object) -> bool:
        return name in self._places  # without parsing anything

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


class _Deferred(ast.AST):
    """A function whose body is parsed when it is first asked for."""

    def __getattr__(self, name: str) -> Any:
        if name != "body":
            raise AttributeError(name)
        self.body = _parsed(self._text).body[0].body  # type: ignore[attr-defined]
        return self.body


class FunctionDef(_Deferred, ast.FunctionDef):
    """A ``def``; it is called like its base, since evaluations go by that name."""


class AsyncFunctionDef(_Deferred, ast.AsyncFunctionDef):
    """An ``async def``."""


_Function = ast.FunctionDef | ast.AsyncFunctionDef


def _deferred(node: _Function, text: str) -> _Function:
    """The same function with the body that a text holds in its ``if``."""
    kind: type[FunctionDef | AsyncFunctionDef] = FunctionDef if isinstance(node, ast.FunctionDef) else AsyncFunctionDef
    made = kind.__new__(kind)
    vars(made).update(vars(node), _text=text)
    del made.body
    return made


def of_source(text: str, facts: Facts) -> ModuleBindings | None:
    """What a module's source binds; None where it is no source that this Python can parse.

    Raises :class:`RecursionError` or :class:`MemoryError` where it is nested too deeply.
    """
    kind = "bindings {}.{}".format(*sys.version_info)  # what can be parsed depends on it
    data = text.encode("utf-8", "surrogatepass")
    index = facts.kept(kind, data, lambda: _drawn(text), __file__, bindings.__file__)
    return None if index is None else ModuleBindings(text, index)


def _drawn(text: str) -> Json:
    """The index of a source; None where it is none.

    The syntax tree is dropped at once. Meanwhile nothing is searched for garbage, for walking through all of a tree
    again and again takes up to half of the time.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        lines = text.split("\n")
        parts, dynamic = [], False
        for first, statements in _groups(_parsed(text), lines):
            found = Bindings(ast.Module(statements, []))
            dynamic = dynamic or found.dynamic
            parts.append([first, [*found.names, *(["*"] if found.stars else [])], list(_bodies(statements, lines))])
        return {"dynamic": dynamic, "parts": parts}
    except (SyntaxError, ValueError):
        return None
    finally:
        if collects:
            gc.enable()


def _groups(tree: ast.Module, lines: list[str]) -> list[tuple[int, list[ast.stmt]]]:
    """First line and statements of each part of a source: each can be parsed without the others."""
    groups: list[tuple[int, list[ast.stmt]]] = []
    for node in tree.body:
        first = _first(node)
        begins_line = node.col_offset == 0 and (first == node.lineno or lines[first - 1].startswith("@"))
        if groups and not begins_line:
            groups[-1][1].append(node)
        else:
            groups.append((first if groups else 1, [node]))
    return groups


def _bodies(statements: list[ast.stmt], lines: list[str]) -> Iterator[tuple[int, int]]:
    """First and last line of the bodies that can be left out: long ones that begin on a line of their own."""
    for _, _, node in _functions(statements):
        begin, end = _first(node.body[0]), node.end_lineno or 0
        indentation = _indentation(lines[begin - 1])
        alone = lines[begin - 1].startswith("@", len(indentation)) or node.body[0].col_offset == len(indentation)
        if alone and end - begin >= _SHORT:
            yield begin, end


def _functions(statements: list[Any]) -> Iterator[tuple[list[Any], int, _Function]]:
    """The functions that are not inside of others, each with the list that it stands in and its position there."""
    for position, node in enumerate(statements):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield statements, position, node
        else:
            for field in ("body", "orelse", "handlers", "finalbody"):
                yield from _functions(getattr(node, field, []))


def _first(node: ast.stmt) -> int:
    """The line on which a statement begins, decorators included."""
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(item.lineno for item in decorators)])


def _indentation(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


def _text(first: int, lines: list[str]) -> str:
    """Lines as a text in which the first of them has this number."""
    return "\n" * (first - 1) + "\n".join(lines) + "\n"


def _parsed(text: str) -> ast.Module:
    """The syntax tree, without the warnings that the code of others would cause (invalid escapes in strings)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(text)
