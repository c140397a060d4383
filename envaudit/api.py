"""The functions of the public API: :func:`snapshot`, :func:`compare`, :func:`probe` and :func:`embed`."""

from __future__ import annotations

import os
from collections.abc import Iterable

from envaudit.errors import UsageError
from envaudit.evidence import Options
from envaudit.model import Comparison, Snapshot
from envaudit.reports import Probe

Path = str | os.PathLike[str]


def snapshot(
    target: Path | None = None,
    *,
    python: str | None = None,
    timeout: float = 60.0,
    pull: bool = False,
    static: bool = False,
    platform: str | None = None,
    pip: bool = False,
    models: Path | Iterable[Path] = (),
    loader: str | None = None,
    sample: Path | None = None,
    unsafe: bool = False,
) -> Snapshot:
    """Look at an environment.

    ``target`` is written as on the command line (docs/targets.md): a path, an image, ``container://NAME``, ...; None
    is the environment that this process runs in. ``python`` overrides which interpreter inside of the target is
    looked at; ``timeout`` is in seconds; ``pull`` allows an absent image to be pulled; ``static`` reads an image
    of the local engine without running it; ``platform`` (``OS/ARCH[/VARIANT]``) chooses of an image that is there for
    several; ``pip`` asks pip as well.

    ``models`` are files whose digests and needs are to be kept (:attr:`Snapshot.artifacts`). With ``sample``, a file
    with input, each of them is really loaded in the target, in a sandbox, and its answers are kept too; ``loader`` is
    the call that reads them (default: by the file), ``unsafe`` allows to do it where there is no sandbox.

    Raises :class:`~envaudit.errors.EnvauditError` where the target does not exist or cannot be looked at, a model file
    cannot be read, or gives no answers.
    """
    options = Options(python=python, timeout=timeout, pull=pull, pip=pip, static=static, platform=platform)
    place, given = (None if path is None else os.fspath(path) for path in (target, sample))
    return snapshot_with(place, options, _paths(models), given, loader, unsafe=unsafe)


def compare(
    train: Snapshot | Path, serve: Snapshot | Path, models: Path | Iterable[Path] = (), *, loader: str | None = None
) -> Comparison:
    """Compare what training used with what serving has. Each side is a snapshot, or a target to look at first;
    ``train`` may be a model that carries its snapshot, and then is the model in question.

    With ``models`` the findings say what will happen to these model files in serving (codes EA9xx), and a difference
    of versions that a file survives is no error.

    Raises :class:`~envaudit.errors.EnvauditError` where a target cannot be looked at or a model file cannot be read.
    """
    from envaudit.audit import audit

    before, after = (side if isinstance(side, Snapshot) else os.fspath(side) for side in (train, serve))
    return audit(before, after, _paths(models), loader=loader)


def probe(
    models: Path | Iterable[Path],
    target: Path | None = None,
    *,
    loader: str | None = None,
    find: str | None = None,
    imports: bool = False,
    run: bool = False,
    sample: Path | None = None,
    expect: Path | Snapshot | None = None,
    unsafe: bool = False,
    python: str | None = None,
    timeout: float = 60.0,
    pull: bool = False,
    static: bool = False,
    platform: str | None = None,
) -> Probe:
    """Read model files without loading them; with a target, predict what will happen to each of them there.

    ``loader`` is the call that will read them (default: by the file). ``find`` names a distribution: which of its
    releases would make them load and predict there (:attr:`Probed.search`)? ``imports`` also imports what they name
    there, in a sandbox, and corrects the prediction by it; ``run`` also really loads them there, in a sandbox.
    ``sample`` names a file with input to call them on, ``expect`` one with training's answers to it (or the snapshot
    that holds them), ``unsafe`` allows both where there is no sandbox. The others are those of :func:`snapshot`.

    Raises :class:`~envaudit.errors.ArtifactError` where the only file cannot be read; of several, those that cannot
    be read say so in :attr:`Probed.error`.
    """
    from envaudit import probing, running

    options = Options(python=python, timeout=timeout, pull=pull, static=static, platform=platform)
    place = None if target is None else os.fspath(target)
    paths = _paths(models)
    given = None if sample is None else os.fspath(sample)
    wanted = expect if expect is None or isinstance(expect, Snapshot) else os.fspath(expect)
    correct = running.importer(place, options, imports=imports, run=run, find=find, unsafe=unsafe)
    execute = running.executor(place, options, paths, given, wanted, run=run, unsafe=unsafe and not imports)
    return probing.probe(paths, place, loader=loader, correct=correct, execute=execute, options=options, find=find)


def embed(
    model: Path,
    snapshot: Snapshot | Path | None = None,
    *,
    sample: Path | None = None,
    loader: str | None = None,
    sidecar: bool = False,
    unsafe: bool = False,
    python: str | None = None,
    timeout: float = 60.0,
) -> str:
    """Put a snapshot of training into a model, in the place of one that is there. The model stays loadable as before.

    ``snapshot`` is a snapshot, or the place to look at; None is the environment that this process runs in. With
    ``sample``, a file with input, the model is really loaded there, in a sandbox, and the sample rides along with the
    answers (of a saved snapshot: the answers that it has recorded to this very sample). ``loader`` is the call that
    reads the model, ``sidecar`` leaves the model alone and writes a file beside it. The others are those of
    :func:`snapshot`.

    Returns where it rides, in words: ``behind the pickle``.

    Raises :class:`~envaudit.errors.EnvauditError` where the place cannot be looked at, the model is damaged or
    cannot be written; it is as it was then.
    """
    from envaudit import carrying
    from envaudit.take import HERE

    path = os.fspath(model)
    options = Options(python=python, timeout=timeout)
    place = HERE if snapshot is None else snapshot if isinstance(snapshot, Snapshot) else os.fspath(snapshot)
    given = None if sample is None else os.fspath(sample)
    _, where = carrying.embed(path, place, options, sample=given, loader=loader, sidecar=sidecar, unsafe=unsafe)
    return where


def snapshot_with(
    target: str | None, options: Options, models: list[str], sample: str | None, loader: str | None, *, unsafe: bool
) -> Snapshot:
    """:func:`snapshot`, with the options as one and every path a text; None is the environment of this process."""
    from envaudit.take import HERE, take

    place = HERE if target is None else target
    if not models and sample is not None:
        raise UsageError("a sample only matters to a model file (--model FILE)")
    if loader is not None:
        from envaudit.probing import check_loader

        check_loader(loader, models)
    if sample is None and unsafe:
        raise UsageError("unsafe only matters to a run, for which a sample is needed (--sample FILE)")
    if not models:
        return take(place, options)
    from envaudit import recording, running

    record = None if sample is None else running.recorder(place, options, sample, unsafe=unsafe)
    return recording.take_with(place, options, models, loader=loader, record=record)


def _paths(models: Path | Iterable[Path]) -> list[str]:
    if isinstance(models, (str, os.PathLike)):
        models = [models]
    return [os.fspath(model) for model in models]
