"""``predict(needs, world) -> Verdict``: play the load and the calls that answer requests, and judge what failed."""

from __future__ import annotations

from collections.abc import Mapping

from envaudit.artifacts.summary import summarize, unfitted
from envaudit.model import Answer, How, Question, Reason, Verdict
from envaudit.needs import Needs
from envaudit.prediction import causes, silent, torch_files, wording
from envaudit.prediction.core import OutOfBudget, Problem
from envaudit.prediction.evaluation import Evaluation
from envaudit.prediction.loading import symbolic
from envaudit.prediction.playing import play
from envaudit.prediction.world import World


def predict(needs: Needs, world: World, artifact: str = "", train: Mapping[str, str] | None = None) -> Verdict:
    """What will happen to an artifact in a target.

    ``world`` is the target's (:meth:`Evaluation.world_of`; made once, it serves any number of artifacts); ``train``
    maps distributions to the versions of training, where they are known better than the file itself states them.
    """
    trained = {name: versions[-1] for name, versions in needs.versions.items()} | dict(train or {})
    world.loader = needs.loader
    world.packages = tuple(sorted(needs.modules))
    core = Evaluation(world)
    notes = list(needs.notes)
    by_form = [*causes.causes(needs, world), *torch_files.causes(needs, world)]
    reasons = [wording.of_cause(cause, needs, trained) for cause in sorted(by_form, key=lambda cause: cause.at)]
    try:
        roots = [symbolic(core, root) for root in needs.roots]
        core.phase, core.offset = "predict", -1
        for root in roots:
            play(core, root)
    except (OutOfBudget, RecursionError):
        reasons.append(_cut_short("load" if core.phase == "load" else "predict"))
    for problem in sorted(core.problems.values(), key=lambda problem: (problem.phase, problem.at, not problem.certain)):
        if counts(problem):
            reasons.append(wording.of_problem(problem, needs, trained))
    serve = {name: version for name in silent.PACKAGES if (version := world.surface.version(name))}
    reasons += silent.changes(needs, trained, serve)
    for name in unfitted(needs):
        notes.append(f"{name} looks as if it had not been fitted")
    return judge(artifact, world.surface.where, tuple(reasons), summarize(needs), tuple(dict.fromkeys(notes)))


def _cut_short(question: Question) -> Reason:
    """The evaluation went beyond its bounds (:data:`STEPS`, Python's own recursion limit): the rest was not seen."""
    why = "the file nests too deeply, or the code that it leads to is too long, to be followed to its end"
    return Reason(question, "unknown", "likely", "cut-short", "the evaluation was cut short", why)


def counts(problem: Problem) -> bool:
    """Whether a problem stands for a failure.

    What is certain does. Of the rest only a missing attribute on a path that predicting may take: whether other errors
    on such paths happen depends on the data, which training's own data passed.
    """
    return problem.certain or (problem.cause == "missing-attribute" and problem.phase == "predict")


def judge(artifact: str, where: str, reasons: tuple[Reason, ...], summary: str, notes: tuple[str, ...]) -> Verdict:
    """The verdict that follows from the reasons: what does not load does not predict, and answers nothing."""
    load = _answer(reasons, "load") or Answer("yes", "likely")
    after = load if load.value != "yes" else _answer(reasons, "predict") or Answer("yes", "likely")
    same = after if after.value != "yes" else _answer(reasons, "same") or Answer("yes", "likely")
    return Verdict(artifact, where, load, after, same, reasons, summary, notes)


def _answer(reasons: tuple[Reason, ...], question: str) -> Answer | None:
    """The gravest and surest answer that a reason gives to a question."""
    order: tuple[How, ...] = ("executed", "proved", "likely")
    found = [reason for reason in reasons if reason.question == question]
    if not found:
        return None
    best = min(found, key=lambda reason: (reason.value != "no", order.index(reason.how)))
    return Answer(best.value, best.how)
