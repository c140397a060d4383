"""What compiled code accepts: record layouts, Cython checksums, and call signatures of extension modules."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from packaging.version import Version

from envaudit.needs import Array, Items, Long, Made, Mapping, Value, class_of
from envaudit.prediction.core import Core, Place
from envaudit.prediction.values import Abstract, ArrayValue, External, Function, Partial

if TYPE_CHECKING:
    from envaudit.surface.extensions import Extension, Layout, Signature


def extension_of(core: Core, value: External) -> Extension | None:
    """The facts of the extension module in which an opaque value lives."""
    module = core.world.alias(value.module) or value.module
    found = core.world.surface.find(module)
    return core.world.surface.extension(module) if found is not None and found.kind == "extension" else None


def check_call(core: Core, made: Made, call: External) -> None:
    """Whether a compiled reconstructor takes the arguments that the file hands it."""
    extension = extension_of(core, call)
    if extension is None or made.how == "newobj":
        return
    checksum = made.args[1] if len(made.args) > 1 else None
    if call.name.startswith("__pyx_unpickle_") and isinstance(checksum, int):
        if call.name in extension.names and extension.accepts(call.name, checksum) is False:
            known = extension.unpicklers.get(call.name, ())
            listed = ", ".join(f"0x{value:07x}" for value in known)
            text = f"Incompatible checksums (0x{checksum:x} vs ({listed}))"
            _record(core, made, "PickleError", text, "checksum", f"{call.module}.{call.name[15:]}")
        return
    signature = extension.functions.get(call.name)
    if signature is not None and made.kwargs is None:
        text = misfit(call.name, signature, len(made.args))
        if text:
            _record(core, made, "TypeError", text, "signature", call.dotted)


def check_types(core: Core, made: Made, call: Abstract, args: list[Abstract]) -> None:
    """Whether a function hands an argument of a builtin type on to compiled code that takes its own type only.

    A compiled constructor checks the types of its arguments; a function that is annotated with such a type and does not
    look at the argument itself passes it on as it is (pandas 2.1: ``new_block(values, placement: BlockPlacement)``).
    """
    if isinstance(call, Partial):
        call, args = call.function, [*call.args, *args]
    if not isinstance(call, Function) or isinstance(call.node, ast.Lambda):
        return
    given = [getattr(getattr(value, "cls", None), "dotted", "") for value in args]
    if "builtins.slice" not in given:
        return
    looked_at = {
        node.args[0].id
        for node in ast.walk(call.node)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("isinstance", "BlockPlacement")
        if node.args and isinstance(node.args[0], ast.Name)
    }
    for parameter, kind in zip(call.node.args.args, given, strict=False):
        if not isinstance(parameter.annotation, ast.Name) or kind != "builtins.slice" or parameter.arg in looked_at:
            continue
        wanted = core.world.evaluate(parameter.annotation, call.frame)
        if isinstance(wanted, External) and extension_of(core, wanted) is not None:
            text = f"Argument '{parameter.arg}' has incorrect type (expected {wanted.dotted}, got slice)"
            _record(core, made, "TypeError", text, "signature", f"{call.module}.{call.name}")


def check_payload(core: Core, made: Made) -> None:
    """Whether the native library still reads the buffer that its object stores.

    xgboost pickles a Booster as a native snapshot: "CONFIG-offset:" and the binary format up to 1.2 or so, then JSON
    text, then UBJSON, which 1.6 was the first to read (https://xgboost.readthedocs.io/en/release_2.1.0/tutorials/
    saving_model.html); 3.1 reads nothing else (release notes of 3.1.1: "the removed binary model format",
    https://github.com/dmlc/xgboost/releases/tag/v3.1.1).
    """
    cls = class_of(made)
    if cls is None or cls.name != "Booster" or not cls.module.startswith("xgboost."):
        return
    start = _start(made.attributes().get("handle"))
    version = core.world.surface.version("xgboost")
    if not start or version is None:
        return
    universal = start[:2] == b"{L"
    if Version(version) < Version("1.6") if universal else Version(version) >= Version("3.1"):
        text = 'Expecting: """, got: "L"' if universal else "Invalid serialization file."
        _record(core, made, "XGBoostError", text, "native-format", "xgboost.core.Booster")


def _start(value: Value) -> bytes:
    """The first bytes of a buffer, however the protocol spells it (``bytearray(...)``, ``_codecs.encode(...)``)."""
    while isinstance(value, Made) and value.args:
        value = value.args[0]
    start = value.start if isinstance(value, Long) else value
    if isinstance(start, str):
        return start.encode("latin-1", "replace")
    return bytes(start) if isinstance(start, (bytes, bytearray)) else b""


def misfit(name: str, signature: Signature, given: int) -> str:
    """The text of the ``TypeError`` for that many positional arguments; empty where they fit."""
    most = len(signature.positional)
    if given > most and not signature.varargs:
        bound = "exactly" if signature.required == most else "at most"
        return f"{name}() takes {bound} {most} positional argument{'' if most == 1 else 's'} ({given} given)"
    if given < signature.required:
        bound = "exactly" if signature.required == most and not signature.varargs else "at least"
        plural = "" if signature.required == 1 else "s"
        return f"{name}() takes {bound} {signature.required} positional argument{plural} ({given} given)"
    return ""


def check_state(core: Core, made: Made, cls: External, state: Value) -> None:
    """Whether a compiled ``__setstate__`` takes the record layouts of the stored arrays."""
    extension = extension_of(core, cls)
    if extension is None:
        return
    for name, array in _records(state):
        layout = rejected(extension, array)
        if layout is not None:
            text = f"{name or 'node'} array from the pickle has an incompatible dtype"
            if not _says(core, cls, b"has an incompatible dtype"):
                text = "Did not recognise loaded array layout"
            owner = f"{cls.module}.{cls.name}"
            _record(core, made, "ValueError", f"{text}: {difference(layout, array)}", "record-layout", owner)


def check_buffers(core: Core, function: External, args: list[Abstract]) -> None:
    """Whether a compiled function takes the record arrays that it is handed while predicting."""
    for value in args:
        if isinstance(value, ArrayValue) and value.need.dtype is not None and value.need.dtype.fields:
            extension = extension_of(core, function)
            layout = rejected(extension, value.need) if extension is not None else None
            if layout is not None:
                text = f"Buffer dtype mismatch: {difference(layout, value.need)}"
                core.fail("ValueError", text, "record-layout", function.dotted)


def rejected(extension: Extension, array: Array) -> Layout | None:
    """The layout that the module has for such records, where the array's is another one."""
    assert array.dtype is not None
    names = {name for name, _, _ in array.dtype.fields}
    best, shared = None, 0
    for layout in extension.structs.values():
        common = len(names & {name for name, _, _ in layout.fields})
        if common > shared:
            best, shared = layout, common
    if best is None or shared * 2 < len(names):
        return None
    ours = {name: (_bare(kind.spec), offset) for name, kind, offset in array.dtype.fields}
    theirs = {name: (_bare(spec), offset) for name, spec, offset in best.fields}
    same = ours == theirs and array.dtype.itemsize in (0, best.itemsize)
    return None if same else best


def difference(layout: Layout, array: Array) -> str:
    """What differs between the two layouts, in words."""
    assert array.dtype is not None
    ours = {name: _bare(kind.spec) for name, kind, _ in array.dtype.fields}
    theirs = {name: _bare(spec) for name, spec, _ in layout.fields}
    parts = [f"the file lacks {name!r}" for name in theirs if name not in ours]
    parts += [f"the target does not know {name!r}" for name in ours if name not in theirs]
    parts += [
        f"{name!r} is {ours[name]}, expected {theirs[name]}"
        for name in ours
        if name in theirs and ours[name] != theirs[name]
    ]
    return "; ".join(parts) or f"records of {array.dtype.itemsize} bytes, expected {layout.itemsize}"


def _bare(spec: str) -> str:
    """A dtype string without the byte order where one byte has none; bool counts as the byte that C sees."""
    kind = spec[1:] if spec[:1] in "<>|=" else spec
    kind = {"b1": "u1", "?": "u1"}.get(kind, kind)
    return kind if kind.endswith("1") or spec[:1] != ">" else f">{kind}"


def _records(state: Value, depth: int = 2) -> Iterator[tuple[str, Array]]:
    """The arrays of records in a state, with the key they stand under."""
    pairs: list[tuple[Value, Value]] = []
    if isinstance(state, Mapping):
        pairs = state.pairs
    elif isinstance(state, Items):
        pairs = [("", item) for item in state.items[:50]]
    for key, item in pairs:
        if isinstance(item, Array):
            if item.dtype is not None and item.dtype.fields:
                yield (key.rstrip("s") if isinstance(key, str) else ""), item
        elif depth:
            yield from _records(item, depth - 1)


def _says(core: Core, value: External, text: bytes) -> bool:
    """Whether an extension module's file contains a text."""
    found = core.world.surface.find(core.world.alias(value.module) or value.module)
    data = found.tree.read(found.path) if found is not None and found.tree is not None else None
    return data is not None and text in data


def _record(core: Core, made: Made, kind: str, text: str, cause: str, subject: str) -> None:
    core.stack.append(Place("", str(made.call), made.at))
    try:
        core.fail(kind, text, cause, subject, made)
    finally:
        core.stack.pop()
