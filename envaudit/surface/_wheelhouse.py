"""All distributions of a snapshot or a lockfile as wheels, each opened only when something of it is asked for."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from envaudit.errors import TargetError
from envaudit.model import Component, Snapshot
from envaudit.needs import DISTRIBUTIONS, distribution_of
from envaudit.surface import _stdlib
from envaudit.surface._distributions import normalised
from envaudit.surface._index import Index
from envaudit.surface.platform import Platform
from envaudit.surface.surface import Surface
from envaudit.surface.tree import ModuleFile, Tree
from envaudit.surface.wheels import WheelTree

_AT_ONCE: Final = 8
_IN_NO_WHEEL: Final = frozenset({"__main__", "__mp_main__", "__builtin__", "copy_reg"})
"""Modules of the script that trained, and of Python 2's library, that files name."""


class Wheelhouse:
    """The wheels that an installer would choose for the distributions of a snapshot."""

    def __init__(self, pinned: Mapping[str, Component], platform: Platform, index: Index) -> None:
        self._platform = platform
        self._index = index
        self._pinned = {normalised(name): component for name, component in pinned.items()}
        self._wheels: dict[str, WheelTree | None] = {}
        self._tops: dict[str, Sequence[Tree]] = {}
        self._elsewhere = _stdlib.standard(platform.python) | _IN_NO_WHEEL
        self.unseen: dict[str, str] = {}
        """Distributions without a wheel to read -> why."""

    def wheel(self, name: str) -> WheelTree | None:
        """The wheel of one distribution; None, with the reason in :attr:`unseen`, where there is none."""
        if name not in self._wheels:
            self._wheels[name] = self._chosen(name, self._pinned[name])
        return self._wheels[name]

    def order(self, module: str) -> Sequence[Tree]:
        """The wheels in which a top-level module is looked for: only one, where its name betrays the right one."""
        if module in self._elsewhere:
            return ()  # every wheel would be opened, for nothing
        if module not in self._tops:
            likely = dict.fromkeys((distribution_of(module), normalised(module)))
            candidates = [wheel for name in likely if name in self._pinned and (wheel := self.wheel(name))]
            found = [wheel for wheel in candidates if _holds(wheel, module)]
            if not found or not any(_is_regular(wheel, module) for wheel in found):
                found = [wheel for wheel in self._all() if _holds(wheel, module)]
            self._tops[module] = found
        return self._tops[module]

    def prefetch(self, packages: Sequence[str]) -> None:
        """Bring the sources of the wheels that hold these top-level packages."""
        wheels = dict.fromkeys(tree for package in packages for tree in self.order(package))
        for tree in wheels:
            if isinstance(tree, WheelTree):
                tree.prefetch()

    def read_ahead(self, modules: Sequence[ModuleFile]) -> None:
        """Bring the files of modules."""
        for item in modules:
            if item.tree is not None:
                item.tree.read(item.path)

    def version(self, name: str) -> str | None:
        """The version of a distribution, or of the one whose wheel holds a top-level module."""
        if normalised(name) in self._pinned and name not in DISTRIBUTIONS:
            return self._pinned[normalised(name)].version
        for tree in self.order(name.partition(".")[0]):
            for distribution, wheel in self._wheels.items():
                if wheel is tree:
                    return self._pinned[distribution].version
        component = self._pinned.get(normalised(name))
        return component.version if component else None

    def _all(self) -> list[WheelTree]:
        """Every wheel, opened; several at a time, since each costs a request or two."""
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            wheels = [wheel for wheel in pool.map(self.wheel, self._pinned) if wheel is not None]
            for _ in pool.map(lambda wheel: wheel.names(""), wheels):
                pass
        return wheels

    def _chosen(self, name: str, component: Component) -> WheelTree | None:
        if component.version is None:
            self.unseen[name] = "its version is not pinned"
            return None
        source = component.attributes.get("source")
        if source:
            self.unseen[name] = "it does not come from an index"
            return None
        release = self._index.release(name, component.version)
        if release is None:
            self.unseen[name] = f"the index has no {component.version}"
            return None
        file = release.wheel(self._platform, component.attributes.get("hashes", ())) or release.wheel(self._platform)
        if file is None:
            python = ".".join(map(str, self._platform.python))
            why = "only sources" if not release.wheels else f"no wheel for Python {python} on {self._platform.machine}"
            self.unseen[name] = f"the index has {why} of {component.version}"
            return None
        return WheelTree(file, self._index.cache)


def _holds(wheel: WheelTree, module: str) -> bool:
    return any(name.partition(".")[0] == module for name in wheel.names("") or ())


def _is_regular(wheel: WheelTree, module: str) -> bool:
    """Not a namespace package, of which other wheels may hold a part."""
    inside = wheel.names(module)
    return inside is None or any(name.startswith("__init__.") for name in inside)


def surface_of(snapshot: Snapshot, *, python: tuple[int, int] | None = None, index: Index | None = None) -> Surface:
    """The surface of a snapshot's distributions as the package index offers them.

    ``python`` is needed where the snapshot names none. Raises :class:`~envaudit.errors.TargetError` where it holds no
    distributions, or the index cannot be read.
    """
    pinned = snapshot.of("distribution")
    if not pinned:
        raise TargetError(f"{snapshot.target.reference}: names no distributions")
    assumptions: list[str] = []
    platform = _platform(snapshot, python, assumptions)
    house = Wheelhouse(pinned, platform, index or Index())
    return Surface(
        platform.python,
        (),
        snapshot.target.reference,
        standard_library=False,
        prefetch=house.prefetch,
        read_ahead=house.read_ahead,
        order=house.order,
        versions=house.version,
        unseen=house.unseen,
        assumptions=assumptions,
        platform=platform,
    )


def _platform(snapshot: Snapshot, python: tuple[int, int] | None, assumptions: list[str]) -> Platform:
    """What the snapshot says of Python, machine and C library; what it does not say is assumed, and told."""
    found = snapshot.of("python").get("python")
    if python is None:
        python = _minor(found) or _assumed(found, assumptions)
    default = Platform(python)
    machine = snapshot.of("machine").get("machine")
    libc = snapshot.of("libc").get("libc")
    if libc is None and not snapshot.target.declared:
        assumptions.append("the C library is not known: wheels for glibc are read")
    return Platform(
        python,
        (machine.version or default.machine) if machine else default.machine,
        f"{libc.attributes.get('family', 'glibc')} {libc.version}" if libc and libc.version else default.libc,
    )


def _minor(found: Component | None) -> tuple[int, int] | None:
    match = re.match(r"(\d+)\.(\d+)", (found.version if found else None) or "")
    return (int(match[1]), int(match[2])) if match else None


def _assumed(found: Component | None, assumptions: list[str]) -> tuple[int, int]:
    """The Python that envaudit runs on, or the oldest that the lockfile allows."""
    import sys

    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    own = (sys.version_info[0], sys.version_info[1])
    try:
        allowed = SpecifierSet((found.attributes.get("requires") if found else None) or "")
    except InvalidSpecifier:
        allowed = SpecifierSet()
    fitting = [(3, minor) for minor in range(6, 20) if any(allowed.contains(f"3.{minor}.{patch}") for patch in (0, 99))]
    chosen = own if own in fitting or not fitting else fitting[0]
    assumptions.append(f"it names no Python version: Python {chosen[0]}.{chosen[1]} is assumed")
    return chosen
