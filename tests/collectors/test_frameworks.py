"""Frameworks: what their own record says, else what the names of their distributions say."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envaudit.collectors import frameworks
from envaudit.evidence import Evidence, FileText
from envaudit.model import Component, Gap

SITE = "/srv/venv/lib/python3.11/site-packages"
SYSTEM = "/usr/lib/python3/dist-packages"


def collect(files: dict[str, str] | None = None, *distributions: str) -> tuple[dict[str, Component], list[Gap]]:
    evidence = Evidence(
        files={path if path[0] == "/" else f"{SITE}/{path}": FileText(text) for path, text in (files or {}).items()},
        names=tuple(f"{SITE}/{name}.dist-info" for name in distributions),
        interpreter={"path": [SITE, SYSTEM]},
    )
    items = list(frameworks.collect(evidence))
    found = {item.name: item for item in items if isinstance(item, Component)}
    return found, [item for item in items if isinstance(item, Gap)]


@pytest.mark.parametrize(
    ("text", "version", "attributes"),
    [
        ("__version__ = '2.4.0+rocm6.0'\ncuda: Optional[str] = None\nhip: Optional[str] = '6.0.32830'\n", "2.4.0",
         {"hip": "6.0.32830", "variant": "rocm"}),
        ("__version__ = '2.7.0+xpu'\ncuda = None\nhip = None\nxpu: Optional[str] = '20250101'\n", "2.7.0",
         {"variant": "xpu"}),
        ('__version__ = "1.13.1"\r\ndebug = True\r\ncuda = "11.7"\r\n', "1.13.1",
         {"cuda": "11.7", "variant": "cuda", "debug": True}),
    ],
)  # fmt: skip
def test_torch(text: str, version: str, attributes: dict[str, object]) -> None:
    found, gaps = collect({"torch/version.py": text})
    assert found == {"torch": Component("framework", "torch", version, attributes)}
    assert not gaps


def test_the_first_torch_on_sys_path_counts() -> None:
    text = "__version__ = '{}'\ncuda = None\n"
    found, _ = collect({f"{SYSTEM}/torch/version.py": text.format("1.0"), "torch/version.py": text.format("2.0")})
    assert found["torch"].version == "2.0"


@pytest.mark.parametrize(
    "text", ["", "garbage", "__version__ = '2.0'\n", "cuda = None\n", "__version__ = f()\ncuda = g()\n"]
)
def test_a_garbled_torch_is_a_gap(text: str) -> None:
    path = f"{SITE}/torch/version.py"
    assert collect({"torch/version.py": text}) == ({}, [Gap("framework", "torch", f"{path}: not understood")])


@pytest.mark.parametrize(
    ("distributions", "framework", "attributes"),
    [
        (("xgboost-3.0.5",), "xgboost", {}),
        (("xgboost_cu13-3.4.0",), "xgboost", {"variant": "cuda", "cuda": "13", "distribution": "xgboost-cu13"}),
        (("tensorflow_rocm-2.14.0.600",), "tensorflow", {"variant": "rocm", "distribution": "tensorflow-rocm"}),
        (("onnxruntime_gpu-1.20.2",), "onnxruntime", {"variant": "cuda", "distribution": "onnxruntime-gpu"}),
        (("jax-0.4.23", "jaxlib-0.4.23+cuda12.cudnn89"), "jax", {"variant": "cuda", "cuda": "12"}),
        (("jax-0.8.3", "jaxlib-0.8.3", "jax_cuda13_plugin-0.8.3"), "jax", {"variant": "cuda", "cuda": "13"}),
        (("jax-0.4.35", "jaxlib-0.4.35", "jax_rocm60_plugin-0.4.35"), "jax", {"variant": "rocm"}),
    ],
)
def test_names_of_distributions(distributions: tuple[str, ...], framework: str, attributes: dict[str, object]) -> None:
    found, gaps = collect(None, *distributions)
    version = distributions[0].partition("-")[2]
    assert found == {framework: Component("framework", framework, version, attributes)}
    assert not gaps


def test_a_garbled_record_is_a_gap_and_the_name_still_tells() -> None:
    found, gaps = collect({"tensorflow/python/platform/build_info.py": "x"}, "tensorflow_cpu-2.18.0")
    assert found["tensorflow"].attributes == {"variant": "cpu", "distribution": "tensorflow-cpu"}
    assert [gap.name for gap in gaps] == ["tensorflow"]


def test_nothing_is_observed_absent() -> None:
    assert collect(None, "numpy-2.0.0", "tensorflow_hub-0.16.1") == ({}, [])


@settings(deadline=None)
@given(st.text(), st.lists(st.text()))
def test_arbitrary_text_never_raises(text: str, distributions: list[str]) -> None:
    files = (frameworks.TORCH, frameworks.TENSORFLOW, frameworks.ONNXRUNTIME)
    collect({SITE + path: text for path in files}, "tensorflow-2.18.0", "onnxruntime-1.20.1", *distributions)
