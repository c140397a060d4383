"""Looking attributes up as Python does: descriptors, the MRO, ``__getattr__``, and what is surely not there."""

from __future__ import annotations

import ast
from typing import Any, Final, NamedTuple

from envaudit.prediction import layouts
from envaudit.prediction.bindings import Binding, Bindings
from envaudit.prediction.core import Core, Signal, external
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
    Super,
    Union,
    Unknown,
    join,
)
from envaudit.prediction.world import MISSING, NoModule


class Method(NamedTuple):
    """A method of a builtin container or constant."""

    value: Abstract
    name: str


PROPERTIES: Final = frozenset({"builtins.property", "functools.cached_property", "abc.abstractproperty"})
ON_OBJECT: Final = frozenset(dir(object)) | set("__dict__ __weakref__ __module__ __annotations__ __getstate__".split())
ANY_PATCH: Final = 99
"""Stands for the patch release of the target's Python in ``sys.version_info``: code asks for minor versions."""
OF_FRAMES: Final = frozenset("columns iloc loc dtypes index to_numpy values items iteritems".split())


class Attributes(Core):
    """The attribute half of an evaluation."""

    def attribute(self, value: Abstract, name: str) -> Abstract:
        """``value.name``. Raises :class:`Signal` where it is surely missing and something catches that."""
        if isinstance(value, Instance):
            return self._of_instance(value, name)
        if isinstance(value, ClassValue):
            return self._of_class(value, name)
        if isinstance(value, ModuleValue):
            return self._of_module(value, name)
        if isinstance(value, Super):
            return self._of_super(value, name)
        if isinstance(value, External):
            return self._of_external(value, name)
        if isinstance(value, Union):
            return self._of_union(value, name)
        if isinstance(value, str) and not hasattr(str, name):
            return self.missing(value, f"'str' object has no attribute '{name}'", name)
        if isinstance(value, Sequence) and value.kind == "tuple" and value.exact and not hasattr(tuple, name):
            return self.missing(value, f"'tuple' object has no attribute '{name}'", name)
        if isinstance(value, (Sequence, Dictionary, str, bytes)):
            return Method(value, name)
        if isinstance(value, ArrayValue):
            return _of_array(value, name)
        if isinstance(value, Input):
            if value.frame is False and name in OF_FRAMES:
                return self.missing(value, f"'numpy.ndarray' object has no attribute '{name}'", name)
            return 2 if name == "ndim" else UNKNOWN
        if isinstance(value, (Function, Bound)):
            function = value.function if isinstance(value, Bound) else value
            if name == "__name__" and isinstance(function, Function):
                return function.name
            if name == "__self__" and isinstance(value, Bound):
                return value.instance
            return UNKNOWN
        if isinstance(value, Partial):
            found = {"func": value.function, "args": Sequence("tuple", list(value.args))}
            return found.get(name, UNKNOWN)
        if value is None and not hasattr(None, name):
            return self.missing(None, f"'NoneType' object has no attribute '{name}'", name)
        return ABSENT if value is ABSENT else UNKNOWN

    def missing(self, owner: Abstract, text: str, name: str) -> Abstract:
        """An attribute is not there: raised where something catches it, else recorded and taken as UNKNOWN, so that
        the next missing one is found too."""
        need = owner.need if isinstance(owner, Instance) else None
        subject = owner.cls.name if isinstance(owner, Instance) and hasattr(owner.cls, "name") else ""
        if self.caught("AttributeError"):
            if not self.sure():
                return UNKNOWN
        elif isinstance(owner, (str, Sequence)):
            if self.maybe:
                return UNKNOWN
        elif need is None:  # None may stand for what was not followed; only objects of the artifact are judged
            return UNKNOWN
        signal = self.fail("AttributeError", text, "missing-attribute", subject, need, name)
        if signal.recorded:
            return ABSENT
        raise signal

    def _of_union(self, value: Union, name: str) -> Abstract:
        found = []
        signals: list[Signal] = []
        maybe = self.maybe
        self.maybe += 1
        try:
            for option in value.options:
                try:
                    found.append(self.attribute(option, name))
                except Signal as signal:
                    signals.append(signal)
        finally:
            self.maybe = maybe
        if not found:
            raise signals[0]
        return join(found)

    def _of_instance(self, value: Instance, name: str) -> Abstract:
        if name == "__class__":
            return value.cls
        if name == "__dict__":
            return value.attributes
        if not isinstance(value.cls, ClassValue):
            return value.attributes.entries.get(name, UNKNOWN)
        member = self.member(value.cls, name)
        if isinstance(member, Descriptor) and member.kind == "property":
            return self._from_getter(value, member, name)
        if name in value.attributes.entries or member is not MISSING or name in value.cls.natives:
            return self.plain_attribute(value, name)
        return self._by_getattr(value, name, None)

    def plain_attribute(self, value: Instance, name: str) -> Abstract:
        """``object.__getattribute__(value, name)``: without the class's ``__getattr__``. Raises :class:`Signal`."""
        if name in value.attributes.entries:
            return value.attributes.entries[name]
        member = self.member(value.cls, name)
        return self._absent(value, name) if member is MISSING else self.bind(member, value, value.cls)

    def _from_getter(self, value: Instance, member: Descriptor, name: str) -> Abstract:
        if self.member(value.cls, "__getattr__") is MISSING:
            return self.call(member.function, [value])
        try:
            with self.catching("AttributeError"):
                return self.call(member.function, [value])
        except Signal as signal:
            if signal.kind != "AttributeError":
                raise
            return self._by_getattr(value, name, signal)

    def _by_getattr(self, value: Instance, name: str, signal: Signal | None) -> Abstract:
        getter = self.member(value.cls, "__getattr__")
        if getter is not MISSING:
            try:
                with self.catching("AttributeError"):
                    return self.call(Bound(getter, value), [name])
            except Signal as refusal:
                if refusal.kind != "AttributeError":
                    raise
                if refusal.about[2] in (None, value.need):
                    return self.missing(value, refusal.text, name)
                again = self.fail(refusal.kind, refusal.text, *refusal.about)  # of what it hands the question on to
                if again.recorded:
                    return ABSENT
                raise again from None
        if signal is not None:
            raise signal
        return self._absent(value, name)

    def _absent(self, value: Instance, name: str) -> Abstract:
        """An attribute that neither the instance nor its classes' sources provide."""
        if name in value.cls.natives or self._on_object(name):
            return Method(value, name)
        if not value.attributes.exact or (value.cls.open and layouts.gives(self, value.cls, name)):
            return UNKNOWN
        return self.missing(value, f"'{value.cls.name}' object has no attribute '{name}'", name)

    def _on_object(self, name: str) -> bool:
        """Whether every object of the target's Python has it; ``__getstate__`` came with 3.11."""
        return name in ON_OBJECT and (name != "__getstate__" or self.world.surface.python >= (3, 11))

    def bind(self, member: Abstract, instance: Abstract, cls: ClassValue) -> Abstract:
        """A class attribute as an instance (None: the class itself) shows it."""
        if isinstance(member, Descriptor):
            if member.kind == "staticmethod":
                return member.function
            if member.kind == "classmethod":
                return Bound(member.function, cls)
            if instance is None:
                return member
            if member.kind == "available_if":
                return self._if_available(member, instance)
            return self.call(member.function, [instance])
        if isinstance(member, (Function, Partial)) and instance is not None:
            return Bound(member, instance)
        return member

    def _if_available(self, member: Descriptor, instance: Instance) -> Abstract:
        """scikit-learn's ``available_if``: the method is there where its check says so."""
        if member.check is not None:
            name = getattr(member.function, "name", "")
            answer = self.truth_of(self.call(member.check, [instance]))
            if answer is False:
                text = f"This {instance.cls.name!r} has no attribute {name!r}"
                if self.maybe and not self.caught("AttributeError"):
                    return UNKNOWN  # code that depends on the data asks for it only where it is there
                return self.missing(instance, text, name)
        return Bound(member.function, instance)

    def _of_class(self, cls: ClassValue, name: str) -> Abstract:
        if name == "__name__" or name == "__qualname__":
            return cls.name
        if name == "__module__":
            return cls.module
        if name == "__mro__":
            return Sequence("tuple", [*cls.mro, External("builtins", "object")], not cls.open)
        if name == "mro":
            return Method(cls, name)
        if name == "__bases__":
            return Sequence("tuple", [self.world.evaluate(base, cls.frame) for base in cls.node.bases])
        member = self.member(cls, name)
        if member is not MISSING:
            return self.bind(member, None, cls)
        if self._on_object(name) or name in cls.natives:
            return Method(cls, name)
        if cls.open:
            return UNKNOWN
        if self.caught("AttributeError"):
            raise Signal("AttributeError", f"type object '{cls.name}' has no attribute '{name}'")
        return UNKNOWN

    def _of_super(self, value: Super, name: str) -> Abstract:
        owner = value.instance.cls if isinstance(value.instance, Instance) else value.instance
        if not isinstance(owner, ClassValue) or not isinstance(value.cls, ClassValue):
            return UNKNOWN
        member = self.member(owner, name, behind=value.cls)
        if member is not MISSING:
            return self.bind(member, value.instance if isinstance(value.instance, Instance) else None, owner)
        if self._on_object(name):
            return Method(value.instance, name)
        if owner.open or name in owner.natives or not isinstance(value.instance, Instance):
            return UNKNOWN
        return self.missing(value.instance, f"'super' object has no attribute '{name}'", name)

    def _of_module(self, value: ModuleValue, name: str) -> Abstract:
        if value.name == "sys" and name == "version_info":
            return Sequence("tuple", [*self.world.surface.python, ANY_PATCH])
        if name == "__version__":
            return self.world.surface.version(value.name.partition(".")[0]) or UNKNOWN
        inside = self.stack[-1].module.partition(".")[0] if self.stack else ""
        top = value.name.partition(".")[0]
        if self.world.is_opaque(top) and top != inside:
            return External(value.name, name)
        try:
            found = self.world.lookup(value.name, name)
        except NoModule:
            return UNKNOWN
        if found is MISSING and self.caught("AttributeError") and not self.maybe:
            raise Signal("AttributeError", f"module '{value.name}' has no attribute '{name}'")
        return UNKNOWN if found is MISSING else found

    def _of_external(self, value: External, name: str) -> Abstract:
        if name == "__version__" and not value.name:
            return self.world.surface.version(value.module.partition(".")[0]) or UNKNOWN
        if name == "__name__":
            return value.name.rpartition(".")[2]
        return External(value.module, f"{value.name}.{name}" if value.name else name)

    def set_attribute(self, value: Abstract, name: str, new: Abstract) -> None:
        """``value.name = new``; a property's setter is not followed."""
        if isinstance(value, Instance) and name == "__dict__":
            value.attributes = new if isinstance(new, Dictionary) else Dictionary(exact=False)
        elif isinstance(value, Instance) and name == "__class__":
            value.cls = new
        elif isinstance(value, Instance):
            old = value.attributes.entries.get(name, MISSING)
            value.attributes.entries[name] = new if old is MISSING or not self.maybe else join([old, new])

    def member(self, cls: ClassValue, name: str, behind: Abstract = None, own: bool = False) -> Abstract:
        """What the class or a base binds to a name, or MISSING."""
        order: list[Any] = [cls] if own else cls.mro
        if behind is not None:
            order = order[order.index(behind) + 1 :] if behind in order else []
        for item in order:
            bindings = body_of(item).get(name)
            if bindings:
                return self._bound_in_class(item, bindings, name)
        return MISSING

    def _bound_in_class(self, cls: ClassValue, bindings: list[Binding], name: str) -> Abstract:
        key = (id(cls), name)
        if key in self.world.members:
            return self.world.members[key]
        self.world.members[key] = UNKNOWN  # while it is being found out
        frame = Frame(cls.module, cls.frame)
        frame.cls = cls
        frame.body = cls
        value: Abstract = UNKNOWN
        for binding in reversed(bindings):
            if self.world.feasible(binding.guards, cls.module, 0) is False:
                continue
            if binding.kind == "def":
                if any(
                    isinstance(item, ast.Attribute) and item.attr in ("setter", "deleter")
                    for item in binding.node.decorator_list
                ):
                    continue
                function = Function(binding.node, cls.frame, cls)
                value = self.world.decorated(function, frame) if binding.node.decorator_list else function
            elif binding.kind == "class":
                value = self.world.class_of(binding.node, cls.frame)
            elif binding.kind == "value":
                value = UNKNOWN if binding.detail else self.world.evaluate(binding.node, frame)
            break
        self.world.members[key] = value
        return value

    def decorated(self, function: Function, frame: Frame) -> Abstract:
        """A function after its decorators; one that cannot be followed is taken to leave it as it is."""
        value: Abstract = function
        for node in reversed(getattr(function.node, "decorator_list", [])):
            try:
                made = self.evaluate(node, frame)
                follows = isinstance(made, (Function, Bound, Partial, Instance))
                new = self.call(made, [value]) if follows else UNKNOWN
            except Signal:
                continue
            if external(made) in PROPERTIES:
                value = Descriptor("property", value)
            elif external(made) in ("builtins.staticmethod", "builtins.classmethod"):
                value = Descriptor(external(made).rpartition(".")[2], value)
            elif new is not None and not isinstance(new, Unknown):
                value = new
        return value


def body_of(cls: ClassValue) -> dict[str, list[Binding]]:
    """The names that a class body binds."""
    if cls.body is None:
        cls.body = Bindings(cls.node).names
    return cls.body


def dir_of(cls: ClassValue) -> set[str]:
    """The names that a class and its bases bind."""
    return {name for item in cls.mro for name in body_of(item)}


def _of_array(value: ArrayValue, name: str) -> Abstract:
    shape = value.need.shape
    if shape is not None:
        if name == "shape":
            return Sequence("tuple", list(shape))
        if name == "ndim":
            return len(shape)
        if name == "size":
            size = 1
            for length in shape:
                size *= length
            return size
    return UNKNOWN
