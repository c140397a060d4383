"""Why a load must fail that follows from the file's form alone: no code of the target has to be played."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from packaging.version import Version

from envaudit.artifacts.summary import visit
from envaudit.model import Question
from envaudit.needs import Array, Global, Made, Needs, class_of, runs_commands
from envaudit.prediction.attributes import dir_of
from envaudit.prediction.loading import renamed
from envaudit.prediction.values import Abstract, ClassValue
from envaudit.prediction.world import MISSING, NoModule, World


class Cause(NamedTuple):
    """One certain (or likely) failure of the load."""

    kind: str
    """The exception's class."""
    text: str
    cause: str
    subject: str
    explanation: str
    at: int
    certain: bool = True
    question: Question = "load"
    known: bool = True
    """False where what it depends on was not seen: the answer is unknown then, not no."""


HIGHEST_PROTOCOL: Final = {(3, 6): 4, (3, 7): 4}
"""``pickle.HIGHEST_PROTOCOL`` by Python; 5 since 3.8 (PEP 574)."""


def causes(needs: Needs, world: World) -> Iterator[Cause]:
    """Everything of this kind, in no particular order."""
    yield from _protocol(needs, world)
    yield from _globals(needs, world)
    yield from _padding(needs, world)
    yield from _bytecode(needs, world)
    yield from _timestamps(needs, world)
    for item in filter(runs_commands, needs.globals):
        text = f"loading it can run any command ({item})"
        why = "what it does cannot be foreseen, and no model needs it: find out who wrote the file before you load it"
        yield Cause("DANGER", text, "command", str(item), why, item.at, certain=False, known=False)


def _protocol(needs: Needs, world: World) -> Iterator[Cause]:
    highest = HIGHEST_PROTOCOL.get(world.surface.python, 5)
    if needs.protocol is not None and needs.protocol > highest:
        python = ".".join(map(str, world.surface.python))
        yield Cause(
            "ValueError",
            f"unsupported pickle protocol: {needs.protocol}",
            "pickle-protocol",
            f"pickle protocol {needs.protocol}",
            f"Python {python} reads pickle protocols up to {highest}",
            0,
        )


def _globals(needs: Needs, world: World) -> Iterator[Cause]:
    for item in needs.globals:
        module, dotted = renamed(item, world)
        head, _, rest = dotted.partition(".")
        if needs.loader == "torch.jit.load" and module.partition(".")[0] == "__torch__":
            continue  # TorchScript brings the code of its classes along
        if module == "__main__":
            text = f"Can't get attribute '{head}' on <module '__main__'>"
            why = f"{head} was defined in the script that trained; the serving program does not have it"
            yield Cause("AttributeError", text, "main-module", str(item), why, item.at, certain=False)
            continue
        try:
            value = world.lookup(module, head)
            missing = value is MISSING or _lacks(value, rest)
        except NoModule as error:
            yield _no_module(item, str(error), world)
            continue
        if missing:
            why = f"the file names {item}; the target's {module} has no {dotted}"
            yield Cause(
                "AttributeError", unfound(needs, world, module, dotted), "missing-name", str(item), why, item.at
            )


def _no_module(item: Global, name: str, world: World) -> Cause:
    """A module that the target does not have; unknown where it may lie in what could not be read."""
    text = f"No module named '{name}'"
    hidden = world.surface.hides(name)
    if hidden is not None:
        why = f"the file names {item}; whether the target has {name} was not seen: {hidden}"
        return Cause("ModuleNotFoundError", text, "missing-module", str(item), why, item.at, False, known=False)
    why = f"the file names {item}; there is no module {name} in the target"
    return Cause("ModuleNotFoundError", text, "missing-module", str(item), why, item.at)


def _lacks(value: Abstract, rest: str) -> bool:
    """Whether a class surely has no such attribute (a nested class, by its qualified name)."""
    name = rest.partition(".")[0]
    return bool(name) and isinstance(value, ClassValue) and not value.open and name not in dir_of(value)


def unfound(needs: Needs, world: World, module: str, dotted: str) -> str:
    """What the unpickler prints for a name that a module lacks (Lib/pickle.py ``find_class``, Modules/_pickle.c)."""
    found = world.surface.find(module)
    root = getattr(found.tree, "root", "") if found is not None else ""
    path = f"{root}/{found.path}" if found is not None and root else None
    if needs.loader == "joblib.load" and (needs.protocol or 0) < 4:
        return f"module '{module}' has no attribute '{dotted}'"  # joblib reads with the unpickler in Python
    where = f" from '{path}'" if path else ""
    return f"Can't get attribute '{dotted}' on <module '{module}'{where}>"


def _padding(needs: Needs, world: World) -> Iterator[Cause]:
    """joblib 1.2 began to align raw arrays (``NUMPY_ARRAY_ALIGNMENT_BYTES`` in joblib/numpy_pickle.py); an older one
    takes the padding for the array's first bytes."""
    if needs.loader != "joblib.load":
        return
    padded = next((item for item in arrays(needs) if item.padded and item.items is None), None)
    source = world.surface.source("joblib.numpy_pickle")
    if padded is not None and source is not None and "numpy_array_alignment_bytes" not in source:
        why = "joblib 1.2 and newer pad raw arrays; this joblib reads the padding as data and loses its place"
        text = "invalid load key (or garbage in the arrays)"
        yield Cause("UnpicklingError", text, "joblib-alignment", "joblib", why, padded.at)


def arrays(needs: Needs) -> Iterator[Array]:
    """The arrays that the file holds."""
    return (value for value in visit(needs.roots) if isinstance(value, Array))


def _bytecode(needs: Needs, world: World) -> Iterator[Cause]:
    python = world.surface.python
    for code in needs.codes:
        if code.python is None or (code.python <= python <= (code.newest or code.python)):
            continue
        if {code.python, python} == {(3, 8), (3, 9)}:
            continue  # the few instructions that changed are those of try and with (docs.python.org, dis, 3.9)
        wrote = ".".join(map(str, code.python))
        why = f"{code.name} is stored as bytecode of Python {wrote}; the target runs {python[0]}.{python[1]}"
        text = (
            f"bytecode of Python {wrote} run by Python {python[0]}.{python[1]} (an error at load, a crash, or nonsense)"
        )
        fits = _arity(code.python) == _arity(python)  # then it is made, and fails (or lies) when it is called
        question: Question = "predict" if fits else "load"
        yield Cause("SystemError", text, "bytecode", code.name, why, code.at, not fits, question)


def _timestamps(needs: Needs, world: World) -> Iterator[Cause]:
    """pandas before 1.3 stores a Timestamp as ``Timestamp(nanoseconds, freq, tz)``. Since 2.0 the constructor has no
    ``freq`` (``Timestamp.__new__`` in pandas/_libs/tslibs/timestamps.pyx): it drops the zone without an error, as
    re-created from 1.0.5 and 1.2.5 to 2.1.3, 2.3.2 and 3.0.0; 3.1 refuses both arguments (3.1.1)."""
    version = world.surface.release("pandas")
    named = any(item.name == "Timestamp" for item in needs.globals)
    if not named or version is None or version < Version("2.0"):
        return
    for value in visit(needs.roots):
        cls = class_of(value) if isinstance(value, Made) else None
        stored = cls is not None and cls.name == "Timestamp" and cls.module.startswith("pandas.")
        if not stored or value.call != cls or len(value.args) != 3 or value.args[1:] == [None, None]:
            continue
        why = f"pandas {version} takes the second and third argument of an old Timestamp, its freq and zone, otherwise"
        if version >= Version("3.1"):
            given = [name for name, item in zip(("year", "month"), value.args[1:], strict=True) if item is not None]
            text = f"Cannot pass both a value to convert and date attributes, got {given}; 'tz' is keyword-only"
            yield Cause("ValueError", text, "signature", str(cls), why, value.at)
        elif value.args[2] is not None:
            text = "the Timestamp will have no time zone"
            yield Cause("none", text, "known-change", str(cls), why, value.at, False, "same")


def _arity(python: tuple[int, int]) -> int:
    """Arguments of ``types.CodeType`` (docs.python.org, "What's New" of 3.8 and 3.11)."""
    return 15 if python < (3, 8) else 16 if python < (3, 11) else 18
