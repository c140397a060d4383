"""Which of possibly several Pythons in an image or container is the active one, told from its configuration.

The one that serves is the one that process 1 runs in. So, in this order:

1. what ``--python`` names;
2. the program that entry point and command start, where that settles it: a python by its path, a program in
   the bin folder of an environment (``/opt/venv/bin/gunicorn`` runs in ``/opt/venv`` whatever VIRTUAL_ENV
   says), or a bare ``python``, which means the one on PATH. Wrappers (``tini --``, ``env A=b``) are skipped.
   A program in a common folder (``/usr/local/bin/entrypoint.sh``) tells nothing, nor does ``conda run``; of a
   shell's text (``sh -c ...``) only a plain command is understood;
3. VIRTUAL_ENV, then CONDA_PREFIX: set for people and tools to find the environment, but no program obeys
   them by itself;
4. ``python3``, then ``python``, on the PATH of the image.

A candidate that is not there is passed over.
"""

from __future__ import annotations

import fnmatch
import posixpath
import re
from collections.abc import Iterable, Iterator
from typing import Final

from envaudit.evidence import NO_PYTHON, Evidence, Request
from envaudit.model import Environment, Json
from envaudit.targets import _live

_PYTHON: Final = re.compile(r"(python|pypy)[0-9.]*t?d?$")
_WRAPPERS: Final = frozenset(
    {"tini", "tini-static", "dumb-init", "docker-init", "catatonit", "env", "exec", "nice", "nohup", "setpriv"}
)
_WITH_USER: Final = frozenset({"gosu", "su-exec"})
_WITH_VALUE: Final = frozenset({"-n"})  # nice -n 10
_SHELLS: Final = frozenset({"sh", "bash", "dash", "ash"})
_COMMON: Final = frozenset(prefix + name for prefix in ("", "/usr", "/usr/local") for name in ("/bin", "/sbin"))
"""Folders that hold programs of every kind: lying there does not tie a program to the Python beside it."""

_FOLDERS: Final = (
    "/opt/*", "/opt/conda/envs/*", "/venv", "/.venv", "/env",
    "/app/.venv", "/app/venv", "/code/.venv", "/code/venv", "/usr/src/app/.venv", "/usr/src/app/venv",
    "/srv/.venv", "/srv/venv", "/srv/*/.venv", "/srv/*/venv", "/home/*/.venv", "/home/*/venv", "/root/.venv",
)  # fmt: skip
_INSTALLED: Final = ("/usr/bin/python3", "/usr/local/bin/python3")


def candidates(config: dict[str, Json], named: str | None) -> list[tuple[str, str]]:
    """``(interpreter, why)`` in the order in which to try them; keys of config as in Evidence.image."""
    if named is not None:
        return [(named, "--python")]
    env = config.get("env") or {}
    found = dict[str, str]()
    entrypoint, cmd = config.get("entrypoint") or [], config.get("cmd") or []
    for words, why in ((entrypoint + cmd, "entrypoint" if entrypoint else "command"), (cmd, "command")):
        for python in _started(words):
            found.setdefault(python, why if "/" in python else f"{why}, through PATH")
    for variable in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        if env.get(variable):
            found.setdefault(posixpath.join(env[variable], "bin/python"), variable)
    for python in ("python3", "python"):
        found.setdefault(python, "PATH")
    return list(found.items())


def _started(words: list[str]) -> Iterator[str]:
    """The interpreters that a command line points to, best first; none where it does not tell."""
    words = _without_wrappers(words)
    if len(words) > 2 and posixpath.basename(words[0]) in _SHELLS and words[1] == "-c":
        words = _without_wrappers(words[2].split())  # the shell form of CMD; more than a plain command tells nothing
        if words and not re.fullmatch(r"[\w./-]+", words[0]):
            return
    if not words or posixpath.basename(words[0]) in ("conda", "mamba", "micromamba"):
        return  # conda run names an environment, not a program
    folder, name = posixpath.split(words[0])
    if _PYTHON.match(name):
        if not folder or folder.startswith("/"):
            yield words[0]
    elif folder.startswith("/") and folder not in _COMMON and posixpath.basename(folder) == "bin":
        yield folder + "/python3"
        yield folder + "/python"


def _without_wrappers(words: list[str]) -> list[str]:
    words = list(words)
    while words and posixpath.basename(words[0]) in _WRAPPERS | _WITH_USER:
        skip_user = posixpath.basename(words.pop(0)) in _WITH_USER
        while words and (words[0].startswith("-") or re.match(r"\w+=", words[0])):
            if words.pop(0) in _WITH_VALUE and words:
                words.pop(0)
        if skip_user and words:
            words.pop(0)
    return words


def places(config: dict[str, Json]) -> tuple[str, ...]:
    """Patterns of the files that betray an environment in the usual places."""
    env = config.get("env") or {}
    folders = [env[name].rstrip("/") for name in ("VIRTUAL_ENV", "CONDA_PREFIX") if env.get(name, "").startswith("/")]
    workdir = (config.get("workdir") or "").rstrip("/")
    if workdir.startswith("/"):
        folders += [workdir + "/.venv", workdir + "/venv"]
    marks = [f"{folder}/{mark}" for folder in (*_FOLDERS, *folders) for mark in ("pyvenv.cfg", "conda-meta")]
    return tuple(dict.fromkeys([*marks, *_INSTALLED]))


def evidence(
    reply: dict[str, Json], config: dict[str, Json], request: Request, python: str, chosen_by: str
) -> Evidence:
    """The evidence of the Python that was chosen, with the environments beside it.

    ``reply`` is the answer to the request with :func:`places` among its names.
    """
    patterns, found = places(config), reply["interpreter"]
    beside = others(reply["names"], patterns, found)
    reply["names"] = without(reply["names"], patterns, request.names, found)
    path = python if "/" in python else found["executable"] or python
    return _live.evidence(reply, Environment(path, found["prefix"], chosen_by, beside), request)


def nothing(named: str | None, tried: list[str]) -> str:
    """What to say of a place where there is no Python."""
    if named is not None:
        return f"there is no {named} in it (--python)"
    return f"{NO_PYTHON} (tried {', '.join(tried)}); --python PATH names one"


def others(names: Iterable[str], patterns: Iterable[str], interpreter: dict[str, Json]) -> tuple[str, ...]:
    """The prefixes of the environments found besides the chosen one and the installation it was made from."""
    patterns = list(patterns)
    found = {
        posixpath.dirname(posixpath.dirname(name)) if name in _INSTALLED else posixpath.dirname(name)
        for name in names
        if any(_matches(name, pattern) for pattern in patterns)
    }
    return tuple(sorted(found - {interpreter["prefix"], interpreter["base_prefix"]}))


def without(
    names: Iterable[str], patterns: Iterable[str], asked: Iterable[str], interpreter: dict[str, Json]
) -> list[str]:
    """The names that were asked for, without those that came only through the patterns of this module."""
    own = list(patterns)
    wanted = [
        pattern.replace(word, place, 1)
        for pattern in asked
        for word, places in (("{site}", interpreter["path"]), ("{prefix}", [interpreter["prefix"]]))
        for place in (places if word in pattern else [""] if "{" not in pattern else [])
    ]
    return [
        name
        for name in names
        if not any(_matches(name, pattern) for pattern in own) or any(_matches(name, pattern) for pattern in wanted)
    ]


def _matches(path: str, pattern: str) -> bool:
    parts, patterns = path.split("/"), pattern.split("/")
    return len(parts) == len(patterns) and all(map(fnmatch.fnmatchcase, parts, patterns))
