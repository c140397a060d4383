"""What a module's source binds at its top level, and under which conditions: read from the syntax tree alone."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any, Final, Literal, NamedTuple

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


def _only_deletes(call: ast.Call) -> bool:
    """Whether it is ``exec("del " + name)``, which binds nothing (scipy.stats clears its temporary names so)."""
    code = call.args[0] if call.args else None
    start = code.left if isinstance(code, ast.BinOp) else code
    return isinstance(start, ast.Constant) and str(start.value).startswith("del ")


def _is_dynamic(node: ast.expr) -> bool:
    """Whether an expression gets hold of the module's own namespace (``globals()``, ``sys.modules``)."""
    for part in ast.walk(node):
        if isinstance(part, ast.Call):
            name = part.func.id if isinstance(part.func, ast.Name) else ""
            if name in _MAKERS and not _only_deletes(part):
                return True
            if name == "setattr" and any(
                isinstance(item, ast.Attribute) and item.attr == "modules" for item in ast.walk(part)
            ):
                return True
        elif isinstance(part, ast.Attribute) and part.attr == "modules" and isinstance(part.value, ast.Name):
            return part.value.id == "sys"
    return False


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
