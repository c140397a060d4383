"""Failures in words: what Python will print, why, what proves it, and what mends it."""

from __future__ import annotations

from envaudit.model import How, Reason
from envaudit.needs import Made, Needs, class_of, distribution_of
from envaudit.prediction.causes import Cause
from envaudit.prediction.core import Problem


def of_cause(cause: Cause, needs: Needs, train: dict[str, str]) -> Reason:
    """A failure that follows from the file's form."""
    how: How = "proved" if cause.certain else "likely"
    what = f" names {cause.subject}" if cause.cause.startswith(("missing-", "main-")) else ""
    where = (f"byte {cause.at} of the file{what}",) if cause.at > 0 else ()
    module = cause.subject.partition(".")[0]
    if cause.cause == "pickle-protocol":
        fix = "serve with Python 3.8 or newer, or save the model again with protocol=4"
    elif cause.cause == "main-module":
        name = cause.subject.rpartition(".")[2]
        fix = f"put {name} into a module that training and serving both import, and save again"
    elif cause.cause == "bytecode":
        fix = "serve with the Python that trained, or store a named function instead of one by value"
    elif cause.cause == "command":
        fix = ""
    elif cause.cause == "loader-policy":
        fix = "save a state dict of tensors only, or torch.load(..., weights_only=False) where you trust the file"
    else:
        fix = mending(module, needs, train, cause.subject)
    return Reason(
        cause.question,
        "no" if cause.known else "unknown",
        how,
        cause.cause,
        f"{cause.kind}: {cause.text}",
        cause.explanation,
        where,
        fix,
        None,
        cause.subject,
    )


def of_problem(problem: Problem, needs: Needs, train: dict[str, str]) -> Reason:
    """A failure of the code that was played."""
    owner = _owner(problem)
    explanation = _explanation(problem, owner)
    chain = [f"byte {problem.owner.at} of the file: a {owner} is made"] if isinstance(problem.owner, Made) else []
    for place in problem.chain:
        if place.module:
            chain.append(f"{place.module}, line {place.line}, in {place.function}")
    if problem.attribute and problem.cause == "missing-attribute":
        chain.append(f"{owner} there has no {problem.attribute!r}: not stored in the file, not given by its class")
    module = _module(problem)
    fix = mending(module, needs, train, problem.subject)
    error = f"{problem.kind}: {problem.text}" if problem.text else problem.kind
    how: How = "proved" if problem.certain else "likely"
    question = "load" if problem.phase == "load" else "predict"
    return Reason(question, "no", how, problem.cause, error, explanation, tuple(chain), fix, None, problem.subject)  # type: ignore[arg-type]


def _owner(problem: Problem) -> str:
    if isinstance(problem.owner, Made):
        cls = class_of(problem.owner)
        if cls is not None:
            return cls.name
    return problem.subject.rpartition(".")[2]


def _module(problem: Problem) -> str:
    if isinstance(problem.owner, Made):
        cls = class_of(problem.owner)
        if cls is not None:
            return cls.module.partition(".")[0]
    modules = [place.module for place in problem.chain if place.module]
    return (modules[-1] if modules else problem.subject).partition(".")[0]


def _explanation(problem: Problem, owner: str) -> str:
    if problem.cause == "missing-attribute":
        reader = next((place for place in reversed(problem.chain) if place.module), None)
        where = f" ({reader.function} in {reader.module})" if reader is not None else ""
        often = "" if problem.certain else " on a path that depends on the data"
        return f"the stored {owner} has no {problem.attribute!r}, which the code there reads{where}{often}"
    if problem.cause == "record-layout":
        return f"the compiled code there lays the records of {owner} out differently than the file does"
    if problem.cause == "checksum":
        return f"the compiled class {owner} there has other members than the one that was stored"
    if problem.cause == "signature":
        return f"{problem.subject} there takes other arguments than the file hands to it"
    if problem.cause == "native-format":
        return f"the native library there does not read the form in which {owner} was stored"
    if problem.cause == "class-layout":
        return f"{owner} there has other compiled base classes than the one that was stored"
    reader = next((place for place in reversed(problem.chain) if place.module), None)
    refuser = f"{reader.function} in {reader.module}" if reader else problem.subject
    if problem.attribute:
        return f"{refuser} there asks for {problem.attribute!r}, which the stored {owner} lacks"
    return f"{refuser} there refuses what the file hands to it"


def mending(module: str, needs: Needs, train: dict[str, str], subject: str) -> str:
    """The command that brings the version with which the file was written; in words where that is not known."""
    if subject.startswith("numpy._core"):
        return "pip install 'numpy>=2', which the file was written with"
    name = distribution_of(module)
    stated = needs.versions.get(name)
    version = train.get(name) or (stated[-1] if stated else "")
    if version:
        return f"pip install '{name}=={version}', which wrote the file"
    return f"install the version of {name} that wrote the file" if name else ""
