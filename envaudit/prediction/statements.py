"""Running statements: both branches of a condition that depends on more than the artifact, then joined.

A branch that ends in ``raise`` under such a condition is taken for input validation that the input passes.
"""

from __future__ import annotations

import ast
from typing import Final

from envaudit.prediction.bindings import catches
from envaudit.prediction.core import Core, Signal, ancestors
from envaudit.prediction.values import (
    UNKNOWN,
    Abstract,
    ClassValue,
    Dictionary,
    External,
    Frame,
    Function,
    Instance,
    Sequence,
    Union,
    join,
)
from envaudit.prediction.world import MISSING, NoModule

FALLS: Final = "falls"
"""Control reaches the next statement."""
LEFT: Final = "left"
"""It returned or continued, or it left in different ways."""
BROKE: Final = "broke"
RAISED: Final = "raised"


class Statements(Core):
    """The statement half of an evaluation."""

    def run(self, statements: list[ast.stmt], frame: Frame) -> str:
        """Run statements; how they end. Raises :class:`Signal`."""
        for node in statements:
            self.spend()
            self.at(node)
            method = getattr(self, f"_{type(node).__name__}", None)
            if method is not None:
                end = method(node, frame)
                if end is not None and end != FALLS:
                    return str(end)
        return FALLS

    def _Expr(self, node: ast.Expr, frame: Frame) -> None:
        if not isinstance(node.value, ast.Constant):
            self.evaluate(node.value, frame)

    def _Assign(self, node: ast.Assign, frame: Frame) -> None:
        value = self.evaluate(node.value, frame)
        for target in node.targets:
            self.assign(target, value, frame)

    def _AnnAssign(self, node: ast.AnnAssign, frame: Frame) -> None:
        if node.value is not None:
            self.assign(node.target, self.evaluate(node.value, frame), frame)

    def _AugAssign(self, node: ast.AugAssign, frame: Frame) -> None:
        # The target is read too.
        load = ast.copy_location(_as_load(node.target), node.target)
        value = self.evaluate(ast.copy_location(ast.BinOp(load, node.op, node.value), node), frame)
        self.assign(node.target, value, frame)

    def assign(self, target: ast.expr, value: Abstract, frame: Frame) -> None:
        """Bind a target."""
        if isinstance(target, ast.Name):
            frame.names[target.id] = value
        elif isinstance(target, ast.Attribute):
            self.set_attribute(self.evaluate(target.value, frame), target.attr, value)
        elif isinstance(target, (ast.Tuple, ast.List)):
            self._unpack(target.elts, value, frame)
        elif isinstance(target, ast.Starred):
            self.assign(target.value, value, frame)
        elif isinstance(target, ast.Subscript):
            container = self.evaluate(target.value, frame)
            self.store_item(container, self.evaluate(target.slice, frame), value)

    def store_item(self, container: Abstract, key: Abstract, value: Abstract) -> None:
        """``container[key] = value``."""
        if isinstance(container, Dictionary):
            container.store(key, value)
        elif isinstance(container, Sequence):
            if isinstance(key, int) and container.exact and -len(container.items) <= key < len(container.items):
                container.items[key] = value
            else:
                container.exact = False
                container.items.append(value)

    def _unpack(self, targets: list[ast.expr], value: Abstract, frame: Frame) -> None:
        items = self._parts(value)
        starred = next((index for index, item in enumerate(targets) if isinstance(item, ast.Starred)), None)
        if items is not None and starred is None and len(items) == len(targets):
            for target, item in zip(targets, items, strict=True):
                self.assign(target, item, frame)
        elif items is not None and starred is not None and len(items) >= len(targets) - 1:
            after = len(targets) - starred - 1
            for target, item in zip(targets[:starred], items[:starred], strict=True):
                self.assign(target, item, frame)
            self.assign(targets[starred], Sequence("list", items[starred : len(items) - after]), frame)
            for target, item in zip(targets[starred + 1 :], items[len(items) - after :], strict=True):
                self.assign(target, item, frame)
        else:
            if items is not None and not self.maybe:
                raise self._misfit_of(len(targets), len(items), starred is not None)
            for target in targets:
                self.assign(target, UNKNOWN, frame)

    def _parts(self, value: Abstract) -> list[Abstract] | None:
        """What a value unpacks to; None where that cannot be told."""
        if isinstance(value, Union):
            options = [self._parts(option) for option in value.options]
            known = [option for option in options if option is not None]
            if len(known) < len(options) or len({len(option) for option in known}) > 1:
                return None
            return [join(parts) for parts in zip(*known, strict=True)]
        found, exact = self.items_of(value) if isinstance(value, (Sequence, Dictionary)) else ([], False)
        return found if exact else None

    def _misfit_of(self, wanted: int, got: int, starred: bool) -> Signal:
        """The ``ValueError`` of unpacking a sequence of another length."""
        if got > wanted and not starred:
            text = f"too many values to unpack (expected {wanted})"
        else:
            least = "at least " if starred else ""
            text = f"not enough values to unpack (expected {least}{wanted - starred}, got {got})"
        return self.fail("ValueError", text, "raises", self.running())

    def _Delete(self, node: ast.Delete, frame: Frame) -> None:
        for target in node.targets:
            if isinstance(target, ast.Attribute):
                value = self.evaluate(target.value, frame)
                if isinstance(value, Instance):
                    value.attributes.entries.pop(target.attr, None)
            elif isinstance(target, ast.Subscript):
                value = self.evaluate(target.value, frame)
                key = self.evaluate(target.slice, frame)
                if isinstance(value, Dictionary) and isinstance(key, str):
                    value.entries.pop(key, None)

    def _Return(self, node: ast.Return, frame: Frame) -> str:
        frame.returned.append(None if node.value is None else self.evaluate(node.value, frame))
        return LEFT

    def _Break(self, node: ast.stmt, frame: Frame) -> str:
        return BROKE

    def _Continue(self, node: ast.stmt, frame: Frame) -> str:
        return LEFT

    def _FunctionDef(self, node: ast.FunctionDef, frame: Frame) -> None:
        function = Function(node, frame)
        frame.names[node.name] = self.decorated(function, frame) if node.decorator_list else function

    def _ClassDef(self, node: ast.ClassDef, frame: Frame) -> None:
        frame.names[node.name] = self.world.class_of(node, frame)

    def _Import(self, node: ast.Import, frame: Frame) -> None:
        for alias in node.names:
            bound = alias.asname or alias.name.partition(".")[0]
            try:
                self.world.module(alias.name)
                frame.names[bound] = self.world.module(alias.name if alias.asname else bound)
            except NoModule as missing:
                frame.names[bound] = UNKNOWN
                self._cannot_import(f"No module named '{missing}'", str(missing))

    def _cannot_import(self, text: str, subject: str) -> None:
        signal = self.fail("ModuleNotFoundError", text, "missing-module", subject)
        if not signal.recorded:
            raise signal

    def _ImportFrom(self, node: ast.ImportFrom, frame: Frame) -> None:
        source = self.world.absolute(node.module or "", node.level, frame.module)
        for alias in node.names:
            if alias.name == "*":
                continue
            value: Abstract = UNKNOWN
            try:
                self.world.module(source)
                value = self.world.from_import(source, alias.name, frame.module, 0)
            except NoModule as missing:
                self._cannot_import(f"No module named '{missing}'", str(missing))
            if value is MISSING:
                value = UNKNOWN
                text = f"cannot import name '{alias.name}' from '{source}'"
                signal = self.fail("ImportError", text, "missing-name", f"{source}.{alias.name}")
                if not signal.recorded:
                    raise signal
            frame.names[alias.asname or alias.name] = value

    def _Raise(self, node: ast.Raise, frame: Frame) -> str:
        kind, text = "Exception", ""
        made = node.exc
        if made is None:
            pending = frame.names.get("<exception>")
            if isinstance(pending, Signal) and self.sure():
                raise self.fail(pending.kind, pending.text, *pending.about)
            return RAISED
        if not self.sure():
            return RAISED
        if isinstance(made, ast.Call):
            kind = self._exception_name(made.func, frame)
            value = self.evaluate(made.args[0], frame) if made.args else ""
            text = value if isinstance(value, str) else "..."
        elif isinstance(made, ast.Name) and isinstance(frame.names.get(made.id), Signal):
            again = frame.names[made.id]
            raise self.fail(again.kind, again.text, *again.about)
        else:
            kind = self._exception_name(made, frame)
        about = self.lacking if kind == "NotFittedError" else (None, "")
        raise self.fail(kind, text, "raises", self.running(), *about)

    def _exception_name(self, node: ast.expr, frame: Frame) -> str:
        if isinstance(node, ast.Name):
            value = frame.names.get(node.id)
            if isinstance(value, (ClassValue, External)):
                return value.name.rpartition(".")[2]
            return node.id
        return node.attr if isinstance(node, ast.Attribute) else "Exception"

    def _Assert(self, node: ast.Assert, frame: Frame) -> str | None:
        if self.truth_of(self.evaluate(node.test, frame)) is False and not self.maybe:
            raise self.fail("AssertionError", "", "raises", self.running())
        return None

    def _With(self, node: ast.With, frame: Frame) -> str:
        for item in node.items:
            value = self.evaluate(item.context_expr, frame)
            if item.optional_vars is not None:
                self.assign(item.optional_vars, value if isinstance(value, External) else UNKNOWN, frame)
        return self.run(node.body, frame)

    def _If(self, node: ast.If, frame: Frame) -> str:
        truth = self.truth_of(self.evaluate(node.test, frame))
        if truth is not None:
            return self.run(node.body if truth else node.orelse, frame)
        return self._either([node.body, node.orelse], frame)

    def _either(self, branches: list[list[ast.stmt]], frame: Frame) -> str:
        """Run several branches of which one happens, and join what falls through."""
        before = dict(frame.names)
        ends: list[str] = []
        after: list[dict[str, Abstract]] = []
        signals: list[Signal] = []
        for branch in branches:
            frame.names = dict(before)
            maybe = self.maybe
            self.maybe += 1
            try:
                end = self.run(branch, frame)
            except Signal as signal:
                signals.append(signal)
                end = RAISED
            finally:
                self.maybe = maybe
            ends.append(end)
            if end == FALLS:
                after.append(frame.names)
        if not after:
            frame.names = before
            if len(signals) == len(branches):
                raise signals[0]
            return ends[0] if len(set(ends)) == 1 else LEFT
        frame.names = _joined(after)
        if LEFT in ends or BROKE in ends:
            self.maybe += 1  # what follows happens only where that branch was not taken; undone by the caller
        return FALLS

    def _Try(self, node: ast.Try, frame: Frame) -> str:
        catching = [(handler, catches(handler)) for handler in node.handlers]
        caught = frozenset().union(*(names for _, names in catching))
        depth, maybe = len(self.stack), self.maybe
        try:
            with self.catching(*caught):
                end = self.run(node.body, frame)
        except Signal as signal:
            del self.stack[depth:]
            self.maybe = maybe
            names = ancestors(signal.kind)
            for handler, kinds in catching:
                if kinds & names and not signal.recorded:
                    if handler.name:
                        frame.names[handler.name] = signal
                    frame.names["<exception>"] = signal
                    end = self.run(handler.body, frame)
                    break
            else:
                self.run(node.finalbody, frame)
                raise
        else:
            if end == FALLS:
                end = self.run(node.orelse, frame)
        if node.finalbody:
            last = self.run(node.finalbody, frame)
            end = last if last != FALLS else end
        return end

    def _For(self, node: ast.For, frame: Frame) -> str:
        items, exact = self.items_of(self.evaluate(node.iter, frame))
        if not items and exact:
            return self.run(node.orelse, frame)
        maybe = self.maybe
        rounds = _distinct(items) if items else [UNKNOWN]
        examples = not exact or len(rounds) < len(items)
        for item in rounds:
            self.assign(node.target, item, frame)
            self.fuzzy += examples
            try:
                end = self.run(node.body, frame)
            finally:
                self.maybe = maybe
                self.fuzzy -= examples
            if end == RAISED and exact:
                return RAISED
            if end == BROKE and exact:
                return FALLS
            if end == LEFT and frame.returned and exact:
                return LEFT if _returns(node.body) else FALLS
        return FALLS

    def _While(self, node: ast.While, frame: Frame) -> str:
        truth = self.truth_of(self.evaluate(node.test, frame))
        if truth is False:
            return FALLS
        maybe = self.maybe
        end = self._either([node.body, []], frame) if truth is None else self.run(node.body, frame)
        self.maybe = maybe
        return end if end == RAISED or (end == LEFT and truth and _returns(node.body)) else FALLS


MOST_ROUNDS: Final = 40


def _distinct(items: list[Abstract]) -> list[Abstract]:
    """The rounds worth running: objects of one class with the same attributes do the same."""
    seen = set()
    kept = []
    for item in items:
        key = shape(item)
        if key is None or key not in seen:
            seen.add(key)
            kept.append(item)
        if len(kept) >= MOST_ROUNDS:
            break
    return kept


def shape(value: Abstract, depth: int = 2) -> object:
    """What makes two objects alike for the code that handles them; None where a value counts for itself."""
    if isinstance(value, Instance):
        entries = value.attributes.entries
        inner: list[tuple[str, object]] = []
        for name in entries:
            item = entries[name]
            if isinstance(item, (bool, str, type(None))):
                inner.append((name, item))
            elif isinstance(item, Instance):
                inner.append((name, shape(item, depth - 1) if depth else type(item)))
            else:
                inner.append((name, type(item).__name__))
        return (id(value.cls) if isinstance(value.cls, ClassValue) else value.cls, tuple(inner))
    if depth and isinstance(value, Sequence) and value.kind == "tuple":
        parts = tuple(shape(item, depth - 1) for item in value.items)
        return None if None in parts else parts
    return None


def _joined(after: list[dict[str, Abstract]]) -> dict[str, Abstract]:
    if len(after) == 1:
        return after[0]
    first, second = after[0], after[1]
    merged = dict(first)
    for name, value in second.items():
        merged[name] = value if name not in first or first[name] is value else join([first[name], value])
    return merged


def _returns(body: list[ast.stmt]) -> bool:
    return any(isinstance(part, ast.Return) for statement in body for part in ast.walk(statement))


def _as_load(target: ast.expr) -> ast.expr:
    if isinstance(target, ast.Name):
        return ast.Name(target.id, ast.Load())
    if isinstance(target, ast.Attribute):
        return ast.Attribute(target.value, target.attr, ast.Load())
    assert isinstance(target, ast.Subscript)
    return ast.Subscript(target.value, target.slice, ast.Load())
