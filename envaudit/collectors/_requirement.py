"""One line of a requirements file, taken apart ("Requirements File Format" in pip's reference).

packaging reads the requirement itself (PEP 508); what only pip and uv understand is read here: options behind
a requirement, ``-e``, bare URLs, ``git+https://...#egg=name`` and paths.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from envaudit.collectors._names import normalise
from envaudit.collectors._narrow import ContradictionError, Part, narrow, versioned
from envaudit.collectors._redact import redact, redact_url
from envaudit.errors import LockfileError
from envaudit.evidence import FileText, RequirementLine

_SHORT: Final = {
    "-r": "--requirement",
    "-c": "--constraint",
    "-e": "--editable",
    "-i": "--index-url",
    "-f": "--find-links",
    "-C": "--config-settings",
    "-Z": "--always-unzip",
}
_FLAGS: Final = frozenset(
    {
        "--always-unzip",
        "--no-index",
        "--no-require-hashes",
        "--no-use-wheel",
        "--pre",
        "--prefer-binary",
        "--process-dependency-links",
        "--require-hashes",
        "--use-wheel",
    }
)
_OPTIONS: Final = _FLAGS | {
    "--all-releases",
    "--config-settings",
    "--constraint",
    "--editable",
    "--extra-index-url",
    "--find-links",
    "--global-option",
    "--hash",
    "--index-url",
    "--install-option",
    "--no-binary",
    "--only-binary",
    "--only-final",
    "--pypi-url",
    "--requirement",
    "--trusted-host",
    "--uploaded-prior-to",
    "--use-feature",
}
_VARIABLE: Final = re.compile(r"\$\{([A-Z0-9_]+)\}")
_VCS: Final = re.compile(r"(?:git|hg|svn|bzr)\+")
_URL: Final = re.compile(r"(?:https?|ftp|file)://|file:|(?:git|hg|svn|bzr)\+[a-z]+:", re.IGNORECASE)
_PATH: Final = re.compile(r"[./~]|[^\s@;\[<>=!~]+[/\\]|\S+\.(?:whl|tar\.gz|tar\.bz2|zip)(?:$|\s|;|\[|#)")
_EXTRAS: Final = re.compile(r"(.+?)\[([A-Za-z0-9._,\s-]*)\]$")
_ARCHIVE: Final = (".whl", ".zip", ".tar.gz", ".tgz", ".tar.bz2", ".tbz", ".tar.xz", ".txz", ".tar")
_PROJECT: Final = "pyproject.toml"


class Entry(NamedTuple):
    """What one line says about a distribution."""

    line: RequirementLine
    name: str
    marker: str
    part: Part


class Unknown(NamedTuple):
    """A line that requires something which only shows when it is installed."""

    name: str | None
    reason: str


class Setting(NamedTuple):
    """A line that holds options alone."""

    options: dict[str, list[str]]


def where(line: RequirementLine) -> str:
    """The place of a line, as it stands in messages."""
    return f"{line.file}:{line.line}"


def quote(line: RequirementLine) -> str:
    """The text of a line, as it stands in messages: without credentials, on one line, not endless."""
    text = redact(line.text)
    return repr(text if len(text) <= 120 else text[:117] + "...")


def parse(line: RequirementLine, files: Mapping[str, FileText]) -> Entry | Unknown | Setting:
    """Take a line apart. ``files`` holds the ``pyproject.toml`` of local projects.

    Raises :class:`~envaudit.errors.LockfileError` with file and line where pip would refuse it too.
    """
    text, rest = _behind(line.text)
    options = _options(rest, line)
    editable = not text and "--editable" in options
    if editable:
        text = options["--editable"][0].strip()
    if not text:
        return Setting(options)
    try:
        found = _requirement(text, line, files, editable)
    except (ValueError, RecursionError, ContradictionError) as error:  # InvalidRequirement is a ValueError
        variable = _VARIABLE.search(text)
        if variable is not None:
            return _depends(text, line, variable[1])
        reason = str(error).partition("\n")[0] if not isinstance(error, RecursionError) else "nested too deeply"
        raise LockfileError(f"{where(line)}: {quote(line)}: {redact(reason)}") from None
    hashes = sorted({value.strip().replace("=", ":", 1).lower() for value in options.get("--hash", ())})
    if isinstance(found, Entry) and hashes:
        found.part["hashes"] = hashes
    return found


def _behind(text: str) -> tuple[str, str]:
    """Requirement and options, cut as pip cuts: at the first word that starts with a dash."""
    words = text.split(" ")
    cut = next((index for index, word in enumerate(words) if word.startswith("-")), len(words))
    return " ".join(words[:cut]).strip(), " ".join(words[cut:])


def _options(text: str, line: RequirementLine) -> dict[str, list[str]]:
    if not text:
        return {}
    import shlex

    try:
        words = iter(shlex.split(text))
    except ValueError:
        raise LockfileError(f"{where(line)}: has an unbalanced quote") from None
    found: dict[str, list[str]] = {}
    for word in words:
        if word.startswith("--"):
            given, equals, value = word.partition("=")
            name = _option(given)
        else:
            given, value = word[:2], word[2:]
            equals, name = value, _SHORT.get(given)
        if name is None:
            raise LockfileError(f"{where(line)}: {redact(given)!r} is no option of a requirements file")
        if name not in _FLAGS and not equals:
            following = next(words, None)
            if following is None:
                raise LockfileError(f"{where(line)}: {given} needs a value")
            value = following
        found.setdefault(name, []).append(value)
    return found


def _option(given: str) -> str | None:
    """The option meant; like pip's own reader, this takes any unambiguous beginning."""
    if given in _OPTIONS:
        return given
    meant = [name for name in _OPTIONS if name.startswith(given)]
    return meant[0] if len(meant) == 1 else None


def _depends(text: str, line: RequirementLine, variable: str) -> Unknown:
    name = re.match(r"([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:[\[=<>!~;@(]|$)", text)
    reason = f"{where(line)}: depends on the environment variable {variable} of whoever installs it"
    return Unknown(normalise(name[1]) if name else None, reason)


def _requirement(text: str, line: RequirementLine, files: Mapping[str, FileText], editable: bool) -> Entry | Unknown:
    if _URL.match(text) or editable or _PATH.match(text):
        return _place(text, line, files, editable)
    from packaging.requirements import Requirement

    requirement = Requirement(text)
    marker = str(requirement.marker or "")
    name = normalise(requirement.name)
    if requirement.url is not None:
        source, of_name, version = _source(requirement.url, editable)
        part = {**(versioned(version) if version and of_name == name else {}), "source": source}
    else:
        part = narrow(
            [
                versioned(clause.version)
                if clause.operator == "===" or (clause.operator == "==" and clause.version[-2:] != ".*")
                else {"specifier": str(clause)}
                for clause in sorted(requirement.specifier, key=str)
            ]
            or [{}]
        )
    return Entry(line, name, marker, _with_extras(part, requirement.extras))


def _with_extras(part: Part, extras: Any) -> Part:
    names = sorted({normalise(extra) for extra in extras if extra.strip()})
    return {**part, "extras": names} if names else dict(part)


def _place(text: str, line: RequirementLine, files: Mapping[str, FileText], editable: bool) -> Entry | Unknown:
    """A URL or a path that stands alone: the name comes from the file name, ``#egg=`` or the project file."""
    place, _, condition = text.partition(" ;") if " ;" in text else text.partition("; ")
    if not _URL.match(place) and not condition:
        place, _, condition = place.partition(";")
    marker = ""
    if condition.strip():
        from packaging.markers import Marker

        marker = str(Marker(condition.strip()))
    place = place.strip()
    if re.search(r"\s", place) and _URL.match(place):
        raise ValueError("a URL holds no spaces")
    beyond = _EXTRAS.match(place)
    if beyond and "#" not in beyond[1]:
        place = beyond[1]
    source, name, version = _source(place, editable)
    egg = re.match(r"([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[([^\]]*)\])?", _fragment(place).get("egg", ""))
    extras = (beyond[2] if beyond else "") + "," + ((egg[2] or "") if egg else "")
    if name is None and egg:
        name = normalise(egg[1])
    if name is None and source["kind"] == "directory":
        name, version = _project(place, line, files)
    if name is None:
        return Unknown(None, f"{where(line)}: installs {redact_url(place)}, which does not tell its name")
    part: Part = {**(versioned(version) if version else {}), "source": source}
    return Entry(line, name, marker, _with_extras(part, extras.split(",")))


def _fragment(url: str) -> dict[str, str]:
    pairs = (item.partition("=") for item in url.partition("#")[2].split("&"))
    return {key: value for key, _, value in pairs if value}


def _source(url: str, editable: bool) -> tuple[Part, str | None, str | None]:
    """``source`` as in direct_url.json (PEP 610), and name and version as far as the file name tells them."""
    fragment = _fragment(url)
    plain = url.partition("#")[0]
    source: Part
    name = version = None
    if _VCS.match(plain):
        plain, revision = _revision(plain.partition("+")[2])
        source = {"kind": "vcs", "url": redact_url(plain), "requested": revision}
        if re.fullmatch(r"[0-9a-f]{40}", revision):
            source["commit"] = revision
    elif plain.partition("?")[0].lower().endswith(_ARCHIVE) or re.match(r"(https?|ftp):", plain, re.IGNORECASE):
        name, version = _of_archive(plain)
        digest = next((f"{kind}:{fragment[kind]}" for kind in ("sha256", "sha512", "sha384") if kind in fragment), "")
        source = {"kind": "archive", "url": redact_url(plain), "hash": digest}
    else:
        source = {"kind": "directory", "where": redact_url(plain)}
    source.update(editable=editable, subdirectory=fragment.get("subdirectory"))
    return {key: value for key, value in source.items() if value not in (None, "", False)}, name, version


def _revision(url: str) -> tuple[str, str]:
    """A VCS URL and the revision behind an ``@`` in its path."""
    scheme, separator, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    path, _, revision = path.rpartition("@") if "@" in path else (path, "", "")
    return f"{scheme}{separator}{host}{slash}{path}", revision


def _of_archive(url: str) -> tuple[str | None, str | None]:
    """Name and version that the file name of a wheel or source archive tells."""
    from urllib.parse import unquote

    from packaging.utils import parse_sdist_filename, parse_wheel_filename

    file = unquote(re.split(r"[/\\]", url.partition("?")[0])[-1])
    try:
        if file.endswith(".whl"):
            name, version, _, _ = parse_wheel_filename(file)
        else:
            name, version = parse_sdist_filename(file)
    except ValueError:
        return None, None
    return str(name), str(version)


def _project(place: str, line: RequirementLine, files: Mapping[str, FileText]) -> tuple[str | None, str | None]:
    """Name and fixed version of a local project, from its ``pyproject.toml``."""
    folder = place.partition("#")[0].removeprefix("file://").removeprefix("file:")
    key = posixpath.normpath(posixpath.join(posixpath.dirname(line.file), folder, _PROJECT))
    file = files.get(key)
    if file is None or file.error:
        return None, None
    import sys
    from importlib import import_module

    tomllib = import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    try:
        document = tomllib.loads(file.text)
        project = document.get("project") or document["tool"]["poetry"]
        name, version = project["name"], project.get("version")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None, None
    if not isinstance(name, str) or not name.strip():
        return None, None
    return normalise(name), version if isinstance(version, str) and version else None
