"""``isinstance`` on symbolic values."""

from __future__ import annotations

import collections.abc
from typing import Any, Final

from envaudit.prediction.values import (
    UNKNOWN,
    Abstract,
    ArrayValue,
    Bound,
    ClassValue,
    Dictionary,
    External,
    Function,
    Input,
    Instance,
    ModuleValue,
    Sequence,
    Union,
    is_constant,
)

PYTHON_TYPES: Final = {
    "builtins.str": str, "builtins.int": int, "builtins.float": float, "builtins.bool": bool, "builtins.bytes": bytes,
    "numbers.Integral": int, "numbers.Number": (int, float), "numbers.Real": (int, float), "builtins.complex": complex,
    "builtins.NoneType": type(None), "types.NoneType": type(None),
}  # fmt: skip

EXAMPLES: Final[dict[Any, Any]] = {
    Dictionary: {}, "list": [], "tuple": (), "set": set(), "frozenset": frozenset()
}  # fmt: skip
"""An object for each kind of container, to ask the abstract base classes about."""


def instance_of(value: Abstract, cls: Abstract) -> bool | None:
    """``isinstance(value, cls)``, None where it cannot be told."""
    if isinstance(cls, Sequence):
        answers = [instance_of(value, item) for item in cls.items]
        return True if True in answers else None if None in answers or not cls.exact else False
    if isinstance(value, Union):
        answers = [instance_of(option, cls) for option in value.options]
        return answers[0] if len(set(answers)) == 1 else None
    if isinstance(value, Instance) and isinstance(value.cls, ClassValue):
        if isinstance(cls, ClassValue):
            return True if cls in value.cls.mro else None if value.cls.open else False
        dotted = getattr(cls, "dotted", "")
        return (
            False
            if dotted in PYTHON_TYPES
            or (dotted.startswith(("builtins.", "numpy.", "scipy.", "pandas.")) and not value.cls.open)
            else None
        )
    if isinstance(value, Instance) and isinstance(value.cls, External):
        return (
            True
            if value.cls == cls
            else None
            if isinstance(cls, (External, type(UNKNOWN))) and getattr(cls, "module", "") != "builtins"
            else False
        )
    if isinstance(value, (ArrayValue, Input)):
        if isinstance(cls, ClassValue):
            return False if isinstance(value, ArrayValue) or cls.module.startswith("sklearn.") else None
        dotted = getattr(cls, "dotted", "")
        if dotted in PYTHON_TYPES or dotted in ("builtins.list", "builtins.tuple", "builtins.dict", "builtins.set"):
            return False
        return True if isinstance(value, ArrayValue) and dotted == "numpy.ndarray" else None
    return _plain_instance_of(value, cls)


def _plain_instance_of(value: Abstract, cls: Abstract) -> bool | None:
    dotted = getattr(cls, "dotted", "")
    plain: Any
    if dotted.startswith("collections.abc.") and hasattr(collections.abc, cls.name):
        example = value if is_constant(value) else EXAMPLES.get(getattr(value, "kind", type(value)))
        return None if example is None else isinstance(example, getattr(collections.abc, cls.name))
    if is_constant(value):
        plain = PYTHON_TYPES.get(dotted)
        if plain is not None:
            return isinstance(value, plain)
        return (
            False
            if isinstance(cls, ClassValue) or dotted.startswith(("builtins.", "numpy.", "pandas.", "scipy."))
            else None
        )
    if isinstance(value, (Sequence, Dictionary)):
        kind = value.kind if isinstance(value, Sequence) else "dict"
        if dotted.startswith("builtins."):
            return dotted == f"builtins.{kind}"
        return (
            False
            if isinstance(cls, ClassValue) or dotted.startswith(("numpy.", "pandas.", "scipy.", "numbers."))
            else None
        )
    if isinstance(value, (Function, Bound, ClassValue, ModuleValue)):
        return False if dotted in PYTHON_TYPES or isinstance(cls, ClassValue) else None
    return None
