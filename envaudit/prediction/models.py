"""What opaque functions and a few helpers of the libraries do, where the evaluation does not read their source.

Only helpers whose meaning is documented and stable are here: Python's builtins, ``joblib.delayed`` / ``Parallel``,
``functools.partial``, and those of scikit-learn's decorators and checks that are costly to follow and read nothing of
the object that they are given.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from envaudit.prediction.builtin_models import BUILTINS, Model, constant, first, mapping
from envaudit.prediction.core import Core, Signal
from envaudit.prediction.statements import shape
from envaudit.prediction.values import (
    UNKNOWN,
    Abstract,
    ArrayValue,
    Bound,
    ClassValue,
    Descriptor,
    Dictionary,
    External,
    Function,
    Instance,
    NotConcrete,
    Partial,
    Sequence,
    Unknown,
    concrete,
    is_constant,
    numbers,
)
from envaudit.prediction.world import MISSING, NoModule

MODELLED: Final = frozenset({"sklearn", "joblib", "imblearn", "packaging", "lightgbm", "xgboost", "category_encoders"})
"""Packages in which the names of :data:`BY_NAME` mean what is written here."""


def _islice(core: Core, args: list[Abstract], kwargs: dict[str, Abstract]) -> Abstract:
    items, exact = core.items_of(args[0]) if args else ([], False)
    try:
        bounds = [concrete(value) for value in args[1:]]
        return Sequence("list", items[slice(*bounds)], exact)
    except (NotConcrete, TypeError, ValueError):
        return Sequence("list", items, exact=False)


def _partial(core: Core, args: list[Abstract], kwargs: dict[str, Abstract]) -> Abstract:
    return Partial(args[0], tuple(args[1:]), tuple(sorted(kwargs.items()))) if args else UNKNOWN


def _decorator(kind: str) -> Model:
    """A function that makes a decorator which leaves its function as it is."""

    def make(core: Core, args: list[Abstract], kwargs: dict[str, Abstract]) -> Abstract:
        return Partial(External("envaudit", kind), tuple(args))

    return make


def _version(core: Core, args: list[Abstract], kwargs: dict[str, Abstract]) -> Abstract:
    from packaging.version import InvalidVersion, Version

    try:
        return Version(args[0]) if args and isinstance(args[0], str) else UNKNOWN
    except InvalidVersion:
        return UNKNOWN


def _set_config(core: Core, args: list[Abstract], kwargs: dict[str, Abstract]) -> Abstract:
    """scikit-learn's configuration as it is when nobody sets it: the literal in its own source."""
    found = core.world.lookup("sklearn._config", "_global_config")
    return found if isinstance(found, Dictionary) else UNKNOWN


def _chain(core: Core, args: list[Abstract], kwargs: dict[str, Abstract]) -> Sequence:
    parts = [core.items_of(value) for value in args]
    return Sequence("list", [item for items, _ in parts for item in items], all(exact for _, exact in parts))


def _flattened(core: Core, args: list[Abstract], kwargs: dict[str, Abstract]) -> Abstract:
    """``itertools.chain.from_iterable``."""
    items, exact = core.items_of(args[0]) if args else ([], False)
    chained = _chain(core, items, {})
    return Sequence("list", chained.items, chained.exact and exact)


def _import_module(core: Core, args: list[Abstract], kwargs: dict[str, Abstract]) -> Abstract:
    if len(args) != 1 or not isinstance(args[0], str):
        return UNKNOWN
    try:
        return core.world.module(args[0])
    except NoModule:
        return UNKNOWN


def _dunder_import(core: Core, args: list[Abstract], kwargs: dict[str, Abstract]) -> Abstract:
    """``__import__(name, fromlist=...)``: the module itself where something is asked of it, else its top package."""
    asked = args[3] if len(args) > 3 else kwargs.get("fromlist")
    if not args or not isinstance(args[0], str) or core.truth_of(asked) is None:
        return UNKNOWN
    return _import_module(core, [args[0] if core.truth_of(asked) else args[0].partition(".")[0]], {})


def _getmro(core: Core, args: list[Abstract], kwargs: dict[str, Abstract]) -> Abstract:
    return core.attribute(args[0], "__mro__") if args and isinstance(args[0], ClassValue) else UNKNOWN


def _isclass(core: Core, args: list[Abstract], kwargs: dict[str, Abstract]) -> Abstract:
    if not args or isinstance(args[0], (External, Unknown)):
        return UNKNOWN
    return isinstance(args[0], ClassValue)


def _get_param_names(core: Core, args: list[Abstract], kwargs: dict[str, Abstract]) -> Abstract:
    """scikit-learn's: the parameters of a class's constructor, sorted."""
    if not args or not isinstance(args[0], ClassValue):
        return UNKNOWN
    inherits = core.member(args[0], "__init__") is MISSING
    known = not args[0].open if inherits else isinstance(core.member(args[0], "__init__"), Function)
    return Sequence("list", sorted(parameters(core, args[0]))) if known else UNKNOWN


def parameters(core: Core, cls: ClassValue) -> list[str]:
    """The named parameters of a class's constructor; none where it cannot be read."""
    made = core.member(cls, "__init__")
    if not isinstance(made, Function):
        return []
    spec = made.node.args
    return [item.arg for item in (*spec.posonlyargs, *spec.args, *spec.kwonlyargs)][1:]


def _copy(core: Core, args: list[Abstract], kwargs: dict[str, Abstract]) -> Abstract:
    """``copy.copy``."""
    value = args[0] if args else UNKNOWN
    if not isinstance(value, Instance):
        return value
    attributes = Dictionary(dict(value.attributes.entries), value.attributes.exact)
    return Instance(value.cls, attributes, value.need)


def _isclose(core: Core, args: list[Abstract], kwargs: dict[str, Abstract]) -> Abstract:
    """``numpy.isclose`` subtracts its arguments (numpy/_core/numeric.py)."""
    if len(args) > 1 and all(is_constant(value) for value in args[:2]) and None in args[:2]:
        text = "unsupported operand type(s) for -: " + " and ".join(f"'{type(value).__name__}'" for value in args[:2])
        raise core.fail("TypeError", text, "raises", core.running())
    return UNKNOWN


def _mask_of_nan(core: Core, args: list[Abstract], kwargs: dict[str, Abstract]) -> Abstract:
    """scikit-learn's ``_get_mask(array, nan)`` of a stored array: a mask is a list of bools."""
    nan = len(args) == 2 and isinstance(args[1], External) and args[1].dotted == "numpy.nan"
    if not nan or not isinstance(args[0], ArrayValue):
        return UNKNOWN
    values = numbers(args[0].need)
    return UNKNOWN if values is None else Sequence("list", [value != value for value in values])


def _bare_or_called(core: Core, args: list[Abstract], kwargs: dict[str, Abstract]) -> Abstract:
    """A decorator that is used with and without parentheses, and leaves its function as it is."""
    return args[0] if args and isinstance(args[0], Function) else _decorator("passes")(core, [], {})


EXTERNALS: Final[dict[str, Model]] = {
    **{f"builtins.{name}": model for name, model in BUILTINS.items()},
    "functools.partial": _partial,
    "_functools.partial": _partial, "functools.wraps": _decorator("passes"), "functools.update_wrapper": first,
    "functools.lru_cache": _decorator("passes"), "functools.cache": first, "abc.abstractmethod": first,
    "itertools.chain": _chain, "itertools.chain.from_iterable": _flattened, "collections.OrderedDict": mapping,
    "joblib.delayed": lambda core, args, kwargs: Partial(External("envaudit", "delayed"), tuple(args)),
    "joblib.Parallel": constant(External("envaudit", "parallel")),
    "envaudit.parallel": lambda core, args, kwargs: _parallel(core, args),
    "operator.attrgetter": lambda core, args, kwargs: Partial(External("envaudit", "attrgetter"), tuple(args)),
    "contextlib.contextmanager": first, "contextlib.suppress": constant(UNKNOWN), "packaging.version.parse": _version,
    "packaging.version.Version": _version, "copy.copy": _copy, "copy.deepcopy": first,
    "importlib.import_module": _import_module, "builtins.__import__": _dunder_import,
    "numpy.isclose": _isclose,
    "platform.python_implementation": constant("CPython"),
    "itertools.islice": _islice, "inspect.isclass": _isclass, "inspect.getmro": _getmro,
}  # fmt: skip
"""What opaque functions return, by dotted name."""

BY_NAME: Final[dict[str, Model]] = {
    "delayed": EXTERNALS["joblib.delayed"],
    "Parallel": EXTERNALS["joblib.Parallel"],
    "parse_version": _version, "Version": _version,
    "available_if": lambda core, args, kwargs: Partial(External("envaudit", "available_if"), tuple(args)),
    "if_delegate_has_method": lambda core, args, kwargs: Partial(
        External("envaudit", "if_delegate"), tuple(args or kwargs.values())
    ),
    "validate_params": _decorator("passes"),
    "_fit_context": _decorator("passes"),
    "_deprecate_positional_args": _bare_or_called,
    "deprecated": _decorator("passes"),
    "throw_if": first,
    "_get_param_names": _get_param_names,
    "_threadpool_controller_decorator": _decorator("passes"),
    "get_config": _set_config,
    "_get_config": _set_config,
    "check_array": constant(UNKNOWN),
    "check_random_state": constant(UNKNOWN),
    "_num_samples": constant(UNKNOWN),
    "issparse": constant(False), "_get_mask": _mask_of_nan,
}  # fmt: skip
"""Helpers of :data:`MODELLED` packages, by their bare name."""


def _passes(core: Core, made: Partial, args: list[Abstract], kwargs: dict[str, Abstract]) -> Abstract:
    return args[0] if args else UNKNOWN


def _available_if(core: Core, made: Partial, args: list[Abstract], kwargs: dict[str, Abstract]) -> Abstract:
    return Descriptor("available_if", args[0], made.args[0] if made.args else None) if args else UNKNOWN


def _if_delegate(core: Core, made: Partial, args: list[Abstract], kwargs: dict[str, Abstract]) -> Abstract:
    """scikit-learn before 1.3: ``if_delegate_has_method``, the older spelling of ``available_if``."""
    if not args or not made.args:
        return args[0] if args else UNKNOWN
    check = Partial(External("envaudit", "delegates"), (made.args[0], getattr(args[0], "name", "")))
    return Descriptor("available_if", args[0], check)


def _delegates(core: Core, made: Partial, args: list[Abstract], kwargs: dict[str, Abstract]) -> Abstract:
    paths, name = made.args
    for path in paths.items if isinstance(paths, Sequence) else [paths]:
        try:
            with core.catching("AttributeError"):
                value = _attrgetter(core, Partial(None, (path,)), args, {})
                core.attribute(value, name)
        except Signal:
            continue
        return True
    return False


def _delayed(core: Core, made: Partial, args: list[Abstract], kwargs: dict[str, Abstract]) -> Abstract:
    return Partial(made.args[0], tuple(args), tuple(sorted(kwargs.items())))


def _parallel(core: Core, args: list[Abstract]) -> Abstract:
    """Make the delayed calls, of those on objects that are alike (the trees of a forest) only the first."""
    items, exact = core.items_of(args[0]) if args else ([], False)
    answers: dict[object, Abstract] = {}
    found = []
    for call in items:
        if isinstance(call, Partial):
            key = _alike(call)
            if key not in answers:
                answers[key] = core.call(call, [])
            found.append(answers[key])
    return Sequence("list", found, exact)


def _alike(call: Partial) -> tuple[object, ...]:
    """What makes two delayed calls do the same; it holds as long as both live."""
    parts: list[object] = []
    for value in (call.function, *call.args, *(item for pair in call.kwargs for item in pair)):
        if isinstance(value, Bound):
            parts.append(id(getattr(value.function, "node", value.function)))
            value = value.instance
        if isinstance(value, Instance):
            parts.append(shape(value))
        else:
            parts.append((type(value), value) if is_constant(value) else id(value))
    return tuple(parts)


def _attrgetter(core: Core, made: Partial, args: list[Abstract], kwargs: dict[str, Abstract]) -> Abstract:
    if len(made.args) != 1 or not isinstance(made.args[0], str) or not args:
        return UNKNOWN
    value = args[0]
    for name in made.args[0].split("."):
        value = core.attribute(value, name)
    return value


PARTIALS: Final[dict[str, Callable[..., Abstract]]] = {
    "envaudit.passes": _passes,
    "envaudit.available_if": _available_if,
    "envaudit.if_delegate": _if_delegate,
    "envaudit.delegates": _delegates,
    "envaudit.delayed": _delayed,
    "envaudit.attrgetter": _attrgetter,
}
