"""The modules of a target as an evaluation sees them: what a dotted name means there, or that it means nothing."""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from envaudit.prediction.bindings import Binding, Guard, catches, imported
from envaudit.prediction.sources import ModuleBindings, of_source
from envaudit.prediction.values import (
    UNKNOWN,
    Abstract,
    ClassValue,
    External,
    Frame,
    Function,
    ModuleValue,
    Sequence,
    Unknown,
)
from envaudit.surface import Surface
from envaudit.surface._stdlib import standard

OPAQUE: Final = frozenset({"numpy", "scipy", "pandas", "joblib", "threadpoolctl"})
"""Packages whose functions are not followed when another package's code calls them: they compute, and read nothing of
the artifact by name. Their own reconstructors are followed."""


class Missing:
    """The type of :data:`MISSING`."""


MISSING: Final = Missing()
"""The module is there and surely does not offer the name."""


class NoModule(Exception):  # noqa: N818
    """There is no module of that name; carries the first dotted name that is missing."""


class World:
    """Name lookup over a :class:`~envaudit.surface.Surface`. Four functions are the evaluation's own: ``evaluate``,
    ``truth``, ``call`` and ``decorated``."""

    def __init__(self, surface: Surface) -> None:
        self.surface = surface
        self.evaluate: Callable[[ast.expr, Frame], Abstract] = lambda node, frame: UNKNOWN
        self.truth: Callable[[ast.expr, Frame], bool | None] = lambda node, frame: None
        self.call: Callable[[Function, list[Abstract]], Abstract] = lambda function, args: UNKNOWN
        self.decorated: Callable[[Function, Frame], Abstract] = lambda function, frame: function
        self.packages: tuple[str, ...] = ()
        """Top-level packages that the artifact names: importing them may register modules under other names."""
        self.loader = "pickle.load"
        """The call that reads the artifact."""
        self._standard = standard(surface.python)
        self.members: dict[tuple[int, str], Abstract] = {}
        """(class, name) -> what the class body binds to the name."""
        self.setters: dict[External, tuple[bool, bool]] = {}
        """Compiled class -> whether it has a ``__setstate__`` of its own, and one that Cython generated."""
        self._aliases: dict[tuple[str, tuple[str, ...]], str | None] = {}
        self._bindings: dict[str, ModuleBindings | None] = {}
        self._found: dict[tuple[str, str], Abstract] = {}
        self._running: set[tuple[str, str]] = set()
        self._classes: dict[int, ClassValue] = {}

    def bindings(self, module: str) -> ModuleBindings | None:
        """What the module's source binds; None where there is no source to read."""
        if module not in self._bindings:
            text = self.surface.source(module)
            try:
                self._bindings[module] = None if text is None else of_source(text, self.surface.facts)
            except (RecursionError, MemoryError):
                self._bindings[module] = None
        return self._bindings[module]

    def frame(self, module: str) -> Frame:
        """The top-level frame of a module."""
        return Frame(module)

    def module(self, name: str) -> ModuleValue:
        """``import name``. Raises :class:`NoModule` with the part that is missing."""
        parts = name.split(".")
        if self.alias(parts[0]):
            return ModuleValue(name)
        for count in range(1, len(parts) + 1):
            prefix = ".".join(parts[:count])
            if self.surface.find(prefix) is None and not self._is_shim(prefix):
                raise NoModule(prefix)
        return ModuleValue(name)

    def alias(self, name: str) -> str | None:
        """The extension module that registers itself under a bare top-level name when it is imported.

        Cython puts a module that was compiled without its package's name into ``sys.modules`` under that bare name
        (``__Pyx_modinit``; scikit-learn 1.4 to 1.6 built ``sklearn._loss._loss`` as ``_loss``); its symbols tell.
        """
        key = (name, self.packages)
        if key not in self._aliases:
            self._aliases[key] = None
            if self.surface.find(name) is None:
                mark = re.compile(rf"__pyx_[a-z]+_{len(name)}{re.escape(name)}_|\0{re.escape(name)}\.[A-Z]".encode())
                for module in self._extensions_named(name):
                    data = self.surface.read(module)
                    if data is not None and mark.search(data):
                        self._aliases[key] = module
                        break
        return self._aliases[key]

    def _extensions_named(self, name: str) -> Iterator[str]:
        """The extension modules of the artifact's packages whose last name this is."""
        for package in self.packages:
            found = self.surface.find(package)
            pending = [(package, portion) for portion in (found.portions if found else ())]
            while pending:
                dotted, (tree, folder) = pending.pop()
                for entry in sorted(tree.names(folder) or ()):
                    if entry.startswith(f"{name}.") and entry.endswith(".so"):
                        yield f"{dotted}.{name}"
                    elif "." not in entry and entry not in ("tests", "__pycache__"):
                        pending.append((f"{dotted}.{entry}", (tree, f"{folder}/{entry}")))

    def _is_shim(self, name: str) -> bool:
        """Whether a module may be put into ``sys.modules`` by its package's own code (``six.moves``)."""
        parent, _, last = name.rpartition(".")
        if not parent or self.surface.find(parent) is None:
            return False
        text = self.surface.source(parent)
        return (
            text is not None
            and "sys.modules" in text
            and (f"{last!r}" in text or f'"{last}"' in text or f".{last}" in text)
        )

    def absolute(self, module: str, level: int, within: str) -> str:
        """A relative import's absolute name (PEP 328)."""
        if not level:
            return module
        found = self.surface.find(within)
        package = within if found is not None and found.kind in ("package", "namespace") else within.rpartition(".")[0]
        for _ in range(level - 1):
            package = package.rpartition(".")[0]
        return f"{package}.{module}" if module else package

    def lookup(self, module: str, name: str, depth: int = 0) -> Abstract:
        """``module.name`` after ``import module``: its value, or :data:`MISSING`. Raises :class:`NoModule`."""
        key = (module, name)
        if key in self._found:
            return self._found[key]
        if key in self._running or depth > 40:
            return External(module, name)
        self._running.add(key)
        try:
            value = self._lookup(module, name, depth)
        finally:
            self._running.discard(key)
        if "." in module or self.surface.find(module) is not None:
            self._found[key] = value
        return value

    def _lookup(self, module: str, name: str, depth: int) -> Abstract:
        self.module(module)
        module = self.alias(module) or module
        found = self.surface.find(module)
        if module == "builtins":
            return External(module, name) if hasattr(builtins, name) else MISSING
        table = self.bindings(module)
        if table is None:
            return self._without_source(module, name, found.kind if found else "")
        if name in ("__name__", "__file__", "__doc__", "__package__", "__path__", "__dict__", "__spec__", "__loader__"):
            return module if name == "__name__" else UNKNOWN
        for binding in reversed(table.names.get(name, ())):
            verdict = self.feasible(binding.guards, module, depth)
            if verdict is False:
                continue
            value = self.bound(binding, module, name, depth)
            if value is MISSING:
                continue
            if verdict is None:  # another one may be the one that holds
                others = [item for item in table.names[name] if item is not binding]
                if any(self.feasible(item.guards, module, depth) is not False for item in others):
                    return value if isinstance(value, ClassValue) else UNKNOWN
            return value
        return self._elsewhere(table, module, name, depth)

    def _without_source(self, module: str, name: str, kind: str) -> Abstract:
        if kind == "extension":
            extension = self.surface.extension(module)
            if extension is not None and not extension.offers(name):
                return MISSING
        return External(module, name)

    def _elsewhere(self, table: ModuleBindings, module: str, name: str, depth: int) -> Abstract:
        """A name that no statement of the module binds: star imports, submodules, ``__getattr__``, dynamic code."""
        for binding in reversed(table.stars):
            source = self.absolute(str(binding.detail[0]), int(binding.detail[1]), module)
            if not self._is_exported(source, name, depth):
                continue
            try:
                value = self.lookup(source, name, depth + 1)
            except NoModule:
                continue
            if value is not MISSING:
                return value
        if self.surface.find(f"{module}.{name}") is not None:
            return ModuleValue(f"{module}.{name}")
        if hasattr(builtins, name):
            return MISSING  # a bare name: the module's own code does not see its __getattr__ (PEP 562)
        if "__getattr__" in table.names:
            return self._by_getattr(table.names["__getattr__"][-1], module, name)
        return External(module, name) if table.dynamic else MISSING

    def _is_exported(self, module: str, name: str, depth: int) -> bool:
        """Whether ``from module import *`` may bring a name: ``__all__`` decides, else its first letter does."""
        table = self.bindings(module)
        if table is None or "__all__" not in table.names:
            return not name.startswith("_")
        try:
            listed = self.lookup(module, "__all__", depth + 1)
        except NoModule:
            return True
        text = self.surface.source(module) or ""
        if text.count("__all__") > 1 or not isinstance(listed, Sequence) or not listed.exact:
            return not name.startswith("_") or table.dynamic  # it grows somewhere
        return name in listed.items

    def _by_getattr(self, binding: Binding, module: str, name: str) -> Abstract:
        """PEP 562: ask the module's own ``__getattr__``."""
        from envaudit.prediction.core import Signal

        if binding.kind != "def":
            return External(module, name)
        try:
            value = self.call(Function(binding.node, self.frame(module)), [name])
        except Signal as signal:
            return (
                MISSING
                if signal.kind in ("AttributeError", "ImportError", "ModuleNotFoundError")
                else External(module, name)
            )
        return External(module, name) if isinstance(value, Unknown) else value

    def feasible(self, guards: tuple[Guard, ...], module: str, depth: int) -> bool | None:
        """Whether a binding under these guards happens; None where that cannot be told."""
        answer: bool | None = True
        for node, branch in guards:
            if isinstance(node, ast.If):
                holds = self.truth(node.test, self.frame(module))
                taken = holds if branch == "body" or holds is None else not holds
            else:
                taken = self._try_branch(node, branch, module, depth)  # type: ignore[arg-type]
            if taken is False:
                return False
            if taken is None:
                answer = None
        return answer

    def _try_branch(self, node: ast.Try, branch: str, module: str, depth: int) -> bool | None:
        caught = frozenset().union(*(catches(handler) for handler in node.handlers))
        if not caught & {"ImportError", "ModuleNotFoundError", "AttributeError", "Exception", "BaseException"}:
            return branch == "body"
        works = all(self.imports(*item, within=module, depth=depth) for item in imported(node))
        return works if branch == "body" else not works

    def imports(self, source: str, level: int, name: str | None, *, within: str, depth: int = 0) -> bool:
        """Whether an import statement works."""
        source = self.absolute(source, level, within)
        try:
            if name is None or name == "*":
                self.module(source)
                return True
            return self.lookup(source, name, depth + 1) is not MISSING
        except NoModule:
            return False

    def bound(self, binding: Binding, module: str, name: str, depth: int) -> Abstract:
        """The value that a binding gives to its name."""
        frame = self.frame(module)
        if binding.kind == "import":
            try:
                return self.module(binding.detail[0])
            except NoModule:
                return External(str(binding.detail[0]), "")
        if binding.kind == "from":
            return self.from_import(
                self.absolute(binding.detail[0], binding.detail[1], module), binding.detail[2], module, depth
            )
        if binding.kind == "def":
            function = Function(binding.node, frame)
            return self.decorated(function, frame) if binding.node.decorator_list else function
        if binding.kind == "class":
            return self.class_of(binding.node, frame)
        if binding.kind == "opaque":
            return UNKNOWN
        value = self.evaluate(binding.node, frame)
        for index in binding.detail:
            items = getattr(value, "items", None)
            value = items[index] if isinstance(items, list) and index < len(items) else UNKNOWN
        return value

    def from_import(self, source: str, name: str, within: str, depth: int) -> Abstract:
        """``from source import name``; a package that is not followed answers with an opaque value."""
        top = source.partition(".")[0]
        if self.is_opaque(top) and top != within.partition(".")[0]:
            return External(source, name)
        try:
            return self.lookup(source, name, depth + 1)
        except NoModule:
            return External(source, name)

    def is_opaque(self, top: str) -> bool:
        """Whether a top-level package is not followed from another package's code."""
        return top in OPAQUE or top in self._standard

    def class_of(self, node: ast.ClassDef, frame: Frame) -> ClassValue:
        """The class that a ``class`` statement makes, with its bases resolved."""
        if id(node) not in self._classes:
            made = ClassValue(frame.module, node, frame)
            self._classes[id(node)] = made
            _linearize(made, [self.evaluate(base, frame) for base in node.bases if not isinstance(base, ast.Starred)])
            if any(isinstance(base, ast.Starred) for base in node.bases):
                made.open = True
                made.lineage.append(UNKNOWN)
        return self._classes[id(node)]


HARMLESS: Final = frozenset(
    {"builtins.object", "abc.ABC", "typing.Generic", "typing.Protocol", "typing_extensions.Protocol", "abc.ABCMeta"}
)
"""Bases that add no attribute an instance would be asked for."""


NATIVE: Final = frozenset("dict list tuple set frozenset str bytes int float Exception ValueError Warning".split())
"""Builtin bases; their own attributes are known."""


def _linearize(made: ClassValue, bases: list[Any]) -> None:
    """Fill in the lineage (C3, as ``type.mro`` does); a base that could not be read leaves the class open."""
    known = []
    for base in bases:
        if isinstance(base, ClassValue):
            known.append(base)
            made.open = made.open or base.open
            made.natives |= base.natives
        elif isinstance(base, External) and base.module == "builtins" and base.name in NATIVE:
            made.natives |= set(dir(getattr(builtins, base.name)))
        elif not (isinstance(base, External) and base.dotted in HARMLESS):
            made.open = True
            known.append(base)
    sequences = [list(base.lineage) if isinstance(base, ClassValue) else [base] for base in known] + [list(known)]
    order: list[Any] = [made]
    while any(sequences):
        sequences = [items for items in sequences if items]
        for items in sequences:
            head = items[0]
            if not any(head in other[1:] for other in sequences):
                break
        else:
            made.open = True
            order.append(UNKNOWN)
            break
        order.append(head)
        sequences = [[item for item in items if item != head] for items in sequences]
    made.lineage = order
    made.mro = [item for item in order if isinstance(item, ClassValue)]
