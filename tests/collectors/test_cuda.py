"""CUDA components: which source is believed, and whatever the sources may hold."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envaudit.collectors import cuda
from envaudit.evidence import Evidence, FileText
from envaudit.model import Component, Gap

STATUS = "/var/lib/dpkg/status"
SITE = "/srv/venv/lib/python3.11/site-packages"


def collect(
    files: dict[str, str | FileText] | None = None, names: tuple[str, ...] = (), **environ: str
) -> tuple[dict[str, Component], list[Gap]]:
    given = {path: text if isinstance(text, FileText) else FileText(text) for path, text in (files or {}).items()}
    path = {"path": [SITE, "/usr/lib"]}
    items = list(cuda.collect(Evidence(files=given, names=names, environ=environ, interpreter=path)))
    found = {item.name: item for item in items if isinstance(item, Component)}
    return found, [item for item in items if isinstance(item, Gap)]


def status(*packages: tuple[str, str], state: str = "install ok installed") -> dict[str, str | FileText]:
    return {
        STATUS: "".join(
            f"Package: {name}\nStatus: {state}\nArchitecture: amd64\nVersion: {version}\n\n"
            for name, version in packages
        )
    }


def wheel(name: str, version: str, site: str = SITE) -> dict[str, str | FileText]:
    path = f"{site}/{name.replace('-', '_')}-{version}.dist-info/METADATA"
    return {path: f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}"}


@pytest.mark.parametrize(
    ("package", "version", "name", "expected"),
    [
        ("cuda-cudart-12-4", "12.4.127-1", "runtime", "12.4.127"),
        ("cuda-toolkit-12-4", "12.4.1-1", "toolkit", "12.4.1"),
        ("cuda-compat-12-4", "550.54.15-1", "compat", "550.54.15"),
        ("cuda-cublas-10-0", "10.0.130-1", "cublas", "10.0.130"),
        ("libcublas-12-4", "12.4.5.8-1", "cublas", "12.4.5.8"),
        ("libcudnn8", "8.9.0.131-1+cuda12.1", "cudnn", "8.9.0.131"),
        ("libcudnn9-cuda-12", "9.1.0.70-1", "cudnn", "9.1.0.70"),
        ("libnccl2", "2.20.3-1+cuda12.3", "nccl", "2.20.3"),
        ("libnvinfer8", "8.6.1.6-1+cuda12.0", "tensorrt", "8.6.1.6"),
    ],
)
def test_packages_of_nvidia(package: str, version: str, name: str, expected: str) -> None:
    found, gaps = collect(status((package, version)))
    assert found == {name: Component("cuda", name, expected, {"from": "dpkg", "package": package})}
    assert not gaps


@pytest.mark.parametrize(
    "package", ["cuda-toolkit-12-4-config-common", "libcudnn8-dev", "libcublas-dev-12-4", "libcurl4", "cuda-keyring"]
)
def test_packages_that_hold_no_library(package: str) -> None:
    assert collect(status((package, "1-1"))) == ({}, [])


def test_a_removed_package_is_not_there() -> None:
    assert collect(status(("libnccl2", "2.20.3-1"), state="deinstall ok config-files")) == ({}, [])


def test_the_order_of_trust() -> None:
    files = {
        **wheel("nvidia-cuda-runtime-cu12", "12.1.105"),
        **status(("cuda-cudart-12-4", "12.4.127-1")),
        "/usr/local/cuda/version.json": json.dumps({"cuda_cudart": {"version": "12.5.39"}}),
    }
    names = ("/srv/venv/conda-meta/cuda-cudart-12.6.77-h5888daf_0.json",)
    found, _ = collect(files, names, NV_CUDA_CUDART_VERSION="12.3.101-1")
    runtime = found["runtime"]
    claims = [{"version": runtime.version, **runtime.attributes}, *runtime.attributes["also"]]
    assert [(claim["version"], claim["from"]) for claim in claims] == [
        ("12.1.105", "nvidia-cuda-runtime-cu12"),
        ("12.4.127", "dpkg"),
        ("12.6.77", "conda"),
        ("12.5.39", "/usr/local/cuda/version.json"),
        ("12.3.101", "NV_CUDA_CUDART_VERSION"),
    ]


def test_of_two_wheels_the_first_on_sys_path_then_the_newest() -> None:
    found, _ = collect({**wheel("nvidia-cublas", "13.1.0.3", "/usr/lib"), **wheel("nvidia-cublas-cu12", "12.4.5.8")})
    assert found["cublas"].version == "12.4.5.8"
    found, _ = collect({**wheel("nvidia-cublas-cu12", "12.4.5.8"), **wheel("nvidia-cublas", "13.1.0.3")})
    assert found["cublas"].version == "13.1.0.3"


def test_wheels_that_hold_no_library() -> None:
    assert collect({**wheel("nvidia-ml-py", "12.535.133"), **wheel("nvidia-cublas-cu13", "0.0.1")}) == ({}, [])


def test_the_toolkit_that_the_link_names_counts() -> None:
    def text(version: str) -> str:
        return json.dumps({"cuda": {"name": "CUDA SDK", "version": version}})

    found, _ = collect(
        {"/usr/local/cuda-12.4/version.json": text("12.4.1"), "/usr/local/cuda/version.json": text("11.8.0")}
    )
    assert found["toolkit"].version == "11.8.0"
    assert found["toolkit"].attributes["also"] == [{"version": "12.4.1", "from": "/usr/local/cuda-12.4/version.json"}]


def test_the_older_version_file() -> None:
    found, _ = collect({"/usr/local/cuda/version.txt": "CUDA Version 10.2.89\n"})
    assert found["toolkit"].version == "10.2.89"


def test_conda_records() -> None:
    records = (
        "cudatoolkit-11.8.0-h4ba93d1_13",
        "cuda-cudart-dev_linux-64-12.4.127-h85509e4_2",
        "cudnn-8.9.7.29-hbc23b4c_3",
    )
    found, _ = collect(names=tuple(f"/opt/conda/conda-meta/{record}.json" for record in records))
    assert {name: one.version for name, one in found.items()} == {"toolkit": "11.8.0", "cudnn": "8.9.7.29"}


def test_a_variable_alone_is_a_claim_and_says_so() -> None:
    found, _ = collect(CUDA_VERSION="12.4.1", NV_CUDA_COMPAT_PACKAGE="cuda-compat-12-4")
    assert found == {
        "toolkit": Component("cuda", "toolkit", "12.4.1", {"from": "CUDA_VERSION"}),
        "compat": Component("cuda", "compat", None, {"from": "NV_CUDA_COMPAT_PACKAGE", "package": "cuda-compat-12-4"}),
    }


def test_nothing_is_observed_absent() -> None:
    assert collect(status(("bash", "5.2"))) == ({}, [])


@pytest.mark.parametrize("text", ["", "{", "[]", '{"cuda": 3}', '{"cuda": {"version": 12}}', "[" * 100_000])
def test_a_garbled_version_file_is_a_gap(text: str) -> None:
    path = "/usr/local/cuda/version.json"
    assert collect({path: text}) == ({}, [Gap("cuda", "toolkit", f"{path}: not understood")])


def test_an_unreadable_package_database_is_a_gap() -> None:
    assert collect({STATUS: FileText(error="Permission denied")}) == (
        {},
        [Gap("cuda", None, f"{STATUS}: Permission denied")],
    )


@settings(deadline=None)
@given(st.text(), st.text(), st.sampled_from(sorted(cuda.VARIABLES)))
def test_arbitrary_text_never_raises(text: str, value: str, variable: str) -> None:
    files = {
        STATUS: "Package: cuda-" + text,
        "/usr/local/cuda/version.json": text,
        "/usr/local/cuda/version.txt": text,
        f"{SITE}/nvidia_x.dist-info/METADATA": text,
    }
    names = (f"/opt/conda-meta/{text}.json", f"/usr/local/cuda/compat/libcuda.so.{text}")
    collect(dict(files), names, **{variable: value})
