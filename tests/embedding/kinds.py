"""One small model for each way in which a snapshot rides, and records for them."""

from __future__ import annotations

import bz2
import functools
import gzip
import hashlib
import io
import lzma
import pickle
import zlib
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import joblib
import numpy

from envaudit import registry
from envaudit.embedding import Record, Sample, write
from envaudit.embedding._file import Split, opened
from envaudit.model import Component, Snapshot, TargetInfo

TORCH = Path(__file__).parents[2] / "fixtures/artifacts/torch/module.pt"


class Kind(NamedTuple):
    """A kind of model."""

    way: str
    """The module in ``envaudit/embedding``; empty where a sidecar lies beside the model."""
    model: bytes
    other: bytes
    """Another model of the kind."""


def _pickled(number: int) -> bytes:
    return pickle.dumps({"number": number, "numbers": list(range(40))})


def _joblib(number: int) -> bytes:
    out = io.BytesIO()
    joblib.dump({"array": numpy.arange(30) + number}, out)
    return out.getvalue()


def _npy(number: int) -> bytes:
    out = io.BytesIO()
    numpy.save(out, numpy.arange(30) + number)
    return out.getvalue()


@functools.cache
def kinds() -> dict[str, Kind]:
    """By name."""
    first, second = _pickled(1), _pickled(2)
    torch = TORCH.read_bytes()
    lz4 = import_module("lz4.frame").compress
    at = torch.index(b"/data/0") + 70
    return {
        "pickle": Kind("pickle_stream", first, second),
        "joblib": Kind("pickle_stream", _joblib(1), _joblib(2)),
        "zlib": Kind("zlib_stream", zlib.compress(first), zlib.compress(second)),
        "gzip": Kind("gzip_header", gzip.compress(first, mtime=0), gzip.compress(second, mtime=0)),
        "bz2": Kind("bzip2", bz2.compress(first), bz2.compress(second)),
        "xz": Kind("xz_stream", lzma.compress(first), lzma.compress(second)),
        "lzma": Kind("xz_stream", *(lzma.compress(data, lzma.FORMAT_ALONE) for data in (first, second))),
        "lz4": Kind("lz4_frame", lz4(first), lz4(second)),
        "torch": Kind("torch_zip", torch, torch[:at] + b"\1" + torch[at + 1 :]),
        "npy": Kind("", _npy(1), _npy(2)),
    }


INSIDE = [name for name, kind in kinds().items() if kind.way]


def record(count: int = 3, sample: bool = True) -> Record:
    """A record that grows by about 60 bytes for each of ``count`` distributions, whatever compresses it."""
    found = {
        name: Component("distribution", name, "1.0", {"build": hashlib.sha256(name.encode()).hexdigest()})
        for name in (f"package-{number:04}" for number in range(count))
    }
    snapshot = Snapshot(TargetInfo("venv", ".venv"), {"distribution": found})
    return Record(snapshot, Sample("X.csv", b"a,b\n1,2\n") if sample else None)


def carrying(path: Path, kind: Kind, given: Record | None = None) -> bytes:
    """Write a model of a kind with a record in it to a path; the bytes of the file."""
    path.write_bytes(kind.model)
    write(str(path), given or record())
    return path.read_bytes()


def module(kind: Kind) -> ModuleType:
    """How a snapshot rides in a kind."""
    return registry.module("embedding", kind.way)


def split(path: Path, kind: Kind) -> Split:
    """A file, taken apart."""
    with opened(str(path)) as file:
        found: Split = module(kind).split(file)
    return found
