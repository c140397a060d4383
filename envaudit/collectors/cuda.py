"""CUDA user-space software: the toolkit and its libraries, wherever they came from.

Several sources may tell of one component. The one that is likelier to be what gets loaded is believed, in this order:
a library file, a wheel (PyTorch finds its wheels before anything else), dpkg, conda, the toolkit's own version file,
an environment variable (which derived images inherit even where they replaced CUDA). The others go to ``also``.

Sources: names and layout of the wheels https://pypi.org/project/cuda-pathfinder/ and
https://pypi.org/project/cuda-toolkit/; packages and variables of the images
https://gitlab.com/nvidia/container-images/cuda.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from envaudit.collectors import _os_packages as databases
from envaudit.collectors._names import normalise
from envaudit.evidence import Collector, Evidence, FileRequest, Request
from envaudit.model import Component, Gap, Json

KIND: Final = "cuda"

LIBRARIES: Final = (
    *("cublas", "cufft", "curand", "cusolver", "cusparse", "nvjitlink"),
    *("cudnn", "nccl", "nvtx", "cufile", "cusparselt", "nvshmem"),
)
WHEELS: Final = {
    "cuda-runtime": "runtime",
    "cuda-nvrtc": "nvrtc",
    "cuda-cupti": "cupti",
    **{name: name for name in LIBRARIES},
}
"""Name of the wheel between ``nvidia-`` and ``-cuNN`` (which CUDA 13 mostly leaves out) -> component."""

PACKAGES: Final = (
    r"(?:cuda-(?P<cuda>cudart|nvrtc|cupti|compat|toolkit|nvtx|cublas|npp)"
    r"|lib(?P<lib>cublas|cufft|curand|cusolver|cusparse|nvjitlink|cufile|npp))-\d+-\d+"
    r"|lib(?P<dnn>cudnn)\d+(?:-cuda-\d+)?|lib(?P<nccl>nccl)\d+|lib(?P<infer>nvinfer)\d+"
)
"""dpkg package names of NVIDIA's repositories; those that hold headers, samples or mere settings do not match."""

PACKAGE_STARTS: Final = (
    *("cuda-", "libcublas-", "libcudnn", "libcufft-", "libcufile-", "libcurand-", "libcusolver-", "libcusparse-"),
    *("libnccl", "libnpp-", "libnvinfer", "libnvjitlink-"),
)
"""What those names start with: a status file that holds none of these is not gone through."""

CONDA: Final = {
    "cudatoolkit": "toolkit",
    "cuda-toolkit": "toolkit",
    "cuda-cudart": "runtime",
    "cuda-nvrtc": "nvrtc",
    "libcublas": "cublas",
    "cudnn": "cudnn",
    "nccl": "nccl",
}

VERSION_KEYS: Final = {"cuda": "toolkit", "cuda_cudart": "runtime", "libcublas": "cublas"}
"""Keys of version.json -> component."""

VARIABLES: Final = {
    "CUDA_VERSION": "toolkit",
    "NV_CUDA_CUDART_VERSION": "runtime",
    "NV_LIBCUBLAS_VERSION": "cublas",
    "NV_LIBCUSPARSE_VERSION": "cusparse",
    "NV_LIBNPP_VERSION": "npp",
    "NV_NVTX_VERSION": "nvtx",
    "NV_CUDNN_VERSION": "cudnn",
    "CUDNN_VERSION": "cudnn",
    "NV_LIBNCCL_PACKAGE_VERSION": "nccl",
    "NCCL_VERSION": "nccl",
    "TRT_VERSION": "tensorrt",
    "NV_CUDA_COMPAT_PACKAGE": "compat",
}

RENAMED: Final = {"cudart": "runtime", "nvinfer": "tensorrt"}

_LIBRARY, _WHEEL, _DPKG, _CONDA, _TOOLKIT, _VARIABLE = range(6)


class _Claim(NamedTuple):
    name: str
    trust: int
    order: int
    version: str
    source: str
    package: str = ""


def collect(evidence: Evidence) -> Iterator[Component | Gap]:
    """One ``cuda`` component per part of CUDA that some source tells of."""
    claims: list[_Claim] = []
    for reader in (_libraries, _wheels, _dpkg, _conda, _version_files, _variables):
        for found in reader(evidence):
            if isinstance(found, Gap):
                yield found
            elif found.version or found.package:
                claims.append(found)
    for name in sorted({claim.name for claim in claims}):
        own = sorted((claim for claim in claims if claim.name == name), key=_weight)
        best = own[0]
        attributes = _told(best)
        also = [
            {"version": claim.version or None, **_told(claim)}
            for claim in own[1:]
            if (claim.version, claim.source, claim.package) != (best.version, best.source, best.package)
        ]
        unique = [claim for place, claim in enumerate(also) if claim not in also[:place]]
        if unique:
            attributes["also"] = unique
        yield Component(KIND, name, best.version or None, attributes)


def _weight(claim: _Claim) -> tuple[object, ...]:
    newest_first = [-int(part[:18]) for part in re.findall(r"\d+", claim.version)]
    return (claim.trust, not claim.version, claim.order, newest_first, claim.source, claim.package)


def _told(claim: _Claim) -> dict[str, Json]:
    return {"from": claim.source, "package": claim.package} if claim.package else {"from": claim.source}


def _libraries(evidence: Evidence) -> Iterator[_Claim]:
    """The forward-compatibility driver library: its file name is the driver version that it stands for."""
    for path in evidence.names:
        match = re.fullmatch(r"(/usr/local/cuda[^/]*/compat)/libcuda\.so\.(\d+(?:\.\d+)+)", path)
        if match:
            yield _Claim("compat", _LIBRARY, 0, match[2], match[1])


def _wheels(evidence: Evidence) -> Iterator[_Claim | Gap]:
    sites = {str(site).rstrip("/"): order for order, site in enumerate(evidence.interpreter.get("path", ()))}
    for path, file in evidence.files.items():
        if not path.endswith(".dist-info/METADATA"):
            continue
        folder, _, info = path[: -len("/METADATA")].rpartition("/")
        if not info.startswith(("nvidia_", "nvidia-", "cuda_toolkit-")):
            continue
        if file.error:
            yield Gap(KIND, None, f"{path}: {file.error}")
            continue
        name = normalise(databases.field("\n" + file.text, "\nName:"))
        version = databases.field("\n" + file.text, "\nVersion:")
        component = _of_wheel(name)
        if component and version and not version.startswith("0.0."):  # a placeholder that holds nothing
            yield _Claim(component, _WHEEL, sites.get(folder, len(sites)), version, name)


def _of_wheel(name: str) -> str | None:
    if name == "cuda-toolkit":
        return "toolkit"
    return WHEELS.get(re.sub(r"-cu\d+$", "", name.removeprefix("nvidia-"))) if name.startswith("nvidia-") else None


def _dpkg(evidence: Evidence) -> Iterator[_Claim | Gap]:
    for path, file in databases.dpkg_files(evidence):
        if file.error or file.truncated:
            yield Gap(KIND, None, f"{path}: {file.error or 'too large, only its beginning was read'}")
        if not any("Package: " + start in file.text for start in PACKAGE_STARTS):
            continue
        for entry in databases.dpkg_entries(path, file):
            match = re.fullmatch(PACKAGES, entry.name) if entry.state in databases.INSTALLED else None
            if match and match.lastgroup:
                name = match[match.lastgroup]
                yield _Claim(RENAMED.get(name, name), _DPKG, 0, _upstream(entry.version or ""), "dpkg", entry.name)


def _upstream(version: str) -> str:
    """A package version without epoch and revision (deb-version(7)): 8.9.7.29 of 8.9.7.29-1+cuda12.2."""
    return version.rpartition(":")[2].rsplit("-", 1)[0]


def _conda(evidence: Evidence) -> Iterator[_Claim]:
    """The name of a record in conda-meta is ``name-version-build.json``."""
    for path in (*evidence.names, *evidence.files):
        folder, _, last = path.rpartition("/")
        if folder.endswith("/conda-meta") and last.endswith(".json"):
            name, version, _ = (*last.rsplit("-", 2), "", "")[:3]
            if name in CONDA and version:
                yield _Claim(CONDA[name], _CONDA, 0, version, "conda", name)


def _version_files(evidence: Evidence) -> Iterator[_Claim | Gap]:
    for path, file in evidence.files.items():
        match = re.fullmatch(r"/usr/local/(cuda[^/]*)/version\.(json|txt)", path)
        if match is None:
            continue
        versions = {} if file.error else (_json if match[2] == "json" else _text)(file.text)
        if not versions:
            yield Gap(KIND, "toolkit", f"{path}: {file.error or 'not understood'}")
        for name, version in versions.items():
            yield _Claim(name, _TOOLKIT, 0 if match[1] == "cuda" else 1, version, path)


def _json(text: str) -> dict[str, str]:
    import json

    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    found = {}
    for key, name in VERSION_KEYS.items():
        entry = data.get(key) if isinstance(data, dict) else None
        version = entry.get("version") if isinstance(entry, dict) else None
        if isinstance(version, str) and version:
            found[name] = version
    return found


def _text(text: str) -> dict[str, str]:
    match = re.search(r"CUDA Version (\d+(?:\.\d+)+)", text)
    return {"toolkit": match[1]} if match else {}


def _variables(evidence: Evidence) -> Iterator[_Claim]:
    for order, (variable, name) in enumerate(VARIABLES.items()):
        value = evidence.environ.get(variable, "").strip()
        if name == "compat":
            value = value.partition("=")[0]
            if value:
                yield _Claim(name, _VARIABLE, order, "", variable, value)
        elif re.match(r"\d", value):
            yield _Claim(name, _VARIABLE, order, _upstream(value), variable)


COLLECTOR = Collector(
    kinds=(KIND,),
    needs=frozenset({"files"}),
    request=Request(
        files=(
            *databases.DPKG_FILES,
            FileRequest("/usr/local/cuda*/version.json"),
            FileRequest("/usr/local/cuda*/version.txt", cap=4096),
            FileRequest("{site}/nvidia_*.dist-info/METADATA", headers=True),
            FileRequest("{site}/cuda_toolkit-*.dist-info/METADATA", headers=True),
        ),
        names=(
            "/usr/local/cuda*/compat/libcuda.so.*",
            *(f"{{prefix}}/conda-meta/{name}-*.json" for name in CONDA),
        ),
        environ=tuple(VARIABLES),
    ),
    collect=collect,
)
