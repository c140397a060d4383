"""Fuzz one target with atheris and keep what was found: an exception that is none of envaudit's, an input that takes
too long or too much memory. One line for each cause; exit 1 where there was one.

    python -m tests.fuzz TARGET [--seconds N] [--found FOLDER]
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import tempfile
import time
import traceback
from pathlib import Path

SECONDS = 2.0
"""CPU time of one input; with coverage counted, reading takes about twice as long as without."""
MEGABYTES = 300
FOUND = Path(tempfile.gettempdir()) / "envaudit-found"


class Watch:
    """Runs a target, and keeps one input of each cause of trouble."""

    def __init__(self, name: str, folder: Path) -> None:
        from tests.fuzz.targets import TARGETS

        self.name, self.folder, self.target = name, folder, TARGETS[name]
        self.causes: set[str] = set()
        self.seconds = float("inf")

    def run(self, data: bytes) -> None:
        """One input."""
        before, begin = _peak(), time.process_time()
        cause = ""
        try:
            self.target.attempt(data)
        except self.target.allowed as error:
            cause = "" if str(error).isprintable() else "an error of several lines, or with control characters"
        except Exception as error:
            places = [frame for frame in traceback.extract_tb(error.__traceback__) if "/envaudit/" in frame.filename]
            place = f"{Path(places[-1].filename).name}:{places[-1].lineno}" if places else "?"
            cause = f"{type(error).__name__} in {place}: {' '.join(str(error).split())[:200]}"
            if self._is_new(cause.partition(": ")[0]):
                traceback.print_exc()
                self._keep(cause, data)
            return
        spent, grown = time.process_time() - begin, _peak() - before
        if spent > self.seconds:
            cause = f"{spent:.1f} s"
        elif grown > MEGABYTES:
            cause = f"{grown} MB"
        if cause and self._is_new(cause):
            self._keep(cause, data)

    def _is_new(self, cause: str) -> bool:
        new = cause not in self.causes
        self.causes.add(cause)
        return new

    def _keep(self, cause: str, data: bytes) -> None:
        content = self.target.file(data)
        path = self.folder / f"{self.name}-{hashlib.sha256(content).hexdigest()[:12]}"
        path.write_bytes(content)
        print(f"FOUND {self.name}: {cause}: {path}", flush=True)


def _peak() -> int:
    """The most memory that the process had since this was last asked, in MB (Linux)."""
    try:
        with open("/proc/self/status", encoding="ascii") as status:
            peak = int(status.read().split("VmHWM:")[1].split()[0]) // 1024
        with open("/proc/self/clear_refs", "w", encoding="ascii") as reset:
            reset.write("5")
    except OSError:
        return 0
    return peak


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__.partition("\n\n")[0])
    parser.add_argument("target")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--found", type=Path, default=FOUND, help=f"folder for inputs that were found ({FOUND})")
    given = parser.parse_args()
    given.found.mkdir(parents=True, exist_ok=True)
    before = set(given.found.iterdir())
    memory = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.TemporaryDirectory(prefix="envaudit-fuzz-", dir=memory) as scratch:
        child = os.fork()  # libFuzzer ends the process that it runs in
        if not child:
            tempfile.tempdir = scratch
            fuzz(given.target, given.seconds, given.found)
        _, status = os.waitpid(child, 0)
    found = sorted(map(str, set(given.found.iterdir()) - before))
    if found or not status:
        print(*(found or ["nothing was found"]), sep="\n")
    sys.exit(bool(found or status))


def fuzz(name: str, seconds: int, folder: Path) -> None:
    """Fuzz a target; does not return."""
    try:
        import atheris
    except ImportError:
        sys.exit("atheris is not installed: pip install --group fuzz")
    with atheris.instrument_imports(include=["envaudit"], enable_loader_override=False):
        from tests.fuzz import targets

        if name not in targets.TARGETS:
            sys.exit(f"there is no {name}; there are {', '.join(targets.TARGETS)}")
        watch = Watch(name, folder)
        corpus, words = targets.inputs(watch.target, Path(tempfile.mkdtemp()))
        for path in sorted(corpus.iterdir()):  # modules that are imported late are instrumented too
            watch.run(path.read_bytes())
        watch.seconds = SECONDS  # from now on; what is made once was made
    options = {
        "max_total_time": seconds,
        "max_len": watch.target.longest,
        **({"dict": words} if words.stat().st_size else {}),
        "artifact_prefix": folder / f"{name}-stopped-",
        "rss_limit_mb": 4096,
        "timeout": 60,
    }
    atheris.Setup([sys.argv[0], *(f"-{key}={value}" for key, value in options.items()), str(corpus)], watch.run)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
