"""What is read from compiled modules, against what a real import of them shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from envaudit.surface import _checksums, _cython, extensions
from envaudit.surface.surface import Surface
from tests.surface.conftest import Installed, installed

pytestmark = pytest.mark.network

LAYOUTS = """
import json
import numpy as np
def described(dtype):
    return [[[name, dtype.fields[name][0].str, dtype.fields[name][1]] for name in dtype.names], dtype.itemsize]
from sklearn.tree._tree import NODE_DTYPE
from sklearn.ensemble._hist_gradient_boosting.common import PREDICTOR_RECORD_DTYPE
from sklearn.neighbors import KDTree
from sklearn.neighbors._quad_tree import _QuadTree
quad = _QuadTree(2, 0)
quad.build_tree(np.random.rand(5, 2).astype("f4"))
print(json.dumps({
    "sklearn.tree._tree Node": described(NODE_DTYPE),
    "sklearn.ensemble._hist_gradient_boosting._predictor node_struct": described(PREDICTOR_RECORD_DTYPE),
    "sklearn.neighbors._kd_tree NodeData_t": described(np.asarray(KDTree(np.zeros((5, 2))).get_arrays()[2]).dtype),
    "sklearn.neighbors._quad_tree Cell": described(quad.__getstate__()["cells"].dtype),
}))
"""


def test_record_layouts_are_those_that_the_module_uses(there: Installed) -> None:
    for place, (fields, itemsize) in there.run(LAYOUTS).items():
        module, name = place.split()
        extension = there.surface.extension(module)
        assert extension is not None
        layout = extension.structs[name]
        expected = [tuple(field) for field in fields]
        if there.scikit_learn == "0.22.2" and name == "Cell":  # its dtype names a field unlike the struct does
            expected = [
                ("squared_max_width", *rest) if first == "max_width" else (first, *rest) for first, *rest in expected
            ]
        assert (list(layout.fields), layout.itemsize) == (expected, itemsize), place


@pytest.mark.parametrize("version", ["0.24.2", "1.0.2", "1.3.2", "1.9.1"])
def test_both_ways_to_a_layout_agree(version: str) -> None:
    there = installed(version)
    for module, name in (
        ("sklearn.tree._tree", "Node"),
        ("sklearn.ensemble._hist_gradient_boosting.common", "node_struct"),
    ):
        text = (there.site / f"{module.replace('.', '/')}.pxd").read_text()
        declared = _cython.structs(module, text, lambda other: extensions.pxd(there.surface, other))
        user = "_predictor" if name == "node_struct" else "_tree"
        extension = there.surface.extension(f"{module.rpartition('.')[0]}.{user}")
        if name in declared:  # in 1.9 the struct of a node stands elsewhere
            assert extension is not None
            assert declared[name] == extension.structs[name]
    assert "node_struct" in declared


NAMES = """
import importlib, json, os, sys
found = {}
site = sys.argv[1]
for package in ("sklearn", "numpy", "pandas", "scipy"):
    for folder, folders, files in os.walk(os.path.join(site, package)):
        folders[:] = [name for name in folders if name != "tests"]
        for file in files:
            if file.endswith(".so"):
                name = os.path.relpath(os.path.join(folder, file.split(".")[0]), site).replace("/", ".")
                try:
                    module = importlib.import_module(name)
                except Exception:
                    continue
                found[name] = list(vars(module))
print(json.dumps(found))
"""
SET_FROM_OUTSIDE = {"cdist_correlation_double_wrap", "pdist_correlation_double_wrap"}  # by scipy.spatial.distance


@pytest.mark.parametrize("version", ["0.22.2", "1.3.2", "1.9.1"])
def test_every_name_of_every_module_is_in_its_binary(version: str) -> None:
    there = installed(version)
    modules = there.run(NAMES, str(there.site))
    assert len(modules) > 190
    for name, real in modules.items():
        extension = there.surface.extension(name)
        assert extension is not None, name
        missing = {
            item for item in real if item not in extension.names and not (item.startswith("__") and item.endswith("__"))
        }
        assert not missing - SET_FROM_OUTSIDE, name


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("sklearn.tree._tree", ["ClassificationCriterionX", "Tre", "Nod", "predict_probabilities"]),
        ("sklearn._loss._loss", ["CyExponentialLossX", "HalfBinomialLossY"]),
        ("pandas._libs.internals", ["_unpickle_blocks", "BlockManagerX"]),
    ],
)
def test_names_that_are_not_there_are_absent(module: str, absent: list[str]) -> None:
    for version in ("1.3.2", "1.9.1"):
        extension = installed(version).surface.extension(module)
        assert extension is not None
        for name in absent:
            assert name not in extension.names


CHECKSUMS = """
import importlib, json, pickle, sys
found = {}
candidates = json.loads(sys.argv[2])
for name in json.loads(sys.argv[1]):
    try:
        module = importlib.import_module(name)
    except ImportError:
        continue
    for function in [item for item in vars(module) if item.startswith("__pyx_unpickle_")]:
        taken = []
        for checksum in candidates:
            try:
                getattr(module, function)(object, checksum, None)
            except pickle.PickleError:
                continue
            except Exception:
                pass
            taken.append(checksum)
        found[name + " " + function] = taken
print(json.dumps(found))
"""
MODULES = """sklearn._loss._loss sklearn.tree._tree sklearn.tree._criterion sklearn.metrics._dist_metrics
    sklearn.linear_model._sgd_fast sklearn.neighbors._kd_tree sklearn.ensemble._hist_gradient_boosting.splitting
    pandas._libs.arrays pandas._libs.index pandas._libs.interval pandas._libs.indexing pandas._libs.internals
    pandas._libs.properties numpy.random._pcg64 numpy.random.bit_generator numpy.random._bit_generator""".split()


def test_checksums_are_those_that_unpickling_accepts(there: Installed) -> None:
    import json

    found = {name: there.surface.extension(name) for name in MODULES}
    known = {
        value
        for extension in found.values()
        if extension is not None
        for values in extension.checksums.values()
        for value in values
    }
    candidates = sorted({*known, *_checksums.calculated("nonsense"), *_checksums.calculated(""), 1})
    real = there.run(CHECKSUMS, json.dumps(MODULES), json.dumps(candidates))
    assert real
    for place, taken in real.items():
        module, function = place.split()
        extension = found[module]
        assert extension is not None
        assert taken, place
        assert set(taken) <= {value for values in extension.checksums.values() for value in values}, place
        for checksum in candidates:
            if checksum in taken:
                assert extension.accepts(function, checksum), (place, hex(checksum))
            elif function in extension.unpicklers:
                assert not extension.accepts(function, checksum), (place, hex(checksum))
        assert extension.accepts("__pyx_unpickle_Nothing", 1) is False


SIGNATURES = """
import importlib, json, sys
found = {}
for name in sys.argv[1:]:
    module = importlib.import_module(name)
    for key, value in vars(module).items():
        if isinstance(value, type) and value.__module__ == name:
            for method, item in vars(value).items():
                code = getattr(item, "__code__", None)
                if code is not None:
                    found[name + " " + key + "." + method] = list(code.co_varnames[:code.co_argcount])
        code = getattr(value, "__code__", None)
        if code is not None and getattr(value, "__module__", None) == name:
            found[name + " " + key] = list(code.co_varnames[:code.co_argcount])
print(json.dumps(found))
"""


def test_signatures_are_those_of_the_functions() -> None:
    for version, names in (
        ("1.2.2", ["pandas._libs.internals", "pandas._libs.lib", "pandas._libs.tslibs.timestamps"]),
        ("1.5.2", ["sklearn.tree._tree", "sklearn.utils._random", "sklearn.utils.murmurhash"]),
        ("1.9.1", ["sklearn.tree._tree", "sklearn.cluster._hierarchical_fast"]),
    ):
        there = installed(version)
        compared = 0
        for place, arguments in there.run(SIGNATURES, *names).items():
            module, name = place.split()
            extension = there.surface.extension(module)
            assert extension is not None
            if name in extension.functions:
                compared += 1
                assert list(extension.functions[name].positional) == arguments, place
        assert compared > 3, version


@pytest.mark.parametrize("cut", [0, 3, 64, 100, 5000, 100_000])
def test_damaged_binaries_are_refused_or_read_as_far_as_they_go(cut: int, tmp_path: Path) -> None:
    real = next(installed("1.3.2").site.glob("sklearn/tree/_tree.*.so")).read_bytes()
    for name, data in (("a", real[:cut]), ("b", real[:cut] + b"\xff" * 4096), ("c", real[:64] + b"\xff" * 4096)):
        (tmp_path / f"{name}.so").write_bytes(data)
        surface = Surface.of_folders((3, 11), [str(tmp_path)], "there")
        extension = surface.extension(name)
        assert extension is None or extension.structs == {}
