"""Runs inside the environments of torch (Python 3.7+): makes every object, saves it and writes down what it holds.

    python torch_maker.py FOLDER

FOLDER gets what maker.py writes. What is no mere state is listed a second time, to be loaded with weights_only=False.
"""
# mypy: ignore-errors

from __future__ import annotations

import collections
import contextlib
import enum
import inspect
import io
import json
import pickle
import sys
import traceback
import warnings
import zipfile
import zlib
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

import joblib
import numpy as np
import torch
import torch.utils.data
import values
from torch_tensors import Loaded

ROTATION = ("form.pt", "p4.pt", "pkl", "joblib")
ZIP = (1, 6)  # since this release torch.save writes archives; 1.4 and 1.5 can


Point = collections.namedtuple("Point", "x y")  # of the training script, and so are the two classes below


class Mode(enum.Enum):
    """A choice."""

    FAST = 1


class Net(torch.nn.Module):
    """A module."""

    def __init__(self):
        super().__init__()
        self.one = torch.nn.Linear(5, 2)

    def forward(self, x):
        """One layer."""
        return self.one(x).relu()


def release():
    """The version of torch."""
    return tuple(int(part) for part in torch.__version__.split(".")[:2])


def save(thing, path, variant):
    """Write one object in one of the ways that people save models; `form` is the form that is not this release's."""
    if variant == "script.pt":
        _save_script(thing, path)
    elif variant == "joblib":
        joblib.dump(thing, str(path))
    elif variant == "pkl":
        path.write_bytes(pickle.dumps(thing, 2))
    elif variant == "form.pt":
        with hidden_sources():
            torch.save(thing, str(path), _use_new_zipfile_serialization=release() < ZIP)
    else:
        with hidden_sources():
            torch.save(thing, str(path), pickle_protocol=4 if variant == "p4.pt" else 2)


@contextlib.contextmanager
def hidden_sources():
    """While the older form is written, which else holds the source of each module and its path on this machine."""

    def hidden(thing):
        raise OSError

    known, inspect.getsourcefile = inspect.getsourcefile, hidden
    try:
        yield
    finally:
        inspect.getsourcefile = known


def _save_script(thing, path):
    """TorchScript without what is for debuggers only, for that names folders of the machine."""
    thing.save(str(path))
    with zipfile.ZipFile(str(path)) as archive:
        members = {name: archive.read(name) for name in archive.namelist() if "debug" not in name}
    with zipfile.ZipFile(str(path), "w") as archive:
        for name, content in sorted(members.items()):
            archive.writestr(zipfile.ZipInfo(name), content)


def answers(thing, probes, inputs):
    """The probes that work here, with their answers."""
    kept = []
    for method, asked in probes:
        answer = values.canonical(values.call(Loaded(thing), method, inputs[asked] if asked else None))
        if len(json.dumps(answer)) < 40_000:
            kept.append({"call": method, "input": inputs[asked] if asked else None, "answer": answer})
    return kept


def entries(name, group, thing, folder, inputs, asked):
    """Save one object in its variants; their lines in the manifest."""
    forward = [("forward", asked)] if asked else [("content", "")]
    probes = answers(thing, [] if asked == "object" else forward, inputs)
    variants = ["script.pt"] if group == "script" else ["pt", ROTATION[zlib.crc32(name.encode()) % len(ROTATION)]]
    for variant in variants:
        path = f"{name}.{variant}"
        try:
            save(thing, folder / path, variant)
        except (TypeError, RuntimeError):
            if variant != "form.pt":  # older than the archives
                raise
            continue
        loaders = {"pkl": ["pickle.load"], "joblib": ["joblib.load"], "script.pt": ["torch.jit.load"]}
        whole = ["torch.load(weights_only=False)"] if group not in ("state", "script") else []
        for loader in loaders.get(variant, ["torch.load", *whole]):
            yield {
                "name": path + (".whole" if loader in whole else ""), "path": path, "loader": loader,
                "library": "main" if group == "main" else "torch", "probes": probes,
                "class": f"{type(thing).__module__}.{type(thing).__qualname__}",
            }  # fmt: skip


def main(folder):
    """Make everything; what cannot be made here is written down and left out."""
    import torch_objects

    folder.mkdir(parents=True, exist_ok=True)
    files, skipped = [], {}
    for name, group, build, asked in torch_objects.items():
        torch.manual_seed(0)
        np.random.seed(0)
        try:
            made = list(entries(f"{group}.{name}", group, build(), folder, torch_objects.INPUTS, asked))
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            said = f"{type(error).__name__}: {error} ({where.name})".replace(sys.prefix, "...")
            skipped[f"{group}.{name}"] = said[:200]
            continue
        files += made
    for path in folder.iterdir():  # half-written ones
        if path.name not in {file["path"] for file in files}:
            path.unlink()
    (folder / "manifest.json").write_text(json.dumps({"inputs": {}, "files": files, "skipped": skipped}))
    print(len(files), "files,", len(skipped), "objects skipped")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sys.modules["torch_maker"] = sys.modules["__main__"]
    torch.save(torch.ones(1), io.BytesIO())  # imports what it needs, for which sources must be seen
    main(Path(sys.argv[1]))
