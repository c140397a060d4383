"""``take(target) -> Snapshot``: find out what kind of place a target is, look at it, and let the collectors read.

How a target's text is understood is said in docs/targets.md.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import NamedTuple, cast

from envaudit import registry
from envaudit.errors import TargetError, UsageError
from envaudit.evidence import FILE_ENDINGS, Collector, Evidence, Options, Request, Target
from envaudit.interpretations import interpreted
from envaudit.model import Component, Gap, Snapshot, TargetInfo

HERE = "here://"
"""The default target: the environment that envaudit is started in."""


class Look(NamedTuple):
    """What one look at a target gave."""

    snapshot: Snapshot
    evidence: Evidence | None = None
    """What was gathered; None where a saved snapshot was read."""


def take(text: str = HERE, options: Options | None = None) -> Snapshot:
    """The snapshot of a target; raises what :func:`look` does."""
    return look(text, options).snapshot


def look(text: str = HERE, options: Options | None = None) -> Look:
    """Look at a target (or read a saved snapshot).

    Raises :class:`~envaudit.errors.TargetError` where the text names nothing, could be two things, or the place
    cannot be looked at, and :class:`~envaudit.errors.SnapshotError` or :class:`~envaudit.errors.LockfileError`
    where the file named has an error.
    """
    options = options or Options()
    if not 0 < options.timeout < 1e6:
        raise UsageError(f"a time-out of {options.timeout:g} seconds makes no sense; give a positive number of seconds")
    target, reference = resolve(text)
    if target.kind in ("snapshot", "model", "requirements", "pylock") and options.python is not None:
        raise UsageError(f"{text}: --python chooses an interpreter in a live place; a {target.kind} file has none")
    if target.kind in ("snapshot", "model"):
        return Look(cast(Snapshot, target.gather(reference, Request(), options)))
    collectors = cast("list[Collector]", list(registry.load("collectors", "COLLECTOR").values()))
    evidence = cast(Evidence, target.gather(reference, everything(collectors), options))
    components, gaps = interpreted(evidence, lambda: interpret(evidence, collectors))
    return Look(Snapshot(TargetInfo(target.kind, reference, evidence.environment), components, gaps), evidence)


def everything(collectors: Iterable[Collector] | None = None) -> Request:
    """All that collectors want to see; default: every collector that there is."""
    if collectors is None:
        collectors = cast("list[Collector]", list(registry.load("collectors", "COLLECTOR").values()))
    return Request().merge(collector.request for collector in collectors)


def interpret(
    evidence: Evidence, collectors: Iterable[Collector]
) -> tuple[dict[str, dict[str, Component]], tuple[Gap, ...]]:
    """Run the collectors that the evidence suffices for; what the others would have told becomes gaps."""
    collectors = list(collectors)
    able = [collector for collector in collectors if collector.needs <= evidence.offers]
    seen: dict[str, dict[str, Component]] = {kind: {} for collector in able for kind in collector.kinds}
    gaps = {
        Gap(kind, None, evidence.unseen)
        for collector in collectors
        for kind in collector.kinds
        if kind not in seen and not _is_optional(collector)
    }
    for collector in able:
        for item in collector.collect(evidence):
            if isinstance(item, Component):
                seen.setdefault(item.kind, {})[item.name] = item
            elif isinstance(item, Gap):
                gaps.add(item)
    # A kind of which nothing at all was seen must not look like one that was seen to be empty.
    blind = {gap.kind for gap in gaps if gap.name is None}
    components = {
        kind: dict(sorted(names.items())) for kind, names in sorted(seen.items()) if names or kind not in blind
    }
    return components, tuple(sorted(gaps, key=lambda gap: (gap.kind, gap.name or "", gap.reason)))


def _is_optional(collector: Collector) -> bool:
    """A collector for something that only one kind of target has (an image's configuration) leaves no gap elsewhere."""
    return bool(collector.needs & {"image", "requirements", "pylock"})


def resolve(text: str) -> tuple[Target, str]:
    """The kind of place that a text means, and the reference inside that kind.

    ``scheme://reference`` names the kind. An existing path is told by what it is. Anything else is a name: an image
    of the local engine. A text that is both is refused, with both spellings.
    """
    if is_mlflow_uri(text):  # MLflow writes its schemes with one slash
        return cast(Target, registry.module("targets", "mlflow").TARGET), text
    scheme, separator, reference = text.partition("://")
    if separator and scheme in registry.module_names("targets"):
        named = cast(Target, registry.module("targets", scheme).TARGET)
        if scheme in named.schemes:  # the other kinds of place need not even be imported
            return named, reference
    targets = cast("list[Target]", list(registry.load("targets", "TARGET").values()))
    if separator:
        for target in targets:
            if scheme in target.schemes:
                return target, reference
        known = ", ".join(sorted(f"{name}://" for target in targets for name in target.schemes))
        raise TargetError(f"{text}: unknown kind of target {scheme}://; known are {known}")
    if not text:
        raise TargetError("an empty target; name a path, an image, or leave it out for this environment")
    if _exists(text):
        if os.path.exists(text) and not os.path.isfile(text) and not os.path.isdir(text):
            # A pipe can be read only once, and not be looked at before: only a snapshot comes that way.
            return next(target for target in targets if target.kind == "snapshot"), text
        meanings = [target for target in targets if target.claims_path(text)]
        meanings += [target for target in targets if target.claims_name(text)]
        if len(meanings) > 1:
            spellings = " or ".join(f"{target.schemes[0]}://{text}" for target in meanings)
            raise TargetError(f"{text}: could be {len(meanings)} things; write {spellings}")
        if meanings:
            return meanings[0], text
        raise TargetError(
            f"{text}: exists, but is no snapshot, lockfile, environment, interpreter, image archive or root folder, "
            "and no model that carries its snapshot (envaudit embed)"
        )
    if "#" in text:  # an image by its name, of several in one archive
        for target in targets:
            if target.claims_path(text):
                return target, text
    if text.startswith((".", os.sep, "~")) or text.endswith(FILE_ENDINGS):
        raise TargetError(f"{text}: no such file or folder")
    return next(target for target in targets if target.kind == "image"), text


def is_mlflow_uri(text: str) -> bool:
    """Whether a text names a model that MLflow keeps: ``models:/NAME/VERSION``, ``runs:/ID/PATH``."""
    return text.startswith(("models:/", "runs:/"))


def _exists(text: str) -> bool:
    """Whether there is such a path, broken links included; one that may not be looked at is an error of its own."""
    try:
        os.lstat(text)
    except PermissionError:
        raise TargetError(f"{text}: permission denied") from None
    except (OSError, ValueError):
        return False
    if os.path.exists(text) and not os.access(text, os.R_OK):
        raise TargetError(f"{text}: permission denied")
    return True
