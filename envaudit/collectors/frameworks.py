"""Machine-learning frameworks that come in several builds: what each was built for.

The framework's own record is believed first: ``torch/version.py``, TensorFlow's ``build_info.py``, ONNX Runtime's
``build_and_package_info.py``; they are read as text, never imported. The rest follows from the names of the
distributions, as https://docs.jax.dev/en/latest/installation.html, https://onnxruntime.ai/docs/install/ and
https://xgboost.readthedocs.io/en/stable/install.html give them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from envaudit.collectors import _sites
from envaudit.collectors._names import normalise
from envaudit.evidence import Collector, Evidence, FileRequest, Request
from envaudit.model import Component, Gap, Json

KIND: Final = "framework"

TORCH: Final = "/torch/version.py"
TENSORFLOW: Final = "/tensorflow/python/platform/build_info.py"
ONNXRUNTIME: Final = "/onnxruntime/capi/build_and_package_info.py"

DISTRIBUTIONS: Final[dict[str, tuple[str, str]]] = {
    "tensorflow": ("tensorflow", ""),
    "tensorflow-cpu": ("tensorflow", "cpu"),
    "tensorflow-gpu": ("tensorflow", "cuda"),
    "tensorflow-rocm": ("tensorflow", "rocm"),
    "onnxruntime": ("onnxruntime", "cpu"),
    "onnxruntime-gpu": ("onnxruntime", "cuda"),
    "onnxruntime-rocm": ("onnxruntime", "rocm"),
    "xgboost": ("xgboost", ""),
    "xgboost-cpu": ("xgboost", "cpu"),
    "xgboost-cu12": ("xgboost", "cuda"),
    "xgboost-cu13": ("xgboost", "cuda"),
    "lightgbm": ("lightgbm", ""),
    "jax": ("jax", "cpu"),
}
"""Distribution -> framework and the variant that the name alone tells (``""``: it tells none)."""

_PAIR = re.compile(r"""['"](\w+)['"]\s*[,:]\s*(?:['"]([^'"\n]*)['"]|(True|False)\b)""")
_ASSIGNMENT = re.compile(r"""^(\w+)\s*(?::[^=\n]*)?=\s*(?:(['"])([^'"\n]*)\2|(None|True|False))[ \t]*\r?$""", re.M)


def collect(evidence: Evidence) -> Iterator[Component | Gap]:
    """One ``framework`` per framework that is installed; of several copies the one that sys.path finds first."""
    installed = _distributions(evidence)
    yield from _torch(evidence)
    groups: dict[str, list[str]] = {}
    for name in installed:
        if name in DISTRIBUTIONS:
            groups.setdefault(DISTRIBUTIONS[name][0], []).append(name)
    for framework, names in groups.items():
        yield from _by_distribution(evidence, framework, sorted(names), installed)


def _distributions(evidence: Evidence) -> dict[str, str]:
    """Version by normalised name, from the names of the dist-info folders; the first on sys.path counts."""
    order = _sites.ranks(evidence)
    found: dict[str, tuple[int, str]] = {}
    for path in evidence.names:
        site, _, folder = path.rpartition("/")
        name, _, version = folder.removesuffix(".dist-info").partition("-")
        if folder.endswith(".dist-info") and version:
            copy = (order.get(site, len(order)), version)
            found[normalise(name)] = min(found.get(normalise(name), copy), copy)
    return {name: version for name, (_, version) in sorted(found.items())}


def _first(evidence: Evidence, ending: str) -> tuple[str, str, str] | None:
    """Path, text and error of the file with this ending that sys.path finds first."""
    order = _sites.ranks(evidence)
    paths = [path for path in evidence.files if path.endswith(ending)]
    if not paths:
        return None
    path = min(paths, key=lambda path: (order.get(path[: -len(ending)], len(order)), path))
    file = evidence.files[path]
    return path, file.text, file.error or ""


def _torch(evidence: Evidence) -> Iterator[Component | Gap]:
    found = _first(evidence, TORCH)
    if found is None:
        return
    path, text, error = found
    said = {name: value or word for name, _, value, word in _ASSIGNMENT.findall(text)}
    version = said.get("__version__", "").partition("+")[0]
    if not version or "cuda" not in said:
        yield Gap(KIND, "torch", f"{path}: {error or 'not understood'}")
        return
    backends = {name: said[name] for name in ("cuda", "hip", "xpu") if said.get(name) not in (None, "None", "")}
    backend = next(iter(backends), "cpu")
    attributes: dict[str, Json] = {name: value for name, value in backends.items() if name != "xpu"}
    attributes["variant"] = "rocm" if backend == "hip" else backend
    if said.get("debug") == "True":
        attributes["debug"] = True
    yield Component(KIND, "torch", version, attributes)


def _by_distribution(
    evidence: Evidence, framework: str, names: list[str], installed: dict[str, str]
) -> Iterator[Component | Gap]:
    record: dict[str, Json] = {}
    if framework in ("tensorflow", "onnxruntime"):
        read = _tensorflow if framework == "tensorflow" else _onnxruntime
        told = read(evidence)
        if isinstance(told, Gap):
            yield told
        else:
            record = told
    chosen = record.pop("distribution", names[0])
    chosen = chosen if chosen in names else names[0]
    attributes = {**_from_name(chosen, installed), **record}
    if chosen != framework:
        attributes["distribution"] = chosen
    others = [{"distribution": name, "version": _public(installed[name])} for name in names if name != chosen]
    if others:
        attributes["also"] = others
    yield Component(KIND, framework, _public(installed[chosen]), attributes)


def _public(version: str) -> str:
    return version.partition("+")[0]


def _from_name(name: str, installed: dict[str, str]) -> dict[str, Json]:
    if name == "jax":
        return _jax(installed)
    variant = DISTRIBUTIONS[name][1]
    attributes: dict[str, Json] = {"variant": variant} if variant else {}
    major = re.search(r"-cu(\d+)$", name)
    if major:
        attributes["cuda"] = major[1]
    return attributes


def _jax(installed: dict[str, str]) -> dict[str, Json]:
    """jax-cudaNN-plugin or jax-rocmNN-plugin beside it; up to 0.4.30 a label of jaxlib (0.4.23+cuda12.cudnn89)."""
    backends = sorted(
        match.groups() for name in installed if (match := re.fullmatch(r"jax-(cuda|rocm)(\d+)-plugin", name))
    )
    label = re.search(r"\+cuda(\d+)", installed.get("jaxlib", ""))
    if not backends and label:
        backends = [("cuda", label[1])]
    if not backends:
        return {"variant": "cpu"}
    backend, version = backends[-1] if backends[-1][0] == "cuda" else backends[0]
    return {"variant": backend, "cuda": version} if backend == "cuda" else {"variant": backend}


def _tensorflow(evidence: Evidence) -> dict[str, Json] | Gap:
    found = _first(evidence, TENSORFLOW)
    if found is None:
        return {}
    path, text, error = found
    said = {name: value or word for name, value, word in _PAIR.findall(text)}
    if "is_cuda_build" not in said:
        return Gap(KIND, "tensorflow", f"{path}: {error or 'not understood'}")
    cuda, rocm = said["is_cuda_build"] == "True", said.get("is_rocm_build") == "True"
    record: dict[str, Json] = {"variant": "cuda" if cuda else "rocm" if rocm else "cpu"}
    for key, attribute in (("cuda_version", "cuda"), ("cudnn_version", "cudnn")):
        if cuda and said.get(key):
            record[attribute] = said[key]
    return record


def _onnxruntime(evidence: Evidence) -> dict[str, Json] | Gap:
    found = _first(evidence, ONNXRUNTIME)
    if found is None:
        return {}
    path, text, error = found
    said = {name: value for name, _, value, _ in _ASSIGNMENT.findall(text)}
    if not said.get("package_name"):
        return Gap(KIND, "onnxruntime", f"{path}: {error or 'not understood'}")
    record: dict[str, Json] = {"distribution": normalise(said["package_name"])}
    if said.get("cuda_version"):
        record.update(cuda=said["cuda_version"], variant="cuda")
    return record


COLLECTOR = Collector(
    kinds=(KIND,),
    needs=frozenset({"files", "names"}),
    request=Request(
        files=tuple(FileRequest("{site}" + path, cap=65536) for path in (TORCH, TENSORFLOW, ONNXRUNTIME)),
        names=tuple(
            f"{{site}}/{name}*.dist-info" for name in ("tensorflow", "onnxruntime", "xgboost", "lightgbm", "jax")
        ),
    ),
    collect=collect,
)
