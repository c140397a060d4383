"""Serving has cuDNN of another major version than training.

## What it compares

The cuDNN that is installed on both sides, or where none is, the one that each framework was built with. Another major
version is a warning, an older minor version a note.

## Why it breaks

The file names hold the major version: "libcudnn.so.8: cannot open shared object file: No such file or directory". A
program that was built with one minor version is not covered on an older one. Other versions choose other algorithms,
and results differ in the last digits.

## Example

Training with cuDNN 8.9, serving with cuDNN 9.1: a warning.

## How to fix

Install the same major version: `pip install 'nvidia-cudnn-cu12==8.9.2.26'`.

## What it cannot see

Which cuDNN is loaded where several are installed.
"""

from __future__ import annotations

from collections.abc import Iterator

from envaudit.model import Finding, Snapshot, Unknown
from envaudit.rules import Rule
from envaudit.rules._gpu import lost
from envaudit.rules._helpers import attribute, both, shared, unseen
from envaudit.rules._versions import release

SUBJECT = "cuDNN"
REFERENCE = "https://docs.nvidia.com/deeplearning/cudnn/backend/v9.0.0/release-notes.html"


def check(train: Snapshot, serve: Snapshot) -> Iterator[Finding | Unknown]:
    """Compare what is installed, else what frameworks say."""
    if train.of("cuda") and serve.of("cuda"):
        unknown = unseen(train, serve, "cuda", "cudnn", SUBJECT)
        if unknown:
            yield unknown
    pair = both(train, serve, "cuda", "cudnn")
    if pair is not None:
        finding = _finding(SUBJECT, pair[0].version, pair[1].version, (("cuda", "cudnn", "version"),))
        if finding:
            yield finding
    if lost(train, serve):
        return
    for name, ours, theirs in shared(train, serve, "framework"):
        before, after = _readable(attribute(ours, "cudnn")), _readable(attribute(theirs, "cudnn"))
        if pair is None and ours.version == theirs.version:
            finding = _finding(f"{SUBJECT} of {name}", before, after, (("framework", name, "cudnn"),))
            if finding:
                yield finding


def _finding(
    subject: str, train: str | None, serve: str | None, covers: tuple[tuple[str, str, str], ...]
) -> Finding | None:
    ours, theirs = release(train or ""), release(serve or "")
    if ours is None or theirs is None or ours == theirs:
        return None
    fix = f"pip install 'nvidia-cudnn-cu12=={'.'.join(map(str, ours))}.*' (the suffix is the CUDA major version)"
    if ours[0] != theirs[0]:
        return Finding(
            "warning",
            subject,
            f"What was built with cuDNN {ours[0]} does not find it: libcudnn.so.{ours[0]}: cannot open shared object "
            "file: No such file or directory.",
            fix,
            train,
            serve,
            REFERENCE,
            covers,
        )
    if theirs < ours:
        return Finding(
            "note",
            subject,
            f"Programs built with cuDNN {ours[0]}.{ours[1]} are not covered on an older minor version.",
            fix,
            train,
            serve,
            REFERENCE,
            covers,
        )
    return Finding(
        "note",
        subject,
        "A newer minor version is compatible; results may differ in the last digits.",
        fix,
        train,
        serve,
        REFERENCE,
        covers,
    )


def _readable(version: str | None) -> str | None:
    """``8902`` -> ``8.9.2`` and ``91002`` -> ``9.10.2``: the number that frameworks report."""
    if version is None or not version.isdecimal() or len(version) < 4:
        return version
    number = int(version)
    major, rest = divmod(number, 10000) if number >= 90000 else divmod(number, 1000)
    return f"{major}.{rest // 100}.{rest % 100}"


RULE = Rule(check)
