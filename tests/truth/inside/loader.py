"""Runs inside one environment (Python 3.7+): loads files of other environments, asks them, and says what happened.

    python loader.py LIMIT < jobs > outcomes

A job is a folder with a manifest.json, one per line. For every file of it one JSON line is written:
[folder, name, kind, error, message, method]. The loads happen in forked children: a child that crashes or hangs ends
with that outcome for the file in its hands, and a new one goes on after it. A child takes many files, for forking a
process of this size costs more than a load; whether that changes an outcome is told by BATCH=1 in the environment.
"""
# mypy: ignore-errors
# ruff: noqa: B905

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import logging
import os
import pickle
import re
import select
import signal
import sys
import warnings
from pathlib import Path

import joblib
import values

BATCH = int(os.environ.get("BATCH", "100"))

# What a service has imported by the time it loads a model; a fork inherits it.
PRELOADED = (
    "numpy scipy scipy.sparse scipy.interpolate scipy.spatial scipy.stats scipy.linalg scipy.optimize scipy.special "
    "pandas joblib cloudpickle sklearn sklearn.calibration sklearn.cluster sklearn.compose sklearn.covariance "
    "sklearn.cross_decomposition sklearn.decomposition sklearn.discriminant_analysis sklearn.dummy sklearn.ensemble "
    "sklearn.feature_extraction.text sklearn.feature_selection sklearn.gaussian_process sklearn.impute "
    "sklearn.isotonic sklearn.kernel_approximation sklearn.kernel_ridge sklearn.linear_model sklearn.manifold "
    "sklearn.mixture sklearn.model_selection sklearn.multiclass sklearn.multioutput sklearn.naive_bayes "
    "sklearn.neighbors sklearn.neural_network sklearn.pipeline sklearn.preprocessing sklearn.random_projection "
    "sklearn.semi_supervised sklearn.svm sklearn.tree xgboost lightgbm imblearn imblearn.ensemble imblearn.pipeline "
    "imblearn.over_sampling category_encoders statsmodels.api catboost"
).split()


def unpickle(path):
    """What a service does that knows nothing but pickle."""
    with open(path, "rb") as stream:
        return pickle.load(stream)


LOADERS = {"pickle.load": unpickle, "joblib.load": joblib.load}


def judge(file, folder, inputs, tell):
    """Load one file and make its calls; `tell` notes how far it came, for the case that the child dies."""
    tell("load", "")
    try:
        thing = LOADERS[file["loader"]](str(folder / file["path"]))
    except Exception as error:
        return ["load_error", *_said(error, folder), ""]
    different, missing = None, ""
    compared = not file.get("unstable")  # answers that vary at home say nothing elsewhere
    for probe in file["probes"]:
        method = probe["call"]
        if method not in values.WORDS and not _offered(type(thing), method):
            missing = method
            continue
        tell("predict", method)
        spec = inputs[probe["input"]] if isinstance(probe["input"], str) else probe["input"]
        try:
            found = values.canonical(values.call(thing, method, spec))
        except Exception as error:
            return ["predict_error", *_said(error, folder), method]
        if compared and different is None and not values.same(probe["answer"], found):
            different = method
    if different:
        return ["different", "", "", different]
    return ["fine", "not offered" if missing else "", "", missing]


def _offered(cls, method):
    """Whether a class has a method at all here; where it has not, that is no fault of the file."""
    delegates = hasattr(cls, "__getattr__") or cls.__getattribute__ is not object.__getattribute__
    return delegates or hasattr(cls, method)


def _said(error, folder):
    lines = str(error).strip().splitlines()
    text = lines[0] if lines else ""
    for place in (str(folder), sys.prefix, str(Path(__file__).parent)):
        text = text.replace(place, "...")
    text = re.sub(r"\[\d\d:\d\d:\d\d\]", "[...]", re.sub("at 0x[0-9a-f]+", "at 0x...", text))
    return type(error).__name__, text[:300]


def run(files, folder, inputs, limit):
    """Outcomes of the first of these files: of all of them, or up to the one that killed the child."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        with os.fdopen(writing, "w") as stream:

            def tell(*state):
                stream.write(json.dumps(state) + "\n")
                stream.flush()

            with contextlib.suppress(BaseException):
                for file in files:
                    tell(*judge(file, folder, inputs, tell))
        os._exit(0)
    os.close(writing)
    lines, hung = _listen(reading, limit)
    if hung:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    done = [line for line in lines if len(line) == 4]
    if len(done) < len(files):
        phase, method = lines[-1] if lines and len(lines[-1]) == 2 else ("load", "")
        done.append([phase + "_error", "timeout" if hung else _ending(status), "", method])
    return done


def _listen(reading, limit):
    """Every line that a child writes, until it ends or says nothing for too long."""
    text = b""
    with os.fdopen(reading, "rb", 0) as stream:
        while True:
            ready, _, _ = select.select([stream], [], [], limit)
            piece = os.read(stream.fileno(), 65536) if ready else b""
            text += piece
            if not piece:
                whole = text[: text.rfind(b"\n") + 1]
                return [json.loads(line) for line in whole.splitlines()], not ready


def _ending(status):
    """How a child ended that did not say so itself."""
    if os.WIFSIGNALED(status):
        return signal.Signals(os.WTERMSIG(status)).name
    return "exit " + str(os.WEXITSTATUS(status))


def main(limit):
    """Answer every job."""
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    for module in PRELOADED:
        with contextlib.suppress(ImportError):
            importlib.import_module(module)
    out = os.fdopen(os.dup(1), "w")
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    jobs = [Path(line.strip()) for line in sys.stdin]
    for folder in jobs:
        manifest = json.loads((folder / "manifest.json").read_text())
        gc.collect()
        gc.freeze()
        waiting = [file for file in manifest["files"] if not file.get("dropped")]
        while waiting:
            results = run(waiting[:BATCH], folder, manifest["inputs"], limit)
            for file, result in zip(waiting, results):
                out.write(json.dumps([str(folder), file["name"], *result]) + "\n")
            waiting = waiting[len(results) :]
        out.flush()


if __name__ == "__main__":
    main(float(sys.argv[1]))
