"""Needs for people: one line that says what a model file holds, and what of it the serving image must bring."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from envaudit.needs import UNSET, Array, Global, Items, Made, Mapping, Needs, Value, class_of

MAX_NAMED: Final = 6
"""Parts of a pipeline that the summary names."""
MAX_VISITED: Final = 200_000
"""Values that a walk over the graph looks at."""

LOCAL: Final = ("__main__", "__mp_main__", "builtins.__main__")
"""Modules that exist only where the script runs that wrote the file."""

_STEPS: Final = (
    "steps", "transformers_", "transformers", "transformer_list", "estimators", "best_estimator_", "estimator",
)  # fmt: skip
_ENSEMBLES: Final = ("estimators_", "_predictors")


def visit(roots: tuple[Value, ...]) -> Iterator[Value]:
    """Every value of a graph once, the outer ones first; shared and cyclic parts too."""
    queue = list(reversed(roots))
    seen: set[int] = set()
    while queue and len(seen) < MAX_VISITED:
        value = queue.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        yield value
        if isinstance(value, Made):
            parts = [value.call, *value.args, value.kwargs, value.state, *value.more_states, value.items, value.pairs]
        elif isinstance(value, Items):
            parts = value.items
        elif isinstance(value, Mapping):
            parts = [part for pair in value.pairs for part in pair]
        elif isinstance(value, Array):
            parts = [value.subclass, value.items]
        else:
            continue
        queue += [part for part in reversed(parts) if type(part) in (Made, Items, Mapping, Array, Global)]


def summarize(needs: Needs) -> str:
    """One line: what it is, the versions it states, its form and its weight."""
    parts = [_root(needs)]
    parts += [f"{name} {' and '.join(found)}" for name, found in needs.versions.items()]
    parts.append(_form(needs))
    if needs.array_bytes:
        parts.append(f"{_size(needs.array_bytes)} of arrays")
    if needs.codes:
        parts.append(f"{len(needs.codes)} function{'s' * (len(needs.codes) > 1)} by value")
    local = sorted({item.module for item in local_modules(needs)})
    if local:
        parts.append(f"needs {', '.join(local)}")
    return ", ".join(parts)


def _root(needs: Needs) -> str:
    if len(needs.roots) != 1:
        return f"{len(needs.roots)} objects in a row, first {_describe(needs.roots[0])}" if needs.roots else "nothing"
    return _describe(needs.roots[0])


def _describe(value: Value) -> str:
    if isinstance(value, Made):
        kind = class_of(value)
        if kind is None:
            by_value = type(value.call) is Made and class_of(value.call)
            return f"an object of {_describe(value.call)}" if by_value else "an object that a computed call makes"
        if kind.name in ("_make_function", "_create_function", "_fill_function", "_make_skeleton_class"):
            return "a class by value" if kind.name.endswith("class") else "a function by value"
        inner = _parts(value)
        many = [f"{name}{_trees(part)}" for name, part in inner[:MAX_NAMED]]
        more = f" and {len(inner) - MAX_NAMED} more" if len(inner) > MAX_NAMED else ""
        own = f"{_article(kind.name)} {kind.name.rpartition('.')[2]}{_trees(value)}"
        return f"{own} of {_listed(many)}{more}" if many else own
    if isinstance(value, Array):
        shape = " x ".join(map(str, value.shape)) if value.shape else "one element"
        return f"an array of {value.dtype!r}, {shape}"
    if isinstance(value, Mapping):
        keys = [str(key)[:30] for key, _ in value.pairs[:MAX_NAMED] if type(key) is str]
        return f"a dict of {value.length}" + (
            f" ({', '.join(keys)}{', ...' * (value.length > MAX_NAMED)})" if keys else ""
        )
    if isinstance(value, Items):
        return f"a {value.kind} of {value.length}"
    if isinstance(value, Global):
        return f"the name {value}"
    return f"{_article(type(value).__name__)} {type(value).__name__}"


def _parts(made: Made) -> list[tuple[str, Made]]:
    """The named steps of a Pipeline, ColumnTransformer, voting or stacking, or the one estimator that is wrapped."""
    state = made.attributes()
    found: list[tuple[str, Made]] = []
    for key in _STEPS:
        if key == "estimator" and _trees(made):
            break  # the template of the members, which are counted
        value = state.get(key)
        for item in value.items if isinstance(value, Items) else [value]:
            for part in item.items if isinstance(item, Items) else [item]:
                if isinstance(part, Made) and (kind := class_of(part)) is not None:
                    found.append((_short(kind), part))
        if found:
            break
    return found


def _short(kind: Global) -> str:
    return kind.name.rpartition(".")[2]


def _trees(made: Made) -> str:
    """How many trees or members an ensemble has."""
    state = made.attributes()
    for key in _ENSEMBLES:
        value = state.get(key)
        count = value.length if isinstance(value, Items) else 0
        if isinstance(value, Array) and value.shape:
            count = value.shape[0]
            value = value.items
        if count and not _is_named(value):
            inside = value.items if isinstance(value, Items) else []
            first = class_of(inside[0]) if inside and type(inside[0]) is Made else None
            word = "trees" if first is None or "Tree" in first.name else "members"
            return f" ({count} {word if count > 1 else word[:-1]})"
    return ""


def _is_named(value: Value) -> bool:
    return isinstance(value, Items) and bool(value.items) and type(value.items[0]) is Items


def _form(needs: Needs) -> str:
    numpy2 = any(item.module.startswith("numpy._core") for item in needs.globals)
    words = ["numpy 2"] if numpy2 else []
    words.append({"torch_zip": "torch zip", "torch_legacy": "torch legacy file"}.get(needs.format, needs.format))
    text = " ".join(words)
    if needs.protocol is not None and needs.format not in ("npy", "npz"):
        text += f", protocol {needs.protocol}"
    return text + (f", {needs.compression}" if needs.compression else "")


def _size(count: int) -> str:
    for unit, name in ((1 << 30, "GB"), (1 << 20, "MB"), (1 << 10, "kB")):
        if count >= unit:
            return f"{count / unit:.{0 if count >= 10 * unit else 1}f} {name}"
    return f"{count} bytes"


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _article(name: str) -> str:
    last = name.rpartition(".")[2]
    spelled = last[:2].isupper()  # "an XGBClassifier", but "a UnionFind"
    return "an" if last[:1] in ("AEFHILMNORSX" if spelled else "AEIOaeio") else "a"


def local_modules(needs: Needs) -> tuple[Global, ...]:
    """Globals of the script that wrote the file: the serving image must define them in its own main program."""
    return tuple(item for item in needs.globals if item.module in LOCAL or item.module.startswith("__main__."))


def unfitted(needs: Needs) -> tuple[Global, ...]:
    """Classes whose stored state looks like that of an estimator that was never fitted: it carries scikit-learn's
    version stamp and parameters, but no attribute that ends in ``_``. Only the roots and the steps of pipelines are
    looked at: inside a fitted meta-estimator the unfitted template is normal. Some estimators store nothing when they
    are fitted (``FunctionTransformer``, ``HashingVectorizer``): so this is a hint and no proof."""
    found: dict[Global, None] = {}
    queue = [value for value in needs.roots if isinstance(value, Made)]
    for made in queue:
        state = made.attributes()
        kind = class_of(made)
        steps = state.get("steps")
        if isinstance(steps, Items):
            named = [item.items for item in steps.items if isinstance(item, Items)]
            queue += [part for item in named for part in item if isinstance(part, Made) and part not in queue]
            continue
        if kind is None or "_sklearn_version" not in state or made.state is UNSET:
            continue
        if not any(key.endswith("_") and not key.startswith("__") for key in state):
            found[kind] = None
    return tuple(found)
