"""Do a distribution's own requirements hold in the environment that it is installed in?

packaging decides. Since importing it costs more than reading all metadata of a usual environment, the plainest
requirements (numbers compared with numbers) are first proved to hold without it; whatever is not proved that way is
handed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from envaudit.collectors._marker_facts import marker_facts
from envaudit.collectors._names import normalise
from envaudit.model import Json

_PLAIN = re.compile(
    r"\s*(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\]\s*)?\(?(?P<specifier>[^;@()]*)\)?\s*(?:;(?P<marker>.*))?$"
)
_ENDING = r"\.?(?:a|b|rc|post|dev)\.?[0-9]+"
_CLAUSE = re.compile(rf"\s*(>=|<=|==|!=|~=|<|>)\s*([0-9]+(?:\.[0-9]+)*)(\.\*|{_ENDING})?\s*$")
_INSTALLED = re.compile(rf"([0-9]+(?:\.[0-9]+)*)({_ENDING})?$")
_NUMBERS = re.compile(r"[0-9]+(?:\.[0-9]+)*$")
_CONDITION = re.compile(r"""\(?\s*([a-z_]+)\s*(==|!=|<=|>=|<|>)\s*(?:'([^'"]*)'|"([^'"]*)")\s*\)?$""")
_WORD = re.compile(r"""'[^']*'|"[^"]*"|[()]|\w+""")
_NUMBERED = ("python_version", "python_full_version")
_TEXTS = ("sys_platform", "platform_system", "os_name", "platform_python_implementation", "extra")


def proved(specifier: str, version: str) -> bool:
    """Whether a version certainly satisfies a specifier; False where that takes more than comparing numbers."""
    if not specifier.strip():
        return True
    have = _INSTALLED.match(version)
    if have is None:
        return False
    for clause in specifier.split(","):
        match = _CLAUSE.match(clause)
        if match is None or not _satisfies(have[1], have[2] or "", match[1], match[2], match[3] or ""):
            return False
    return True


def _satisfies(have: str, of_have: str, operator: str, want: str, of_want: str) -> bool:
    """One clause, of plain release numbers and what follows them: ``.*``, or the mark of a pre-, post- or development
    release, which plays no part as long as the numbers differ."""
    if of_want == ".*":
        alike = operator in ("==", "!=") and _starts(have, [int(part) for part in want.split(".")])
        return alike and not of_have if operator == "==" else operator == "!=" and not alike
    if of_have or of_want:
        if operator == "==":
            return have + of_have == want + of_want
        if operator == ">=" and "post" in of_have and not of_want:
            return _release(have) >= _release(want)
        if operator == "~=" or _release(have) == _release(want):
            return False
    return _holds(have, operator, want)


def _starts(version: str, prefix: list[int]) -> bool:
    """Whether release numbers, with zeros behind them, begin with others."""
    start = [int(part) for part in version.split(".")][: len(prefix)]
    return start + [0] * (len(prefix) - len(start)) == prefix


def _holds(version: str, operator: str, wanted: str) -> bool:
    """One comparison of plain release numbers (PEP 440, "Version specifiers")."""
    have, want = _release(version), _release(wanted)
    if operator == "~=":
        prefix = [int(part) for part in wanted.split(".")][:-1]
        return bool(prefix) and have >= want and _starts(version, prefix)
    return (
        (operator == ">=" and have >= want)
        or (operator == "<=" and have <= want)
        or (operator == ">" and have > want)
        or (operator == "<" and have < want)
        or (operator == "==" and have == want)
        or (operator == "!=" and have != want)
    )


def _release(text: str) -> tuple[int, ...]:
    """Release numbers without trailing zeros: 1.0 and 1 are equal (PEP 440)."""
    numbers = [int(part) for part in text.split(".")]
    while len(numbers) > 1 and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def certainly_false(marker: str, environment: Mapping[str, str]) -> bool:
    """Whether a marker certainly does not hold: a chain of ``and`` with one plain condition that is wrong."""
    for part in _conjuncts(marker):
        match = _CONDITION.match(part)
        if match is None:
            continue
        name, operator, value = match[1], match[2], match[3] or match[4] or ""
        holds = True
        if name in _TEXTS and operator in ("==", "!=") and value[:1].isalpha():
            holds = (environment[name] == value) == (operator == "==")
        elif name in _NUMBERED and _NUMBERS.match(environment[name]) and _NUMBERS.match(value):
            holds = _holds(environment[name], operator, value)
        if not holds:
            return True
    return False


def _conjuncts(marker: str) -> list[str]:
    """The parts of a marker that all have to hold; none where its outermost connection is an ``or``."""
    parts, depth, start = [], 0, 0
    for word in _WORD.finditer(marker):
        depth += (word[0] == "(") - (word[0] == ")")
        if depth == 0 and word[0] == "or":
            return []
        if depth == 0 and word[0] == "and":
            parts.append(marker[start : word.start()].strip())
            start = word.end()
    return [*parts, marker[start:].strip()]


class Checker:
    """Knows the installed versions (normalised name -> version) and the interpreter of one environment."""

    def __init__(self, versions: Mapping[str, str], interpreter: Mapping[str, Json]) -> None:
        self.versions = versions
        self.interpreter = interpreter
        self.wanted: set[str] = set()
        """Normalised names that the requirements judged so far ask for, where they apply."""
        self._environment: dict[str, str] | None = None

    def unmet(self, requirements: Iterable[str]) -> list[str]:
        """The requirements that apply here (no extras) and do not hold, each with what is there instead."""
        found = [self._judge(text) for text in requirements]
        return sorted(item for item in found if item is not None)

    def _judge(self, text: str) -> str | None:
        match = _PLAIN.match(text)
        if match is not None:
            marker = match["marker"]
            if marker and certainly_false(marker, self.environment()):
                return None
            name = normalise(match["name"])
            self.wanted.add(name)
            installed = self.versions.get(name)
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
                if not requirement.marker.evaluate(self.environment()):
                    return None
            except (UndefinedComparison, UndefinedEnvironmentName):
                return None
        name = normalise(requirement.name)
        self.wanted.add(name)
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
            found = {name: str(value) for name, value in self.interpreter.items()}
            self._environment = marker_facts(
                found["version"],
                found["implementation"],
                found["sys_platform"],
                found["machine"],
                implementation_version=found["implementation_version"],
                system=found["sysname"],
            )
            self._environment.update(
                os_name=found["os_name"],
                platform_release=found["release"],
                platform_version=found["kernel_version"],
                extra="",
            )
        return self._environment


def _contains(specifier: Any, installed: str) -> bool:
    from packaging.version import InvalidVersion

    try:
        return bool(specifier.contains(installed, prereleases=True))
    except InvalidVersion:
        return True  # a legacy version such as 2004d: not known to fail
