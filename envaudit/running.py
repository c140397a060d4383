"""The ways into the sandbox: how model files are really loaded in a target, how what they name is imported there, and
how their answers are recorded. Each is None, or refused, unless it was asked for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from envaudit.errors import ArtifactError, UsageError
from envaudit.evidence import Options
from envaudit.model import Artifact, RecordedSample, Snapshot, Verdict

if TYPE_CHECKING:
    from envaudit.needs import Needs
    from envaudit.probing import Correct, Execute
    from envaudit.recording import Record
    from envaudit.sandbox import Expectation, Sample


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

    The sample is read at once: a mistake in it is told before a long look. Without one a model
    is called on the sample that rides in it, and is to answer as in training.
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
        to_call, expected = (given, wanted.get(model)) if given is not None else _riding(model)
        return sandbox.execute(
            model, target, loader=loader, options=options, sample=to_call, expect=expected, unsafe=unsafe
        )

    return execute


def _riding(model: str) -> tuple[Sample | None, Expectation | None]:
    """The sample that rides in a model, and what training answered to it; None where there is none."""
    from envaudit import embedding, recording, sandbox

    found = embedding.find(model)
    if found is None or found.record.sample is None:
        return None, None
    embedding.check(model, found)
    file, data = found.record.sample
    where = f"the snapshot in {model}"
    answered = recording.recorded(found.record.snapshot, where, model, file, hashlib.sha256(data).hexdigest())
    return sandbox.sample_of(file, data), sandbox.of_artifact(answered, where)


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
        with suppress(ArtifactError):  # who reads the file tells why it cannot be read
            found[model] = sandbox.of_artifact(recording.recorded(wanted, where, model, sample, sha256), where)
    return found


def recorder(target: str, options: Options, sample: str, *, unsafe: bool) -> Record:
    """How the answers of files in a target are recorded. Each is really loaded."""
    from envaudit import probing, sandbox

    given, source = sandbox.read_sample(sample), RecordedSample(*probing.fingerprint(sample))

    def record(model: str, artifact: Artifact) -> Artifact:
        found = sandbox.record(model, target, loader=artifact.loader, options=options, sample=given, unsafe=unsafe)
        return artifact._replace(sample=source._replace(form=found.form), answers=found.answers, failed=found.failed)

    return record


def small_sample(sample: str) -> bytes:
    """What a file with a sample holds, after a check that it is one, and small enough to ride in a model."""
    from envaudit import sandbox
    from envaudit.embedding import MAX_SAMPLE

    sandbox.read_sample(sample)
    with open(sample, "rb") as stream:
        data = stream.read(MAX_SAMPLE + 1)
    if len(data) > MAX_SAMPLE:
        raise UsageError(f"{sample}: is larger than {MAX_SAMPLE} bytes, too much to ride in a model: a few rows do")
    return data
