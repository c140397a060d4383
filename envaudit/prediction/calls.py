"""Calling: binding arguments, following the target's functions, making objects, and iterating."""

from __future__ import annotations

import ast
from typing import Any, Final

from envaudit.prediction import container_methods, layouts, models
from envaudit.prediction.attributes import Method
from envaudit.prediction.core import DEEPEST, Core, Place, Signal
from envaudit.prediction.values import (
    ABSENT,
    UNKNOWN,
    Abstract,
    ArrayValue,
    Bound,
    ClassValue,
    Descriptor,
    Dictionary,
    External,
    Frame,
    Function,
    Input,
    Instance,
    ModuleValue,
    Partial,
    Sequence,
    Slice,
    Super,
    Union,
    Unknown,
    interesting,
    is_constant,
    join,
    known,
)
from envaudit.prediction.world import MISSING, OPAQUE

LONGEST: Final = 80
"""Lines of a function that is followed though it gets nothing of the artifact."""


class Calls(Core):
    """The calling half of an evaluation."""

    def _Call(self, node: ast.Call, frame: Frame) -> Abstract:
        if isinstance(node.func, ast.Name) and node.func.id == "super" and not node.args:
            return Super(frame.cls, _first(frame))
        if isinstance(node.func, ast.Name) and node.func.id in ("locals", "globals", "vars") and not node.args:
            return UNKNOWN
        function = self.evaluate(node.func, frame)
        args: list[Abstract] = []
        whole = True
        for item in node.args:
            if isinstance(item, ast.Starred):
                more, exact = self.items_of(self.evaluate(item.value, frame))
                args += more if exact else []
                whole = whole and exact
            else:
                args.append(self.evaluate(item, frame))
        kwargs: dict[str, Abstract] = {}
        for keyword in node.keywords:
            value = self.evaluate(keyword.value, frame)
            if keyword.arg is not None:
                kwargs[keyword.arg] = value
            elif isinstance(value, Dictionary):
                kwargs.update((name, item) for name, item in value.entries.items() if isinstance(name, str))
                whole = whole and value.exact
            else:
                whole = False
        self.at(node)
        return self.call(function, args, kwargs, whole)

    def call(
        self, function: Abstract, args: list[Abstract], kwargs: dict[str, Abstract] | None = None, whole: bool = True
    ) -> Abstract:
        """Call something; ``whole`` says that no further arguments hide in an unknown ``*args``."""
        kwargs = kwargs or {}
        self.spend()
        if isinstance(function, Bound):
            inner = function.function
            if isinstance(inner, Descriptor):
                inner = inner.function
            return self.call(inner, [function.instance, *args], kwargs, whole)
        if isinstance(function, Partial):
            special = models.PARTIALS.get(getattr(function.function, "dotted", ""))
            if special is not None:
                return special(self, function, args, kwargs)
            return self.call(function.function, [*function.args, *args], {**dict(function.kwargs), **kwargs}, whole)
        if isinstance(function, Function):
            return self._follow(function, args, kwargs, whole)
        if isinstance(function, ClassValue):
            return self._make(function, args, kwargs, whole)
        if isinstance(function, Method):
            return container_methods.method(self, function, args, kwargs)
        if isinstance(function, External):
            model = models.EXTERNALS.get(function.dotted)
            if model is not None:
                return model(self, args, kwargs) if whole else UNKNOWN
            layouts.check_buffers(self, function, args)
            return UNKNOWN
        if isinstance(function, Instance) and isinstance(function.cls, ClassValue):
            caller = self.member(function.cls, "__call__")
            if isinstance(caller, (Function, Partial, Descriptor)):
                return self.call(Bound(caller, function), args, kwargs, whole)
        if isinstance(function, Union):
            self.maybe += 1
            try:
                return join([self.call(option, args, kwargs, whole) for option in function.options])
            finally:
                self.maybe -= 1
        return UNKNOWN

    def _make(self, cls: ClassValue, args: list[Abstract], kwargs: dict[str, Abstract], whole: bool) -> Abstract:
        model = models.BY_NAME.get(cls.name) if cls.module.partition(".")[0] in models.MODELLED else None
        if model is not None:
            return model(self, args, kwargs)
        made = Instance(cls)
        made.attributes.exact = not cls.open
        initial = self.member(cls, "__init__")
        if isinstance(initial, (Function, Descriptor, Partial)):
            self.call(Bound(initial, made), args, kwargs, whole)
        elif is_dataclass(cls):
            for position, (name, default) in enumerate(fields_of(self, cls)):
                value = args[position] if position < len(args) else kwargs.get(name, default)
                made.attributes.entries[name] = value
        return made

    def _follow(self, function: Function, args: list[Abstract], kwargs: dict[str, Abstract], whole: bool) -> Abstract:
        top = function.module.partition(".")[0]
        if top in models.MODELLED:
            model = models.BY_NAME.get(function.name)
            if model is not None:
                return model(self, args, kwargs)
        if len(self.stack) >= DEEPEST:
            return UNKNOWN
        if not self._worth(function, args, kwargs, top):
            if self.stack and not self.stack[-1].module:  # the load itself calls it: at least its arguments must fit
                self.bind_arguments(function, Frame(function.module, function.frame), args, kwargs, whole)
            return UNKNOWN
        running = sum(1 for place in self.stack if place.function == function.name and place.module == function.module)
        if running > 6:
            return UNKNOWN
        key = self._key(function, args, kwargs)
        if key is not None and key in self.memo:
            return self.memo[key][0]
        frame = Frame(function.module, function.frame)
        frame.cls = function.cls or function.frame.cls
        frame.unsure = self.maybe + self.fuzzy
        self.bind_arguments(function, frame, args, kwargs, whole)
        maybe = self.maybe
        self.stack.append(Place(function.module, function.name, getattr(function.node, "lineno", 0)))
        depth = len(self.stack)
        try:
            if isinstance(function.node, ast.Lambda):
                frame.returned.append(self.evaluate(function.node.body, frame))
            elif self.run(function.node.body, frame) == "falls":
                frame.returned.append(None)
        finally:
            del self.stack[depth - 1 :]
            self.maybe = maybe
        if frame.yields:
            value: Abstract = Sequence("list", frame.yields, frame.yields_all)
        else:
            value = join(frame.returned) if frame.returned else UNKNOWN
        if key is not None:
            self.memo[key] = (value, (args, kwargs))
        return value

    def _worth(self, function: Function, args: list[Abstract], kwargs: dict[str, Abstract], top: str) -> bool:
        """Whether following a call can tell anything: it gets something of the artifact, or only what is known."""
        values = [*args, *kwargs.values()]
        if any(interesting(value) for value in values) or function.frame.names:
            return True
        inside = self.stack[-1].module.partition(".")[0] if self.stack else top
        if top in OPAQUE and inside not in ("", top):  # the load itself may call anything
            return False
        length = (getattr(function.node, "end_lineno", 0) or 0) - _first_line(function.node)
        # A text may be a stored word that stands for an object ("passthrough").
        texts = top not in OPAQUE and any(isinstance(value, str) for value in values)
        return length <= LONGEST and (texts or all(known(value) for value in values))

    def _key(self, function: Function, args: list[Abstract], kwargs: dict[str, Abstract]) -> Any:
        """What makes two calls the same one, for the objects as they are now; None where that cannot be told."""
        parts: list[Any] = [id(function.node), self.maybe > 0, len(self.catchers) > 0]
        for name, value in [*enumerate(args), *sorted(kwargs.items())]:
            if is_constant(value):
                parts.append((name, type(value).__name__, value))
            elif isinstance(value, Instance):
                parts.append((name, id(value), len(value.attributes.entries)))
            elif isinstance(value, (Input, ClassValue, Function, Unknown)):
                parts.append((name, id(value)))
            else:
                return None
        if function.frame.names:
            return None
        try:
            hash(tuple(parts))
        except TypeError:
            return None
        return tuple(parts)

    def bind_arguments(
        self, function: Function, frame: Frame, args: list[Abstract], kwargs: dict[str, Abstract], whole: bool
    ) -> None:
        """Bind a call's arguments to parameters. Raises :class:`Signal` where they do not fit (``TypeError``)."""
        spec = function.node.args
        shown = function.qualname if self.world.surface.python >= (3, 10) else function.name  # as CPython says it
        positional = [*spec.posonlyargs, *spec.args]
        names = [item.arg for item in positional]
        left = dict(kwargs)
        for name, value in zip(names, args, strict=False):
            frame.names[name] = value
        if len(args) > len(names) and spec.vararg is None and whole:
            raise self._misfit(function, _too_many(shown, names, len(spec.defaults), len(args)))
        if spec.vararg is not None:
            frame.names[spec.vararg.arg] = Sequence("tuple", list(args[len(names) :]), whole)
        for name in [*names[min(len(args), len(names)) :], *(item.arg for item in spec.kwonlyargs)]:
            if name in left:
                frame.names[name] = left.pop(name)
        defaults = dict(zip(reversed(names), reversed(spec.defaults), strict=False))
        defaults.update(
            (item.arg, value)
            for item, value in zip(spec.kwonlyargs, spec.kw_defaults, strict=True)
            if value is not None
        )
        missing = []
        for name in [*names, *(item.arg for item in spec.kwonlyargs)]:
            if name not in frame.names:
                if name in defaults and whole:
                    frame.names[name] = self.evaluate(defaults[name], function.frame)
                elif name in defaults or not whole:
                    frame.names[name] = UNKNOWN
                else:
                    missing.append(name)
                    frame.names[name] = UNKNOWN
        if spec.kwarg is not None:
            frame.names[spec.kwarg.arg] = Dictionary(dict(left), whole)
        elif left and whole:
            raise self._misfit(function, f"{shown}() got an unexpected keyword argument '{min(left)}'")
        if missing:
            raise self._misfit(function, _too_few(shown, missing))
        if args:
            frame.first = args[0]

    def _misfit(self, function: Function, text: str) -> Signal:
        return self.fail("TypeError", text, "signature", f"{function.module}.{function.qualname}")

    def items_of(self, value: Abstract) -> tuple[list[Abstract], bool]:
        """What iterating yields, and whether that is all and in order."""
        if isinstance(value, Sequence):
            return list(value.items), value.exact
        if isinstance(value, Dictionary):
            return list(value.entries), value.exact
        if isinstance(value, str) and len(value) < 200:
            return list(value), True
        if isinstance(value, ArrayValue) and value.need.items is not None:
            from envaudit.prediction.loading import symbolic

            items = [symbolic(self, item) for item in value.need.items.items]
            shape = value.need.shape or ()
            if len(shape) <= 1:
                return items, value.need.items.length == len(items)
            rows = [Sequence("list", items, exact=False)]
            return rows, False
        if isinstance(value, Union):
            found = [item for option in value.options for item in self.items_of(option)[0]]
            return found, False
        if isinstance(value, Instance) and isinstance(value.cls, ClassValue):
            iterator = self.member(value.cls, "__iter__")
            if isinstance(iterator, Function):
                return self.items_of(self.call(Bound(iterator, value), []))[0], False
        return [], False

    def subscript(self, value: Abstract, key: Abstract) -> Abstract:
        """``value[key]``."""
        if isinstance(value, Dictionary):
            return self._item(value, key)
        if isinstance(value, ArrayValue) and value.need.items is not None:
            value = Sequence("list", *self.items_of(value))
        if isinstance(value, Sequence):
            return _indexed(value, key)
        if isinstance(value, str) and isinstance(key, int):
            return value[key] if -len(value) <= key < len(value) else UNKNOWN
        if isinstance(value, (External, ClassValue)):
            return value  # a generic alias
        if isinstance(value, Instance) and isinstance(value.cls, ClassValue):
            getter = self.member(value.cls, "__getitem__")
            if isinstance(getter, (Function, Partial)):
                return self.call(Bound(getter, value), [key])
        if isinstance(value, Union):
            return join([self.subscript(option, key) for option in value.options])
        return ABSENT if value is ABSENT else UNKNOWN

    def _item(self, value: Dictionary, key: Abstract) -> Abstract:
        try:
            if key in value.entries:
                return value.entries[key]
        except TypeError:
            return UNKNOWN
        if is_constant(key) and value.exact:
            signal = Signal("KeyError", repr(key))
            if self.caught("KeyError") and not self.maybe:
                raise signal
            return UNKNOWN
        return UNKNOWN if is_constant(key) else join([*list(value.entries.values())[:8], *value.others[:4], UNKNOWN])

    def truth_of(self, value: Abstract) -> bool | None:
        """``bool(value)``, None where it cannot be told."""
        if is_constant(value):
            return bool(value)
        if isinstance(value, Sequence):
            return bool(value.items) or (False if value.exact else None)
        if isinstance(value, Dictionary):
            return bool(value.entries) or (False if value.exact else None)
        if isinstance(value, Union):
            answers = {self.truth_of(option) for option in value.options}
            return answers.pop() if len(answers) == 1 else None
        if isinstance(value, (Function, Bound, ClassValue, ModuleValue, Partial, Method)):
            return True
        if isinstance(value, External):
            return True if value.dotted in models.EXTERNALS or value.name[:1].isupper() else None
        known = isinstance(value, Instance) and isinstance(value.cls, ClassValue) and not value.cls.open
        if known and all(self.member(value.cls, name) is MISSING for name in ("__bool__", "__len__")):
            return True
        return None


def is_dataclass(cls: ClassValue) -> bool:
    """Whether ``@dataclass`` writes the class's ``__init__``."""
    names = [item.func if isinstance(item, ast.Call) else item for item in cls.node.decorator_list]
    return any(getattr(item, "id", getattr(item, "attr", "")) == "dataclass" for item in names)


def fields_of(core: Core, cls: ClassValue) -> list[tuple[str, Abstract]]:
    """A dataclass's fields with their defaults, the bases' first."""
    found: dict[str, Abstract] = {}
    for item in reversed(cls.mro):
        for node in item.node.body:
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                value: Abstract = UNKNOWN
                if node.value is not None:
                    value = core.world.evaluate(node.value, item.frame)
                    if isinstance(node.value, ast.Call):  # field(default_factory=...)
                        value = _by_factory(core, node.value, item.frame)
                found[node.target.id] = value
    return list(found.items())


def _by_factory(core: Core, node: ast.Call, frame: Frame) -> Abstract:
    for keyword in node.keywords:
        if keyword.arg == "default_factory":
            return core.call(core.world.evaluate(keyword.value, frame), [])
        if keyword.arg == "default":
            return core.world.evaluate(keyword.value, frame)
    return UNKNOWN


def _first_line(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> int:
    """The line on which the code of a function begins, behind its signature and its docstring."""
    if isinstance(node, ast.Lambda):
        return node.lineno
    documented = isinstance(node.body[0], ast.Expr) and isinstance(node.body[0].value, ast.Constant)
    return node.body[1 if documented and len(node.body) > 1 else 0].lineno


def _first(frame: Frame) -> Abstract:
    current: Frame | None = frame
    while current is not None:
        if current.first is not UNKNOWN:
            return current.first
        current = current.outer
    return UNKNOWN


def _indexed(value: Sequence, key: Abstract) -> Abstract:
    if isinstance(key, int) and value.exact and -len(value.items) <= key < len(value.items):
        return value.items[key]
    if isinstance(key, Slice):
        if all(bound is None or isinstance(bound, int) for bound in key):
            return Sequence(value.kind, value.items[slice(*key)], value.exact)
        return Sequence(value.kind, list(value.items), False)
    return (
        join(value.items[:6]) if value.items and len(value.items) <= 6 else value.items[0] if value.items else UNKNOWN
    )


def _too_many(name: str, names: list[str], defaults: int, given: int) -> str:
    least, most = len(names) - defaults, len(names)
    takes = f"{most}" if not defaults else f"from {least} to {most}"
    verb = "was" if given == 1 else "were"
    return f"{name}() takes {takes} positional argument{'' if most == 1 else 's'} but {given} {verb} given"


def _too_few(name: str, missing: list[str]) -> str:
    shown = [repr(item) for item in missing]
    text = " and ".join(shown) if len(shown) <= 2 else ", ".join(shown[:-1]) + f", and {shown[-1]}"
    return f"{name}() missing {len(missing)} required positional argument{'s' if len(missing) > 1 else ''}: {text}"
