"""Run mode: really load a model file in a target, inside a sandbox, and say what happened; or, without the file, import
what it names.

This is the one part of envaudit that lets a model file or a package do anything, and it is never imported unless that
was asked for (``probe --run``, ``probe --import``). What they do there, from a wrong answer to a crash, is an outcome
and becomes a verdict; an exception means that envaudit could not run it at all. docs/run.md has the whole story.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, cast

from envaudit.errors import SandboxError
from envaudit.evidence import Evidence, Options, Request
from envaudit.model import DEEPEST, LOADERS, Verdict
from envaudit.sandbox import _answers, _container, _local, _lockfile
from envaudit.sandbox._job import METHODS, Expectation, Job, Limits, Sample
from envaudit.sandbox._outcome import Outcome
from envaudit.sandbox._samples import of_artifact, read_expectation, read_sample, sample_of
from envaudit.sandbox._verdict import verdict

if TYPE_CHECKING:
    from envaudit.needs import Needs

_HOW_TO_RUN: Final = {
    "archive": "load it into an engine (docker load) and name the image",
    "registry": "pull it (docker pull) and name the image without registry://",
    "root": "name the environment in it from inside, or an image",
}
"""What to do about a target that is only read."""

__all__ = [
    "Expectation",
    "Limits",
    "Sample",
    "execute",
    "import_names",
    "of_artifact",
    "read_expectation",
    "read_sample",
    "record",
    "sample_of",
]


def execute(
    model: str,
    target: str,
    *,
    loader: str,
    options: Options,
    sample: Sample | None = None,
    expect: Expectation | None = None,
    unsafe: bool = False,
    limits: Limits | None = None,
) -> Verdict:
    """Load a model file in a target with one of the known loaders; call it on a sample; compare its answers.

    Raises :class:`~envaudit.errors.SandboxError` where there is no way to do that safely, and
    :class:`~envaudit.errors.TargetError` where the target cannot be looked at.
    """
    job = Job(model, loader, sample, expect, limits or Limits())
    outcome, notes = _run(job, target, options, unsafe)
    return verdict(job, target, outcome, notes)


def record(
    model: str,
    target: str,
    *,
    loader: str,
    options: Options,
    sample: Sample,
    unsafe: bool = False,
    limits: Limits | None = None,
) -> Expectation:
    """The answers of the training environment to a sample, to be compared with later; of long ones the first rows.

    Raises :class:`~envaudit.errors.SandboxError` where the model answers nothing even there.
    """
    job = Job(model, loader, sample, None, limits or Limits())
    outcome, notes = _run(job, target, options, unsafe)
    reasons = verdict(job, target, outcome, notes).reasons
    failed = {reason.subject: reason.error for reason in reasons if reason.question == "predict" and reason.subject}
    failed.update(
        (method, f"it answers what is no array: {failure.line}") for method, failure in outcome.untold.items()
    )
    answers = {}
    for method, value in outcome.answers.items():
        if _answers.depth(value) > DEEPEST:
            failed[method] = "it answers lists that are nested too deeply"
        elif method in METHODS:  # the file may have told anything
            answers[method] = _answers.keep(value)
    if not answers:
        why = next(iter(failed.values()), "") or (reasons[0].error if reasons else "none")
        raise SandboxError(f"{model}: gives no answers to record in {target}: {' '.join(why.split())}")
    return Expectation(answers, outcome.form, {method: failed[method] for method in METHODS if method in failed})


def import_names(
    predicted: Verdict,
    needs: Needs,
    target: str,
    *,
    train: Mapping[str, str] | None = None,
    options: Options,
    unsafe: bool = False,
    limits: Limits | None = None,
) -> Verdict:
    """What was predicted of a model file in a target, corrected by importing there all that the file names. The file
    itself is not looked at. ``train`` maps distributions to their versions in training.

    Raises what :func:`execute` raises.
    """
    from envaudit.sandbox import _imports

    names = tuple((item.module, item.name) for item in _imports.wanted(needs))
    job = Job(predicted.artifact, needs.loader, None, None, limits or Limits(), names, needs.protocol or 0)
    outcome, notes = _run(job, target, options, unsafe)
    return _imports.correct(predicted, needs, train, job, outcome, notes)


def _run(job: Job, target: str, options: Options, unsafe: bool) -> tuple[Outcome, tuple[str, ...]]:
    from envaudit.take import resolve

    if job.loader not in LOADERS:
        raise SandboxError(f"unknown loader {job.loader!r}; known are {', '.join(LOADERS)}")
    if job.names is None and not os.path.isfile(job.model):
        raise SandboxError(f"{job.model}: no such file")
    if job.names is None and not os.access(job.model, os.R_OK):
        raise SandboxError(f"{job.model}: permission denied")
    doing = f"loading {job.model}" if job.names is None else f"importing what {job.model} names"
    kind, reference = resolve(target)
    if kind.kind in ("image", "container"):
        evidence = _container.gather(kind.kind, reference, options)
        place = _container.place_of(kind.kind, reference, evidence, options)
        options.progress(f"{doing} in {target}")
        return _container.run(job, place, options)
    if kind.kind in ("requirements", "pylock"):
        from envaudit.targets import _local as interpreters

        python = _lockfile.build(kind.kind, reference, options)
        evidence = interpreters.inspect(python, Request(), options, "built from the lock file")
    elif kind.kind in ("venv", "python", "here"):
        evidence = cast(Evidence, kind.gather(reference, Request(), options))
    else:
        what = "a model cannot be run" if job.names is None else "nothing can be imported"
        how = _HOW_TO_RUN.get(kind.kind, "name an environment or an image")
        raise SandboxError(f"{target}: {what} in {'an' if kind.kind[0] in 'aeiou' else 'a'} {kind.kind}; {how}")
    options.progress(f"{doing} in {target}")
    return _local.run(job, _local.place_of(evidence), unsafe=unsafe)
