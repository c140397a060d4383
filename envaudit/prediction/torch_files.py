"""What ``torch.load`` refuses by its own rules before it unpickles anything."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Final

from packaging.version import Version

from envaudit.artifacts.summary import visit
from envaudit.needs import Items, Made, Needs, Persistent, Value
from envaudit.prediction.causes import Cause, unfound
from envaudit.prediction.loading import renamed
from envaudit.prediction.world import MISSING, NoModule, World

ZIP_READERS: Final = Version("1.6")
"""The first release that reads the archives of ``torch.save`` as it writes them since then (format 3), the notes of
https://github.com/pytorch/pytorch/releases/tag/v1.6.0; earlier ones stop at format 2."""

_FRAME: Final = 0x95
"""The opcode FRAME (PEP 3154); the message names it as a number."""


def causes(needs: Needs, world: World) -> Iterator[Cause]:
    """Everything of this kind."""
    if needs.format == "torch_zip" and needs.loader.startswith("torch.load") and not _reads_archives(world):
        text = "the file is a zip archive (did you mean to use torch.jit.load()?)"
        why = "torch.load reads no archives there: only what torch.save writes without _use_new_zipfile_serialization"
        yield Cause("RuntimeError", text, "native-format", "torch", why, 0)
    elif needs.loader.startswith("torch."):
        yield from _format(needs, world)
        yield from _places(needs, world)
    if needs.loader == "torch.load":
        yield from _weights_only(needs, world)
    if needs.loader != "torch.jit.load":
        yield from _storages(needs, world)


def _storages(needs: Needs, world: World) -> Iterator[Cause]:
    """The classes of storages are written in Python in every release (torch/__init__.py, "Define Storage and Tensor
    classes"): that module's star imports, whose names are not all known, bring none."""
    table = world.bindings("torch")
    for item in needs.globals:
        if item.module != "torch" or not item.name.endswith("Storage") or table is None or item.name in table.names:
            continue
        text = unfound(needs, world, item.module, item.name)
        why = f"the file holds numbers of a type that torch has no {item.name} for in the target"
        yield Cause("AttributeError", text, "missing-name", str(item), why, item.at)


def _format(needs: Needs, world: World) -> Iterator[Cause]:
    written = max((int(text) for text in needs.versions.get("torch file format", ()) if text.isdigit()), default=0)
    version = world.surface.release("torch")
    if written >= 3 and version is not None and version < ZIP_READERS:
        text = f"Attempted to read a PyTorch file with version {written}, but the maximum supported version is 2"
        why = f"torch {version} reads archives up to format 2; this one has format {written}"
        yield Cause("RuntimeError", text, "native-format", "torch", why, 0)


def _reads_archives(world: World) -> bool:
    """Whether the target's ``torch.load`` opens archives, as releases from 1.4 on do."""
    try:
        return world.lookup("torch.serialization", "_open_zipfile_reader") is not MISSING
    except NoModule:
        return True


def _places(needs: Needs, world: World) -> Iterator[Cause]:
    """The archives that 1.4 could write keep their storages in ``tensors/``; newer releases look for them in ``data/``
    (``_save`` and ``_load`` in torch/serialization.py)."""
    if needs.format != "torch_zip" or needs.loader == "torch.jit.load" or needs.array_bytes:
        return
    source = world.surface.source("torch.serialization") or ""
    stored = next(_filled(needs), None)
    if stored is not None and "data/" in source:
        why = "the storages of this archive do not lie in data/, where torch looks for them there"
        yield Cause("RuntimeError", f"file not found: data/{stored}", "native-format", "torch", why, 0)


def _filled(needs: Needs) -> Iterator[Value]:
    """The keys of the storages that hold something: ``("storage", type, key, location, number of elements)``."""
    for made in visit(needs.roots):
        for item in made.args if isinstance(made, Made) else ():
            parts = item.id.items if isinstance(item, Persistent) and isinstance(item.id, Items) else []
            if parts[:1] == ["storage"] and len(parts) > 4 and parts[4] != 0:
                yield parts[2]


def _weights_only(needs: Needs, world: World) -> Iterator[Cause]:
    """Since 2.6 ``torch.load`` reads with ``weights_only=True`` unless it is told otherwise, and takes the globals of a
    list (https://github.com/pytorch/pytorch/releases/tag/v2.6.0, "Flip default torch.load to weights_only")."""
    try:
        strict = world.lookup("torch.serialization", "_default_to_weights_only") is not MISSING
    except NoModule:
        return
    if strict and (needs.protocol or 0) >= 4 and not _knows_frames(world):
        text = f"Weights only load failed. Unsupported operand {_FRAME}"
        written = f"pickle protocol {needs.protocol}"
        why = f"torch.load reads protocol 2 alone there unless it is told weights_only=False; this is {written}"
        yield Cause("UnpicklingError", text, "loader-policy", written, why, 0, certain=False)
    allowed = _allowed(world) if strict else frozenset()
    for item in needs.globals if allowed else ():
        name = ".".join(renamed(item, world))
        if name in allowed or _is_tensor(name):
            continue
        text = f"Weights only load failed. Unsupported global: GLOBAL {name} was not an allowed global by default"
        why = (
            f"torch.load reads only tensors there unless it is told weights_only=False, and refuses {name}; "
            "torch.serialization.add_safe_globals allows it"
        )
        yield Cause("UnpicklingError", text, "loader-policy", name, why, item.at, certain=False)


def _knows_frames(world: World) -> bool:
    """Whether the target's restricted unpickler knows the opcode that protocol 4 begins with (PEP 3154, "Framing"); so
    far none does."""
    try:
        return world.lookup("torch._weights_only_unpickler", "FRAME") is not MISSING
    except NoModule:
        return True


def _is_tensor(name: str) -> bool:
    """Whether a global is one of torch's own types of tensors, storages or elements, which are allowed."""
    module, _, last = name.rpartition(".")
    return module.partition(".")[0] == "torch" and (
        last.endswith(("Storage", "Tensor")) or (module == "torch" and last[:1].islower())
    )


def _allowed(world: World) -> frozenset[str]:
    """The globals that the target's own list allows by name (``torch/_weights_only_unpickler.py``); none if unread."""
    table = world.bindings("torch._weights_only_unpickler")
    found: set[str] = set()
    for name in ("_get_allowed_globals", "_tensor_rebuild_functions"):
        for binding in table.names.get(name, ()) if table is not None else ():
            for node in ast.walk(binding.node):
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and "." in node.value:
                    found.add(node.value)
                elif isinstance(node, ast.Attribute):
                    found.add(ast.unparse(node))
    return frozenset(found)
