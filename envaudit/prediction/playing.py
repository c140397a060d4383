"""Playing the calls that a serving program makes on an object once it is loaded."""

from __future__ import annotations

import ast
import contextlib
import functools
from collections.abc import Callable
from typing import Final

from envaudit.prediction.core import Problem, Signal
from envaudit.prediction.evaluation import Evaluation
from envaudit.prediction.models import parameters
from envaudit.prediction.values import (
    Abstract,
    ClassValue,
    Descriptor,
    Function,
    Input,
    Instance,
    Partial,
    Sequence,
)
from envaudit.prediction.world import MISSING

MAIN: Final = ("predict", "transform", "toarray", "__call__")
"""What an object is for."""
MORE: Final = ("predict_proba", "decision_function", "score_samples", "kneighbors", "predict_log_proba")
"""Further methods that answer requests (scikit-learn's glossary, "Methods"); not every object of a class has them."""
LATER: Final = ("inverse_transform", "apply", "mahalanobis")
"""Methods that some classes gained after they were there."""


def play(core: Evaluation, root: Abstract) -> None:
    """Play the calls that answer requests on an object, or on the objects in a list."""
    if isinstance(root, Sequence):
        for item in root.items[:10]:
            play(core, item)
    if not isinstance(root, Instance) or not isinstance(root.cls, ClassValue):
        return
    if root.cls.module.startswith("pandas."):
        if any(cls.name == "NDFrame" for cls in root.cls.mro):
            _request(core, lambda: _read_frame(core, root))
        return  # data: it answers no requests
    frame = None
    if "feature_names_in_" in root.attributes.entries:
        frame = True
    elif "n_features_in_" in root.attributes.entries:
        frame = False
    for name in (*MAIN, *MORE, *LATER):
        before = set(core.problems)
        if _offers(core, root, name):
            _request(core, functools.partial(_call, core, root, name, frame))
        new = {key: problem for key, problem in core.problems.items() if key not in before}
        came = name in LATER and any(_is_parameter(core, problem) for problem in new.values())
        for key, problem in new.items():
            if came or _was_so(problem, name, fine=not before):
                del core.problems[key]


def _read_frame(core: Evaluation, root: Instance) -> None:
    """Read what a DataFrame or Series keeps its values in: the first of ``NDFrame._internal_names``."""
    names = core.attribute(root.cls, "_internal_names")
    if isinstance(names, Sequence) and names.items and isinstance(names.items[0], str):
        core.plain_attribute(root, names.items[0])


def _call(core: Evaluation, root: Instance, name: str, frame: bool | None) -> Abstract:
    return core.call(core.attribute(root, name), [] if name == "toarray" else [Input(frame)])


def _offers(core: Evaluation, root: Instance, name: str) -> bool:
    """Whether the object has a method; some have it under a condition, or hand on what another object has."""
    member = core.member(root.cls, name)
    if isinstance(member, Descriptor) and member.kind in ("available_if", "property"):
        return _available(core, root, name)
    if member is MISSING:
        delegates = isinstance(core.member(root.cls, "__getattr__"), Function)
        return delegates and not name.startswith("__") and _available(core, root, name)
    if name == "__call__" and _only_raises(member):
        return False
    return isinstance(member, (Function, Descriptor, Partial))


def _only_raises(member: Abstract) -> bool:
    """Whether a method does nothing but raise: it says that there is none (``torch.nn.ParameterList.__call__``, which
    hides the one that every module has)."""
    if not isinstance(member, Function) or isinstance(member.node, ast.Lambda):
        return False
    documented = ast.get_docstring(member.node, clean=False) is not None
    return [type(statement) for statement in member.node.body[documented:]] == [ast.Raise]


def _available(core: Evaluation, root: Instance, name: str) -> bool:
    """Whether the condition of a method holds; that it reads what the file lacks is a problem of its own."""
    try:
        with core.catching("AttributeError"):
            core.attribute(root, name)
    except Signal as signal:
        if signal.about[3] not in ("", *MAIN, *MORE, *LATER):
            core.fail(signal.kind, signal.text, *signal.about)
        return False
    return True


def _request(core: Evaluation, ask: Callable[[], object]) -> None:
    """Do what one request does; the next may fail for other reasons."""
    with contextlib.suppress(Signal):  # recorded
        ask()
    core.maybe = 0
    core.stack.clear()
    core.catchers.clear()


def _was_so(problem: Problem, name: str, *, fine: bool) -> bool:
    """Whether a method that fails so did so where the object was trained: a model that predicts, but was not fitted for
    another of its methods (``SVC(probability=False)``), or one that refuses to invert what it does."""
    if name in LATER:
        return problem.cause != "missing-attribute"
    return name in MORE and fine and problem.kind == "NotFittedError"


def _is_parameter(core: Evaluation, problem: Problem) -> bool:
    """Whether what is missing is a parameter of the constructor: the method that reads it came together with it."""
    cls = getattr(core.symbols.get(id(problem.owner)), "cls", None)
    return isinstance(cls, ClassValue) and problem.attribute in parameters(core, cls)
