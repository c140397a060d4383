"""What is known about a package: how heavy a version difference weighs, how it is installed, what it belongs to."""

from __future__ import annotations

from collections.abc import Container
from typing import Any

from envaudit.knowledge import load
from envaudit.model import Component, Severity
from envaudit.rules._helpers import attribute
from envaudit.rules._versions import compare

_SEVERITY: dict[str, Severity] = {"e": "error", "w": "warning", "n": "note"}
_DEFAULT: dict[str, Any] = {"older": "wnn", "newer": "wnn"}
_WHEEL_INDEX = "https://download.pytorch.org/whl"


def known(name: str) -> dict[str, Any] | None:
    """The entry of a package that is weighed on its own."""
    found: dict[str, Any] | None = load("packages")["package"].get(name)
    return found


def is_needed(name: str) -> bool:
    """Whether objects of the package commonly sit inside a model file or are called to predict."""
    return known(name) is not None or name in load("packages")["needed"]["names"]


def is_tool(name: str) -> bool:
    """Whether the package only serves people at work: installers, notebooks, plots, tests, linters."""
    return any(name in group["names"] for group in load("tools").values()) or name.startswith("jupyter")


def weight(name: str, level: int, older: bool) -> Severity:
    """How grave a difference of this level is for this package, without a known break."""
    entry = known(name) or _DEFAULT
    severity = _SEVERITY[entry["older" if older else "newer"][level]]
    if severity == "warning" and entry is _DEFAULT and is_tool(name):
        return "note"
    return severity


def for_numpy_1(name: str, version: str) -> str | None:
    """The source that says that a release was compiled for NumPy 1 and cannot be imported with 2; None if none does."""
    entry = load("numpy2").get(name)
    if entry is None or (compare(version, entry["first"]) or 0) >= 0:
        return None
    return str(entry["source"])


def pin(name: str, component: Component) -> str:
    """The requirement that names exactly this version."""
    label = attribute(component, "label")
    if label and variant(label):  # ==2.4.0 alone is satisfied by every build of 2.4.0
        return f"{name}=={component.version}+{label}"
    return f"{name}=={component.version}" if component.version else name


def variant(label: str | None) -> str | None:
    """What a local version label says about the hardware: ``cuda``, ``cpu``, ``rocm``, ``xpu``; None if nothing."""
    if not label:
        return None
    for prefix, meaning in (("cu", "cuda"), ("cpu", "cpu"), ("rocm", "rocm"), ("xpu", "xpu")):
        if label.startswith(prefix):
            return meaning
    return None


def install(*wanted: tuple[str, Component], cuda: str | None = None) -> str:
    """The one command that installs these packages as training had them, PyTorch's from the index of its build.

    ``cuda`` is the CUDA version of a build that carries no label.
    """
    pins = " ".join(f"'{pin(name, component)}'" for name, component in wanted)
    family = [component for name, component in wanted if name in ("torch", "torchvision", "torchaudio")]
    labels = {attribute(component, "label") or (cuda and "cu" + "".join(cuda.split(".")[:2])) for component in family}
    found = sorted(label for label in labels if variant(label) and label)
    if len(found) == 1:
        return f"pip install {pins} --index-url {wheel_index(found[0])}"
    return f"pip install {pins}"


def twin(name: str, installed: Container[str]) -> str | None:
    """The distribution among the installed ones that offers the same modules, with or without GPU support."""
    for group in load("packages")["twins"]["groups"]:
        if name in group:
            return next((other for other in group if other != name and other in installed), None)
    return None


def wheel_index(label: str) -> str:
    """The index that holds PyTorch's wheels with this label (https://pytorch.org/get-started/previous-versions/)."""
    return f"{_WHEEL_INDEX}/{label}"
