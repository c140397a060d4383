"""Runs inside one environment (Python 3.8+): makes every object, saves it and writes down what it answers at home.

    python maker.py FOLDER

FOLDER gets the files and manifest.json: {"files": [{"name", "path", "loader", "class", "library", "probes"}],
"inputs": {...}, "skipped": {...}}.
"""
# mypy: ignore-errors

from __future__ import annotations

import importlib
import json
import pickle
import sys
import traceback
import warnings
import zlib
from pathlib import Path

import cloudpickle
import datasets
import joblib
import numpy as np
import values

SOURCES = ("estimators", "pipelines", "data_objects", "libraries", "by_value")
ROTATION = ("p2.pkl", "joblib", "z3.joblib")


def save(thing, path, variant):
    """Write one object in one of the ways that people save models."""
    if variant.endswith("joblib"):
        joblib.dump(thing, str(path), compress=3 if variant.startswith("z3") else 0)
    elif variant.startswith("cloud"):
        path.write_bytes(cloudpickle.dumps(thing))
    else:
        path.write_bytes(pickle.dumps(thing, 2 if variant.startswith("p2") else pickle.HIGHEST_PROTOCOL))


def variants(name):
    """The ways in which one object is saved: the newest protocol always, and one more in rotation."""
    if name.endswith(".cloud"):
        return ["cloud.pkl"]
    newest = f"p{pickle.HIGHEST_PROTOCOL}.pkl"
    return [newest] if name.endswith(".frame") else [newest, ROTATION[zlib.crc32(name.encode()) % len(ROTATION)]]


def answers(thing, probes, inputs):
    """The probes that work here, with their answers. A transformer is also asked to turn its own answer back."""
    kept = []
    back = None
    for method, asked in probes:
        if method == "inverse_transform":
            asked = back
            if asked is None:
                continue
        elif method not in values.WORDS and not hasattr(thing, method):
            continue
        spec = inputs[asked] if isinstance(asked, str) else asked
        try:
            # A copy, for a call must not change the state that is saved.
            found = values.call(pickle.loads(cloudpickle.dumps(thing)), method, spec)
            answer = values.canonical(found)
            text = json.dumps(answer)
        except Exception:
            continue
        if len(text) > 40_000:
            continue
        if method == "transform" and isinstance(found, np.ndarray) and found.ndim == 2 and found.dtype.kind in "fi":
            back = {"kind": "array", "dtype": str(found.dtype), "data": found.tolist()}
        kept.append({"call": method, "input": asked, "answer": answer})
    return kept


def main(folder):
    """Make everything; what cannot be made here is written down and left out."""
    folder.mkdir(parents=True, exist_ok=True)
    files, skipped = [], {}
    for source in SOURCES:
        for name, library, build in importlib.import_module(source).items():
            try:
                np.random.seed(0)
                thing, probes = build()
                asked = answers(thing, probes, datasets.INPUTS)
                saved = []
                for variant in variants(name):
                    path = f"{name}.{variant}"
                    save(thing, folder / path, variant)
                    saved.append((path, variant))
            except Exception as error:
                where = traceback.extract_tb(error.__traceback__)[-1]
                skipped[name] = f"{type(error).__name__}: {error} ({where.name})"[:200]
                continue
            for path, variant in saved:
                files.append({
                    "name": path, "path": path, "library": library,
                    "loader": "joblib.load" if variant.endswith("joblib") else "pickle.load",
                    "class": f"{type(thing).__module__}.{type(thing).__qualname__}", "probes": asked,
                })  # fmt: skip
    manifest = {"inputs": datasets.INPUTS, "files": files, "skipped": skipped}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    print(len(files), "files,", len(skipped), "objects skipped")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(Path(sys.argv[1]))
