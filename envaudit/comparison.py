"""``compare(train, serve) -> Comparison``: does serving satisfy what training used?

The rules explain what matters. Whatever else differs is listed as drift, so that nothing differs silently; what was
not seen on one side is neither.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple, cast

from envaudit import markers, registry, rules
from envaudit.model import (
    SEVERITIES,
    Comparison,
    Component,
    Drift,
    Finding,
    Gap,
    Json,
    Snapshot,
    TargetInfo,
    Unknown,
    Verdict,
)

UNCOMPARED: Final = frozenset({"where", "created", "requested", "installer", "digest", "digests"})
"""Attributes, at any depth, that say where, when, on whose wish or by whom, and never what: shown, not compared. The
digests of an image are where registries have it (EA603 looks at them); what it is, its id tells."""

Key = tuple[str, str, str]


class Model(NamedTuple):
    """A model file that is to be served, as far as a comparison has to know it."""

    verdict: Verdict
    """What will happen to it in serving."""
    packages: frozenset[str]
    """The distributions that it uses."""
    assumptions: tuple[str, ...] = ()
    """What had to be assumed of serving to predict at all, in words."""


def compare(train: Snapshot, serve: Snapshot, models: Sequence[Model] = (), *, leaves: bool = True) -> Comparison:
    """Run every rule over two snapshots and list the rest as drift. Pure: the same input gives the same output.

    Drift names the leaves in which structures differ, without ``leaves`` only the attributes: to find them takes
    deepdiff, which imports numpy and pandas where it finds them, and a service may not have these yet.

    With models, the rules on artifacts (EA9xx) say what will happen to them, and a version that they all survive is
    no error any more.
    """
    train, of_train = markers.settle(train, serve)
    serve, of_serve = markers.settle(serve, train)
    findings: list[Finding] = []
    unknowns: list[Unknown] = []
    for module in registry.module_names("rules"):
        if not models and module.startswith("ea9"):
            continue
        rule = cast(rules.Rule, registry.module("rules", module).RULE)
        code = rules.code_of(module)
        for result in (*rule.check(train, serve), *(item for model in models for item in rule.judge(model.verdict))):
            if isinstance(result, Finding):
                found = result._replace(code=code, fix=addressed(result.fix, serve.target))
                findings.append(_checked(found, models))
            else:
                unknowns.append(result._replace(code=code))
    findings.sort(key=lambda item: (SEVERITIES.index(item.severity), item.code, item.subject, item.consequence))
    unknowns.sort(key=lambda item: (item.code, item.subject, item.reason))
    covered = {key for finding in findings for key in finding.covers}
    drift = tuple(sorted(_drift(train, serve, covered, leaves), key=lambda item: item[:3]))
    assumptions = dict.fromkeys((*of_train, *of_serve, *(text for model in models for text in model.assumptions)))
    verdicts = tuple(model.verdict for model in models)
    return Comparison(train, serve, tuple(findings), tuple(unknowns), drift, tuple(assumptions), verdicts)


def _checked(finding: Finding, models: Sequence[Model]) -> Finding:
    """An error about another version of a package becomes a note where every model that uses it survives that version:
    that some files do not survive it is no error of these."""
    users = [model.verdict for model in models if finding.subject in model.packages]
    if finding.code != "EA201" or finding.severity != "error" or not users:
        return finding
    if any(verdict.load.value != "yes" or verdict.predict.value != "yes" for verdict in users):
        return finding
    names = ", ".join(verdict.artifact for verdict in users[:3]) + (f" and {len(users) - 3} more" * (len(users) > 3))
    were, it, does = ("was", "it", "loads and predicts") if len(users) == 1 else ("were", "they", "load and predict")
    text = f"{names} {were} checked: by the prediction {it} {does} there. Other files may not: {finding.consequence}"
    why = f"no error: by the prediction {names} {does} there"
    return finding._replace(severity="note", consequence=text, lowered=why)


def addressed(fix: str, target: TargetInfo) -> str:
    """The fix where it belongs: a lockfile is mended by a line in it, not by installing something."""
    command = "pip install "
    if not target.declared or not fix.startswith(f"{command}'"):
        return fix
    # What stands in quotes are requirements; what follows the last of them says more about it in words.
    *pins, more = fix[len(command) :].split("'")[1:]
    if more.startswith(" --"):  # an option of pip goes with the command
        return fix
    more += "," if more.startswith(",") else ""
    return f"write {' and '.join(pin for pin in pins if pin.strip())}{more} into {target.reference}"


def _drift(train: Snapshot, serve: Snapshot, covered: set[Key], leaves: bool) -> Iterator[Drift]:
    # What only one side can tell at all (the installer, say, where the other is a lockfile) is no difference.
    one_sided = train.target.declared != serve.target.declared
    for kind in sorted(train.components.keys() | serve.components.keys()):
        if (kind, "*", "*") in covered:
            continue
        ours, theirs = train.of(kind), serve.of(kind)
        for name in sorted(ours.keys() | theirs.keys()):
            if (kind, name, "*") in covered or ours.get(name) == theirs.get(name):
                continue
            left, right = train.find(kind, name), serve.find(kind, name)
            if isinstance(left, Gap) or isinstance(right, Gap):
                continue
            if left is None or right is None:
                yield Drift(kind, name, "", _shown(left), _shown(right))
            else:
                yield from _attributes(left, right, covered, one_sided, leaves)


def _shown(component: Component | None) -> Json:
    """What stands for a whole component in a drift line: its version, or that it is there at all."""
    return None if component is None else component.version or "present"


def _attributes(left: Component, right: Component, covered: set[Key], one_sided: bool, leaves: bool) -> Iterator[Drift]:
    kind, name = left.kind, left.name
    ours, theirs = {"version": left.version, **left.attributes}, {"version": right.version, **right.attributes}
    for attribute in sorted(ours.keys() & theirs.keys() if one_sided else ours.keys() | theirs.keys()):
        if attribute in UNCOMPARED or (kind, name, attribute) in covered:
            continue
        before, after = ours.get(attribute), theirs.get(attribute)
        if before == after or (one_sided and None in (before, after)):
            continue
        if leaves and isinstance(before, dict) and isinstance(after, dict):
            for path, old, new in _nested(before, after):
                yield Drift(kind, name, f"{attribute}.{path}", old, new)
        elif _comparable(before) != _comparable(after):
            yield Drift(kind, name, attribute, before, after)


def _comparable(value: Json) -> Json:
    """A value without its provenance."""
    if isinstance(value, dict):
        return {key: _comparable(item) for key, item in value.items() if key not in UNCOMPARED}
    if isinstance(value, list):
        return [_comparable(item) for item in value]
    return value


def _nested(before: dict[str, Json], after: dict[str, Json]) -> Iterator[tuple[str, Json, Json]]:
    """The leaves in which two unequal structures differ, found by deepdiff."""
    # Imported only here: it costs several Python start-ups, and most differences are plain values.
    from deepdiff import DeepDiff
    from deepdiff.helper import notpresent

    tree = DeepDiff(_comparable(before), _comparable(after), view="tree", verbose_level=2, threshold_to_diff_deeper=0)
    found = []
    for changes in tree.values():
        for change in changes:
            path = ".".join(str(part) for part in change.path(output_format="list"))
            old, new = (None if side is notpresent else side for side in (change.t1, change.t2))
            found.append((path, old, new))
    yield from sorted(found, key=lambda item: item[0])
