"""bubblewrap: the sandbox for interpreters of this machine.

It shows the process a root of its own with nothing in it but the system's libraries, the Python environment and the
model file, all read-only, and a small ``/tmp``; no network, no other processes, no capabilities, no way to gain any.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Final, NamedTuple

from envaudit.errors import SandboxError

NOBODY: Final = 65534
"""The user that root turns into: limits on processes do not hold for root."""

_SYSTEM: Final = (
    *("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store"),
    *("/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/alternatives", "/etc/localtime"),
    *("/etc/passwd", "/etc/group", "/etc/nsswitch.conf"),
)
"""What any program may need; nothing of it is a secret."""

_OWN: Final = ("/", "/proc", "/dev", "/tmp")  # noqa: S108  (the sandbox has its own)
_HOPS: Final = 40


class Wrapper(NamedTuple):
    """How bubblewrap is to be called on this machine."""

    program: str
    isolation: tuple[str, ...]
    sizes: bool
    """Whether it can limit the size of ``/tmp``, as newer versions can."""
    user: int | None
    """The user that the model is to run as; None: the same."""

    def command(self, paths: Iterable[str], binds: Iterable[tuple[str, str]], disk: int, start: str) -> list[str]:
        """The words before the command: ``paths`` are shown as they are, ``binds`` are ``(here, there)``."""
        words = [self.program, *self.isolation, "--proc", "/proc", "--dev", "/dev"]
        for place in ("/tmp", "/dev/shm"):  # noqa: S108
            words += [*(("--perms", "1777", "--size", str(disk)) if self.sizes else ()), "--tmpfs", place]
        placed = [*layout((*_SYSTEM, *paths)), *(("--ro-bind", here, there) for here, there in binds)]
        for folder in sorted({folder for *_, there in placed for folder in _above(there)} - set(_OWN)):
            words += ["--dir", folder]  # made on the way, it would be closed to another user
        for option in placed:
            words += option
        # bubblewrap leaves /proc/sys writable for a root without capabilities, who owns the files in it.
        closed = [word for place in ("/proc", "/dev", "/") for word in ("--remount-ro", place)]
        return [*words, *closed, "--chdir", start, "--"]


@cache
def find(as_nobody: bool = True) -> Wrapper:
    """bubblewrap as it works here. ``as_nobody``: root is to turn into another user, as it should where it can.

    Raises :class:`~envaudit.errors.SandboxError` where it is not there, or is there and may not make namespaces, as
    in most containers.
    """
    program = shutil.which("bwrap")
    if program is None:
        raise SandboxError("bubblewrap (bwrap) is not there; on Debian and Ubuntu: apt-get install bubblewrap")
    common = ("--die-with-parent", "--new-session", "--clearenv", "--cap-drop", "ALL")
    variants: list[tuple[tuple[str, ...], int | None]] = [(("--unshare-all", *common), None)]
    if os.geteuid() == 0 and as_nobody:
        spaces = tuple(f"--unshare-{name}" for name in ("ipc", "pid", "net", "uts", "cgroup-try"))
        keep = tuple(word for name in ("SETUID", "SETGID", "KILL") for word in ("--cap-add", f"CAP_{name}"))
        variants.insert(0, ((*spaces, *common, *keep), NOBODY))
    why = ""
    for isolation, user in variants:
        for sizes in (True, False):
            wrapper = Wrapper(program, isolation, sizes, user)
            failed = _try(wrapper)
            if failed is None:
                return wrapper
            why = why or failed
    raise SandboxError(f"bubblewrap is there and does not work here ({why})")


def _try(wrapper: Wrapper) -> str | None:
    """None if it works, else its own words."""
    import subprocess

    program = shutil.which("true") or sys.executable
    words = [*wrapper.command((program,), (), 1 << 20, "/"), program, "--version"]
    try:
        done = subprocess.run(words, capture_output=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if done.returncode == 0:
        return None
    return done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2] or f"exit code {done.returncode}"


def layout(paths: Iterable[str]) -> list[tuple[str, str, str]]:
    """``(option, source, destination)`` that make these paths reachable under their own names, and nothing beside.

    Symbolic links on the way become the same links there, so that a program that looks where it really lies (Python
    does) finds what it would find outside.
    """
    links, places = dict[str, str](), set[str]()
    for path in paths:
        real = _follow(os.path.abspath(path), links)
        if real not in _OWN and os.path.lexists(real):
            places.add(real)
    kept = [place for place in sorted(places) if not _within(os.path.dirname(place), places)]
    found = [("--ro-bind", place, place) for place in kept]
    found += [("--symlink", to, link) for link, to in sorted(links.items()) if not _within(link, places)]
    return sorted(found, key=lambda words: words[2])


def _follow(path: str, links: dict[str, str]) -> str:
    """Where a path really lies; the links on the way are added to ``links``."""
    parts, place, hops = path.split(os.sep)[1:], "", 0
    while parts:
        part = parts.pop(0)
        if part in ("", "."):
            continue
        if part == "..":
            place = os.path.dirname(place)
            continue
        inner = f"{place}/{part}"
        if os.path.islink(inner) and hops < _HOPS:
            hops += 1
            links[inner] = to = os.readlink(inner)
            place = "" if to.startswith("/") else place
            parts[:0] = to.split(os.sep)
        else:
            place = inner
    return place or "/"


def _above(path: str) -> Iterator[str]:
    """The folders that a path lies in, without the root."""
    while (path := os.path.dirname(path)) not in ("/", ""):
        yield path


def _within(path: str, places: set[str]) -> bool:
    """Whether a path lies in one of the places, or is one."""
    return path in places or any(folder in places for folder in _above(path))
