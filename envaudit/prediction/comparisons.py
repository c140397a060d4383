"""``is``, ``==`` and ``in`` between symbolic values: True, False, or None where it cannot be told."""

from __future__ import annotations

from envaudit.prediction.values import (
    Abstract,
    Bound,
    ClassValue,
    Dictionary,
    External,
    Function,
    Input,
    Instance,
    ModuleValue,
    NotConcrete,
    Sequence,
    Super,
    concrete,
    is_constant,
    same,
)


def contains(container: Abstract, item: Abstract) -> bool | None:
    """``item in container``."""
    if isinstance(container, str) and isinstance(item, str):
        return item in container
    if isinstance(container, Dictionary):
        if is_constant(item) or isinstance(item, (External, ClassValue)):
            if item in container.entries:
                return True
            return False if container.exact else None
        return None
    if isinstance(container, Sequence):
        answers = [equal(item, other) for other in container.items]
        if True in answers:
            return True
        return False if container.exact and None not in answers else None
    return None


def equal(left: Abstract, right: Abstract) -> bool | None:
    """``left == right``."""
    if same(left, right):
        return True
    try:
        return bool(concrete(left) == concrete(right))
    except (NotConcrete, TypeError):
        return False if kinds_differ(left, right) else None


def kinds_differ(left: Abstract, right: Abstract) -> bool:
    """Whether one is a plain constant and the other an object that never equals one."""
    objects = (Instance, ClassValue, Function, Bound, ModuleValue, External, Sequence, Dictionary, Super)
    plain = (str, bytes, int, float, type(None))
    return (isinstance(left, objects) and isinstance(right, plain)) or (
        isinstance(right, objects) and isinstance(left, plain)
    )


def identical(left: Abstract, right: Abstract) -> bool | None:
    """``left is right``."""
    for one, other in ((left, right), (right, left)):
        if one is None or one is True or one is False:
            if is_constant(other):
                return one is other
            if isinstance(other, (Instance, Sequence, Dictionary, Function, ClassValue, Bound, ModuleValue, Input)):
                return False
            return False if type(other).__name__ in ("ArrayValue", "External") else None
    if isinstance(left, (ClassValue, External)) and isinstance(right, (ClassValue, External)):
        return bool(left == right) if type(left) is type(right) else False
    if isinstance(left, Instance) and isinstance(right, Instance):
        return True if left is right else None
    for one, other in ((left, right), (right, left)):  # an object that Python code makes is none of compiled code
        if isinstance(one, Instance) and isinstance(one.cls, ClassValue) and isinstance(other, External):
            return False
    if isinstance(left, Function) and isinstance(right, Function) and not (left.frame.names or right.frame.names):
        return left.node is right.node
    return None
