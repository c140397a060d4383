"""``Surface``: the modules that a target's Python would import, found by its import system's rules, never imported.

The rules are those of ``importlib._bootstrap_external`` (docs.python.org/3/reference/import.html): built-in modules
first, then each entry of ``sys.path`` (for a submodule: of its parent's ``__path__``) in order; in each a folder with
an ``__init__`` before an extension module before source before bytecode, and a folder without an ``__init__`` as a
portion of a namespace package (PEP 420) if nothing else is found.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from envaudit.needs import distribution_of
from envaudit.surface import _stdlib
from envaudit.surface._distributions import Distributions
from envaudit.surface._facts import Facts
from envaudit.surface._versions import parsed
from envaudit.surface.platform import Platform
from envaudit.surface.tree import FolderTree, Kind, ModuleFile, Tree

if TYPE_CHECKING:
    from packaging.version import Version

    from envaudit.surface._trace import Trace
    from envaudit.surface.extensions import Extension

_CODING = re.compile(rb"^[ \t\f]*#.*?coding[:=]", re.M)
_EXTENDS_PATH = (b"extend_path(", b"declare_namespace(")


class Surface:
    """What the packages of one target offer, read from their files, lazily."""

    def __init__(
        self,
        python: tuple[int, int],
        trees: Sequence[Tree],
        where: str,
        *,
        builtins: Iterable[str] | None = None,
        suffix: str | None = None,
        standard_library: bool = True,
        prefetch: Callable[[Sequence[str]], None] | None = None,
        read_ahead: Callable[[Sequence[ModuleFile]], None] | None = None,
        order: Callable[[str], Sequence[Tree]] | None = None,
        versions: Callable[[str], str | None] | None = None,
        unseen: Mapping[str, str] | None = None,
        assumptions: Sequence[str] = (),
        platform: Platform | None = None,
        trace: Trace | None = None,
    ) -> None:
        """``builtins``: the interpreter's ``sys.builtin_module_names`` (None: not asked), ``suffix`` its first
        extension suffix, ``standard_library``: whether its folders are among the trees; ``prefetch`` (of top-level
        packages) and ``read_ahead`` (of single files): how trees that lie far away fetch many things at once;
        ``order``: the trees in which a top-level module is looked for, likeliest first; ``versions``: of distributions,
        where they are known otherwise than by the trees; ``unseen``: distributions whose files cannot be read, and why;
        ``trace``: what notes all that is read of the trees.
        """
        self.python = python
        self.where = where
        """How the target is called, for messages."""
        self.trees = tuple(trees)
        self.platform = platform or Platform(python)
        self._builtins = None if builtins is None else frozenset(builtins)
        self._standard_library = standard_library
        self._suffixes = _suffixes(python, suffix)
        self._prefetch = prefetch
        self._read_ahead = read_ahead
        self._order = order
        self._versions = versions
        self.unseen: Mapping[str, str] = {} if unseen is None else unseen
        """Distributions that belong to the target and whose files cannot be read -> why."""
        self.assumptions = tuple(assumptions)
        """What had to be assumed to look at all, in words."""
        self.trace = trace
        self._found: dict[str, ModuleFile | None] = {}
        self._sources: dict[str, str | None] = {}
        self._extensions: dict[str, Extension | None] = {}
        self.facts = Facts()
        """What is kept between two looks at the same files."""
        self.distributions = Distributions(self.trees)

    @classmethod
    def of_folders(cls, python: tuple[int, int], roots: Iterable[str], where: str) -> Surface:
        """The surface of folders of this machine, in the order of ``sys.path``; the folder of the standard library is
        taken to be among them where one holds an ``os.py``."""
        trees = [FolderTree(root) for root in roots]
        return cls(python, trees, where, standard_library=any("os.py" in (tree.names("") or ()) for tree in trees))

    def find(self, module: str) -> ModuleFile | None:
        """Where a module comes from; None where importing it would raise ``ModuleNotFoundError``."""
        if module not in self._found:
            self._found[module] = self._find(module)
        return self._found[module]

    def read(self, module: str) -> bytes | None:
        """The contents of the file that a module is loaded from; None where it has none, or none that can be read."""
        found = self.find(module)
        return None if found is None or found.tree is None else found.tree.read(found.path)

    def source(self, module: str) -> str | None:
        """The text of a module's source, decoded as PEP 263 says; None where it has none, or none that decodes."""
        if module not in self._sources:
            found = self.find(module)
            data = self.read(module) if found is not None and found.path.endswith(".py") else None
            self._sources[module] = None if data is None else decoded(data)
        return self._sources[module]

    def extension(self, module: str) -> Extension | None:
        """The facts that a compiled module's file shows; None where it is none or cannot be read."""
        if module not in self._extensions:
            found = self.find(module)
            if found is None or found.kind != "extension" or found.tree is None:
                self._extensions[module] = None
            else:
                from envaudit.surface import extensions

                self._extensions[module] = extensions.read(self, found)
        return self._extensions[module]

    def version(self, name: str) -> str | None:
        """The version of a distribution, or of the distribution that a top-level module belongs to."""
        if self._versions is not None:
            known = self._versions(name)
            if known is not None:
                return known
        return self.distributions.version(name)

    def release(self, name: str) -> Version | None:
        """The same as a version; None where none is known, or it is none that PEP 440 knows."""
        return parsed(self.version(name))

    def hides(self, module: str) -> str | None:
        """Why a module that :meth:`find` does not find may be there all the same; None where it surely is not."""
        if not self.unseen or self.find(module) is not None:
            return None
        top = module.partition(".")[0]
        if "." in module and self.find(top) is not None:
            return None
        name = distribution_of(top)
        if name in self.unseen:
            return f"{name}: {self.unseen[name]}"
        some = ", ".join(f"{name} ({why})" for name, why in sorted(self.unseen.items())[:3])
        return f"not everything could be read: {some}"

    def overlaid(self, trees: Sequence[Tree]) -> Surface:
        """This surface with other packages in front, as if their wheels were installed over what is there."""
        changed = Surface(
            self.python,
            (*trees, *self.trees),
            self.where,
            builtins=self._builtins,
            standard_library=self._standard_library,
            prefetch=_prefetching(trees, self._prefetch),
            read_ahead=self._read_ahead,
            order=(lambda name: (*trees, *(self._order or (lambda _: self.trees))(name))),
            unseen=self.unseen,
            assumptions=self.assumptions,
            platform=self.platform,
        )
        changed._suffixes = self._suffixes
        if self._versions is not None:
            over, under = Distributions(trees), self._versions
            changed._versions = lambda name: over.version(name) or under(name)
        return changed

    def prefetch(self, modules: Iterable[str]) -> None:
        """A hint that these modules will be read. Trees that lie far away fetch the sources of their top-level packages
        in one round, and in a second the files of those among the modules that are extensions."""
        wanted = list(dict.fromkeys(modules))
        if self._prefetch is not None:
            self._prefetch(list(dict.fromkeys(name.partition(".")[0] for name in wanted)))
        if self._read_ahead is not None:
            found = (self.find(name) for name in wanted)
            self._read_ahead([item for item in found if item is not None and item.kind == "extension"])

    def _find(self, module: str) -> ModuleFile | None:
        parent, _, name = module.rpartition(".")
        if not name:
            return None
        if module == "os.path":  # os is no package: it puts this name into sys.modules
            found = self.find("posixpath")
            return found and found._replace(module=module)
        if parent:
            package = self.find(parent)
            if package is None:
                return None
            if package.kind == "stdlib":
                return ModuleFile("stdlib", module, None, "")
            return self._in_portions(module, name, package.portions) or self._in_extended_path(module, package)
        if name in (_stdlib.builtin(self.python) if self._builtins is None else self._builtins):
            return ModuleFile("builtin", module, None, "")
        standard = name in _stdlib.standard(self.python)
        if standard and not self._standard_library:
            return ModuleFile("stdlib", module, None, "")
        found = self._in_portions(module, name, self._tops(name))
        if found is None and self._builtins is None and standard and name in _stdlib.compiled():
            # Some builds link more of the library into the interpreter; this one was not asked.
            return ModuleFile("builtin", module, None, "")
        return found

    def _tops(self, name: str) -> tuple[tuple[Tree, str], ...]:
        return tuple((tree, "") for tree in (self._order(name) if self._order else self.trees))

    def _in_portions(self, module: str, name: str, portions: tuple[tuple[Tree, str], ...]) -> ModuleFile | None:
        namespace: list[tuple[Tree, str]] = []
        for tree, folder in portions:
            names = tree.names(folder)
            if not names:
                continue
            path = f"{folder}/{name}" if folder else name
            if name in names:
                inside = tree.names(path)
                if inside is not None:
                    initial = self._file(inside, "__init__")
                    if initial:
                        kind: Kind = "package" if initial[1].endswith(".py") else initial[0]
                        return ModuleFile(kind, module, tree, f"{path}/{initial[1]}", ((tree, path),))
                    namespace.append((tree, path))
            plain = self._file(names, name)
            if plain:
                return ModuleFile(plain[0], module, tree, f"{folder}/{plain[1]}" if folder else plain[1])
        if namespace:
            return ModuleFile("namespace", module, None, "", tuple(namespace))
        return None

    def _file(self, names: frozenset[str], stem: str) -> tuple[Kind, str] | None:
        """The file that a module of that name is loaded from, in the order of the loaders."""
        start = stem + "."
        compiled = [name for name in names if name.endswith(".so") and name.startswith(start)]
        for pattern in self._suffixes:
            for name in sorted(compiled):
                if pattern.fullmatch(name, len(stem)):
                    return "extension", name
        if stem + ".py" in names:
            return "source", stem + ".py"
        if stem + ".pyc" in names:
            return "bytecode", stem + ".pyc"
        return None

    def _in_extended_path(self, module: str, package: ModuleFile) -> ModuleFile | None:
        """A submodule of a package that spreads itself over ``sys.path`` (pkgutil, pkg_resources)."""
        if package.kind != "package":
            return None
        data = self.read(package.module) or b""
        if not any(words in data for words in _EXTENDS_PATH):
            return None
        above, _, last = package.module.rpartition(".")
        parent = self.find(above) if above else None
        tops = parent.portions if parent else self._tops(last)
        portions = tuple((tree, f"{folder}/{last}" if folder else last) for tree, folder in tops)
        return self._in_portions(module, module.rpartition(".")[2], portions)


def _prefetching(
    trees: Sequence[Tree], beneath: Callable[[Sequence[str]], None] | None
) -> Callable[[Sequence[str]], None]:
    """How packages are brought of which some lie in front of others."""

    def prefetch(packages: Sequence[str]) -> None:
        held = {name for tree in trees for name in tree.names("") or ()}
        for tree in trees:
            bring = getattr(tree, "prefetch", None)
            if bring is not None and (tree.names("") or frozenset()) & set(packages):
                bring()
        if beneath is not None:
            beneath([name for name in packages if name not in held])

    return prefetch


def _suffixes(python: tuple[int, int], suffix: str | None) -> list[re.Pattern[str]]:
    """What may follow a module's name in an extension's file name; the platform is left open where it is not known."""
    version = f"{python[0]}{python[1]}"
    own = re.escape(suffix) if suffix else rf"\.(?:cpython-{version}[dmu]*(?:-[\w-]+)?|pypy{version}-[\w-]+)\.so"
    stable = [] if suffix and re.search(r"-\d+d?t", suffix) else [r"\.abi3\.so"]
    return [re.compile(text) for text in (own, *stable, r"\.so")]


def decoded(data: bytes) -> str | None:
    """Python source as text: by its byte order mark, its coding line (PEP 263) or UTF-8; None where that fails."""
    encoding = "utf-8-sig"
    first = b"\n".join(data[:400].splitlines()[:2])
    if _CODING.search(first):
        import io
        import tokenize

        try:
            encoding = tokenize.detect_encoding(io.BytesIO(data).readline)[0]
        except (SyntaxError, LookupError):
            return None
    try:
        text = data.decode(encoding)
    except (UnicodeDecodeError, LookupError):
        return None
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text
