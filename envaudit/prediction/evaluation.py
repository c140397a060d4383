"""One evaluation: all its parts together."""

from __future__ import annotations

import ast
from collections.abc import Callable

from envaudit.prediction.attributes import Attributes
from envaudit.prediction.calls import Calls
from envaudit.prediction.core import Place, Signal
from envaudit.prediction.expressions import Expressions
from envaudit.prediction.statements import Statements
from envaudit.prediction.values import UNKNOWN, Abstract, Frame, Function
from envaudit.prediction.world import World
from envaudit.surface import Surface


class Evaluation(Expressions, Statements, Attributes, Calls):
    """Evaluates code of one target on the objects of one artifact."""

    @classmethod
    def world_of(cls, surface: Surface) -> World:
        """The modules of a target; made once, it serves any number of evaluations."""
        world = World(surface)
        own = cls(world)
        world.evaluate = own._quietly
        world.truth = lambda node, frame: own.truth_of(own._quietly(node, frame))
        world.call = own._asked
        world.decorated = own._defined
        return world

    def _quietly(self, node: ast.expr, frame: Frame) -> Abstract:
        """Evaluate code of a module's top level: it runs at import, so what fails in it is not the artifact's doing."""
        try:
            return self._isolated(frame.module, lambda: self.evaluate(node, frame))
        except Signal:
            return UNKNOWN

    def _defined(self, function: Function, frame: Frame) -> Abstract:
        """What a ``def`` at a module's or a class's top level binds: the function after its decorators."""
        return self._isolated(frame.module, lambda: self.decorated(function, frame))

    def _asked(self, function: Function, args: list[Abstract]) -> Abstract:
        """Call a module's ``__getattr__``; who asks decides what its exception means. Raises :class:`Signal`."""
        return self._isolated(function.module, lambda: self.call(function, args))

    def _isolated(self, module: str, work: Callable[[], Abstract]) -> Abstract:
        catchers, maybe, depth = self.catchers, self.maybe, len(self.stack)
        self.catchers, self.maybe = [(frozenset({"BaseException"}), 0)], 0
        if not self.stack:
            self.steps = 0
        self.stack.append(Place(module, "", 0))
        try:
            return work()
        finally:
            self.catchers, self.maybe = catchers, maybe
            del self.stack[depth:]
