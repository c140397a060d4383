"""What is predicted to fail in training just as in serving is no difference between the two: it works in training.

Either the prediction errs in both, or nobody asks for what fails. That a file works in training is itself assumed, and
what speaks against it wins: versions that the file states and training lacks, or a load that must fail there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from envaudit.errors import TargetError
from envaudit.model import Reason, Snapshot, Verdict
from envaudit.needs import Needs, distribution_of

if TYPE_CHECKING:
    from envaudit.probing import Place


class Training:
    """The side that wrote the files. Its packages are read only once a file is predicted to fail in serving."""

    def __init__(self, place: Place, snapshot: Snapshot, closed: str = "") -> None:
        """``closed``: why its packages are not to be read, if they are not."""
        self._place = place
        self._versions = snapshot.versions()
        self._ran = {(item.sha256, item.loader) for item in snapshot.artifacts if item.answers}
        self._closed = closed
        self.told: dict[str, list[str]] = {}
        """Model file -> what was left out of its verdict, or why that could not be known, in words."""

    def difference(self, served: Verdict, needs: Needs) -> Verdict:
        """The verdict on a file in serving without what is predicted for training too."""
        told = self.told.setdefault(served.artifact, [])
        ran = self._has_run(served.artifact, needs)
        if not any(_may_go(reason, ran) for reason in served.reasons):
            return served
        if served.load.value == "no" and not ran:
            return served  # whatever it would do after that changes no answer
        other = None if ran else contradiction(needs, self._versions)
        if other is not None:
            told.append(f"{served.artifact} was not written in training, {other}: what fails in both is reported")
            return served
        if not self._closed:
            try:
                trained = self._place.predict(needs, served.artifact, self._versions)
            except TargetError as error:
                self._closed = str(error)
        if self._closed:
            told.append(f"whether {served.artifact} fails in training as well is not known: {self._closed}")
            return served
        found = difference(served, trained, ran=ran)
        told += _told(served, trained, found)
        if any(_may_go(reason, ran) for reason in found.reasons):
            told += self._unseen(served.artifact, needs)
        return found

    def _has_run(self, model: str, needs: Needs) -> bool:
        """Whether training's snapshot holds what this very file answered there."""
        from envaudit.probing import fingerprint

        return bool(self._ran) and (fingerprint(model)[1], needs.loader) in self._ran

    def _unseen(self, model: str, needs: Needs) -> list[str]:
        """The packages of the file that could not be read in training."""
        unseen = self._place.opened().surface.unseen
        names = sorted({distribution_of(top) for top in needs.modules} & unseen.keys())
        return [f"whether {model} fails in training as well was seen without {name}: {unseen[name]}" for name in names]


def contradiction(needs: Needs, versions: Mapping[str, str]) -> str | None:
    """What a file states of its versions that those of an environment, by distribution, contradict: it was not written
    there. None where nothing does."""
    from envaudit.surface._versions import parsed

    for name, stated in needs.versions.items():
        there = versions.get(name)
        if there is not None and parsed(there) not in map(parsed, stated):
            return f"which has {name} {there} where the file states {' and '.join(stated)}"
    return None


def difference(served: Verdict, trained: Verdict, *, ran: bool = False) -> Verdict:
    """A verdict on serving without the failures that one on training predicts in the same way.

    Of a file that ``ran`` in training all of them go. Otherwise those of the load stay, since a name or a layout that
    training lacks shows that the file was written elsewhere; and then what follows the load stays too.
    """
    from envaudit.prediction.outcome import judge

    if not ran and any(map(_elsewhere, trained.reasons)):
        return served
    known = {(_key(reason), reason.how) for reason in trained.reasons if reason.value == "no"}
    kept = []
    for reason in served.reasons:
        # What fails there on some paths only may be what nobody does, and here on every path all the same.
        alike: tuple[str, ...] = ("proved",) if reason.how == "proved" else ("proved", "likely")
        if not (_may_go(reason, ran) and any((_key(reason), how) in known for how in alike)):
            kept.append(reason)
    return judge(served.artifact, served.target, tuple(kept), served.summary, served.notes)


def _may_go(reason: Reason, ran: bool) -> bool:
    """Whether that it fails in training too can show a failure to be none. That nobody fitted it holds everywhere."""
    if ran:
        return reason.value == "no" and reason.question != "same"
    return reason.value == "no" and reason.question == "predict" and not reason.error.startswith("NotFittedError")


def _elsewhere(reason: Reason) -> bool:
    """Whether a failure that is predicted for training says that the file was not written there."""
    return reason.value == "no" and (
        (reason.question == "load" and reason.how == "proved") or reason.cause == "bytecode"
    )


def _key(reason: Reason) -> tuple[str, ...]:
    """What makes two failures one: of a name that is missing the words tell the folder in which it was looked for."""
    error = "" if reason.cause == "missing-name" else reason.error
    return (reason.question, reason.cause, reason.subject, error, _request(reason))


def _request(reason: Reason) -> str:
    """The function with which the chain of calls begins: ``predict_proba`` is not always asked for, ``predict`` is."""
    return next((line.rpartition(", in ")[2] for line in reason.evidence if ", line " in line), "")


def _told(served: Verdict, trained: Verdict, found: Verdict) -> list[str]:
    left = [reason for reason in served.reasons if reason not in found.reasons]
    if left:
        more = f" and {len(left) - 1} more" if len(left) > 1 else ""
        return [f"{served.artifact} works in training, where {left[0].error}{more} is predicted too: not reported"]
    reason = next(filter(_elsewhere, trained.reasons), None)
    if reason is not None and found is served:
        either = f"{served.artifact} does not work in training either, by the prediction ({reason.error})"
        return [f"{either}: what fails in both is reported"]
    return []
