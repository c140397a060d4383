"""What compiled code accepts: record layouts, Cython checksums, and call signatures of extension modules."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from hashlib import md5, sha1, sha256
from typing import TYPE_CHECKING, Final

from packaging.version import Version

from envaudit.needs import Array, Items, Long, Made, Mapping, Value, class_of
from envaudit.prediction.core import Core, Place
from envaudit.prediction.values import (
    Abstract,
    ArrayValue,
    ClassValue,
    Dictionary,
    External,
    Function,
    Partial,
    Sequence,
)
from envaudit.prediction.world import MISSING

if TYPE_CHECKING:
    from envaudit.surface.extensions import Extension, Layout, Signature


def extension_of(core: Core, value: External) -> Extension | None:
    """The facts of the extension module in which an opaque value lives."""
    module = core.world.alias(value.module) or value.module
    found = core.world.surface.find(module)
    return core.world.surface.extension(module) if found is not None and found.kind == "extension" else None


def gives(core: Core, cls: ClassValue, name: str) -> bool:
    """Whether a base class that cannot be read may give its instances an attribute; False where all of them are
    compiled, and the name stands nowhere in their modules."""
    for item in cls.lineage:
        if not isinstance(item, ClassValue):
            extension = extension_of(core, item) if isinstance(item, External) else None
            if extension is None or name in extension.names:
                return True
    return False


def check_call(core: Core, made: Made, call: External, args: list[Abstract]) -> None:
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
        elif isinstance(args[0], ClassValue):
            _check_allocation(core, made, External(call.module, call.name[15:]), args[0])
        return
    signature = extension.functions.get(call.name)
    if signature is not None and made.kwargs is None:
        text = misfit(call.name, signature, len(made.args))
        if text:
            _record(core, made, "TypeError", text, "signature", call.dotted)


NO_FIELDS: Final = frozenset(
    int(digest(b"", usedforsecurity=False).hexdigest()[:7], 16) for digest in (sha256, sha1, md5)
)
"""Cython's checksums of a class without C fields (``_calculate_pickle_checksums`` in its ParseTreeTransforms.py)."""


def _check_allocation(core: Core, made: Made, owner: External, cls: ClassValue) -> None:
    """Whether ``OWNER.__new__(cls)``, which Cython's reconstructor calls, may make that class.

    ``tp_new_wrapper`` in CPython's Objects/typeobject.c demands that the class derives from the owner, and that no
    other compiled class lays out its instances. Where the owner has no C fields, that is the first compiled base.
    """
    compiled = [item for item in cls.lineage if not isinstance(item, ClassValue)]
    if not all(isinstance(item, External) for item in compiled):
        return
    refusal = ""
    if owner not in compiled:
        if all(item.module != owner.module for item in compiled):  # else it may derive from it in compiled code
            refusal = f": {cls.name} is not a subtype of {owner.dotted}"
    elif compiled[0] != owner and made.args[1] in NO_FIELDS and extension_of(core, compiled[0]) is not None:
        refusal = f" is not safe, use {cls.name}.__new__()"
    if refusal:
        text = f"{owner.dotted}.__new__({cls.name}){refusal}"
        _record(core, made, "TypeError", text, "class-layout", f"{cls.module}.{cls.name}")


def check_inherited(core: Core, made: Made, cls: ClassValue, state: Abstract) -> bool:
    """Whether a compiled base has a ``__setstate__`` of its own, which may do anything with the state that the file
    stores; that it takes the state is checked."""
    for item in cls.lineage:
        if isinstance(item, ClassValue):
            if core.member(item, "__setstate__", own=True) is not MISSING:
                return False
        elif isinstance(item, External) and extension_of(core, item) is not None:
            refused = _refused(core, item, state)
            if refused is not None:
                _record(core, made, *refused, "raises", f"{item.dotted}.__setstate__")
            return _setters(core, item)[0]
    return False


def _setters(core: Core, base: External) -> tuple[bool, bool]:
    """Whether a compiled class has a ``__setstate__`` of its own, and whether Cython generated one. A forest asks for
    each of its trees, and the module's file is read for the first only."""
    known = core.world.setters
    if base not in known:
        own, generated = (f".{base.name}.{name}".encode() for name in ("__setstate__", "__setstate_cython__"))
        known[base] = _says(core, base, own), _says(core, base, generated)
    return known[base]


def _refused(core: Core, base: External, state: Abstract) -> tuple[str, str] | None:
    """The exception with which a compiled class refuses a state of a form that it does not know.

    What Cython generates (``__setstate_cython__``) takes a tuple only. So does scipy's cKDTree, which unpacks it
    (scipy/spatial/_ckdtree.pyx), and which KDTree derives from since scipy 1.6, and its Rotation, which was compiled in
    1.6 and takes the first of two parts for an array (scipy/spatial/transform/_rotation.pyx). pandas before 3.0 takes
    its arrays as one part or three (``NDArrayBacked.__setstate__``, pandas/_libs/arrays.pyx in 2.3), 3 writes two where
    it has no attributes.
    """
    own, generated = _setters(core, base)
    if isinstance(state, Dictionary):
        if own and base.name == "cKDTree":
            return "ValueError", f"need more than {len(state.entries)} values to unpack"
        if own and base.name == "Rotation" and len(state.entries) == 2:
            return "AttributeError", "'str' object has no attribute 'copy'"
        extension = extension_of(core, base)
        if generated and not own and extension is not None and f"__pyx_unpickle_{base.name}" in extension.names:
            return "TypeError", "Expected tuple, got dict"
    if isinstance(state, Sequence) and base.name == "NDArrayBacked" and state.exact and len(state.items) == 2:
        version = core.world.surface.release("pandas")
        if version is not None and version < Version("3.0.dev0"):
            return "NotImplementedError", "(dtype, array)"
    return None


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
    version = core.world.surface.release("xgboost")
    text = _unread(start, version) if start and version is not None else None
    if text is not None:
        _record(core, made, "XGBoostError", text, "native-format", "xgboost.core.Booster")


def _unread(start: bytes, version: Version) -> str | None:
    """What xgboost says where it does not read a snapshot that begins so.

    Before 1.0 a snapshot was the bare model, which later releases refuse (https://github.com/dmlc/xgboost/issues/5235).
    Two keys were demanded of a JSON snapshot until they were no longer written: ``leaf_child_counts`` of every tree
    before 1.3 (https://github.com/dmlc/xgboost/pull/6094), ``lambda_rank_param`` of a ranking objective before 2.0,
    which spells it otherwise (https://github.com/dmlc/xgboost/pull/9015).
    """
    if not start.startswith((b"CONFIG-offset:", b"{")) and version >= Version("1.0"):
        return "Check failed: header == serialisation_header_"
    universal = start[:2] == b"{L"
    if universal and version < Version("1.6"):
        return 'Expecting: """, got: "L"'
    if not universal and version >= Version("3.1"):
        return "Invalid serialization file."
    if b"left_children" in start and b"leaf_child_counts" not in start and version < Version("1.3"):
        return "Invalid cast, from Null to Array"
    if b"lambdarank_param" in start and version < Version("2.0"):
        return "Invalid cast, from Null to Object"
    return None


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


def check_state(core: Core, made: Made, cls: External, state: Value, given: Abstract) -> None:
    """Whether a compiled ``__setstate__`` takes a state (``given``: as it was evaluated), and the record layouts of the
    arrays in it."""
    extension = extension_of(core, cls)
    if extension is None:
        return
    refused = _refused(core, cls, given)
    if refused is not None:
        _record(core, made, *refused, "raises", f"{cls.dotted}.__setstate__")
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
    data = core.world.surface.read(core.world.alias(value.module) or value.module)
    return data is not None and text in data


def _record(core: Core, made: Made, kind: str, text: str, cause: str, subject: str) -> None:
    core.stack.append(Place("", str(made.call), made.at))
    try:
        core.fail(kind, text, cause, subject, made)
    finally:
        core.stack.pop()
