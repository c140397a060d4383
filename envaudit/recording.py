"""What a snapshot keeps of model files: which they are, what they need in short, and what they answered to a sample.

No model file is loaded here. Who wants answers hands a way to get them over (:mod:`envaudit.running` does).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from envaudit import artifacts
from envaudit.artifacts.summary import summarize
from envaudit.errors import SnapshotError
from envaudit.evidence import Options
from envaudit.model import Artifact, Snapshot
from envaudit.probing import check_loader, facts, fingerprint
from envaudit.take import take

Record = Callable[[str, Artifact], Artifact]
"""Really loads a file, and adds what it answers."""

_NEEDS: Final = ("format", "protocol", "versions", "packages", "local")
"""Of the facts on a file those that are short."""


def take_with(
    target: str,
    options: Options,
    models: Sequence[str] = (),
    *,
    loader: str | None = None,
    record: Record | None = None,
) -> Snapshot:
    """Take a snapshot with model files. They are read before the target is looked at: a mistake is told at once.

    Raises :class:`~envaudit.errors.ArtifactError` for a file that cannot be read, and what :func:`take` raises.
    """
    described = {path: describe(path, loader) for path in models}
    taken = take(target, options)
    if record is not None:
        described = {path: record(path, artifact) for path, artifact in described.items()}
    # A saved snapshot that is taken once more keeps the files that it has, but for those that are named anew.
    known = {artifact.sha256: artifact for artifact in (*taken.artifacts, *described.values())}
    return taken._replace(artifacts=tuple(sorted(known.values(), key=lambda item: (item.file, item.sha256))))


def describe(model: str, loader: str | None = None) -> Artifact:
    """What is known of a model file without loading it; ``loader`` is the call that reads it (default: by the file).

    Raises :class:`~envaudit.errors.ArtifactError` for a file that cannot be read.
    """
    check_loader(loader, [model])
    needs = artifacts.read(model)
    found = facts(needs)
    short = {key: found[key] for key in _NEEDS if found[key]}
    return Artifact(*fingerprint(model), loader or needs.loader, summarize(needs), short)


def recorded(snapshot: Snapshot, where: str, model: str, sample: str, sha256: str) -> Artifact:
    """The model file as a snapshot knows it, with its answers to the very sample that has this digest. ``where`` is the
    snapshot's name.

    A snapshot without them is refused: with nothing to compare, the run would end as if it had answered as in training.

    Raises :class:`~envaudit.errors.SnapshotError` where it has none, and :class:`~envaudit.errors.ArtifactError` for a
    model that cannot be read.
    """
    _, digest, _ = fingerprint(model)
    found = next((item for item in snapshot.artifacts if item.sha256 == digest), None)
    if found is None:
        known = ", ".join(f"{item.file} (sha256 {item.sha256[:12]}...)" for item in snapshot.artifacts[:3])
        but = f"but of {known}" if known else "nor of another model"
        raise SnapshotError(f"{where}: holds no answers of {model} (sha256 {digest[:12]}...), {but}")
    if found.sample is None:
        raise SnapshotError(f"{where}: holds no answers of {model}: it was taken without --sample")
    if found.sample.sha256 != sha256:
        raise SnapshotError(
            f"{where}: holds the answers of {model} to {found.sample.file} (sha256 {found.sample.sha256[:12]}...), "
            f"and {sample} is another sample (sha256 {sha256[:12]}...)"
        )
    if not found.answers:
        raise SnapshotError(f"{where}: holds no answers of {model} to {sample}")
    return found
