"""How often the prediction is right: predicted against executed outcomes of the load matrix.

    python -m tests.truth.accuracy [--part PART] [--every N] [--train ENV] [--serve ENV] [--lock] [--with-training]
                                   [--held-out] [--list]

Every file of every environment is judged in every other environment, from files alone, and the answer is compared with
what really happened there. "Fine at home" is left out: an environment is not judged against itself. With ``--lock`` an
environment is a lock file of its exact versions, and its packages are read from the package index; ``--with-training``
leaves out what is predicted for the training environment as well, as a comparison does.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from envaudit.artifacts import read
from envaudit.errors import ArtifactError
from envaudit.model import Answer, Verdict
from envaudit.needs import Needs
from envaudit.prediction.evaluation import Evaluation
from envaudit.prediction.outcome import predict
from envaudit.prediction.world import World
from envaudit.surface import Surface
from envaudit.surface.open import open_surface
from envaudit.training import difference
from tests import truth
from tests.truth import recipes

KINDS = ("load_error", "predict_error", "different", "fine")


NOTHING = Answer("unknown", "likely")
UNREAD = Verdict("", "", NOTHING, NOTHING, NOTHING)
"""What is said of a file that envaudit refuses to read."""


class Case(NamedTuple):
    """One file in one environment."""

    train: str
    serve: str
    file: truth.File
    executed: truth.Outcome
    verdict: Verdict
    held_out: bool

    @property
    def predicted(self) -> str:
        """The outcome that the verdict stands for."""
        for value, kind in zip((self.verdict.load, self.verdict.predict, self.verdict.same), KINDS, strict=False):
            if value.value == "no":
                return kind
        return "fine"


class Places:
    """The environments as targets: their folders, or lock files that name their versions."""

    def __init__(self, *, lock: bool = False) -> None:
        self._lock = lock
        self._worlds: dict[str, World] = {}
        self._fetched: dict[str, set[str]] = {}

    def predict(self, name: str, needs: Needs, artifact: str) -> Verdict:
        """What will happen to a file in an environment."""
        if name not in self._worlds:
            made = recipes.made()[name]
            self._worlds[name] = Evaluation.world_of(_locked(made) if self._lock else open_surface(str(made.python)))
        world, fetched = self._worlds[name], self._fetched.setdefault(name, set())
        if not fetched.issuperset(needs.wanted):
            world.surface.prefetch(needs.wanted)
            fetched.update(needs.wanted)
        return predict(needs, world, artifact)


def _locked(made: truth.Environment) -> Surface:
    """An environment as a lock file tells of it: versions, and beside them the Python; the system is this one's."""
    with tempfile.TemporaryDirectory() as folder:
        lock = Path(folder) / "requirements.txt"
        lock.write_text("".join(f"{name}=={version}\n" for name, version in made.packages.items() if name != "python"))
        major, minor, *_ = made.packages["python"].split(".")
        return open_surface(str(lock), python=(int(major), int(minor)))


def cases(
    every: int, trains: list[str], serves: list[str], places: Places, home: Places | None = None
) -> Iterator[Case]:
    """Judge files of each training environment in each serving environment; ``home``: and in training's own."""
    for train in trains:
        for index, file in enumerate(truth.files(train)):
            if index % every:
                continue
            needs: Needs | None = None
            trained: Verdict | None = None
            for serve in serves:
                executed = truth.outcomes(train, serve).get(file.name) if serve != train else None
                if executed is None:
                    continue
                try:
                    needs = needs or read(str(file.path))._replace(loader=file.loader)
                except ArtifactError:
                    yield Case(train, serve, file, executed, UNREAD, truth.is_held_out(train, serve, file))
                    continue
                verdict = places.predict(serve, needs, file.name)
                if home is not None and verdict.predict.value == "no":
                    trained = trained or home.predict(train, needs, file.name)
                    verdict = difference(verdict, trained)
                yield Case(train, serve, file, executed, verdict, truth.is_held_out(train, serve, file))


def report(title: str, counts: Counter[tuple[str, str]]) -> None:
    """The confusion matrix and its figures."""
    total = sum(counts.values())
    if not total:
        return
    print(f"\n{title}: {total} files x environments (rows: executed, columns: predicted)")
    print(f"{'':16}" + "".join(f"{kind:>15}" for kind in KINDS))
    for executed in KINDS:
        print(f"{executed:16}" + "".join(f"{counts[executed, kind]:15}" for kind in KINDS))
    for kind in KINDS[:3]:
        right = counts[kind, kind]
        happened = sum(counts[kind, other] for other in KINDS)
        said = sum(counts[other, kind] for other in KINDS)
        print(f"{kind:16} recall {_share(right, happened)}  precision {_share(right, said)}")
    broken = total - sum(counts["fine", kind] for kind in KINDS)
    print(f'"versions differ, so warn" is right in {_share(broken, total)} of these')


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:6.2f} % ({part}/{whole})" if whole else "     - (0/0)"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", default=recipes.PARTS[0], choices=recipes.PARTS, help="of the matrix")
    parser.add_argument("--every", type=int, default=1, help="judge every Nth file only")
    parser.add_argument("--train", action="append", help="only files of this environment")
    parser.add_argument("--serve", action="append", help="only in this environment")
    parser.add_argument("--lock", action="store_true", help="predict for lock files, from the package index")
    parser.add_argument("--with-training", action="store_true", help="leave out what training is predicted to do too")
    parser.add_argument("--list", action="store_true", help="list the false answers (never held-out ones)")
    parser.add_argument("--held-out", action="store_true", help="measure what was set aside as well")
    options = parser.parse_args()
    known = truth.environments(options.part)
    chosen = [name for name, made in known.items() if options.held_out or not made.held_out]
    counts: dict[bool, Counter[tuple[str, str]]] = {False: Counter(), True: Counter()}
    unknown: Counter[bool] = Counter()
    places, home = Places(lock=options.lock), Places() if options.with_training else None
    started = time.process_time()
    for case in cases(options.every, options.train or chosen, options.serve or chosen, places, home):
        if case.held_out and not options.held_out:
            continue
        counts[case.held_out][case.executed.kind, case.predicted] += 1
        unknown[case.held_out] += "unknown" in (case.verdict.load.value, case.verdict.predict.value)
        if options.list and not case.held_out and case.executed.kind != case.predicted:
            said = next((reason.error for reason in case.verdict.reasons), "")
            really = f"{case.executed.method} {case.executed.error}: {case.executed.message}".strip(" :")
            print(f"{case.train} -> {case.serve}  {case.file.name}: {case.executed.kind} ({really[:160]});", end=" ")
            print(f"predicted {case.predicted} ({said[:160]})")
    for set_aside, title in ((False, "looked at during development"), (True, "set aside")):
        report(title, counts[set_aside])
        if unknown[set_aside]:
            print(f"{unknown[set_aside]} answers were unknown, and count as fine")
    judged = sum(sum(item.values()) for item in counts.values())
    print(f"\n{judged} verdicts in {time.process_time() - started:.0f} s CPU", file=sys.stderr)


if __name__ == "__main__":
    main()
