"""GPUs and the driver: what nvidia-smi may answer. The recorded cases hold the usual answers."""

from __future__ import annotations

import shutil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envaudit.collectors import gpu
from envaudit.evidence import CommandOutput, Evidence, FileText
from envaudit.model import Component, Gap
from tests.collectors.test_dpkg import inspected

NEW, OLD, BANNER = gpu.COLLECTOR.request.commands


def collect(
    commands: dict[tuple[str, ...], CommandOutput], module: str | None = None
) -> tuple[dict[str, Component], list[Gap]]:
    files = {} if module is None else {"/proc/driver/nvidia/version": FileText(module)}
    items = list(gpu.collect(Evidence(commands=commands, files=files)))
    found = {f"{item.kind} {item.name}": item for item in items if isinstance(item, Component)}
    return found, [item for item in items if isinstance(item, Gap)]


def done(text: str, code: int | None = 0) -> CommandOutput:
    return CommandOutput(code, text, "")


def test_the_commands_are_fixed() -> None:
    assert NEW == (
        "nvidia-smi", "--query-gpu=index,name,compute_cap,driver_version,memory.total", "--format=csv,noheader",
    )  # fmt: skip
    assert BANNER == ("nvidia-smi",)


@pytest.mark.skipif(shutil.which("nvidia-smi") is not None, reason="this machine has nvidia-smi")
def test_a_machine_without_it() -> None:
    found = inspected(gpu.COLLECTOR)
    reason = "nvidia-smi is not on PATH there"
    # Neither device nor module: observed absent. A device without the program: there is one, and it was not seen.
    assert list(gpu.collect(found._replace(files={}, names=()))) == []
    items = list(gpu.collect(found._replace(files={}, names=("/dev/nvidia0",))))
    assert items == [Gap("gpu", None, reason), Gap("driver", None, reason)]


@pytest.mark.skipif(shutil.which("nvidia-smi") is None, reason="no nvidia-smi on this machine")
def test_a_machine_with_it() -> None:
    items = list(gpu.collect(inspected(gpu.COLLECTOR)))
    assert not [item for item in items if isinstance(item, Gap)]
    driver = next(item for item in items if item.kind == "driver")
    assert isinstance(driver, Component)
    assert driver.version
    assert driver.attributes["cuda"]
    assert [item for item in items if item.kind == "gpu"]


def test_fields_that_a_device_does_not_support_are_left_out() -> None:
    found, gaps = collect({NEW: done("0, NVIDIA Thor, [N/A], 580.00, [N/A]\n"), BANNER: done("")})
    assert found["gpu 0"] == Component("gpu", "0", None, {"product": "NVIDIA Thor"})
    assert found["driver nvidia"] == Component("driver", "nvidia", "580.00")
    assert not gaps


def test_a_cuda_version_that_was_not_found_is_left_out() -> None:
    banner = "| NVIDIA-SMI 580.105.06    Driver Version: 580.105.06    CUDA Version: N/A      |"
    found, _ = collect({NEW: done("0, NVIDIA L4, 8.9, 580.105.06, 23034 MiB"), BANNER: done(banner)})
    assert found["driver nvidia"].attributes == {}


def test_running_out_of_time_is_a_gap() -> None:
    late = CommandOutput(None, "", "no answer within 10 seconds")
    found, gaps = collect(dict.fromkeys((NEW, OLD, BANNER), late))
    assert not found
    assert gaps == [
        Gap("gpu", None, "nvidia-smi failed: no answer within 10 seconds"),
        Gap("driver", None, "nvidia-smi failed: no answer within 10 seconds"),
    ]


def test_a_driver_that_does_not_match_its_library() -> None:
    said = "Failed to initialize NVML: Driver/library version mismatch\nNVML library version: 535.161\n"
    module = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.154.05  Thu Dec 28 15:37:48 UTC 2023\n"
    found, gaps = collect(dict.fromkeys((NEW, OLD, BANNER), done(said, 18)), module)
    assert found == {"driver nvidia": Component("driver", "nvidia", "535.154.05")}
    assert gaps == [
        Gap("gpu", None, "nvidia-smi failed (exit code 18): Failed to initialize NVML: Driver/library version mismatch")
    ]


@pytest.mark.parametrize("text", ["", "garbage\n", "0, NVIDIA L4\n", ", , , , \n"])
def test_a_garbled_table_is_a_gap(text: str) -> None:
    found, gaps = collect({NEW: done(text), BANNER: done("")})
    assert not found
    assert [gap.kind for gap in gaps] == ["gpu", "driver"]


def test_a_garbled_module_file_is_a_gap() -> None:
    _, gaps = collect({}, "garbage")
    assert Gap("driver", "nvidia", "/proc/driver/nvidia/version: not understood") in gaps


@settings(deadline=None)
@given(st.text(), st.text(), st.sampled_from([None, 0, 2, 6, 9]))
def test_arbitrary_text_never_raises(text: str, other: str, code: int | None) -> None:
    output = CommandOutput(code, text, other)
    found, gaps = collect({NEW: output, OLD: output, BANNER: output}, text)
    assert found or gaps or "No devices were found" in text + other
