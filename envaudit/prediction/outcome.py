"""``predict(needs, surface) -> Verdict``: play the load and the calls that answer requests, and judge what failed."""

from __future__ import annotations

from typing import Final

from envaudit.model import Answer, How, Reason, Verdict
from envaudit.needs import Needs
from envaudit.prediction.causes import Cause, causes
from envaudit.prediction.core import OutOfBudget, Problem, Signal
from envaudit.prediction.evaluation import Evaluation
from envaudit.prediction.loading import symbolic
from envaudit.prediction.values import Abstract, ClassValue, Descriptor, Function, Input, Instance, Partial, Sequence
from envaudit.prediction.world import MISSING, World
from envaudit.surface import Surface

METHODS: Final = (
    "predict",
    "predict_proba",
    "decision_function",
    "transform",
    "score_samples",
    "kneighbors",
)
"""The methods that answer requests (scikit-learn's glossary, "Methods"); those that a class has are played."""


def predict(needs: Needs, world: World, artifact: str = "") -> Verdict:
    """What will happen to an artifact in a target (:meth:`Evaluation.world_of` makes its ``world``)."""
    surface = world.surface
    core = Evaluation(world)
    world.packages = tuple(sorted(needs.modules))
    found = list(causes(needs, world))
    notes = list(needs.notes)
    try:
        roots = [symbolic(core, root) for root in needs.roots]
        core.phase, core.offset = "predict", -1
        for root in roots:
            play(core, root)
    except OutOfBudget:
        notes.append("the evaluation was cut short: it took more steps than it may")
    problems = list(core.problems.values())
    return judge(needs, surface, artifact, found, problems, tuple(notes))


def play(core: Evaluation, root: Abstract) -> None:
    """Play the calls that answer requests on an object."""
    if isinstance(root, Sequence):
        for item in root.items[:10]:
            play(core, item)
    if not isinstance(root, Instance) or not isinstance(root.cls, ClassValue):
        return
    frame = None
    if "feature_names_in_" in root.attributes.entries:
        frame = True
    elif "n_features_in_" in root.attributes.entries:
        frame = False
    for name in METHODS:
        member = core.member(root.cls, name)
        if member is MISSING or not isinstance(member, (Function, Descriptor, Partial)):
            continue
        try:
            if (
                isinstance(member, Descriptor)
                and member.kind in ("available_if", "property")
                and not _available(core, root, name)
            ):
                continue
            core.call(core.attribute(root, name), [Input(frame)])
        except Signal:
            continue
        finally:
            core.maybe = 0
            core.stack.clear()
            core.catchers.clear()


def _available(core: Evaluation, root: Instance, name: str) -> bool:
    """Whether a method that is there only for some objects is there for this one."""
    core.catchers.append(frozenset({"AttributeError"}))
    try:
        core.attribute(root, name)
    except Signal:
        return False
    finally:
        core.catchers.pop()
    return True


def judge(
    needs: Needs,
    surface: Surface,
    artifact: str,
    found: list[Cause],
    problems: list[Problem],
    notes: tuple[str, ...],
) -> Verdict:
    """The verdict that follows from what failed."""
    reasons: list[Reason] = []
    for item in sorted(found, key=lambda item: item.at):
        how: How = "proved" if item.certain else "likely"
        evidence = (f"byte {item.at} of the file",)
        reasons.append(
            Reason(
                "load",
                "no",
                how,
                item.cause,
                f"{item.kind}: {item.text}",
                item.explanation,
                evidence,
                "",
                None,
                item.subject,
            )
        )
    for problem in sorted(problems, key=lambda item: (item.phase, item.at)):
        if not problem.certain and (problem.phase == "load" or problem.cause != "missing-attribute"):
            continue
        if problem.phase == "load" and problem.cause == "missing-attribute":
            continue
        reasons.append(
            Reason(
                "load" if problem.phase == "load" else "predict",
                "no",
                "proved" if problem.certain else "likely",
                problem.cause,
                f"{problem.kind}: {problem.text}" if problem.text else problem.kind,
                "",
                tuple(f"{place.module}:{place.line} in {place.function}" for place in problem.chain),
                subject=problem.subject,
            )
        )
    load = next((Answer("no", item.how) for item in reasons if item.question == "load"), Answer("yes", "likely"))
    after = next((Answer("no", item.how) for item in reasons if item.question == "predict"), Answer("yes", "likely"))
    if load.value == "no":
        after = Answer("no", load.how)
    return Verdict(artifact, surface.where, load, after, Answer("unknown", "likely"), tuple(reasons), "", notes)
