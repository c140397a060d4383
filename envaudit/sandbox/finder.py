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
    torch = sys.modules.get("torch.serialization")
    if loader == "torch.load":  # torch/serialization.py, ``UnpicklerWrapper.find_class``
        module = getattr(torch, "load_module_mapping", {}).get(module, module)
    *others, last = ways(loader, protocol, module, name)
    for kind, version in others:
        try:
            return unpickler(kind, version).find_class(module, name)
        except (AttributeError, ImportError, TypeError):  # as pandas.read_pickle goes on
            continue
    return unpickler(*last).find_class(module, name)


def ways(loader: str, protocol: int, module: str, name: str) -> Iterator[Tuple[Any, int]]:
    """``(class, protocol)`` of the unpicklers that a loader tries."""
    pickle = importlib.import_module("pickle")
    kind = pickle._Unpickler if loader == "joblib.load" else pickle.Unpickler  # joblib/numpy_pickle.py
    protocol = min(protocol, pickle.HIGHEST_PROTOCOL)
    yield kind, protocol
    if protocol > 2 and renamed(module, name) != (module, name):
        yield kind, 2  # joblib writes an array of objects as a pickle of its own, with protocol 2
    if loader == "pandas.read_pickle" and "pandas" in sys.modules:  # pandas/io/pickle.py
        yield importlib.import_module("pandas.compat.pickle_compat").Unpickler, protocol


def unpickler(kind: Any, protocol: int) -> Any:
    """An unpickler that has read None with this protocol."""
    made = kind(io.BytesIO((b"\x80" + bytes([protocol]) if protocol > 1 else b"") + b"N."))
    made.load()
    return made
