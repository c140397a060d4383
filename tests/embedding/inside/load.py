"""Runs inside one environment (Python 2.7, 3.6+): loads files, and says what each is.

    python load.py [torch] < JOBS

JOBS is JSON: a list of [path, ways]. One JSON line per file is written: a list of what came of each way: a digest of
all that was loaded, or "!" and the class of the error.
"""
# mypy: ignore-errors
# ruff: noqa

from __future__ import print_function

import bz2
import gzip
import hashlib
import io
import json
import os
import pickle
import resource
import sys
import warnings

MEMORY = 2 << 30
"""A loader that takes memory without end has to fail."""


def shown(value):
    """All that a value is, as a text: equal for values that are."""
    kind = type(value).__name__
    if hasattr(value, "tobytes") and hasattr(value, "dtype"):
        return "%s %s %s %s" % (kind, value.dtype, value.shape, hashlib.sha256(value.tobytes()).hexdigest())
    if hasattr(value, "to_csv"):
        return "%s %s %s" % (kind, value.to_csv(), value.dtypes.to_dict())
    if hasattr(value, "detach"):
        return "%s %s %s" % (kind, value.dtype, value.detach().numpy().tolist())
    if isinstance(value, dict):
        return "%s{%s}" % (kind, ", ".join("%r: %s" % (key, shown(item)) for key, item in value.items()))
    if isinstance(value, (list, tuple)):
        return "%s[%s]" % (kind, ", ".join(map(shown, value)))
    if hasattr(value, "state_dict"):
        import torch

        return "%s %s %s" % (kind, shown(value.state_dict()), shown(value(torch.ones(2, 4))))
    return "%s %r" % (kind, value)


def lzma():
    import lzma

    return lzma


OPENERS = {".gz": gzip.open, ".bz2": bz2.BZ2File, ".xz": lambda path: lzma().open(path), ".lzma": lambda path: lzma().open(path)}


def by_pickle(path):
    with open(path, "rb") as file:
        return pickle.load(file)


def by_pickle_loads(path):
    with open(path, "rb") as file:
        return pickle.loads(file.read())


def by_the_other_pickle(path):
    with open(path, "rb") as file:
        if sys.version_info[0] == 2:
            import cPickle

            return cPickle.load(file)
        return pickle._load(file)


def decompressed(path):
    with OPENERS[os.path.splitext(path)[1]](path) as file:
        return pickle.load(file)


def called(path):
    value = by_pickle(path)
    return [value(5), type(value).__name__]


def by_joblib(path, **options):
    import joblib

    return joblib.load(path, **options)


def opened_by_joblib(path):
    with open(path, "rb") as file:
        return by_joblib(file)


def read_pickle(path):
    import pandas

    kinds = ("gzip", "bz2", "xz", "zip", "zstd")
    how = path.split(".")[-2] if path.split(".")[-2] in kinds else None
    return pandas.read_pickle(path, compression=how)


def by_torch(path, **options):
    import torch

    if torch.__version__ >= "2." and "weights_only" not in options:
        options["weights_only"] = False
    return torch.load(path, **options)


def opened_by_torch(path):
    with open(path, "rb") as file:
        return by_torch(io.BytesIO(file.read()))


def script(path):
    import torch

    return torch.jit.load(path)


def opened_script(path):
    import torch

    with open(path, "rb") as file:
        return torch.jit.load(io.BytesIO(file.read()))


def extra(path, name="labels.txt"):
    import torch

    files = {name: ""}
    if torch.__version__ < "1.5":
        files = torch._C.ExtraFilesMap()
        files[name] = ""
    module = torch.jit.load(path, _extra_files=files)
    content = files[name]
    return [module, content if isinstance(content, str) else content.decode()]


WAYS = {
    "pickle.load": by_pickle,
    "pickle.loads": by_pickle_loads,
    "pickle.load, pure Python": by_the_other_pickle,
    "pickle.load, decompressed": decompressed,
    "pickle.load, called": called,
    "joblib.load": by_joblib,
    "joblib.load, of an open file": opened_by_joblib,
    "joblib.load, mmap": lambda path: by_joblib(path, mmap_mode="r"),
    "pandas.read_pickle": read_pickle,
    "torch.load": by_torch,
    "torch.load, of an open file": opened_by_torch,
    "torch.load, mmap": lambda path: by_torch(path, mmap=True),
    "torch.load, weights_only": lambda path: by_torch(path, weights_only=True),
    "torch.jit.load": script,
    "torch.jit.load, of an open file": opened_script,
    "torch.jit.load, with an extra file": extra,
    "torch.jit.load, with the record": lambda path: extra(path, "envaudit.json")[1],
}


def outcome(path, way):
    """What came of one load."""
    try:
        text = shown(WAYS[way](path))
    except Exception as error:  # also a protocol, a package or an argument that this environment does not have
        return "!" + type(error).__name__
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()


def apart(path, way):
    """The same in a process of its own: the first releases of torch abort on what they cannot read."""
    receiving, sending = os.pipe()
    child = os.fork()
    if not child:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        os.write(sending, outcome(path, way).encode())
        os._exit(0)
    os.close(sending)
    with os.fdopen(receiving) as stream:
        text = stream.read()
    os.waitpid(child, 0)
    return text or "!aborted"


def main():
    warnings.simplefilter("ignore")
    look = outcome
    if len(sys.argv) > 1:
        import torch

        look = apart if torch.__version__ < "1.5" else outcome
    else:  # torch reserves more addresses than it uses
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    for path, ways in json.load(sys.stdin):
        print(json.dumps([look(path, way) for way in ways]))
        sys.stdout.flush()


main()
