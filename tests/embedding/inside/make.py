"""Runs inside one environment (Python 2.7, 3.6+): writes a file of every kind that this environment can write.

    python make.py FOLDER [torch]

One JSON line per file: [name, family, ways], the ways being those of load.py by which such a file is meant to be read.
"""
# mypy: ignore-errors
# ruff: noqa

from __future__ import print_function

import bz2
import collections
import decimal
import gzip
import json
import os
import pickle
import sys

PLAIN = collections.OrderedDict(
    [
        (u"name", u"forest \u00e4"), ("numbers", [1, -2.5, 10**30, None, True, float("inf")]), ("bytes", b"bytes"),
        ("made", (decimal.Decimal("1.25"), set([1, 2]), 2j)),
        ("text", u"envaudit record " * 500),
    ]
)  # fmt: skip
"""Nothing in it is younger than Python 2.7, or read otherwise by Python 3."""
FOLDER = sys.argv[1]


def said(name, family, *ways):
    print(json.dumps([name, family, ways]))


def write(name, data, opener=open):
    with opener(os.path.join(FOLDER, name), "wb") as file:
        file.write(data)


def pickles():
    try:
        import lzma
    except ImportError:
        lzma = None
    plain = ("pickle.load", "pickle.loads", "pickle.load, pure Python", "joblib.load")
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        data = pickle.dumps(PLAIN, protocol)
        name = "p%d.pkl" % protocol
        write(name, data)
        said(name, "pickle", *plain)
        for ending, opener in (("gz", gzip.open), ("bz2", bz2.BZ2File), ("xz", getattr(lzma, "open", None))):
            if opener and protocol in (0, 2, pickle.HIGHEST_PROTOCOL):
                write(name + "." + ending, data, opener)
                said(name + "." + ending, "pickle", "pickle.load, decompressed", "joblib.load")
    if lzma:
        with lzma.open(os.path.join(FOLDER, "p2.pkl.lzma"), "wb", format=lzma.FORMAT_ALONE) as file:
            file.write(pickle.dumps(PLAIN, 2))
        said("p2.pkl.lzma", "pickle", "pickle.load, decompressed", "joblib.load")


def joblibs():
    try:
        import joblib
    except ImportError:
        return
    arrays = []
    try:
        import numpy

        big = numpy.random.RandomState(0).normal(size=(300, 40))
        arrays = [numpy.arange(1000.0), numpy.asfortranarray(big), big.astype("<f4")[::2], numpy.zeros(0)]
        arrays += [numpy.array([[1, 2], [3, 4]], dtype="i1"), numpy.zeros(3, dtype=[("left", "<i4"), ("gain", "<f8")])]
    except ImportError:
        pass
    values = {"plain": PLAIN, "arrays": {"model": dict(PLAIN), "arrays": arrays, "again": arrays[:1]}}
    ways = ("joblib.load", "joblib.load, of an open file")
    compressed = [(how, 3) for how in ("zlib", "gzip", "bz2", "xz", "lzma", "lz4")]
    old = tuple(int(part) for part in joblib.__version__.split(".")[:2]) < (0, 10)
    for value in ("plain", "arrays") if arrays else ("plain",):
        for compress in [0, 3] if old else [0, 1, 9] + compressed:
            for protocol in (2, None):
                how = compress if isinstance(compress, int) else compress[0]
                name = "%s.%s.p%s.joblib" % (value, how, protocol)
                try:
                    joblib.dump(values[value], os.path.join(FOLDER, name), compress=compress, protocol=protocol)
                except Exception as error:  # no lz4 here, or too old a joblib for it
                    print("%s: %s" % (name, error), file=sys.stderr)
                    continue
                mapped = ("joblib.load, mmap",) if not compress and not old else ()
                said(name, "joblib", *(ways[:1] if old else ways + mapped))


def by_value():
    try:
        import cloudpickle
    except ImportError:
        return
    factor = 3

    def scaled(x, add=1):
        return [factor * x + add, helper(x)]

    def helper(x):
        return "%s!" % x

    class Model(object):
        """Of the training script."""

        def __init__(self, weight):
            self.weight = weight

        def __call__(self, x):
            return [self.weight * x, scaled(x)]

    for name, value in (("function", scaled), ("model", Model(2)), ("lambda", lambda x: x + factor)):
        write(name + ".cloudpickle", cloudpickle.dumps(value))
        said(name + ".cloudpickle", "cloudpickle", "pickle.load, called")


def frames():
    try:
        import pandas
    except ImportError:
        return
    frame = pandas.DataFrame({"x": [1.5, 2.5, None], "y": [1, 2, 3], "when": pandas.date_range("2026-01-01", periods=3)})
    for how in ("", "gzip", "bz2", "xz", "zip", "zstd"):
        name = "frame%s.pkl" % (how and "." + how)
        try:
            frame.to_pickle(os.path.join(FOLDER, name), compression=how or None, protocol=4)
        except Exception as error:  # an older pandas, or no package for it here
            print("%s: %s" % (name, error), file=sys.stderr)
            continue
        said(name, "pandas", "pandas.read_pickle")


def torches():
    try:
        import torch
    except ImportError:
        return
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.Linear(3, 2))
    loads = ("torch.load", "torch.load, of an open file", "torch.load, mmap", "torch.load, weights_only")
    values = {"state": module.state_dict(), "module": module, "tensors": {"a": torch.arange(10), "b": [torch.ones(2, 2)]}}
    for name, value in sorted(values.items()):
        for form, zipped in (("", True), (".legacy", False)):
            path = os.path.join(FOLDER, name + form + ".pt")
            try:
                torch.save(value, path, _use_new_zipfile_serialization=zipped)
            except TypeError:  # before 1.4
                if zipped:
                    continue
                torch.save(value, path)
            said(name + form + ".pt", "torch", *loads)
    script = torch.jit.trace(module, torch.ones(1, 4))
    script.save(os.path.join(FOLDER, "script.pt"))
    said("script.pt", "torch", "torch.jit.load", "torch.jit.load, of an open file")
    files = {"labels.txt": b"a\nb\n"}
    if torch.__version__ < "1.5":
        if not hasattr(torch._C, "ExtraFilesMap"):  # before 1.1
            return
        files = torch._C.ExtraFilesMap()
        files["labels.txt"] = "a\nb\n"
    torch.jit.save(script, os.path.join(FOLDER, "extra.pt"), _extra_files=files)
    said("extra.pt", "torch", "torch.jit.load", "torch.jit.load, with an extra file")


def main():
    if len(sys.argv) > 2:  # as with joblib: the only thing that these environments are for
        torches()
        return
    pickles()
    joblibs()
    by_value()
    frames()


main()
