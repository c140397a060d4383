"""Known silent changes: the file loads, the calls work, and the answers are not those of training.

What changed in which release stands in ``knowledge/silent-<package>.toml``, each entry with its source; what only may
matter, in ``knowledge/silent-notes.toml``. An entry speaks of an artifact only where the file holds an object of its
classes, the stored state satisfies its condition, and training and serving lie on the two sides of the change. The
fields:

- ``at`` the release that changed it; ``ways`` the pairs ``"train -> serve"`` of version ranges that it hurts;
- ``classes`` names of classes, as patterns (modules move, names stay), of the package that names the file;
- ``where`` a condition on the stored attributes, see :func:`holds`; ``proves`` that the condition alone shows which
  side wrote the state, so that the version of training need not be known;
- ``not_in`` containers beneath which it does not matter: ``"Class"`` or ``"Class: condition"``;
- ``kind`` of a note: ``rare`` (few inputs or calls), ``refit``, ``features`` (feature code, not the artifact; such an
  entry has no ``classes``); and its ``package``;
- ``question`` ``same`` or ``predict``, ``calls`` the methods that it touches, ``says`` the sentence, ``error`` what
  Python prints, ``source``, ``verified`` the pairs of versions between which it was really re-created.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatchcase
from functools import cache
from typing import Any, Final, cast

from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version

from envaudit import knowledge, needs
from envaudit.model import Question, Reason

PACKAGES: Final = {
    "lightgbm": "lightgbm",
    "numpy": "numpy",
    "pandas": "pandas",
    "scikit-learn": "sklearn",
    "scipy": "scipy",
    "xgboost": "xgboost",
}
"""The distributions with known changes -> the top-level module of their classes."""

FILES: Final = {
    "scikit-learn": ("silent-scikit-learn", "silent-scikit-learn-logistic", "silent-scikit-learn-0"),
    "xgboost": ("silent-xgboost",),
}
"""The tables of changes by distribution; the other distributions have notes only."""

Entry = dict[str, Any]
Found = tuple[needs.Made, needs.Global, dict[str, needs.Value]]
"""An instance, its class and its stored attributes."""


def changes(read: needs.Needs, train: Mapping[str, str], serve: Mapping[str, str]) -> tuple[Reason, ...]:
    """The reasons why the artifact will answer otherwise (or a call will fail), one per change and class.

    ``train`` and ``serve`` map distributions to versions and may be partial; the version that an instance itself
    states (``_sklearn_version``) counts more than ``train``.
    """
    found: dict[tuple[int, str], Reason] = {}
    for entry, package, instance, written in _hits(_changes, read, train, serve):
        key = (id(entry), instance[1].name)
        if key not in found:
            found[key] = _reason(entry, package, instance, written, serve[package])
    return tuple(found.values())


def notes(read: needs.Needs, train: Mapping[str, str], serve: Mapping[str, str]) -> tuple[str, ...]:
    """What else changed in between and may matter: to few inputs or calls, to a refit, to feature code."""
    found: dict[str, None] = {}
    for entry, package, instance, written in _hits(_notes, read, train, serve):
        between = f"{package} {written or 'before'} -> {serve[package]}"
        found[f"{between}, {entry['kind']}: {instance[1].name}: {entry['says']} ({entry['source']})"] = None
    for package in sorted(PACKAGES.keys() & train.keys() & serve.keys()):
        for entry in _notes(package):
            if not entry["classes"] and _between(entry, train[package], serve[package]):
                between = f"{package} {train[package]} -> {serve[package]}"
                found[f"{between}, {entry['kind']}: {entry['says']} ({entry['source']})"] = None
    return tuple(found)


def _hits(
    entries: Callable[[str], tuple[Entry, ...]],
    read: needs.Needs,
    train: Mapping[str, str],
    serve: Mapping[str, str],
) -> Iterator[tuple[Entry, str, Found, str | None]]:
    """Every entry that speaks of an instance, with its package, the instance, and the version that wrote it."""
    packages = {PACKAGES[name]: name for name in PACKAGES if name in serve and PACKAGES[name] in read.modules}
    if not packages:
        return
    for instance, above in _instances(read, frozenset(packages)):
        _, kind, state = instance
        package = packages[kind.module.partition(".")[0]]
        written = _written(state, package, train, read)
        for entry in entries(package):
            if (
                any(fnmatchcase(kind.name, pattern) for pattern in entry["classes"])
                and _between(entry, written, serve[package])
                and holds(entry.get("where", "True"), state)
                and not any(shields(container, above) for container in entry.get("not_in", ()))
            ):
                yield entry, package, instance, written


def _instances(read: needs.Needs, modules: frozenset[str]) -> Iterator[tuple[Found, tuple[Found, ...]]]:
    """Every instance of a class of these modules, with the instances that hold it, outermost first.

    An instance that several others hold comes once for each distinct chain of classes above it, because a container
    may use of it only what did not change.
    """
    work: list[tuple[needs.Value, tuple[Found, ...]]] = [(root, ()) for root in reversed(read.roots)]
    seen: set[tuple[int, tuple[str, ...]]] = set()
    while work:
        value, above = work.pop()
        if isinstance(value, (needs.Made, needs.Items, needs.Mapping, needs.Array)):
            key = (id(value), tuple(sorted({kind.name for _, kind, _ in above})))
            if key in seen:
                continue
            seen.add(key)
        if isinstance(value, needs.Made):
            kind = needs.class_of(value)
            if kind is not None and kind.module.partition(".")[0] in modules:
                instance = (value, kind, value.attributes())
                yield instance, above
                if kind.name not in {other.name for _, other, _ in above}:
                    above = (*above, instance)
        work.extend((part, above) for part in reversed(list(_parts(value))))


def _parts(value: needs.Value) -> Iterator[needs.Value]:
    if isinstance(value, needs.Made):
        yield from value.args
        yield from (value.kwargs, value.state, *value.more_states, value.items, value.pairs)
    elif isinstance(value, needs.Items):
        yield from value.items
    elif isinstance(value, needs.Mapping):
        yield from (part for pair in value.pairs for part in pair)
    elif isinstance(value, needs.Array):
        yield value.items


def _written(state: Mapping[str, needs.Value], package: str, train: Mapping[str, str], read: needs.Needs) -> str | None:
    """The version of the package that wrote this state, as far as it is known."""
    own = state.get("_sklearn_version") if package == "scikit-learn" else None
    if isinstance(own, str):
        return own
    stated = read.versions.get(package, ())
    return train.get(package) or (stated[0] if len(stated) == 1 else None)


def _reason(entry: Entry, package: str, instance: Found, written: str | None, serve: str) -> Reason:
    made, kind, _ = instance
    evidence = [f"byte {made.at} makes a {kind}" if made.at >= 0 else f"the file holds a {kind}"]
    if "where" in entry:
        evidence.append(f"its stored state satisfies: {entry['where']}")
    evidence.append(f"{package} changed it in {entry['at']}; training had {written or 'a version on the other side'}")
    evidence.append(f"serving has {package} {serve}")
    if "verified" in entry:
        evidence.append(f"re-created between {package} " + ", ".join(entry["verified"]))
    question: Question = entry.get("question", "same")
    return Reason(
        question=question,
        value="no",
        how="likely",
        cause="known-change",
        error=entry.get("error") or f"none: {', '.join(entry['calls'])} of {kind.name} will answer otherwise",
        explanation=entry["says"],
        evidence=tuple(evidence),
        fix=f"pip install '{package}=={written}'" if written else "",
        reference=entry["source"],
        subject=kind.name,
    )


@cache
def _changes(package: str) -> tuple[Entry, ...]:
    return tuple(entry for name in FILES.get(package, ()) for entry in knowledge.load(name)["change"])


@cache
def _notes(package: str) -> tuple[Entry, ...]:
    return tuple(entry for entry in knowledge.load("silent-notes")["change"] if entry["package"] == package)


def _between(entry: Entry, train: str | None, serve: str) -> bool:
    """Whether one of the entry's ways leads from training's version to serving's."""
    if train is None and not entry.get("proves"):
        return False
    return any(
        (train is None or _within(train, from_)) and _within(serve, to)
        for from_, _, to in (way.partition(" -> ") for way in entry["ways"])
    )


def _within(version: str, clauses: str) -> bool:
    try:
        return SpecifierSet(clauses).contains(Version(version), prereleases=True)
    except InvalidVersion:
        return False


def shields(container: str, above: tuple[Found, ...]) -> bool:
    """Whether one of the instances above is this container: ``"Class"`` or ``"Class: condition on its state"``."""
    name, _, condition = container.partition(": ")
    return any(fnmatchcase(kind.name, name) and holds(condition or "True", state) for _, kind, state in above)


def holds(condition: str, state: Mapping[str, needs.Value]) -> bool:
    """Whether the stored attributes surely satisfy a condition; what is not known satisfies nothing.

    A condition is a Python expression of names of attributes (``estimator_.l1_ratio`` too), constants, ``and``, ``or``,
    ``not``, comparisons, and ``stored(x)``, ``size(x)`` (the length, or an array's first dimension), ``kind(x)`` (the
    name of its class).
    """
    return _judge(_parsed(condition), state) is True


@cache
def _parsed(condition: str) -> ast.expr:
    return ast.parse(condition, mode="eval").body


class _NotKnown:
    """The value of an attribute that is not stored, or of an expression that cannot be told."""


_NOT_KNOWN: Final = _NotKnown()


def _judge(node: ast.expr, state: Mapping[str, needs.Value]) -> bool | None:
    """True, False, or None where it cannot be told: Kleene's logic."""
    if isinstance(node, ast.BoolOp):
        decisive = isinstance(node.op, ast.Or)
        answers = [_judge(part, state) for part in node.values]
        if decisive in answers:
            return decisive
        return None if None in answers else not decisive
    if isinstance(node, ast.UnaryOp):
        answer = _judge(node.operand, state)
        return None if answer is None else not answer
    if isinstance(node, ast.Compare):
        return _compared(_value(node.left, state), node.ops[0], _value(node.comparators[0], state))
    value = _value(node, state)
    return value if isinstance(value, bool) else None


def _compared(left: Any, operator: ast.cmpop, right: Any) -> bool | None:
    if left is _NOT_KNOWN or right is _NOT_KNOWN:
        return None
    try:
        if isinstance(operator, ast.In):
            return left in right
        if isinstance(operator, (ast.Eq, ast.Is)):
            return cast(bool, left == right)
        if isinstance(operator, ast.NotEq):
            return cast(bool, left != right)
        return cast(bool, left > right if isinstance(operator, ast.Gt) else left < right)
    except TypeError:
        return None


def _value(node: ast.expr, state: Mapping[str, needs.Value]) -> Any:
    if isinstance(node, (ast.Name, ast.Attribute)):
        return _plain(_stored(node, state))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return _called(node.func.id, _stored(node.args[0], state))
    return ast.literal_eval(node)


def _stored(node: ast.expr, state: Mapping[str, needs.Value]) -> needs.Value:
    """What is stored as an attribute, or as an attribute of one."""
    if isinstance(node, ast.Attribute):
        holder = _stored(node.value, state)
        return holder.attributes().get(node.attr, _NOT_KNOWN) if isinstance(holder, needs.Made) else _NOT_KNOWN
    return state.get(node.id, _NOT_KNOWN) if isinstance(node, ast.Name) else _NOT_KNOWN


def _plain(value: needs.Value) -> Any:
    """A constant as itself; what only loading would tell is not known."""
    return value if value is None or isinstance(value, (bool, int, float, str)) else _NOT_KNOWN


def _called(function: str, value: needs.Value) -> Any:
    if function == "stored":
        return value is not _NOT_KNOWN
    if function == "kind" and isinstance(value, needs.Made):
        kind = needs.class_of(value)
        return kind.name if kind else _NOT_KNOWN
    if function == "size" and isinstance(value, needs.Items):
        return value.length
    if function == "size" and isinstance(value, needs.Array) and value.shape:
        return value.shape[0]
    return _NOT_KNOWN
