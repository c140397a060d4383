"""The functions of the public API: :func:`snapshot`, :func:`compare` and :func:`probe`."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

from envaudit.errors import UsageError
from envaudit.evidence import Options
from envaudit.model import Comparison, Snapshot, Verdict
from envaudit.reports import Probe

if TYPE_CHECKING:
    from envaudit.probing import Execute

Path = str | os.PathLike[str]


def snapshot(
    target: Path | None = None,
    *,
    python: str | None = None,
    timeout: float = 60.0,
    pull: bool = False,
    pip: bool = False,
) -> Snapshot:
    """Look at an environment.

    ``target`` is written as on the command line (docs/targets.md): a path, an image, ``container://NAME``, ...; None
    is the environment that this process runs in. ``python`` overrides which interpreter inside of the target is
    looked at; ``timeout`` is in seconds; ``pull`` allows an absent image to be pulled; ``pip`` asks pip as well.

    Raises :class:`~envaudit.errors.EnvauditError` where the target does not exist or cannot be looked at.
    """
    from envaudit.take import HERE, take

    text = HERE if target is None else os.fspath(target)
    return take(text, Options(python=python, timeout=timeout, pull=pull, pip=pip))


def compare(
    train: Snapshot | Path, serve: Snapshot | Path, models: Path | Iterable[Path] = (), *, loader: str | None = None
) -> Comparison:
    """Compare what training used with what serving has. Each side is a snapshot, or a target to look at first.

    With ``models`` the findings say what will happen to these model files in serving (codes EA9xx), and a difference
    of versions that a file survives is no error.

    Raises :class:`~envaudit.errors.EnvauditError` where a target cannot be looked at or a model file cannot be read.
    """
    from envaudit import comparison

    before, after = (side if isinstance(side, Snapshot) else snapshot(side) for side in (train, serve))
    paths = _paths(models)
    if not paths:
        return comparison.compare(before, after)
    from envaudit import probing

    place = f"snapshot://{serve.target.reference}" if isinstance(serve, Snapshot) else os.fspath(serve)
    return comparison.compare(before, after, probing.audit(paths, place, before, after, loader=loader))


def probe(
    models: Path | Iterable[Path],
    target: Path | None = None,
    *,
    loader: str | None = None,
    find: str | None = None,
    run: bool = False,
    sample: Path | None = None,
    expect: Path | None = None,
    unsafe: bool = False,
    python: str | None = None,
    timeout: float = 60.0,
    pull: bool = False,
) -> Probe:
    """Read model files without loading them; with a target, predict what will happen to each of them there.

    ``loader`` is the call that will read them (default: by the file). ``find`` names a distribution: which of its
    releases would make them load and predict there (:attr:`Probed.search`)? ``run`` also really loads them there in a
    sandbox; ``sample`` names a file with input to call them on, ``expect`` one with training's answers to it, and
    ``unsafe`` allows it where there is no sandbox. The other parameters are those of :func:`snapshot`.

    Raises :class:`~envaudit.errors.ArtifactError` where the only file cannot be read; of several, those that cannot
    be read say so in :attr:`Probed.error`.
    """
    from envaudit import probing

    options = Options(python=python, timeout=timeout, pull=pull)
    place = None if target is None else os.fspath(target)
    execute = None
    if run or sample is not None or expect is not None or unsafe:
        files = (None if path is None else os.fspath(path) for path in (sample, expect))
        execute = executor(place if run else None, options, *files, unsafe=unsafe)
    return probing.probe(_paths(models), place, loader=loader, execute=execute, options=options, find=find)


def executor(target: str | None, options: Options, sample: str | None, expect: str | None, *, unsafe: bool) -> Execute:
    """How files are really loaded in a target. The sample is read at once: a mistake in it is told before a long look.

    This is the only way from a probe into the sandbox.
    """
    if target is None:
        raise UsageError("a sample, its answers and unsafe only matter to a run (--run), which needs a target (--in)")
    if expect is not None and sample is None:
        raise UsageError("answers are expected to a sample: name one (--sample FILE)")
    from envaudit import sandbox

    given = None if sample is None else sandbox.read_sample(sample)
    wanted = None if expect is None else sandbox.read_expectation(expect)

    def execute(model: str, loader: str) -> Verdict:
        return sandbox.execute(
            model, target, loader=loader, options=options, sample=given, expect=wanted, unsafe=unsafe
        )

    return execute


def _paths(models: Path | Iterable[Path]) -> list[str]:
    if isinstance(models, (str, os.PathLike)):
        models = [models]
    return [os.fspath(model) for model in models]
