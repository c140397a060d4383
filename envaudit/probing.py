"""``probe(models, target) -> Probe``: read model files, and predict what will happen to each of them in one target.

No model file is unpickled here. Who wants it to be really loaded hands a way to do so over, which
:mod:`envaudit.running` makes.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Final

from envaudit import embedding, verdicts
from envaudit.comparison import Model, addressed
from envaudit.errors import ArtifactError, UsageError
from envaudit.evidence import MIB, Options
from envaudit.model import LOADERS, Json, Snapshot, TargetInfo, Verdict
from envaudit.needs import Needs, distribution_of
from envaudit.reports import Probe, Probed, Search
from envaudit.take import Look, look, resolve

if TYPE_CHECKING:
    from envaudit.prediction.world import World
    from envaudit.surface import Surface
    from envaudit.training import Training

Execute = Callable[[str, str], Verdict]
"""Really loads a file with a loader, and says what happened."""

Correct = Callable[[Verdict, Needs, Mapping[str, str] | None], Verdict]
"""Corrects a prediction by what importing in the target shows; the last are training's versions by distribution."""

_OLD_LIBRARY: Final = frozenset("__builtin__ copy_reg cPickle cStringIO".split())
"""Modules of Python 2's library that pickles of protocols 0 to 2 name."""
SMALL: Final = 16 * MIB
"""Bytes of a model file up to which it is read whole for its digest, by which what is predicted of it is kept."""


class File:
    """A model file that is read when something of it is asked for."""

    def __init__(self, path: str, loader: str | None = None, digest: str | None = None) -> None:
        """``loader`` is the call that will read it (default: by the file), ``digest`` stands for its own bytes where
        they were read already."""
        self.path = path
        self.loader = loader
        self._digest = digest
        self._stamp = _stamp(path)

    @cached_property
    def needs(self) -> Needs:
        """Raises :class:`~envaudit.errors.ArtifactError` where it cannot be read."""
        from envaudit import artifacts

        needs = artifacts.read(self.path)
        return needs if self.loader is None else needs._replace(loader=self.loader)

    @cached_property
    def digest(self) -> str | None:
        """What tells it from other files; None where that would take long, or it cannot be read."""
        if self._digest is None and self._stamp is not None and self._stamp[0] <= SMALL:
            self._digest = fingerprint(self.path)[1]
        return self._digest

    @property
    def alone(self) -> bool:
        """Whether the digest stands for all that was read: it did not change, and no other files belong to it."""
        others = {"NDArrayWrapper", "ZNDArrayWrapper"}  # joblib < 0.10
        return _stamp(self.path) == self._stamp and not any(item.name in others for item in self.needs.globals)


class Place:
    """A target that is opened when the first file could be read, and then serves all of them."""

    def __init__(self, target: str, options: Options, look: Look | None = None) -> None:
        """``look`` is what a look at the target gave where there was one already: some can be read only once."""
        self.target = target
        self.options = options
        self.kind = resolve(target)[0].kind
        self._look = look
        self._surface: Surface | None = None
        self._world: World | None = None

    @property
    def name(self) -> str:
        """The target without a scheme that only says its kind."""
        return self.target.partition("://")[2] or ("this environment" if self.kind == "here" else self.target)

    @property
    def info(self) -> TargetInfo:
        """What it is: of a saved snapshot, once it was read, the place that it was taken of, for that is mended."""
        if self.kind == "snapshot" and self._look is not None:
            return self._look.snapshot.target
        return TargetInfo(self.kind, self.name)

    def foretell(self, file: File, train: Mapping[str, str] | None) -> verdicts.Kept:
        """What will happen there to a file, worked out only where it was not before.

        Raises :class:`~envaudit.errors.ArtifactError` where the file cannot be read.
        """
        from envaudit.surface.open import LOCAL

        name, trace = "", None
        if self.kind in LOCAL and file.digest is not None:
            trace = self.surface().trace
        if trace is not None and file.digest is not None:
            name = verdicts.name_of(file.digest, file.loader, train, trace.place)
            kept = verdicts.recall(name, trace)
            if kept is not None:
                return kept._replace(verdict=kept.verdict._replace(artifact=file.path, target=self.target))
        verdict = self.predict(file.needs, file.path, train)
        made = verdicts.Kept(*described(file.needs), verdict)
        if trace is not None and file.alone:
            verdicts.keep(name, trace, made)
        return made

    def predict(self, needs: Needs, artifact: str, train: Mapping[str, str] | None) -> Verdict:
        """What will happen there to a file."""
        from envaudit.prediction.outcome import predict

        world = self.opened()
        self.options.progress(f"reading the packages of {self.name} for {artifact}")
        world.surface.prefetch(needs.wanted)
        self.options.progress(f"predicting {artifact}")
        return predict(needs, world, artifact, train)._replace(target=self.target)

    def assumptions(self) -> tuple[str, ...]:
        """What had to be assumed, and which packages could not be read."""
        if self._surface is None:
            return ()
        surface = self._surface
        unseen = (f"{name} could not be read there: {why}" for name, why in sorted(surface.unseen.items()))
        return (*surface.assumptions, *unseen)

    def opened(self) -> World:
        """The modules of the target."""
        if self._world is None:
            from envaudit.prediction.evaluation import Evaluation

            self._world = Evaluation.world_of(self.surface())
        return self._world

    def surface(self) -> Surface:
        """The packages of the target."""
        if self._surface is None:
            from envaudit.surface.open import of_snapshot, open_surface

            self.options.progress(f"looking at {self.name}")
            if self.kind == "snapshot" or self.info.declared:
                self._look = self._look or look(self.target, self.options)
                self._surface = of_snapshot(self._look.snapshot)
            else:
                evidence = None if self._look is None else self._look.evidence
                self._surface = open_surface(self.target, self.options, evidence=evidence)
        return self._surface


def probe(
    models: Sequence[str],
    target: str | None = None,
    *,
    loader: str | None = None,
    correct: Correct | None = None,
    execute: Execute | None = None,
    options: Options | None = None,
    train: Mapping[str, str] | None = None,
    seen: Look | None = None,
    whole: bool = False,
    find: str | None = None,
    training: Training | None = None,
    digests: Mapping[str, str] | None = None,
) -> Probe:
    """Read model files, and predict what will happen to them in a target.

    ``loader`` is the call that will read them (default: by the file); ``correct`` imports there what they name,
    ``execute`` really loads them there; ``train`` maps distributions to their versions in training (default: by the
    snapshot that a file carries), ``seen`` is what a look at the target gave. ``find`` names a distribution whose
    releases are searched for some with which the files would work there. With ``training``, what is predicted to fail
    there too is no reason. ``digests`` maps files to what stands for their own bytes, where these were read already.

    Raises :class:`~envaudit.errors.ArtifactError` where the only file cannot be read; of several the others go on,
    unless all are wanted (``whole``).
    """
    check_loader(loader, models)
    options = options or Options()
    place = None if target is None else Place(target, options, seen)
    finder = None
    if find is not None:
        if place is None:
            raise UsageError("releases can only be searched for a target (--in TARGET; here:// is this environment)")
        from envaudit.searching import Finder

        finder = Finder(find, options)
    files = []
    read: dict[int, tuple[str, Needs]] = {}
    for number, path in enumerate(models, 1):
        count = f"{number} of {len(models)}: " if len(models) > 1 else ""
        options.progress(f"{count}reading {path}")
        file = File(path, loader, (digests or {}).get(path))
        predicted, known = None, train
        try:
            if place is None:
                summary, needs = described(file.needs)
            else:
                known = train if train is not None else _trained(path)
                summary, needs, predicted = place.foretell(file, known)
        except ArtifactError as error:
            if whole or len(models) == 1:
                raise
            files.append(Probed(path, error=str(error)))
            continue
        if finder is not None:
            read[len(files)] = (path, file.needs)
        if training is not None and predicted is not None and any(reason.value == "no" for reason in predicted.reasons):
            predicted = training.difference(predicted, file.needs)
        if correct is not None and predicted is not None:
            predicted = correct(predicted, file.needs, known)
        executed = None if execute is None else execute(path, needs["loader"])
        files.append(Probed(path, summary, needs, predicted, executed))
    if place is None:
        return Probe(tuple(files))
    if finder is not None and read:
        searches = finder.search(tuple(read.values()), place.opened().surface, train)
        for number, search in zip(read, searches, strict=True):
            files[number] = _mended(files[number], search)
    return Probe(tuple(_addressed(file, place.info) for file in files), place.target, place.kind, place.assumptions())


def _trained(path: str) -> Mapping[str, str] | None:
    """The versions of training by the snapshot that a model carries; None where it carries none of its own."""
    try:
        return embedding.read(path).record.snapshot.versions()
    except ArtifactError:
        return None


def check_loader(loader: str | None, models: Sequence[str]) -> None:
    """Raises :class:`~envaudit.errors.UsageError` for a call that reads no model files, or has none to read."""
    if loader is not None and loader not in LOADERS:
        raise UsageError(f"unknown loader {loader!r}; known are {', '.join(LOADERS)}")
    if loader is not None and not models:
        raise UsageError("a loader only matters to a model file (--model FILE)")


def _addressed(file: Probed, target: TargetInfo) -> Probed:
    """The file with fixes that say where in the target they belong."""
    if file.predicted is None:
        return file
    reasons = tuple(reason._replace(fix=addressed(reason.fix, target)) for reason in file.predicted.reasons)
    return file._replace(predicted=file.predicted._replace(reasons=reasons))


def _mended(file: Probed, search: Search) -> Probed:
    """The file with the releases that were found as the way to mend what was predicted."""
    before = file.predicted
    if before is None:
        return file._replace(search=search)
    reasons = []
    for reason in before.reasons:
        if reason.value == "no" and reason.question != "same":
            if search.works:
                reason = reason._replace(fix=_way_out(search))
            elif f"pip install '{search.distribution}==" in reason.fix:
                reason = reason._replace(fix=_no_way_out(search))
        reasons.append(reason)
    return file._replace(search=search, predicted=before._replace(reasons=tuple(reasons)))


def _way_out(search: Search) -> str:
    """The command that installs the nearest release that works, and the others."""
    first, *others = search.works
    pinned = [f"{search.distribution}=={first.version}", *(item.replace(" ", "==") for item in first.also)]
    more = ", ".join(item.version for item in others)
    command = " ".join(["pip install", *(f"'{item}'" for item in pinned)])
    return f"{command} (or {more})" if more else command


def _no_way_out(search: Search) -> str:
    """What to say where no release works, and with which it would at least load."""
    tried = len(search.tried)
    loads = ", ".join(item.version for item in search.tried if item.verdict and item.verdict.load.value == "yes")
    more = f"; with {loads} it would load" if loads else ""
    return f"none of the {tried} releases of {search.distribution} that were tried would make it work there{more}"


def audit(
    models: Sequence[str],
    target: str,
    train: Look,
    serve: Look,
    *,
    loader: str | None = None,
    options: Options | None = None,
    home: Place | None = None,
    digests: Mapping[str, str] | None = None,
    execute: Execute | None = None,
) -> tuple[Model, ...]:
    """The verdicts on model files that a comparison of two looks takes into account; ``target`` is serving's.

    ``home`` is training's place, where more of it is at hand than its snapshot; ``digests`` and ``execute`` as in
    :func:`probe`.
    """
    from envaudit.training import Training

    home = home or Place(f"snapshot://{train.snapshot.target.reference}", options or Options(), train)
    closed = "no package index is asked from within a process" if options is not None and options.in_process else ""
    training = Training(home, train.snapshot, closed)
    found = probe(
        models, target, loader=loader, options=options, train=train.snapshot.versions(), seen=serve, whole=True,
        training=training, digests=digests, execute=execute,
    )  # fmt: skip

    def told(model: str) -> tuple[str, ...]:
        return (*found.assumptions, *_replaced(model, train.snapshot), *training.told.get(model, ()))

    return tuple(
        Model(item.verdict, frozenset(item.needs["packages"]), told(item.artifact))
        for item in found.files
        if item.verdict is not None
    )


def _replaced(model: str, train: Snapshot) -> Iterator[str]:
    """What to say of a file where training's snapshot was taken with another one of that name."""
    name, digest, _ = fingerprint(model) if train.artifacts else ("", "", 0)
    known = [artifact.sha256 for artifact in train.artifacts if artifact.file == name]
    if known and digest not in known:
        yield f"{model} was written in training, although the {name} that its snapshot knows is another file"


def fingerprint(path: str) -> tuple[str, str, int]:
    """Name, SHA-256 and size in bytes of a file: of a model the file as it was before a snapshot was put into it.

    Raises :class:`~envaudit.errors.EmbeddingError` where it cannot be read.
    """
    digest, size = hashlib.sha256(), 0
    for block in embedding.own(path):
        digest.update(block)
        size += len(block)
    return os.path.basename(path), digest.hexdigest(), size


def _stamp(path: str) -> tuple[int, ...] | None:
    """What changes with a file: size, inode and the times; None where there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return (found.st_size, found.st_ino, found.st_mtime_ns, found.st_ctime_ns) if os.path.isfile(path) else None


def described(needs: Needs) -> tuple[str, dict[str, Json]]:
    """Needs in a line, and as JSON."""
    from envaudit.artifacts.summary import summarize

    return summarize(needs), facts(needs)


def facts(needs: Needs) -> dict[str, Json]:
    """Needs as JSON: what a file asks of any environment that is to load it."""
    from envaudit.artifacts.summary import local_modules, unfitted

    return {
        "format": needs.format,
        "loader": needs.loader,
        "compression": needs.compression,
        "size": needs.size,
        "protocol": needs.protocol,
        "array_bytes": needs.array_bytes,
        "versions": {name: list(found) for name, found in needs.versions.items()},
        "packages": packages(needs),
        "globals": [{"name": str(item), "at": item.at} for item in needs.globals],
        "local": [str(item) for item in local_modules(needs)],
        "unfitted": [str(item) for item in unfitted(needs)],
        "bytecode": [
            {"name": code.name, "python": None if code.python is None else ".".join(map(str, code.python))}
            for code in needs.codes
        ],
        "notes": list(needs.notes),
    }


def packages(needs: Needs) -> list[str]:
    """The distributions that a file names, by what their modules are usually called, and the one that reads it."""
    own = {*sys.stdlib_module_names, *_OLD_LIBRARY, "__main__", "__mp_main__"}
    tops = {*needs.modules, needs.loader.partition(".")[0]} - own
    return sorted({distribution_of(top) for top in tops})
