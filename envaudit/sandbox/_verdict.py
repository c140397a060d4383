"""From what happened to a :class:`~envaudit.model.Verdict`. Whatever a model did is an outcome, never an error."""

from __future__ import annotations

import re
import signal
from typing import Final, Literal, NamedTuple

from envaudit.evidence import MIB
from envaudit.model import Answer, Question, Reason, Verdict
from envaudit.sandbox import _answers
from envaudit.sandbox._job import Job
from envaudit.sandbox._outcome import Failure, Outcome

_YES: Final = Answer("yes", "executed")
_NO: Final = Answer("no", "executed")
_UNKNOWN: Final = Answer("unknown", "executed")

_SIGNALS: Final = {
    "SIGSEGV": "Segmentation fault",
    "SIGABRT": "Aborted",
    "SIGFPE": "Floating point exception",
    "SIGILL": "Illegal instruction",
    "SIGBUS": "Bus error",
    "SIGKILL": "Killed",
}
"""As a shell prints them."""

_FRAMES: Final = 5
_FAULT: Final = re.compile(r'^  File "(?P<file>[^"]+)", line (?P<line>\d+) in (?P<name>\S+)', re.MULTILINE)
"""A line of faulthandler's report."""


class End(NamedTuple):
    """Why it went no further."""

    cause: str
    error: str
    explanation: str
    evidence: tuple[str, ...] = ()
    fix: str = ""


def verdict(job: Job, target: str, outcome: Outcome, notes: tuple[str, ...] = ()) -> Verdict:
    """What the run says about the three questions."""
    load = _YES if outcome.was_loaded else _NO
    reasons: tuple[Reason, ...]
    if load is _NO:
        predict = same = _NO
        end = ending(job, outcome)
        reasons = (_reason("load", "no", end, f"{job.loader}: {end.explanation}"),)
    else:
        predict, reasons = _predict(job, outcome)
        same, more = _same(job, outcome, predict)
        reasons += more
    return Verdict(
        job.model,
        target,
        load,
        predict,
        same,
        reasons,
        summary=_summary(outcome),
        notes=(*notes, *notes_of(outcome)),
    )


def _summary(outcome: Outcome) -> str:
    return f"an object of the class {outcome.loaded}" if outcome.was_loaded else ""


def notes_of(outcome: Outcome) -> tuple[str, ...]:
    """What there is to say of a run besides its answers."""
    notes = [f"warned: {text.partition(chr(10))[0]}" for text in outcome.warnings]
    if outcome.form is not None:
        words = {"frame": "a pandas DataFrame", "array": "a numpy array", "list": "a list"}
        notes.append(f"the sample was handed over as {words[outcome.form]}")
    for method in sorted(outcome.cut):
        notes.append(f"of what {method} answered only the first rows were looked at")
    if outcome.seconds:
        notes.append(f"took {outcome.seconds:.1f} s and {outcome.peak // MIB} MiB of memory in Python {outcome.python}")
    return tuple(notes)


def _predict(job: Job, outcome: Outcome) -> tuple[Answer, tuple[Reason, ...]]:
    if job.sample is None and outcome.was_done:
        words = "nothing was called, because no sample was given"
        end = End("no-sample", words, words, fix="--sample FILE gives one (.npy, .csv or .json)")
        return _UNKNOWN, (_reason("predict", "unknown", end),)
    if outcome.phase == "sample":
        end = ending(job, outcome)
        return _UNKNOWN, (
            _reason("predict", "unknown", end._replace(cause="sample"), "the sample cannot be made there"),
        )
    reasons = []
    for method, failure in outcome.failed.items():
        end = raised(job, failure)
        reasons.append(_reason("predict", "no", end, f"{method} of the sample: {end.explanation}", method))
    if not outcome.was_done:
        end = ending(job, outcome)
        words = f"{outcome.method or 'looking at the object'}: {end.explanation}"
        reasons.append(_reason("predict", "no", end, words, outcome.method))
    if reasons:
        return _NO, tuple(reasons)
    if not outcome.answers and not outcome.untold:
        words = f"an object of the class {outcome.loaded} has none of the methods that envaudit calls"
        return _UNKNOWN, (_reason("predict", "unknown", End("nothing-to-call", words, words)),)
    return _YES, ()


def _same(job: Job, outcome: Outcome, predict: Answer) -> tuple[Answer, tuple[Reason, ...]]:
    """Whether it answers as in training, and why not."""
    if predict is not _YES:
        return predict, ()  # what there is to say has been said
    if job.expect is None:
        words = "there are no answers of the training environment to compare with"
        fix = "--expect FILE gives them; envaudit snapshot --model FILE --sample FILE records them in training"
        return _UNKNOWN, (_reason("same", "unknown", End("no-expectation", words, words, fix=fix)),)
    reasons = []
    for method, expected in job.expect.answers.items():
        if method not in outcome.answers:
            failure = outcome.untold.get(method)
            words = f"what {method} answers cannot be compared" + (f": {failure.line}" if failure else "")
            reasons.append(_reason("same", "unknown", End("no-comparison", words, words), subject=method))
            continue
        value, words = _answers.judge(expected, outcome.answers[method], method in outcome.cut)
        if value == "no":
            what = f"{method} answers the sample differently than in training"
            reasons.append(_reason("same", "no", End("different-answers", f"{method}: {words}", what), subject=method))
        elif value == "unknown":
            words = f"what {method} answers cannot be compared as a whole: {words}"
            fix = "record the answers to a sample of fewer rows: short answers are kept whole"
            reasons.append(_reason("same", "unknown", End("no-comparison", words, words, fix=fix), subject=method))
    if any(reason.value == "no" for reason in reasons):
        return _NO, tuple(reasons)
    return (_UNKNOWN if reasons else _YES), tuple(reasons)


def _reason(
    question: Question, value: Literal["no", "unknown"], end: End, explanation: str = "", subject: str = ""
) -> Reason:
    return Reason(
        question,
        value,
        "executed",
        end.cause,
        end.error,
        explanation or end.explanation,
        end.evidence,
        end.fix,
        subject=subject,
    )


def ending(job: Job, outcome: Outcome) -> End:
    """Why the run stopped before it was done."""
    if outcome.failure is not None:
        return raised(job, outcome.failure)
    where = tuple(f"{found['file']}:{found['line']} in {found['name']}" for found in _FAULT.finditer(outcome.stderr))
    where = where[:_FRAMES]  # faulthandler tells the innermost first
    if outcome.ended == "time-out":
        return _late(job, where)
    if outcome.ended == "signal":
        return _killed(job, outcome, where)
    if outcome.ended == "exit":
        words = f"the process ended by itself with exit code {outcome.code}"
        return End("exit", words, words, _said(outcome))
    if outcome.ended == "too-much":
        words = "it wrote more than an answer can be"
        return End("broken-reply", words, words)
    words = "the process was ended without an answer"
    return End("crash", words, words, _said(outcome))


def _late(job: Job, where: tuple[str, ...]) -> End:
    words = f"not finished after {job.limits.seconds:g} seconds"
    return End("time-out", words, f"it was {words}, which is the limit", where)


def _killed(job: Job, outcome: Outcome, where: tuple[str, ...]) -> End:
    try:
        name = signal.Signals(outcome.code).name
    except ValueError:
        name = f"signal {outcome.code}"
    if name == "SIGXCPU":
        return _late(job, where)
    starved = outcome.out_of_memory or (name == "SIGKILL" and outcome.peak > 0.9 * job.limits.memory)
    if starved or (name == "SIGABRT" and "bad_alloc" in outcome.stderr):
        return _starved(job, "Killed" if starved else "std::bad_alloc", where)
    words = f"{_SIGNALS.get(name, 'Killed by a signal')} ({name})"
    return End("crash", words, f"the process was ended by {name}", where or _said(outcome))


def _starved(job: Job, error: str, where: tuple[str, ...]) -> End:
    words = f"it needs more than the {job.limits.memory / 1024 / MIB:g} GiB of memory that are the limit"
    return End("out-of-memory", error, words, where)


def _said(outcome: Outcome) -> tuple[str, ...]:
    """The last lines of standard error."""
    return tuple(line for line in outcome.stderr.splitlines() if line.strip())[-_FRAMES:]


def raised(job: Job, failure: Failure) -> End:
    """What an exception says of why it went no further."""
    evidence = (*failure.frames[-_FRAMES:], *(line for line in failure.text.splitlines()[1:11] if line.strip()))
    if failure.memory:
        return _starved(job, failure.line, evidence)
    if job.loader == "torch.load" and "weights_only" in failure.text:
        why = "torch reads only tensors there unless it is told otherwise"
        fix = "--loader 'torch.load(weights_only=False)', where the serving code says so too and you trust the file"
        return End("loader-policy", failure.line, why, evidence, fix)
    return End(_cause(failure), failure.line, f"{failure.type} is raised", evidence)


def _cause(failure: Failure) -> str:
    """The slug for an exception. That of a name or attribute is told by what CPython says about it."""
    if failure.type == "ModuleNotFoundError":
        return "missing-module"
    if failure.type == "ImportError":
        return "missing-name"
    if failure.type == "AttributeError":
        gone = re.match(r"AttributeError: (Can't get attribute|module '|partially initialized module)", failure.text)
        return "missing-name" if gone else "missing-attribute"
    return "exception"
