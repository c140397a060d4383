"""The NVIDIA driver and the GPUs that a live target sees.

Asked is ``nvidia-smi``, whose manual (https://docs.nvidia.com/deploy/nvidia-smi/index.html) names the fields of
``--query-gpu`` and the exit codes, and says that its output may change. Both spellings of the banner are understood:
``Driver Version`` and ``CUDA Version``, and from driver 610 on ``KMD Version`` and ``CUDA UMD Version``. That CUDA
version is the newest one the *driver* supports, whatever toolkit is installed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from envaudit.evidence import Collector, CommandOutput, Evidence, FileRequest, Request
from envaudit.model import Component, Gap

FIELDS: Final = ("index", "name", "compute_cap", "driver_version", "memory.total")
OLDER_FIELDS: Final = ("index", "name", "driver_version", "memory.total")
"""Older drivers (470 is one) refuse a query that names compute_cap, with exit code 2."""

BANNER: Final = ("nvidia-smi",)
MODULE: Final = "/proc/driver/nvidia/version"
DEVICES: Final = ("/dev/nvidia*", "/dev/dxg")
"""Device files of the driver, and of its Windows counterpart under WSL 2."""

_MODULE_VERSION = re.compile(r"Kernel Module(?:\s+for\s+\S+)?\s+(\d+(?:\.\d+)+)")
_DRIVER = re.compile(r"\b(?:Driver|KMD) Version:\s*(\d+(?:\.\d+)+)")
_CUDA = re.compile(r"\bCUDA (?:UMD )?Version:\s*(\d+\.\d+)")
_VERSION = re.compile(r"\d+(?:\.\d+)+")


def _query(fields: tuple[str, ...]) -> tuple[str, ...]:
    return ("nvidia-smi", "--query-gpu=" + ",".join(fields), "--format=csv,noheader")


def collect(evidence: Evidence) -> Iterator[Component | Gap]:
    """A ``gpu`` per device that nvidia-smi lists, and the ``driver`` that it (or else the kernel module) tells of.

    Without nvidia-smi, without the kernel module and without a device file there is neither: observed absent.
    """
    if not evidence.commands and MODULE not in evidence.files and not _has_device(evidence):
        return
    rows, reason = _rows(evidence)
    for row in rows:
        attributes = {"product": row["name"]}
        for field, attribute in (("compute_cap", "compute_capability"), ("memory.total", "memory")):
            if row.get(field, "")[:1].isdigit():  # not [N/A] nor [Not Supported]
                attributes[attribute] = row[field]
        yield Component("gpu", row["index"], None, attributes)
    if reason:
        yield Gap("gpu", None, reason)
    yield from _driver(evidence, rows, reason)


def _has_device(evidence: Evidence) -> bool:
    return any(name.startswith("/dev/nvidia") or name == "/dev/dxg" for name in evidence.names)


def _rows(evidence: Evidence) -> tuple[list[dict[str, str]], str]:
    """What nvidia-smi says of each device, and why that is not all of it."""
    reason = "nvidia-smi is not on PATH there"
    for fields in (FIELDS, OLDER_FIELDS):
        output = evidence.commands.get(_query(fields))
        if output is None:
            continue
        if "No devices were found" in output.stdout + output.stderr:
            return [], ""  # looked, and there is none
        if output.exit_code == 0:
            return _table(output.stdout, fields)
        reason = _failure(output)
    return [], reason


def _table(text: str, fields: tuple[str, ...]) -> tuple[list[dict[str, str]], str]:
    rows, reason = [], ""
    for line in text.splitlines():
        values = [value.strip() for value in line.split(",")]
        if len(values) == len(fields) and values[0].isdigit() and values[1]:
            rows.append(dict(zip(fields, values, strict=True)))
        elif line.strip():
            reason = f"a line of nvidia-smi is not understood: {line.strip()[:100]}"
    if not rows and not reason:
        reason = "nvidia-smi printed nothing"
    return rows, reason


def _failure(output: CommandOutput) -> str:
    said = next((line.strip() for line in (output.stdout + "\n" + output.stderr).splitlines() if line.strip()), "")
    code = "" if output.exit_code is None else f" (exit code {output.exit_code})"
    return f"nvidia-smi failed{code}: {said[:200] or 'it printed nothing'}"


def _driver(evidence: Evidence, rows: list[dict[str, str]], reason: str) -> Iterator[Component | Gap]:
    banner = evidence.commands.get(BANNER)
    text = banner.stdout if banner is not None and banner.exit_code == 0 else ""
    from_banner, cuda = _DRIVER.search(text), _CUDA.search(text)
    module = evidence.files.get(MODULE)
    from_module = _MODULE_VERSION.search(module.text) if module is not None else None
    version = next((row["driver_version"] for row in rows if _VERSION.fullmatch(row["driver_version"])), None)
    if version is None and (from_banner or from_module):
        version = (from_banner or from_module)[1]  # type: ignore[index]
    if version is not None:
        yield Component("driver", "nvidia", version, {"cuda": cuda[1]} if cuda else {})
    elif module is not None:
        yield Gap("driver", "nvidia", f"{MODULE}: {module.error or 'not understood'}")
    else:
        yield Gap("driver", None, reason or "nvidia-smi does not tell the version of the driver")


COLLECTOR = Collector(
    kinds=("driver", "gpu"),
    needs=frozenset({"commands", "files", "names"}),
    request=Request(
        files=(FileRequest(MODULE, cap=4096),),
        names=DEVICES,
        commands=(_query(FIELDS), _query(OLDER_FIELDS), BANNER),
    ),
    collect=collect,
)
