"""What envaudit says of every recorded incident, from files alone, beside what really happened."""

from __future__ import annotations

import functools
import re
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from envaudit.artifacts import read
from envaudit.errors import ArtifactError
from envaudit.model import Reason, Verdict
from envaudit.prediction.evaluation import Evaluation
from envaudit.prediction.outcome import predict
from envaudit.prediction.world import World
from envaudit.surface.open import open_surface
from tests.incidents import LOADERS, Incident, environments, incidents, record
from tests.incidents.replay import Outcome, python_of

KINDS = ("load_error", "predict_error", "different")


class Said(NamedTuple):
    """What envaudit says of one file in one environment."""

    verdict: Verdict | None
    """None where the file's format is not read."""
    refusal: str = ""

    @property
    def kind(self) -> str:
        """The outcome that the verdict stands for; ``unread`` and ``unknown`` where it stands for none."""
        if self.verdict is None:
            return "unread"
        answers = [self.verdict.load.value, self.verdict.predict.value, self.verdict.same.value]
        for value, kind in zip(answers, KINDS, strict=True):
            if value != "yes":
                return kind if value == "no" else "unknown"
        return "fine"

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Why it is not fine; reasons for a later question than the one that is answered with no stand behind."""
        return tuple(reason for reason in (self.verdict.reasons if self.verdict else ()) if reason.value == "no")

    @property
    def first(self) -> str:
        """The first reason in short."""
        if self.verdict is None:
            return self.refusal
        return f"{self.reasons[0].cause}: {self.reasons[0].error}" if self.reasons else ""


def judge(path: Path, load: str, world: World) -> Said:
    """What envaudit says of a file that is to be read with a loader in a target."""
    try:
        needs = read(str(path))
    except ArtifactError as error:
        return Said(None, str(error).partition(": ")[2])
    return Said(predict(needs._replace(loader=load) if load in LOADERS else needs, world, path.name))


def foresees(said: Said, happened: Outcome) -> bool:
    """Whether the verdict is what happened."""
    return said.kind == happened.kind


def names_cause(reason: Reason, incident: Incident) -> bool:
    """Whether a reason gives the incident's cause and names the thing that it is about."""
    told = (reason.subject, reason.error, reason.explanation, *reason.evidence)
    return reason.cause == incident.cause and any(incident.named in text for text in told)


def is_hit(said: Said, incident: Incident, happened: Outcome) -> bool:
    """Whether envaudit says what happened, and why in one of its reasons."""
    causes = [names_cause(reason, incident) for reason in said.reasons]
    return foresees(said, happened) and (happened.kind == "fine" or any(causes))


def verbatim(said: Said, happened: Outcome) -> bool:
    """Whether some reason prints the very words of Python, but for the folders of the machine."""
    words = f"{happened.error}: {happened.message}".replace(".../lib/", "/lib/")
    return words in {re.sub(r"'/\S*?/lib/", "'/lib/", " ".join(reason.error.split())) for reason in said.reasons}


@functools.cache
def world_of(name: str) -> World:
    """The packages of an environment, which is made where it is missing."""
    return Evaluation.world_of(open_surface(str(python_of(environments()[name]))))


class Case(NamedTuple):
    """One incident: what happened, and what envaudit says of it there and at home."""

    incident: Incident
    happened: Outcome
    said: Said
    at_home: Outcome
    said_at_home: Said | None
    """None where training read it in a way that envaudit has no name for."""

    @property
    def misjudged_at_home(self) -> bool:
        """Whether something else is said of the file where it was made than what happened there."""
        return self.said_at_home is not None and not foresees(self.said_at_home, self.at_home)


def cases(chosen: Iterable[str], folder: Path) -> Iterator[Case]:
    """Judge recorded incidents whose files lie in a folder, in both of their environments."""
    recorded = record.load()
    for name in chosen:
        incident, happened = incidents()[name], recorded[name]
        path = folder / incident.file
        load = incident.home_load or incident.load
        try:
            said = judge(path, incident.load, world_of(incident.serve))
            home = judge(path, load, world_of(incident.train)) if load in LOADERS else None
        except (LookupError, RuntimeError) as error:
            print(f"{name}: not judged: {error}", file=sys.stderr)
            continue
        yield Case(incident, happened.served, said, happened.home, home)


def measure(chosen: list[str], markdown: bool) -> int:
    """Print the table of incidents and the totals; returns 1 where the misses are not those that the tables state."""
    known, recorded = incidents(), record.load()
    wanted = chosen or [name for name in known if name in recorded and not _is_too_large(known[name])]
    found = []
    with tempfile.TemporaryDirectory() as scratch:
        record.unpack(Path(scratch))
        for case in cases(wanted, Path(scratch)):
            found.append(case)
            print(row(case, markdown), flush=True)
    print(totals(found))
    if left := [name for name in known if name not in wanted and not chosen]:
        print(f"left out (not recorded, or large environments: name them): {' '.join(left)}", file=sys.stderr)
    return any(is_hit(case.said, case.incident, case.happened) is bool(case.incident.miss) for case in found)


def _is_too_large(incident: Incident) -> bool:
    """Whether one of its environments is to be made and read only where it is asked for."""
    return any(environments()[name].large for name in (incident.train, incident.serve))


def row(case: Case, markdown: bool) -> str:
    """One incident in a line (of a table), or in three."""
    incident, happened, said = case.incident, case.happened, case.said
    really = f"{happened.kind} {happened.error}: {happened.message}".rstrip(" :")
    first = f"{said.kind} {said.first}".strip()
    hit = is_hit(said, incident, happened)
    word = "hit" if hit else f"MISS: {incident.miss or 'not known yet'}"
    if hit and incident.miss:
        word += f", though listed as a miss ({incident.miss})"
    if markdown:
        cells = [
            f"[{incident.id}]({incident.url})", incident.source.partition("#")[0].partition("/")[2], incident.failure,
            f"{incident.train} → {incident.serve}", really[:90].strip(), "hit" if word == "hit" else f"**{word}**",
        ]  # fmt: skip
        return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"
    home = ""
    if case.misjudged_at_home and case.said_at_home is not None:
        home = f"    at home: {case.said_at_home.kind} {case.said_at_home.first[:140]}\n"
    return f"{incident.id}: {word}\n{home}    really: {really[:150]}\n    said:   {first[:150]}"


def totals(found: list[Case]) -> str:
    """The figures, per failure class and in all."""
    lines = [f"{'class':28} {'incidents':>9} {'verdict':>8} {'and cause':>9} {'first':>6} {'words':>6}"]
    groups: dict[str, list[Case]] = {}
    for case in found:
        groups.setdefault(case.incident.failure, []).append(case)
    for name, group in [*sorted(groups.items()), ("all", found)]:
        right = sum(foresees(case.said, case.happened) for case in group)
        hits = sum(is_hit(case.said, case.incident, case.happened) for case in group)
        first = sum(
            bool(case.said.reasons) and names_cause(case.said.reasons[0], case.incident)
            for case in group
            if case.happened.kind != "fine"
        )
        words = sum(verbatim(case.said, case.happened) for case in group if case.happened.kind != "fine")
        lines.append(f"{name:28} {len(group):9} {right:8} {hits:9} {first:6} {words:6}")
    home = [case.misjudged_at_home for case in found if case.said_at_home is not None]
    lines.append(f"in the environments of training: {home.count(False)} of {len(home)} as they were")
    return "\n".join(lines)
