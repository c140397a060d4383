"""The functions of the public API: :func:`snapshot`, :func:`compare` and :func:`probe`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from envaudit.errors import UsageError
from envaudit.evidence import Options
from envaudit.model import Artifact, Comparison, RecordedSample, Snapshot, Verdict
from envaudit.reports import Probe

if TYPE_CHECKING:
    from envaudit.needs import Needs
    from envaudit.probing import Correct, Execute
    from envaudit.recording import Record
    from envaudit.sandbox import Expectation

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
    """Compare what training used with what serving has. Each side is a snapshot, or a target to look at first.

    With ``models`` the findings say what will happen to these model files in serving (codes EA9xx), and a difference
    of versions that a file survives is no error.

    Raises :class:`~envaudit.errors.EnvauditError` where a target cannot be looked at or a model file cannot be read.
    """
    from envaudit import comparison

    paths = _paths(models)
    if loader is not None:
        from envaudit.probing import check_loader

        check_loader(loader, paths)
    before, after = (side if isinstance(side, Snapshot) else snapshot(side) for side in (train, serve))
    if not paths:
        return comparison.compare(before, after)
    from envaudit import probing

    place = f"snapshot://{serve.target.reference}" if isinstance(serve, Snapshot) else os.fspath(serve)
    home = None if isinstance(train, Snapshot) else probing.Place(os.fspath(train), Options(), before)
    return comparison.compare(before, after, probing.audit(paths, place, before, after, loader=loader, home=home))


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
    from envaudit import probing

    options = Options(python=python, timeout=timeout, pull=pull, static=static, platform=platform)
    place = None if target is None else os.fspath(target)
    paths = _paths(models)
    given = None if sample is None else os.fspath(sample)
    wanted = expect if expect is None or isinstance(expect, Snapshot) else os.fspath(expect)
    correct = importer(place, options, imports=imports, run=run, find=find, unsafe=unsafe)
    execute = executor(place, options, paths, given, wanted, run=run, unsafe=unsafe and not imports)
    return probing.probe(paths, place, loader=loader, correct=correct, execute=execute, options=options, find=find)


def importer(
    target: str | None, options: Options, *, imports: bool, run: bool, find: str | None, unsafe: bool
) -> Correct | None:
    """How a prediction is corrected by importing in a target what a file names; None where that was not asked for."""
    if not imports:
        return None
    if target is None:
        raise UsageError("importing needs a target (--in TARGET; here:// is this environment)")
    if run:
        raise UsageError("a run imports what it needs, and tells more (--run without --import)")
    if find is not None:
        raise UsageError("what is not installed cannot be imported (--find without --import)")
    from envaudit import sandbox

    def correct(predicted: Verdict, needs: Needs, train: Mapping[str, str] | None) -> Verdict:
        return sandbox.import_names(predicted, needs, target, train=train, options=options, unsafe=unsafe)

    return correct


def executor(
    target: str | None,
    options: Options,
    models: list[str],
    sample: str | None,
    expect: str | Snapshot | None,
    *,
    run: bool,
    unsafe: bool,
) -> Execute | None:
    """How files are really loaded in a target; None where that was not asked for.

    The sample is read at once: a mistake in it is told before a long look. This is the only way from a probe into the
    sandbox.
    """
    if not run:
        if sample is not None or expect is not None or unsafe:
            raise UsageError("a sample, its answers and unsafe only matter to a run (--run)")
        return None
    if target is None:
        raise UsageError("a run needs a target (--in TARGET; here:// is this environment)")
    if expect is not None and sample is None:
        raise UsageError("answers are expected to a sample: name one (--sample FILE)")
    from envaudit import sandbox

    given = None if sample is None else sandbox.read_sample(sample)
    wanted = {} if expect is None or sample is None else _expectations(models, sample, expect)

    def execute(model: str, loader: str) -> Verdict:
        expected = wanted.get(model)
        return sandbox.execute(
            model, target, loader=loader, options=options, sample=given, expect=expected, unsafe=unsafe
        )

    return execute


def _expectations(models: list[str], sample: str, expect: str | Snapshot) -> dict[str, Expectation]:
    """What each model file is to answer: what the file with answers says, or what a snapshot has recorded of it."""
    from envaudit import probing, recording, sandbox

    wanted = sandbox.read_expectation(expect) if isinstance(expect, str) else expect
    if isinstance(wanted, sandbox.Expectation):
        return dict.fromkeys(models, wanted)
    where = expect if isinstance(expect, str) else "the snapshot"
    _, sha256, _ = probing.fingerprint(sample)
    found = {}
    for model in models:
        with suppress(OSError):  # who reads the file tells why it cannot be read
            found[model] = sandbox.of_artifact(recording.recorded(wanted, where, model, sample, sha256), where)
    return found


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
    from envaudit import recording

    record = None if sample is None else _recorder(place, options, sample, unsafe=unsafe)
    return recording.take_with(place, options, models, loader=loader, record=record)


def _recorder(target: str, options: Options, sample: str, *, unsafe: bool) -> Record:
    """How the answers of files in a target are recorded. This is the only way from a snapshot into the sandbox."""
    from envaudit import probing, sandbox

    given, source = sandbox.read_sample(sample), RecordedSample(*probing.fingerprint(sample))

    def record(model: str, artifact: Artifact) -> Artifact:
        found = sandbox.record(model, target, loader=artifact.loader, options=options, sample=given, unsafe=unsafe)
        return artifact._replace(sample=source._replace(form=found.form), answers=found.answers, failed=found.failed)

    return record


def _paths(models: Path | Iterable[Path]) -> list[str]:
    if isinstance(models, (str, os.PathLike)):
        models = [models]
    return [os.fspath(model) for model in models]
