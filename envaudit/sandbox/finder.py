"""Work for the runner: find the names that a model file asks for as its unpickler would, without the file.

It is sent behind runner.py in one script, under the same rules; envaudit itself never imports it. ``find_class`` is the
target's own, so that renaming, importing and the words of what fails are the target's own too. The only thing that is
unpickled is the constant None, in the protocol of the file, for ``find_class`` depends on it.
"""
# ruff: noqa: PERF203, UP006, UP035
# (it has to run on Python 3.6)

import importlib
import io
import sys
from typing import Any, Callable, Dict, Iterator, List, Tuple


def find_names(request: Dict[str, Any], tell: Callable[..., None]) -> None:
    """Find each name in the order of the file, telling which before that, and after it why it cannot be found.

    What could not be imported is not imported again: the file's load would end there, and a second try may fail in
    other words.
    """
    broken = {}  # type: Dict[str, int]
    for number, (module, name) in enumerate(request["names"]):
        tell(finding=number)
        there = parts(renamed(module, name)[0] if request["protocol"] < 3 else module)
        before = [broken[part] for part in there if part in broken]
        if before:
            tell(missing=number, like=before[0])
            continue
        try:
            find(request["loader"], request["protocol"], module, name)
        except BaseException as error:
            absent = [part for part in there if part not in sys.modules]
            tell(missing=number, imported=not absent, exception=error)
            if absent:
                broken[absent[0]] = number
    tell(phase="done")


def parts(module: str) -> List[str]:
    """A module and the packages that it is in, outermost first."""
    words = module.split(".")
    return [".".join(words[: count + 1]) for count in range(len(words))]


def renamed(module: str, name: str) -> Tuple[str, str]:
    """What a name of Python 2 is called here (Lib/pickle.py, ``find_class`` for protocols below 3)."""
    tables = importlib.import_module("_compat_pickle")
    if (module, name) in tables.NAME_MAPPING:
        return tables.NAME_MAPPING[module, name]  # type: ignore[no-any-return]
    return tables.IMPORT_MAPPING.get(module, module), name


def find(loader: str, protocol: int, module: str, name: str) -> Any:
    """Import the module and look the name up, in the ways in which the loader does. Raises what the last one raises."""
    *others, last = ways(loader, protocol, module, name)
    for kind, version, place in others:
        try:
            return unpickler(kind, version).find_class(place, name)
        except (AttributeError, ImportError, TypeError):  # as pandas.read_pickle goes on
            continue
    kind, version, place = last
    return unpickler(kind, version).find_class(place, name)


def ways(loader: str, protocol: int, module: str, name: str) -> Iterator[Tuple[Any, int, str]]:
    """``(class, protocol, module)`` of each way that a loader tries: an unpickler, and what it is asked for."""
    pickle = importlib.import_module("pickle")
    kind = pickle._Unpickler if loader == "joblib.load" else pickle.Unpickler  # joblib/numpy_pickle.py
    protocol = min(protocol, pickle.HIGHEST_PROTOCOL)
    yield kind, protocol, module
    if protocol > 2 and renamed(module, name) != (module, name):
        yield kind, 2, module  # joblib writes an array of objects as a pickle of its own, with protocol 2
    if loader.startswith("torch.load") and module == "torch.tensor":
        yield kind, protocol, "torch._tensor"  # ``load_module_mapping`` of torch/serialization.py
    if loader == "pandas.read_pickle" and "pandas" in sys.modules:  # pandas/io/pickle.py
        yield importlib.import_module("pandas.compat.pickle_compat").Unpickler, protocol, module


def unpickler(kind: Any, protocol: int) -> Any:
    """An unpickler that has read None with this protocol."""
    made = kind(io.BytesIO((b"\x80" + bytes([protocol]) if protocol > 1 else b"") + b"N."))
    made.load()
    return made
