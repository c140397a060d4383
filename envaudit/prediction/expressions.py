"""Evaluating expressions."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable
from typing import Any, Final

from envaudit.prediction.comparisons import contains, identical, kinds_differ
from envaudit.prediction.core import Core, Signal
from envaudit.prediction.values import (
    UNKNOWN,
    Abstract,
    ClassValue,
    Dictionary,
    External,
    Frame,
    Function,
    NotConcrete,
    Sequence,
    Slice,
    Union,
    abstract,
    concrete,
    is_constant,
    join,
)
from envaudit.prediction.world import MISSING, NoModule

BINARY: Final[dict[type, Callable[[Any, Any], Any]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.BitOr: operator.or_,
    ast.BitAnd: operator.and_,
}
COMPARE: Final[dict[type, Callable[[Any, Any], Any]]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
WIDE: Final = re.compile(r"\d{4}")
"""A width in a format that would make a long text out of a short one."""
LONGEST: Final = 2_000
"""Characters or items that a computed constant may have."""


class Expressions(Core):
    """The expression half of an evaluation."""

    def evaluate(self, node: ast.expr, frame: Frame) -> Abstract:
        """The value of an expression. Raises :class:`Signal`."""
        self.spend()
        method = getattr(self, f"_{type(node).__name__}", None)
        if method is None:
            return UNKNOWN
        return method(node, frame)

    def _Constant(self, node: ast.Constant, frame: Frame) -> Abstract:
        return node.value

    def _Name(self, node: ast.Name, frame: Frame) -> Abstract:
        current: Frame | None = frame
        name = node.id
        while current is not None:
            if name in current.names:
                return current.names[name]
            if current.body is not None and current is frame:
                value = self.member(current.body, name, own=True)
                if value is not MISSING:
                    return value
            current = current.outer
        try:
            value = self.world.lookup(frame.module, name)
        except NoModule:
            return UNKNOWN
        if value is MISSING:
            return self.world.lookup("builtins", name) if name != "__class__" else UNKNOWN
        return value

    def _Attribute(self, node: ast.Attribute, frame: Frame) -> Abstract:
        value = self.evaluate(node.value, frame)
        self.at(node)
        return self.attribute(value, node.attr)

    def _Tuple(self, node: ast.Tuple | ast.List | ast.Set, frame: Frame) -> Abstract:
        items: list[Abstract] = []
        exact = True
        for item in node.elts:
            if isinstance(item, ast.Starred):
                more, whole = self.items_of(self.evaluate(item.value, frame))
                items += more
                exact = exact and whole
            else:
                items.append(self.evaluate(item, frame))
        return Sequence(type(node).__name__.lower(), items, exact)

    _List = _Tuple
    _Set = _Tuple

    def _Dict(self, node: ast.Dict, frame: Frame) -> Abstract:
        made = Dictionary()
        for key, item in zip(node.keys, node.values, strict=True):
            value = self.evaluate(item, frame)
            if key is None:
                made.update(value)
            else:
                made.store(self.evaluate(key, frame), value)
        return made

    def _JoinedStr(self, node: ast.JoinedStr, frame: Frame) -> Abstract:
        parts = [self.evaluate(item, frame) for item in node.values]
        return "".join(parts) if all(isinstance(part, str) for part in parts) else UNKNOWN

    def _FormattedValue(self, node: ast.FormattedValue, frame: Frame) -> Abstract:
        value = self.evaluate(node.value, frame)
        if node.format_spec is not None:
            return UNKNOWN
        return self.formatted(value, "r" if node.conversion == ord("r") else "s")

    def formatted(self, value: Abstract, how: str) -> Abstract:
        """``str(value)`` or ``repr(value)``."""
        if isinstance(value, Signal):
            return value.text
        if isinstance(value, ClassValue):
            return f"<class '{value.module}.{value.name}'>"
        if isinstance(value, External) and value.module != "builtins":
            return f"<class '{value.dotted}'>"
        try:
            plain = concrete(value)
        except NotConcrete:
            return UNKNOWN
        return repr(plain) if how == "r" else str(plain)

    def _BoolOp(self, node: ast.BoolOp, frame: Frame) -> Abstract:
        stops = isinstance(node.op, ast.Or)
        possible: list[Abstract] = []
        uncertain = 0
        try:
            for index, part in enumerate(node.values):
                value = self.evaluate(part, frame)
                truth = self.truth_of(value)
                possible.append(value)
                if truth is stops:
                    break
                if truth is not None and index < len(node.values) - 1:
                    possible.pop()
                elif truth is None and index < len(node.values) - 1:
                    self.maybe += 1
                    uncertain += 1
        finally:
            self.maybe -= uncertain
        if truth is False:
            return value  # an ``and`` is false whatever its other parts are
        return join(possible)

    def _UnaryOp(self, node: ast.UnaryOp, frame: Frame) -> Abstract:
        value = self.evaluate(node.operand, frame)
        if isinstance(node.op, ast.Not):
            truth = self.truth_of(value)
            return UNKNOWN if truth is None else not truth
        if isinstance(node.op, ast.USub) and isinstance(value, (int, float)):
            return -value
        return UNKNOWN

    def _BinOp(self, node: ast.BinOp, frame: Frame) -> Abstract:
        left, right = self.evaluate(node.left, frame), self.evaluate(node.right, frame)
        if isinstance(node.op, ast.Add) and isinstance(left, Sequence) and isinstance(right, Sequence):
            return Sequence(left.kind, [*left.items, *right.items], left.exact and right.exact)
        if isinstance(node.op, ast.Mod) and isinstance(left, str):
            items = right.items if isinstance(right, Sequence) and right.kind == "tuple" else [right]
            return self._percent(left, items)
        function = BINARY.get(type(node.op))
        if function is None:
            return UNKNOWN
        return self.compute(function, left, right)

    def _percent(self, text: str, items: list[Abstract]) -> Abstract:
        plain = []
        if WIDE.search(text):
            return UNKNOWN
        named: dict[Any, Abstract] | None = None
        if len(items) == 1 and isinstance(items[0], Dictionary):
            named = items[0].entries
            items = [*named.values()]
        for item in items:
            shown = item if isinstance(item, (int, float, str)) else self.formatted(item, "s")
            if not is_constant(shown):
                return UNKNOWN
            plain.append(shown)
        try:
            return text % (named if named is not None else tuple(plain))
        except (TypeError, ValueError, KeyError):
            return UNKNOWN

    def compute(self, function: Callable[..., Any], *values: Abstract) -> Abstract:
        """Do a pure operation on fully known values; UNKNOWN where one is not known or it fails."""
        try:
            plain = [concrete(value) for value in values]
            if any(isinstance(item, (str, bytes, list, tuple)) and len(item) > LONGEST for item in plain):
                return UNKNOWN
            if any(isinstance(item, int) and abs(item) > 10**12 for item in plain):
                return UNKNOWN
            if function is operator.mul and not all(isinstance(item, (int, float)) for item in plain):
                return UNKNOWN
            return abstract(function(*plain))
        except Exception:
            return UNKNOWN

    def _Compare(self, node: ast.Compare, frame: Frame) -> Abstract:
        left = self.evaluate(node.left, frame)
        answer: Abstract = True
        for kind, item in zip(node.ops, node.comparators, strict=True):
            right = self.evaluate(item, frame)
            holds = self._holds(kind, left, right)
            if holds is False:
                return False
            if holds is not True:
                answer = UNKNOWN
            left = right
        return answer

    def _holds(self, kind: ast.cmpop, left: Abstract, right: Abstract) -> Abstract:
        if isinstance(left, Union):
            answers = [self._holds(kind, option, right) for option in left.options]
            return answers[0] if all(item is answers[0] for item in answers) else UNKNOWN
        if isinstance(kind, (ast.Is, ast.IsNot)):
            truth = identical(left, right)
            return UNKNOWN if truth is None else truth is isinstance(kind, ast.Is)
        if isinstance(kind, (ast.In, ast.NotIn)):
            truth = contains(right, left)
            return UNKNOWN if truth is None else truth is isinstance(kind, ast.In)
        if isinstance(kind, (ast.Eq, ast.NotEq)) and kinds_differ(left, right):
            return isinstance(kind, ast.NotEq)
        if not isinstance(kind, (ast.Eq, ast.NotEq)):
            self._orders(kind, left, right)
        return self.compute(COMPARE[type(kind)], left, right)

    def _orders(self, kind: ast.cmpop, left: Abstract, right: Abstract) -> None:
        """The ``TypeError`` of comparing None with a number."""
        pair = (left, right)
        if None in pair and any(isinstance(item, (int, float)) for item in pair) and not self.maybe:
            sign = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="}[type(kind)]
            names = " and ".join(f"'{type(item).__name__}'" for item in pair)
            text = f"'{sign}' not supported between instances of {names}"
            raise self.fail("TypeError", text, "raises", self.running())

    def _IfExp(self, node: ast.IfExp, frame: Frame) -> Abstract:
        truth = self.truth_of(self.evaluate(node.test, frame))
        if truth is not None:
            return self.evaluate(node.body if truth else node.orelse, frame)
        values = []
        signals = []
        self.maybe += 1
        try:
            for part in (node.body, node.orelse):
                try:
                    values.append(self.evaluate(part, frame))
                except Signal as signal:
                    signals.append(signal)
        finally:
            self.maybe -= 1
        if not values:
            raise signals[0]
        return join(values)

    def _Lambda(self, node: ast.Lambda, frame: Frame) -> Abstract:
        return Function(node, frame)

    def _Subscript(self, node: ast.Subscript, frame: Frame) -> Abstract:
        value = self.evaluate(node.value, frame)
        key = self.evaluate(node.slice, frame)
        self.at(node)
        return self.subscript(value, key)

    def _Slice(self, node: ast.Slice, frame: Frame) -> Abstract:
        bounds = [None if part is None else self.evaluate(part, frame) for part in (node.lower, node.upper, node.step)]
        return Slice(*bounds)

    def _Starred(self, node: ast.Starred, frame: Frame) -> Abstract:
        return self.evaluate(node.value, frame)

    def _NamedExpr(self, node: ast.NamedExpr, frame: Frame) -> Abstract:
        value = self.evaluate(node.value, frame)
        frame.names[node.target.id] = value
        return value

    def _Await(self, node: ast.Await, frame: Frame) -> Abstract:
        return UNKNOWN

    def _Yield(self, node: ast.Yield, frame: Frame) -> Abstract:
        value = self.evaluate(node.value, frame) if node.value is not None else None
        frame.yields.append(value)
        frame.yields_all = frame.yields_all and self.maybe + self.fuzzy == frame.unsure
        return UNKNOWN

    def _YieldFrom(self, node: ast.YieldFrom, frame: Frame) -> Abstract:
        items, exact = self.items_of(self.evaluate(node.value, frame))
        frame.yields += items
        frame.yields_all = frame.yields_all and exact and self.maybe + self.fuzzy == frame.unsure
        return UNKNOWN

    def _ListComp(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp, frame: Frame) -> Abstract:
        items: list[Abstract] = []
        inner = Frame(frame.module, frame)
        exact = self._comprehend(node.generators, 0, inner, lambda: items.append(self.evaluate(node.elt, inner)))
        return Sequence("set" if isinstance(node, ast.SetComp) else "list", items, exact)

    _SetComp = _ListComp
    _GeneratorExp = _ListComp

    def _DictComp(self, node: ast.DictComp, frame: Frame) -> Abstract:
        made = Dictionary()
        inner = Frame(frame.module, frame)

        def add() -> None:
            made.store(self.evaluate(node.key, inner), self.evaluate(node.value, inner))

        made.exact = self._comprehend(node.generators, 0, inner, add) and made.exact
        return made

    def _comprehend(
        self, generators: list[ast.comprehension], index: int, frame: Frame, add: Callable[[], None]
    ) -> bool:
        """Run ``add`` for each round of the loops; whether the rounds were exactly those that will happen."""
        if index == len(generators):
            add()
            return True
        loop = generators[index]
        items, exact = self.items_of(self.evaluate(loop.iter, frame))
        for item in items or ([] if exact else [UNKNOWN]):
            self.assign(loop.target, item, frame)
            unsure = 0
            try:
                for test in loop.ifs:
                    truth = self.truth_of(self.evaluate(test, frame))
                    if truth is False:
                        break
                    if truth is None:
                        exact = False
                        unsure += 1
                        self.maybe += 1
                else:
                    exact = self._comprehend(generators, index + 1, frame, add) and exact
            finally:
                self.maybe -= unsure
        return exact
