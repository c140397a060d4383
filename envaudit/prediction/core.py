"""What the parts of an evaluation share: its state, its problems, and the signals that stand for exceptions."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

from envaudit.prediction.values import Abstract, ClassValue, External, Frame, Function, Instance
from envaudit.prediction.world import World

STEPS: Final = 400_000
"""Syntax nodes that one evaluation may look at before it gives up; a large pipeline takes a tenth of that."""
DEEPEST: Final = 45
"""Nested calls that are followed."""

PARENTS: Final = {
    "AttributeError": "Exception",
    "NotFittedError": "ValueError AttributeError",
    "ModuleNotFoundError": "ImportError",
    "ImportError": "Exception",
    "KeyError": "LookupError",
    "IndexError": "LookupError",
    "LookupError": "Exception",
    "TypeError": "Exception",
    "ValueError": "Exception",
    "NotImplementedError": "RuntimeError",
    "RuntimeError": "Exception",
    "Exception": "BaseException",
}
"""Bases of the exceptions that matter (Python documentation, "Exception hierarchy"; NotFittedError: scikit-learn)."""


def ancestors(kind: str) -> frozenset[str]:
    """An exception's own name and those of its bases."""
    found = {kind}
    for parent in PARENTS.get(kind, "Exception" if kind != "BaseException" else "").split():
        found |= ancestors(parent)
    return frozenset(found)


class Signal(Exception):  # noqa: N818  (it stands for any exception, errors or not)
    """An exception of the evaluated code. ``recorded`` where nothing can catch it and it stands in the problems."""

    def __init__(
        self, kind: str, text: str, recorded: bool = False, about: tuple[str, str, Any, str] | None = None
    ) -> None:
        super().__init__(f"{kind}: {text}")
        self.kind = kind
        self.text = text
        self.recorded = recorded
        self.about = about or ("raises", "", None, "")
        """Cause, subject, owner and attribute, should it be raised again where nothing catches it."""


class OutOfBudget(Exception):  # noqa: N818
    """The evaluation took too many steps."""


class Place(NamedTuple):
    """A line of the target's code."""

    module: str
    function: str
    line: int


class Problem(NamedTuple):
    """An exception that nothing catches."""

    kind: str
    """The exception's class."""
    text: str
    cause: str
    """Slug, see :class:`envaudit.model.Reason`."""
    subject: str
    certain: bool
    """It happens on every path; otherwise only where a condition holds that depends on more than the artifact."""
    chain: tuple[Place, ...]
    """The calls that lead there, the outermost first."""
    owner: Any = None
    """The needs of the object that it is about, where it is one of the artifact."""
    attribute: str = ""
    phase: str = "load"
    at: int = -1
    """Offset in the stream of the call that was being played, in the load phase."""


class Core:
    """State of one evaluation."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.problems: dict[tuple[str, str, str], Problem] = {}
        self.steps = 0
        self.stack: list[Place] = []
        self.catchers: list[tuple[frozenset[str], int]] = []
        """What running ``try`` statements catch, and how uncertain it was that each is reached."""
        self.maybe = 0
        self.memo: dict[Any, tuple[Abstract, Any]] = {}
        """What a call returned, and its arguments: they must live as long as the ids in the key."""
        self.fuzzy = 0
        """Loops that run whose rounds are examples of those that will happen."""
        self.symbols: dict[int, Abstract] = {}
        """id of a need -> its symbolic value."""
        self.lacking: tuple[Any, str] = (None, "")
        """The need of the object, and the attribute, of the last question after one that the file lacks."""
        self.phase = "load"
        self.offset = -1

    def spend(self, steps: int = 1) -> None:
        """Count work. Raises :class:`OutOfBudget`."""
        self.steps += steps
        if self.steps > STEPS:
            raise OutOfBudget

    def at(self, node: ast.AST) -> None:
        """Remember the line that is being evaluated."""
        line = getattr(node, "lineno", 0)
        if self.stack and line and self.stack[-1].line != line:
            module, function, _ = self.stack[-1]
            self.stack[-1] = Place(module, function, line)

    def caught(self, kind: str) -> bool:
        """Whether a running ``try`` would catch an exception."""
        names = ancestors(kind)
        return any(names & catcher for catcher, _ in self.catchers)

    @contextmanager
    def catching(self, *names: str) -> Iterator[None]:
        """While code runs whose exceptions of these classes are caught."""
        self.catchers.append((frozenset(names), self.maybe))
        try:
            yield
        finally:
            self.catchers.pop()

    def running(self) -> str:
        """The name of the function that runs."""
        return self.stack[-1].function if self.stack else ""

    def sure(self) -> bool:
        """Whether what happens now happens whenever the innermost ``try`` is reached (or at all, without one)."""
        return self.maybe <= (self.catchers[-1][1] if self.catchers else 0)

    def fail(
        self, kind: str, text: str, cause: str, subject: str = "", owner: Any = None, attribute: str = ""
    ) -> Signal:
        """An exception happens: the signal to raise where something catches it; else it is recorded as a problem."""
        if self.caught(kind):
            return Signal(kind, text, False, (cause, subject, owner, attribute))
        key = (self.phase, text, subject)
        known = self.problems.get(key)
        certain = self.maybe == 0
        if known is None or (certain and not known.certain):
            self.problems[key] = Problem(
                kind, text, cause, subject, certain, tuple(self.stack), owner, attribute, self.phase, self.offset
            )
        return Signal(kind, text, recorded=True)

    # The parts that the other modules of this folder add.

    def evaluate(self, node: ast.expr, frame: Frame) -> Abstract:
        """The value of an expression."""
        raise NotImplementedError

    def truth_of(self, value: Abstract) -> bool | None:
        """``bool(value)``, None where it cannot be told."""
        raise NotImplementedError

    def attribute(self, value: Abstract, name: str) -> Abstract:
        """``value.name``. Raises :class:`Signal`."""
        raise NotImplementedError

    def plain_attribute(self, value: Instance, name: str) -> Abstract:
        """``object.__getattribute__(value, name)``. Raises :class:`Signal`."""
        raise NotImplementedError

    def member(self, cls: ClassValue, name: str, behind: Abstract = None, own: bool = False) -> Abstract:
        """What the class or a base binds to a name, or MISSING; ``behind`` starts after that class in the MRO, ``own``
        looks into the class alone."""
        raise NotImplementedError

    def decorated(self, function: Function, frame: Frame) -> Abstract:
        """A function after its decorators."""
        raise NotImplementedError

    def call(
        self, function: Abstract, args: list[Abstract], kwargs: dict[str, Abstract] | None = None, whole: bool = True
    ) -> Abstract:
        """Call something; ``whole`` says that no further arguments hide in an unknown ``*args``."""
        raise NotImplementedError

    def items_of(self, value: Abstract) -> tuple[list[Abstract], bool]:
        """What iterating yields, and whether that is all and in order."""
        raise NotImplementedError

    def compute(self, function: Callable[..., Any], *values: Abstract) -> Abstract:
        """Do a pure operation on fully known values; UNKNOWN where one is not known or it fails."""
        raise NotImplementedError

    def formatted(self, value: Abstract, how: str) -> Abstract:
        """``str(value)`` (``how`` is ``s``) or ``repr(value)`` (``r``)."""
        raise NotImplementedError

    def subscript(self, value: Abstract, key: Abstract) -> Abstract:
        """``value[key]``."""
        raise NotImplementedError

    def assign(self, target: ast.expr, value: Abstract, frame: Frame) -> None:
        """Bind a target."""
        raise NotImplementedError

    def run(self, statements: list[ast.stmt], frame: Frame) -> str:
        """Run statements; how they end."""
        raise NotImplementedError

    def set_attribute(self, value: Abstract, name: str, new: Abstract) -> None:
        """``value.name = new``."""
        raise NotImplementedError


def external(value: Abstract) -> str:
    """The dotted name of an opaque value, else an empty text."""
    return value.dotted if isinstance(value, External) else ""
