"""A probe of model files for people: the answer first, then why, with what proves it and what mends it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from envaudit.model import QUESTIONS, Question, Reason, Verdict
from envaudit.reports import Probe, Probed, View, refused, unsure
from envaudit.reports._lines import Paint, clip, limited, wrap
from envaudit.reports._search_text import lines as searched

IN_FULL: Final = 3
"""Files whose verdict is explained at length; of the others of many each gets a line."""
CAUSES: Final = 5
"""Causes of one file that are explained at length."""
NAMED: Final = 24
"""Further classes or attributes with the same cause that are named."""
EVIDENCE: Final = 6
"""Links of a chain of evidence; its end proves most."""

_AHEAD: Final = {"load": "it will not load", "predict": "predicting will fail", "same": "it will answer differently"}
_BEHIND: Final = {"load": "it did not load", "predict": "predicting failed", "same": "it answered differently"}

_HEADS: Final = {"error": "FAIL", "warning": "UNKNOWN", "ok": "PASS"}
"""The first word of a report, by its colour."""


def render(probe: Probe, view: View) -> str:
    """The whole report, ending in a newline."""
    paint = Paint(view.color)
    read = [item for item in probe.files if item.error is None]
    scheme, name = f"{probe.kind}://", probe.target or ""
    place = "this environment" if name == "here://" else f"{probe.kind} {name.removeprefix(scheme)}".strip()
    if probe.target is None:
        lines = [line for item in read for line in _needs(item, view)]
    elif len(probe.files) == 1 and read:
        lines = _verdict(read[0], place, view, paint)
    else:
        lines = _many(probe, read, place, view, paint)
    for item in probe.files:
        if item.error is not None:
            lines += limited(f"not read: {item.error}", "", "  ")
    for assumption in probe.assumptions:
        lines += wrap(f"assumed: {assumption}", "", "  ")
    while lines and not lines[-1]:
        lines.pop()
    return "\n".join(line.rstrip() for line in lines) + "\n"


def brief(verdict: Verdict, paint: Paint) -> list[str]:
    """The verdict in a few lines, for the first screen of a comparison."""
    words, color = _says(verdict, "in serving", QUESTIONS)
    reason = next((item for item in verdict.reasons if item.question == _decisive(verdict)), None)
    text = f"{verdict.artifact} {words}" + (f": {_flat(reason.error)}" if reason else "")
    lines = limited(f"model  {text}", "  ", " " * 9)
    lines[0] = lines[0].replace("model", paint("model", color), 1)
    return [*lines, *limited(verdict.summary, " " * 9, " " * 9)] if verdict.summary else lines


def _many(probe: Probe, read: list[Probed], place: str, view: View, paint: Paint) -> list[str]:
    """Several files: how many, a line each for those that will not work, and the first of these in full."""
    judged = [(item, item.verdict) for item in read if item.verdict is not None]
    # What a file will do there does not depend on --fail-on, which only chooses what counts as failed.
    broken = [item for item, verdict in judged if refused(verdict, QUESTIONS)]
    broken.sort(key=lambda item: item.verdict is not None and not refused(item.verdict, view.questions))
    open_ = [item for item, verdict in judged if item not in broken and unsure(verdict, QUESTIONS)]
    fine = [item for item in read if item not in broken and item not in open_]
    unread = len(probe.files) - len(read)
    colors = {_color(verdict, view.questions) for _, verdict in judged} | ({"warning"} if unread else set())
    color = next((grave for grave in ("error", "warning") if grave in colors), "ok")
    head = _HEADS[color]
    if broken:
        count, words = len(broken), "will not work as in training"
    elif open_:
        count, words = len(open_), "may or may not work as in training"
    else:
        count, words = len(fine), "load and predict"
    text = f"{count} of {len(probe.files)} model files {words} in {place}"
    if unread:
        text += f"; {unread} could not be read"
    lines = wrap(f"{head}  {text}", "", "      ")
    lines[0] = lines[0].replace(head, paint(head, color), 1)
    lines.append("")
    for item in broken[:IN_FULL]:
        lines += [*_verdict(item, place, view, paint), ""]
    for item in (*broken[IN_FULL:], *open_):
        assert item.verdict is not None
        words, _ = _says(item.verdict, "there", view.questions, item.executed is not None)
        lines.append(clip(f"  {words}: {item.artifact}"))
    if fine:
        verb = "is" if len(fine) == 1 else "are"
        lines += limited(f"fine there {verb} {', '.join(item.artifact for item in fine)}", "  ", "    ")
    return lines


def _verdict(item: Probed, place: str, view: View, paint: Paint) -> list[str]:
    """One file in full."""
    verdict = item.verdict
    assert verdict is not None
    ran = item.executed is not None
    words, color = _says(verdict, f"in {place}", view.questions, ran)
    head = _HEADS[color]
    indent = " " * (len(head) + 2)
    lines = wrap(f"{head}  {item.artifact} {words}", "", indent)
    lines[0] = lines[0].replace(head, paint(head, color), 1)
    lines += limited(item.summary, indent, indent)
    lines += ["", *_table(item, verdict, paint)]
    ahead = [reason for reason in verdict.reasons if reason.question == "load"]
    for question in QUESTIONS:
        found = [reason for reason in verdict.reasons if reason.question == question]
        for executed in (True, False):
            side = [reason for reason in found if (reason.how == "executed") == executed]
            if side:
                beside = not executed and len(side) < len(found)
                lines += ["", *_reasons(question, side, bool(ahead) and question != "load", beside, ran, paint)]
    if item.search is not None:
        lines += ["", *searched(item.search, paint)]
    notes = [line for note in verdict.notes for line in limited(f"note: {note}", "  ", "    ")]
    return [*lines, "", *notes] if notes else lines


def _table(item: Probed, verdict: Verdict, paint: Paint) -> Iterator[str]:
    """The three answers; where the file was run, what was predicted beside them."""
    colors = {"yes": "ok", "no": "error", "unknown": "warning"}
    for question in QUESTIONS:
        answer = verdict.answer(question)
        line = f"  {question:8} {paint(f'{answer.value:8}', colors[answer.value])}"
        if answer.value != "unknown":
            line += f" ({answer.how})"
        if item.executed is not None and item.predicted is not None and answer.how == "executed":
            before = item.predicted.answer(question)
            line += f"  predicted: {before.value}"
            if before.value not in ("unknown", answer.value):
                line += ", which was wrong"
        yield line


def _reasons(question: Question, found: list[Reason], later: bool, beside: bool, ran: bool, paint: Paint) -> list[str]:
    """Why a question is not answered with yes: each cause once, with all that it hits. ``later``: something before it
    fails already; ``beside``: what really happened has been told; ``ran``: the file was really loaded."""
    executed = ran and any(reason.how == "executed" for reason in found)
    if any(reason.value == "no" for reason in found):
        said = (_BEHIND if executed else _AHEAD)[question]
    else:
        said = f"{question} is unknown"
    title = f"why {said}"
    if beside:
        title = "what was predicted, without running it" if ran else "what is predicted beside that"
    elif later and not executed:
        title = "if it did load, this would come next"
    lines = [paint(title, "note")]
    groups: dict[tuple[str, str], list[Reason]] = {}
    for reason in found:
        kind = reason.error if reason.cause == "import-error" else reason.cause  # each import fails in its own way
        groups.setdefault((kind, reason.how), []).append(reason)
    for reasons in list(groups.values())[:CAUSES]:
        lines += _cause(reasons)
    for reasons in list(groups.values())[CAUSES:]:
        lines.append(clip(f"  {_flat(reasons[0].error)}"))
    return lines


_ATTRIBUTE: Final = re.compile(r"'(\w+)' object has no attribute '(\w+)'")


def _cause(reasons: list[Reason]) -> list[str]:
    """The first of the reasons with the same cause in full, and the names of the others."""
    first = reasons[0]
    lines = limited(_flat(first.error), "  ", "    ", 6)
    if first.explanation and _flat(first.explanation) != _flat(first.error):
        lines += limited(_flat(first.explanation), "    ", "    ")
    chain = first.evidence[-EVIDENCE:]
    if len(chain) < len(first.evidence):
        lines.append("      ...")
    lines += [line for link in chain for line in limited(_flat(link), "      ", "        ", 2)]
    more = list(dict.fromkeys(name for reason in reasons[1:] if (name := _named(reason)) != _named(first)))
    if more:
        rest = f" and {len(more) - NAMED} more" if len(more) > NAMED else ""
        label = "also missing" if first.cause == "missing-attribute" else "the same hits"
        lines += limited(f"{label} {', '.join(more[:NAMED])}{rest}", "    ", "    ", 10)
    if first.fix:
        lines += wrap(f"fix: {_flat(first.fix)}", "    ", "         ")
    if first.reference:
        lines += wrap(f"see: {first.reference}", "    ", "         ")
    return lines


def _named(reason: Reason) -> str:
    """What a reason is about: an attribute by its class."""
    found = _ATTRIBUTE.search(reason.error) if reason.cause == "missing-attribute" else None
    return f"{found[1]}.{found[2]}" if found else _flat(reason.subject or reason.error)


def _decisive(verdict: Verdict) -> Question | None:
    """The first question that is not answered with yes, a "no" before an "unknown"."""
    for value in ("no", "unknown"):
        for question in QUESTIONS:
            if verdict.answer(question).value == value:
                return question
    return None


def _color(verdict: Verdict, questions: tuple[Question, ...]) -> str:
    """The colour of an answer to these questions: one is a no, one is open, or all are a yes."""
    return "error" if refused(verdict, questions) else "warning" if unsure(verdict, questions) else "ok"


def _says(verdict: Verdict, place: str, questions: tuple[Question, ...], ran: bool = False) -> tuple[str, str]:
    """The verdict in words, and its colour. ``ran``: the file was really loaded."""
    decisive = _decisive(verdict)
    color = _color(verdict, questions)
    if decisive is None and verdict.same.how == "executed":
        return f"loads, predicts and answers as in training {place}", color
    if decisive is None:
        return f"loads and predicts {place}", color
    answer = verdict.answer(decisive)
    executed = ran and answer.how == "executed"
    if answer.value == "no":
        if decisive == "load":
            return f"{'did' if executed else 'will'} not load {place}", color
        if decisive == "predict":
            return f"loads {place}, but {'failed' if executed else 'will fail'} to predict", color
        return f"loads and predicts {place}, but {'answered' if executed else 'will answer'} differently", color
    if decisive == "load":
        return f"may or may not load {place}", color
    if decisive == "predict":
        return f"loads {place}; whether it predicts is not known", color
    return f"loads and predicts {place}; whether it answers the same is not known", color


def _needs(item: Probed, view: View) -> list[str]:
    """What a file asks for, where no target was named."""
    needs = item.needs
    lines = [clip(item.artifact), *limited(item.summary, "  ", "  ")]
    rows = {
        "read with": needs["loader"],
        "written by": ", ".join(f"{name} {' and '.join(found)}" for name, found in needs["versions"].items()),
        "packages": ", ".join(needs["packages"]) or "none",
        "names": f"{len(needs['globals'])}{'' if view.verbose or not needs['globals'] else ' (-v lists them)'}",
        "bytecode": ", ".join(f"{code['name']} of Python {code['python'] or '?'}" for code in needs["bytecode"]),
        "to bring": ", ".join(needs["local"]),
    }
    for label, text in rows.items():
        if text:
            lines += limited(f"{label:11}{text}", "  ", " " * 13)
    if needs["local"]:
        words = "the script that trained defined it; put it into a module that the serving image has, and save again"
        lines += wrap(words, " " * 13, " " * 13)
    if view.verbose:
        lines += [clip(f"    {name['name']}  (byte {name['at']})") for name in needs["globals"]]
    lines += [line for note in needs["notes"] for line in limited(f"note: {note}", "  ", "    ")]
    return [*lines, ""]


def _flat(text: str) -> str:
    return " ".join(text.split())
