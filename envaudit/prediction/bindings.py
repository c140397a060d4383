"""What a module's source binds at its top level, and under which conditions: read from the syntax tree alone."""

from __future__ import annotations

import ast
import sys
import warnings
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from envaudit.model import Json

if TYPE_CHECKING:
    from envaudit.surface._facts import Facts

Guard = tuple[ast.AST, str]
"""A statement that decides whether a binding happens, and the branch of it: ``body``, ``else`` or ``handler``."""


class Binding(NamedTuple):
    """One place where a name is bound."""

    kind: Literal["import", "from", "def", "class", "value", "opaque"]
    node: Any
    """The statement; for ``value`` the expression."""
    detail: tuple[Any, ...] = ()
    """``import``: (module,); ``from``: (module, level, name); ``value``: indices into an unpacked tuple."""
    guards: tuple[Guard, ...] = ()


class Bindings:
    """The names of one class body, or of some statements of a module."""

    __slots__ = ("dynamic", "names", "stars")

    def __init__(self, tree: ast.Module | ast.ClassDef) -> None:
        self.names: dict[str, list[Binding]] = {}
        self.stars: list[Binding] = []
        """``from module import *``, in order."""
        self.dynamic = False
        """It also binds names in ways that cannot be read off (``globals()[...] = ...``, ``exec``)."""
        self._read(tree.body, ())

    def _add(self, name: str, binding: Binding) -> None:
        self.names.setdefault(name, []).append(binding)

    def _read(self, statements: list[ast.stmt], guards: tuple[Guard, ...]) -> None:
        for node in statements:
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                self._add(node.name, Binding("def", node, (), guards))
            elif isinstance(node, ast.ClassDef):
                self._add(node.name, Binding("class", node, (), guards))
            elif isinstance(node, ast.Import):
                for alias in node.names:
                    bound = alias.asname or alias.name.partition(".")[0]
                    self._add(bound, Binding("import", node, (alias.name if alias.asname else bound,), guards))
            elif isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    binding = Binding("from", node, (node.module or "", node.level, alias.name), guards)
                    if alias.name == "*":
                        self.stars.append(binding)
                    else:
                        self._add(alias.asname or alias.name, binding)
            elif isinstance(node, ast.Assign):
                self.dynamic = self.dynamic or _is_dynamic(node.value)
                for target in node.targets:
                    self._assign(target, node.value, (), guards)
            elif isinstance(node, ast.AnnAssign) and node.value is not None:
                self._assign(node.target, node.value, (), guards)
            elif isinstance(node, ast.AugAssign):
                if isinstance(node.target, ast.Name):
                    self._add(node.target.id, Binding("opaque", node, (), guards))
            elif isinstance(node, ast.Expr):
                self.dynamic = self.dynamic or _is_dynamic(node.value)
            else:
                self._compound(node, guards)

    def _compound(self, node: ast.stmt, guards: tuple[Guard, ...]) -> None:
        if isinstance(node, ast.If):
            self._read(node.body, (*guards, (node, "body")))
            self._read(node.orelse, (*guards, (node, "else")))
        elif isinstance(node, ast.Try):
            self._read(node.body, (*guards, (node, "body")))
            for handler in node.handlers:
                self._read(handler.body, (*guards, (node, "handler")))
            self._read(node.orelse, (*guards, (node, "body")))
            self._read(node.finalbody, guards)
        elif isinstance(node, ast.With):
            self._read(node.body, guards)
        elif isinstance(node, (ast.For, ast.While)):
            if isinstance(node, ast.For):
                self._assign(node.target, None, (), guards)
            self._read(node.body, guards)

    def _assign(
        self, target: ast.expr, value: ast.expr | None, path: tuple[int, ...], guards: tuple[Guard, ...]
    ) -> None:
        if isinstance(target, ast.Name):
            kind: Literal["value", "opaque"] = "opaque" if value is None else "value"
            self._add(target.id, Binding(kind, value, path, guards))
        elif isinstance(target, (ast.Tuple, ast.List)):
            for index, item in enumerate(target.elts):
                self._assign(item, value, (*path, index), guards)
        elif isinstance(target, ast.Subscript):
            self.dynamic = self.dynamic or _is_dynamic(target.value)


_MAKERS: Final = frozenset({"globals", "vars", "locals", "exec"})


def _is_dynamic(node: ast.expr) -> bool:
    """Whether an expression gets hold of the module's own namespace (``globals()``, ``sys.modules``)."""
    for part in ast.walk(node):
        if isinstance(part, ast.Call):
            name = part.func.id if isinstance(part.func, ast.Name) else ""
            if name in _MAKERS:
                return True
            if name == "setattr" and any(
                isinstance(item, ast.Attribute) and item.attr == "modules" for item in ast.walk(part)
            ):
                return True
        elif isinstance(part, ast.Attribute) and part.attr == "modules" and isinstance(part.value, ast.Name):
            return part.value.id == "sys"
    return False


class ModuleBindings:
    """The names of one module. An index tells them; a statement is parsed only when a name that it binds is asked for.

    The index of a text is plain data: whether the module is dynamic, and for each part of the text (a statement of its
    top level, or several that share a line) its first line and the names that it binds, ``*`` for a star import.
    """

    __slots__ = ("_lines", "_parts", "_read", "_starred", "_text", "dynamic", "names")

    def __init__(self, text: str, index: Any, read: dict[int, Bindings]) -> None:
        """``read``: the parts that were parsed already, by number."""
        self._text = text
        self._lines: list[str] | None = None
        self._parts: list[tuple[int, list[str]]] = index["parts"]
        self._read = read
        places: dict[str, list[int]] = {}
        for number, (_, names) in enumerate(self._parts):
            for name in names:
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
            if self._lines is None:
                self._lines = self._text.split("\n")
            first, names = self._parts[number]
            end = self._parts[number + 1][0] if number + 1 < len(self._parts) else None
            text = "\n" * (first - 1) + "\n".join(self._lines[first - 1 : None if end is None else end - 1])
            try:
                found = Bindings(_parsed(text))
            except (SyntaxError, RecursionError, MemoryError):
                # Too deep for what is left of the stack by now, or of a syntax that an earlier statement switches on.
                found = Bindings(ast.Module([], []))
                found.names = {name: [Binding("opaque", None)] for name in names}
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


def of_source(text: str, facts: Facts) -> ModuleBindings | None:
    """What a module's source binds; None where it is no source that this Python can parse.

    Raises :class:`RecursionError` or :class:`MemoryError` where it is nested too deeply.
    """
    read: dict[int, Bindings] = {}

    def draw() -> Json:
        try:
            parts = _parts(text)
        except (SyntaxError, ValueError):
            return None
        read.update((number, Bindings(ast.Module(nodes, []))) for number, (_, nodes) in enumerate(parts))
        return {
            "dynamic": any(part.dynamic for part in read.values()),
            "parts": [
                [first, [*read[number].names, *"*"[: len(read[number].stars)]]]
                for number, (first, _) in enumerate(parts)
            ],
        }

    kind = "bindings {}.{}".format(*sys.version_info)  # what can be parsed depends on it
    index = facts.kept(kind, text.encode("utf-8", "surrogatepass"), draw, __file__)
    return None if index is None else ModuleBindings(text, index, read)


def _parts(text: str) -> list[tuple[int, list[ast.stmt]]]:
    """First line and statements of each part of a source: each can be parsed without the others."""
    lines = text.split("\n")
    parts: list[tuple[int, list[ast.stmt]]] = []
    for node in _parsed(text).body:
        first = min([node.lineno, *(item.lineno for item in getattr(node, "decorator_list", ()))])
        begins_line = node.col_offset == 0 and (first == node.lineno or lines[first - 1].startswith("@"))
        if parts and not begins_line:
            parts[-1][1].append(node)
        else:
            parts.append((first if parts else 1, [node]))
    return parts


def _parsed(text: str) -> ast.Module:
    """The syntax tree, without the warnings that the code of others would cause (invalid escapes in strings)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(text)


def imported(node: ast.Try) -> Iterator[tuple[str, int, str | None]]:
    """The imports in the body of a ``try``: ``(module, level, name)``, name None for a plain import."""
    for statement in node.body:
        if isinstance(statement, ast.Import):
            for alias in statement.names:
                yield alias.name, 0, None
        elif isinstance(statement, ast.ImportFrom):
            for alias in statement.names:
                yield statement.module or "", statement.level, alias.name


def catches(handler: ast.ExceptHandler) -> frozenset[str]:
    """The names of the exceptions that a handler names; ``BaseException`` for a bare one."""
    if handler.type is None:
        return frozenset({"BaseException"})
    parts = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return frozenset(part.id if isinstance(part, ast.Name) else getattr(part, "attr", "") for part in parts)
