"""``Finder``: with which releases of a distribution would a model file load and predict in a target?

Each release is laid over what the target has, as its wheel would be installed there, together with what pip would have
to change for its requirements; then the file is predicted as it is for the target itself.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, NamedTuple

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from envaudit.collectors._marker_facts import marker_facts
from envaudit.errors import TargetError, UsageError
from envaudit.needs import DISTRIBUTIONS, distribution_of
from envaudit.prediction.evaluation import Evaluation
from envaudit.prediction.outcome import predict
from envaudit.reports import Search, Tried
from envaudit.rules._packages import for_numpy_1
from envaudit.surface._distributions import Distributions
from envaudit.surface._versions import parsed
from envaudit.surface.wheels import Index, WheelTree, wheel

if TYPE_CHECKING:
    from envaudit.evidence import Options
    from envaudit.needs import Needs
    from envaudit.surface import Surface
    from envaudit.surface._index import Release

MOST: Final = 12
"""Releases that are tried for one file: each costs a second or two, and at first a few megabytes from the index."""
_AHEAD: Final = 2
"""Wheels that are brought while another is predicted with."""


class _Plan(NamedTuple):
    """The releases to be tried for one file, nearest first, and the others in words."""

    stated: str | None
    versions: tuple[str, ...]
    skipped: tuple[str, ...]


class Finder:
    """The releases of one distribution in the package index."""

    def __init__(self, distribution: str, options: Options, index: Index | None = None) -> None:
        """Asks the index at once.

        Raises :class:`~envaudit.errors.UsageError` for a distribution that it does not have, and
        :class:`~envaudit.errors.TargetError` where it cannot be read.
        """
        self.name = distribution_of(distribution)
        self._options = options
        self._index = index or Index()
        options.progress(f"reading which releases of {self.name} there are")
        try:
            self._releases = self._index.releases(self.name)
        except TargetError as error:
            raise TargetError(f"cannot search the releases of {self.name} (--find): {error}") from None
        if not self._releases:
            raise UsageError(f"the package index has no {self.name} (--find)")

    def search(
        self, files: Sequence[tuple[str, Needs]], surface: Surface, train: Mapping[str, str] | None = None
    ) -> list[Search]:
        """Try the releases for each of the files, on the surface of a target.

        Raises :class:`~envaudit.errors.TargetError` where no wheel at all can be read.
        """
        installed = surface.version(self.name)
        usable = [text for text, release in self._releases.items() if _installable(release, surface)]
        plans = [self._plan(_stated(self.name, needs, train), installed, usable, surface) for _, needs in files]
        found: list[list[Tried]] = [[] for _ in files]
        versions = list(dict.fromkeys(version for plan in plans for version in plan.versions))
        pool = ThreadPoolExecutor(_AHEAD)
        try:
            brought = [pool.submit(self._bring, version, surface) for version in versions]
            for number, (version, coming) in enumerate(zip(versions, brought, strict=True), 1):
                self._options.progress(f"{number} of {len(versions)}: predicting with {self.name} {version}")
                attempt = _Attempt(self.name, version, surface, self._index, coming.result())
                for (path, needs), plan, tried in zip(files, plans, found, strict=True):
                    if version in plan.versions:
                        tried.append(attempt.judge(path, needs, train))
        finally:
            pool.shutdown(cancel_futures=True)
        everything = [item for tried in found for item in tried]
        if everything and all(item.unread for item in everything):
            raise TargetError(f"cannot search the releases of {self.name} (--find): {everything[0].error}")
        return [
            Search(self.name, installed, plan.stated, tuple(tried), plan.skipped)
            for plan, tried in zip(plans, found, strict=True)
        ]

    def _bring(self, version: str, surface: Surface) -> WheelTree | str:
        """The wheel of a release with its sources at hand, or why it cannot be read."""
        try:
            tree = wheel(self._index, self.name, version, surface.platform)
            assert tree is not None  # only releases with a wheel are tried
            tree.prefetch()
        except TargetError as error:
            return str(error)
        return tree

    def _plan(self, stated: str | None, installed: str | None, usable: Sequence[str], surface: Surface) -> _Plan:
        """Which releases to try: the newest of each minor, and every one of the minor that the file states."""
        own, there = parsed(stated), parsed(installed)
        wanted: dict[tuple[int, ...], list[Version]] = {}
        for version in map(Version, usable):
            yanked = self._releases[str(version)].yanked
            if version == own or not (version.is_prerelease or yanked):
                wanted.setdefault(version.release[:2], []).append(version)
        known = sorted(
            version
            for minor, versions in wanted.items()
            for version in (versions if own is not None and minor == own.release[:2] else versions[-1:])
        )
        anchor = own or there
        middle = len(known) if anchor is None else bisect_left(known, anchor)

        def distance(version: Version) -> tuple[int, bool]:
            back = there is not None and anchor is not None and there < anchor
            rank = known.index(version)
            return abs(rank - middle), (rank > middle) == back

        nearest = [version for version in sorted(known, key=distance) if version != there]
        python = ".".join(map(str, surface.python))
        skipped = []
        if own is not None and own != there and own not in known:
            skipped.append(f"{stated}, which the file states, has no wheel for Python {python} there")
        without = len(self._releases) - len(usable)
        if without:
            skipped.append(f"{without} releases have no wheel for Python {python} there")
        left_out = sum(len(versions) for versions in wanted.values()) - len(known)
        if left_out:
            skipped.append(f"{left_out} that a newer release of the same minor version follows")
        if len(nearest) > MOST:
            skipped.append(f"{len(nearest) - MOST} that are further away")
        return _Plan(stated, tuple(map(str, nearest[:MOST])), tuple(skipped))


class _Attempt:
    """One release, laid over the target when the first file is judged."""

    def __init__(self, name: str, version: str, surface: Surface, index: Index, tree: WheelTree | str) -> None:
        self._name = name
        self._version = version
        self._index = index
        self._beneath = surface
        self._also: dict[str, str] = {}  # what pip would change besides
        self._unread = tree if isinstance(tree, str) else ""
        if isinstance(tree, str):
            return
        trees = [tree]
        try:
            for requirement in self._unmet(tree):
                other = _newest(index, requirement, surface)
                if other is not None:
                    self._also[str(canonicalize_name(requirement.name))] = other
                    trees += filter(None, [wheel(index, requirement.name, other, surface.platform)])
            self._surface = surface.overlaid(trees)
        except TargetError as error:
            self._unread = str(error)
            return
        self._world = Evaluation.world_of(self._surface)

    def judge(self, path: str, needs: Needs, train: Mapping[str, str] | None) -> Tried:
        """What will happen to a file with this release."""
        if self._unread:
            return Tried(self._version, error=self._unread, unread=True)
        also = tuple(f"{name} {version}" for name, version in sorted(self._also.items()))
        try:
            clash = next(self._clashes(needs), "")
            if clash:
                return Tried(self._version, also=also, error=clash)
            self._surface.prefetch(needs.wanted)
            verdict = predict(needs, self._world, path, train)
        except TargetError as error:
            return Tried(self._version, error=str(error), unread=True)
        return Tried(self._version, verdict, also, verdict.reasons[0].error if verdict.reasons else "")

    def _unmet(self, tree: WheelTree) -> Iterator[Requirement]:
        """What the release requires and the target does not have; for one that was compiled for NumPy 1, that too."""
        requirements = list(_required(Distributions([tree]), self._name, self._beneath))
        if for_numpy_1(self._name, self._version):
            requirements.append(Requirement("numpy<2"))
        for requirement in requirements:
            there = self._beneath.release(requirement.name)
            if there is None or not requirement.specifier.contains(there, prereleases=True):
                yield requirement

    def _clashes(self, needs: Needs) -> Iterator[str]:
        """Why packages of the target that the file uses do not work with this release."""
        new = {self._name: self._version, **self._also}
        used = {distribution_of(name) for name in needs.modules}
        involved = set(used)
        for package in sorted(used - set(new)):
            for requirement in _required(_distributions(self._beneath, package), package, self._beneath):
                involved.add(str(canonicalize_name(requirement.name)))
                version = new.get(canonicalize_name(requirement.name))
                if version is not None and not requirement.specifier.contains(version, prereleases=True):
                    yield f"{package} {self._beneath.version(package)} there requires {requirement}"
        if _major(new.get("numpy")) >= 2:
            for package in sorted(involved - set(new)):
                there = self._beneath.version(package)
                if there and for_numpy_1(package, there):
                    yield f"{package} {there} there was compiled for NumPy 1 and cannot be imported with NumPy 2"


def _stated(name: str, needs: Needs, train: Mapping[str, str] | None) -> str | None:
    """The version with which a file was written, as training knows it or the file says itself."""
    return (train or {}).get(name) or next(iter(needs.versions.get(name, ())[-1:]), None)


def _major(text: str | None) -> int:
    version = parsed(text)
    return version.major if version else 0


def _installable(release: Release, surface: Surface) -> bool:
    """Whether an installer finds a wheel of it for the target; of its Python only the minor version is known."""
    try:
        python = SpecifierSet(release.requires_python or "")
    except InvalidSpecifier:
        python = SpecifierSet()
    major, minor = surface.python
    return python.contains(f"{major}.{minor}.99") and release.wheel(surface.platform) is not None


def _newest(index: Index, requirement: Requirement, surface: Surface) -> str | None:
    """The release that pip takes for a requirement that is not met."""
    for text, release in reversed(index.releases(requirement.name).items()):
        if not release.yanked and requirement.specifier.contains(text) and _installable(release, surface):
            return text
    return None


def _distributions(surface: Surface, package: str) -> Distributions:
    """Where a package's metadata lies: among the target's, or in the wheel that stands for it."""
    if package in surface.distributions.by_name():
        return surface.distributions
    module = next((module for module, name in DISTRIBUTIONS.items() if name == package), package)
    found = surface.find(module)
    return Distributions([found.tree] if found is not None and found.tree is not None else [])


def _required(distributions: Distributions, package: str, surface: Surface) -> Iterator[Requirement]:
    """What a distribution's metadata requires there, extras left out."""
    item = distributions.by_name().get(package)
    data = item.tree.read(f"{item.folder}/METADATA") if item else None
    head = (data or b"").decode("utf-8", "replace").replace("\r\n", "\n").partition("\n\n")[0]
    python = ".".join(map(str, surface.python))
    facts = {**marker_facts(f"{python}.99", "cpython", "linux", surface.platform.machine), "extra": ""}
    for line in head.splitlines():
        key, _, value = line.partition(":")
        if key.lower() == "requires-dist":
            try:
                requirement = Requirement(value.strip())
            except InvalidRequirement:
                continue
            if requirement.marker is None or requirement.marker.evaluate(facts):
                yield requirement
