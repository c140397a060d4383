"""Do a distribution's own requirements hold in the environment that it is installed in?

packaging decides. Since importing it costs more than reading all metadata of a usual environment, the plainest
requirements (numbers compared with numbers) are first proved to hold without it; whatever is not proved that way is
handed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from envaudit.collectors._names import normalise
from envaudit.model import Json

_PLAIN = re.compile(
    r"\s*(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\]\s*)?\(?(?P<specifier>[^;@()]*)\)?\s*(?:;(?P<marker>.*))?$"
)
_CLAUSE = re.compile(r"\s*(>=|<=|==|!=|<|>)\s*([0-9]+(?:\.[0-9]+)*)\s*$")
_NUMBERS = re.compile(r"[0-9]+(?:\.[0-9]+)*$")
_EXTRA_ONLY = re.compile(r"""(^|\band\b)\s*\(?\s*extra\s*==\s*(['"])[^'"]+\2\s*\)?\s*$""")


def proved(specifier: str, version: str) -> bool:
    """Whether a version certainly satisfies a specifier; False where that takes more than comparing numbers."""
    if not specifier.strip():
        return True
    if not _NUMBERS.match(version):
        return False
    have = _release(version)
    for clause in specifier.split(","):
        match = _CLAUSE.match(clause)
        if match is None:
            return False
        want = _release(match[2])
        operator = match[1]
        if not (
            (operator == ">=" and have >= want)
            or (operator == "<=" and have <= want)
            or (operator == ">" and have > want)
            or (operator == "<" and have < want)
            or (operator == "==" and have == want)
            or (operator == "!=" and have != want)
        ):
            return False
    return True


def _release(text: str) -> tuple[int, ...]:
    """Release numbers without trailing zeros: 1.0 and 1 are equal (PEP 440)."""
    numbers = [int(part) for part in text.split(".")]
    while len(numbers) > 1 and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


class Checker:
    """Knows the installed versions (normalised name -> version) and the interpreter of one environment."""

    def __init__(self, versions: Mapping[str, str], interpreter: Mapping[str, Json]) -> None:
        self.versions = versions
        self.interpreter = interpreter
        self._environment: dict[str, str] | None = None

    def unmet(self, requirements: Iterable[str]) -> list[str]:
        """The requirements that apply here (no extras) and do not hold, each with what is there instead."""
        found = [self._judge(text) for text in requirements]
        return sorted(item for item in found if item is not None)

    def _judge(self, text: str) -> str | None:
        match = _PLAIN.match(text)
        if match is not None:
            marker = match["marker"]
            if marker and " or " not in marker and _EXTRA_ONLY.search(marker):
                return None
            installed = self.versions.get(normalise(match["name"]))
            if installed is not None and proved(match["specifier"], installed):
                return None
        return self._ask_packaging(text)

    def _ask_packaging(self, text: str) -> str | None:
        from packaging.markers import UndefinedComparison, UndefinedEnvironmentName
        from packaging.requirements import InvalidRequirement, Requirement

        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            return None  # old metadata is full of them; pip cannot read it either
        if requirement.marker is not None:
            try:
                if not requirement.marker.evaluate({**self.environment(), "extra": ""}):
                    return None
            except (UndefinedComparison, UndefinedEnvironmentName):
                return None
        name = normalise(requirement.name)
        installed = self.versions.get(name)
        wanted = f"{name}{requirement.specifier}"
        if installed is None:
            return f"{wanted} (not installed)"
        if requirement.url is None and not _contains(requirement.specifier, installed):
            return f"{wanted} ({installed} is installed)"
        return None

    def environment(self) -> dict[str, str]:
        """The marker environment (PEP 508, "Environment Markers") of the inspected interpreter."""
        if self._environment is None:
            found = self.interpreter
            implementation = str(found["implementation"])
            self._environment = {
                "implementation_name": implementation,
                "implementation_version": str(found["implementation_version"]),
                "os_name": str(found["os_name"]),
                "platform_machine": str(found["machine"]),
                "platform_release": str(found["release"]),
                "platform_system": str(found["sysname"]),
                "platform_version": str(found["kernel_version"]),
                "python_full_version": str(found["version"]),
                "platform_python_implementation": {"cpython": "CPython", "pypy": "PyPy"}.get(implementation, implementation),
                "python_version": ".".join(str(found["version"]).split(".")[:2]),
                "sys_platform": str(found["sys_platform"]),
            }
        return self._environment


def _contains(specifier: Any, installed: str) -> bool:
    from packaging.version import InvalidVersion

    try:
        return bool(specifier.contains(installed, prereleases=True))
    except InvalidVersion:
        return True  # a legacy version such as 2004d: not known to fail
