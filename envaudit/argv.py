"""The command line, described once and read twice: quickly for plain calls, by typer for everything else.

A command is a function whose parameters are annotated with :class:`Argument` or :class:`Option`. For a call that is
simply right, :func:`parse` yields the keyword arguments in microseconds. Help, completion and every mistake go to the
typer application that ``cli.py`` builds from the same annotations, because starting typer costs several times as much
as starting Python (with 0.29, which imports pydantic at every start, some thirty times).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, get_args, get_origin


class Argument(NamedTuple):
    """A positional parameter. ``metavar`` is its name in the help. The last one may take several words."""

    metavar: str
    help: str


class Option(NamedTuple):
    """A named parameter: its flags, and the values allowed if they are a closed set."""

    flags: tuple[str, ...]
    help: str
    metavar: str | None = None
    choices: tuple[str, ...] = ()


class Parameter(NamedTuple):
    """One parameter of a command, as its function declares it."""

    name: str
    type: Any
    """``str``, ``float``, ``bool``, or ``tuple`` for any number of texts; an optional text counts as ``str``."""
    how: Argument | Option
    required: bool


def parameters(command: Callable[..., int]) -> list[Parameter]:
    """The parameters of a command function, all of which carry ``Annotated[type, Argument | Option]``."""
    code = command.__code__
    names = code.co_varnames[: code.co_argcount]
    optional = len(command.__defaults__ or ())
    found = []
    for index, name in enumerate(names):
        kind, how = get_args(command.__annotations__[name])
        if get_origin(kind) is tuple:
            kind = tuple
        elif kind not in (float, bool):
            kind = str
        found.append(Parameter(name, kind, how, index < len(names) - optional))
    return found


def parse(command: Callable[..., int], arguments: Sequence[str]) -> Mapping[str, Any] | None:
    """The keyword arguments of a plainly right call; None for anything that typer has to look at."""
    known = parameters(command)
    flags = {flag: item for item in known if isinstance(item.how, Option) for flag in item.how.flags}
    places = [item for item in known if isinstance(item.how, Argument)]
    values: dict[str, Any] = {}
    rest = iter(arguments)
    for word in rest:
        if not word.startswith("-") or word == "-":
            if not places or not word:
                return None
            if places[0].type is tuple:
                values[places[0].name] = (*values.get(places[0].name, ()), word)
            else:
                values[places.pop(0).name] = word
            continue
        flag, separator, value = word.partition("=")
        item = flags.get(flag)
        if item is None or (separator and not flag.startswith("--")):
            return None
        if item.name in values and item.type is not tuple:
            return None
        if item.type is bool:
            if separator:
                return None
            values[item.name] = True
            continue
        if not separator:
            value = next(rest, "")
            if value.startswith("-") and value != "-":
                return None
        converted = _convert(item, value)
        if converted is None:
            return None
        values[item.name] = (*values.get(item.name, ()), converted) if item.type is tuple else converted
    if any(item.required and item.name not in values for item in known):
        return None
    return values


def _convert(item: Parameter, text: str) -> Any:
    if isinstance(item.how, Option) and item.how.choices and text not in item.how.choices:
        return None
    if item.type is float:
        try:
            return float(text)
        except ValueError:
            return None
    return text or None
