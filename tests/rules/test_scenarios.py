"""Whole environments, as they meet in practice: what all rules together say of them."""

from __future__ import annotations

from typing import Any

from envaudit.comparison import compare
from envaudit.model import Comparison, Component, Finding, Gap, Snapshot, TargetInfo

GLIBC = {"version": "2.36", "family": "glibc"}


def environment(python: str, packages: dict[str, str], **kinds: dict[str, dict[str, Any]]) -> Snapshot:
    """A snapshot from ``name: version+label`` and further kinds."""
    distributions = {}
    for name, written in packages.items():
        version, _, label = written.partition("+")
        distributions[name] = {"version": version, **({"label": label} if label else {})}
    sides: dict[str, dict[str, dict[str, Any]]] = {
        "python": {"python": {"version": python, "implementation": "cpython", "platform": "linux"}},
        "distribution": distributions,
        **kinds,
    }
    components = {
        kind: {
            name: Component(
                kind, name, values.get("version"), {key: value for key, value in values.items() if key != "version"}
            )
            for name, values in names.items()
        }
        for kind, names in sides.items()
    }
    return Snapshot(TargetInfo("case", "case"), components)


def said(result: Comparison, subject: str) -> Finding:
    (finding,) = [finding for finding in result.findings if finding.subject == subject]
    return finding


def test_a_scikit_learn_service_with_older_packages() -> None:
    train = environment(
        "3.11.7",
        {
            "numpy": "1.26.4", "scikit-learn": "1.4.2", "pandas": "2.0.3", "joblib": "1.4.2", "scipy": "1.13.0",
        },
    )  # fmt: skip
    serve = environment(
        "3.11.2",
        {
            "numpy": "1.24.0", "scikit-learn": "1.3.2", "pandas": "1.5.3", "joblib": "1.3.2", "scipy": "1.13.0",
        },
    )  # fmt: skip
    result = compare(train, serve)
    learn = said(result, "scikit-learn")
    assert learn.severity == "error"
    assert (learn.train, learn.serve) == ("1.4.2", "1.3.2")
    assert learn.fix == "pip install 'scikit-learn==1.4.2'"
    pandas = said(result, "pandas")
    assert pandas.severity in ("error", "warning")
    assert "get_dummies" in pandas.consequence
    assert said(result, "Python").severity == "note"
    assert said(result, "joblib").severity == said(result, "numpy").severity == "note"
    assert not result.drift
    assert not result.unknowns


def test_the_cpu_build_of_torch_is_exactly_one_error() -> None:
    nvidia = {"nvidia-cublas-cu12": "12.1.3.1", "nvidia-cudnn-cu12": "9.1.0.70", "triton": "3.0.0"}
    train = environment(
        "3.11.7",
        {"torch": "2.4.0+cu121", **nvidia},
        framework={"torch": {"version": "2.4.0+cu121", "cuda": "12.1", "cudnn": "9.1.0", "variant": "cuda"}},
        cuda={"cublas": {"version": "12.1.3.1"}, "cudnn": {"version": "9.1.0.70"}},
    )
    serve = environment(
        "3.11.7",
        {"torch": "2.4.0+cpu"},
        framework={"torch": {"version": "2.4.0+cpu", "variant": "cpu"}},
        cuda={},
    )
    result = compare(train, serve)
    (finding,) = result.findings
    assert (finding.severity, finding.code, finding.subject) == ("error", "EA204", "torch")
    assert finding.fix == "pip install 'torch==2.4.0+cu121' --index-url https://download.pytorch.org/whl/cu121"
    assert not result.drift
    assert not result.unknowns


def test_the_cpu_build_without_labels_is_exactly_one_error() -> None:
    """PyTorch's wheels on PyPI carry no label: what the framework says of itself decides."""
    train = environment(
        "3.11.7",
        {"torch": "2.4.0", "nvidia-cublas-cu12": "12.1.3.1"},
        framework={"torch": {"version": "2.4.0", "cuda": "12.1", "variant": "cuda"}},
    )
    for label in ("", "+cpu"):
        serve = environment(
            "3.11.7", {"torch": f"2.4.0{label}"}, framework={"torch": {"version": "2.4.0", "variant": "cpu"}}
        )
        (finding,) = compare(train, serve).findings
        assert (finding.severity, finding.subject) == ("error", "torch")
        assert finding.fix.endswith("--index-url https://download.pytorch.org/whl/cu121")


def test_neighbouring_versions_of_small_packages_are_notes_only() -> None:
    """Users hate noise: without a known break, nothing below a major version is more than a note."""
    names = [f"package-{number}" for number in range(40)]
    train = environment("3.11.7", dict.fromkeys(names, "1.4.0") | {"certifi": "2023.7.22"})
    serve = environment("3.11.2", dict.fromkeys(names, "1.5.1") | {"certifi": "2024.2.2"})
    result = compare(train, serve)
    assert len(result.findings) == 42
    assert result.worst() == "note"


def test_a_requirements_file_leaves_little_unknown() -> None:
    """One unknown for each kind that a lockfile cannot say, not one for each rule."""
    train = environment(
        "3.11.7",
        {"scikit-learn": "1.4.2", "numpy": "1.26.4", "scipy": "1.13.0"},
        libc={"libc": GLIBC},
        os={"release": {"version": "12", "id": "debian"}},
        machine={"machine": {"architecture": "x86_64"}},
        setting={"OMP_NUM_THREADS": {"version": "4"}},
    )
    components = {"distribution": {"scikit-learn": Component("distribution", "scikit-learn", "1.4.2")}}
    gaps = tuple(
        Gap(kind, None, "a requirements file does not say")
        for kind in ("python", "libc", "os", "machine", "setting", "distribution", "gpu", "driver", "cuda", "framework")
    )
    result = compare(train, Snapshot(TargetInfo("requirements", "requirements.txt"), components, gaps))
    assert not result.findings
    assert not result.drift
    assert [unknown.subject for unknown in result.unknowns] == [
        "Python", "numpy and scipy", "OS release", "C library", "machine", "settings",
    ]  # fmt: skip


def test_alpine_on_arm_says_each_thing_once() -> None:
    train = environment(
        "3.11.7", {"numpy": "1.26.4"}, libc={"libc": GLIBC}, machine={"machine": {"architecture": "x86_64"}}
    )
    serve = environment(
        "3.11.7",
        {"numpy": "1.26.4"},
        libc={"libc": {"version": "1.2.5", "family": "musl"}},
        machine={"machine": {"architecture": "arm64"}},
    )
    result = compare(train, serve)
    assert [(finding.code, finding.severity) for finding in result.findings] == [
        ("EA302", "error"), ("EA304", "warning"),
    ]  # fmt: skip
    assert not result.drift


def test_another_torch_for_another_cuda_leaves_no_drift() -> None:
    def side(torch: str, cuda: str, cudnn: str, cublas: str) -> Snapshot:
        packages = {"torch": torch, "nvidia-cublas-cu12": cublas, "nvidia-cudnn-cu12": cudnn}
        return environment(
            "3.11.7",
            packages,
            framework={"torch": {"version": torch, "cuda": cuda, "cudnn": cudnn, "variant": "cuda"}},
            cuda={"cublas": {"version": cublas}, "cudnn": {"version": cudnn}},
        )

    result = compare(
        side("2.4.0+cu121", "12.1", "9.1.0.70", "12.1.3.1"), side("2.5.1+cu124", "12.4", "9.1.0.71", "12.4.5.8")
    )
    assert result.worst() == "note"
    assert not result.drift
    assert len({(finding.code, finding.subject) for finding in result.findings}) == len(result.findings)
