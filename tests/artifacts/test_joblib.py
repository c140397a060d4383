"""joblib's files: written by real releases, in every compression, and kept ones of releases that no longer run."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import joblib
import numpy
import pytest

from envaudit import artifacts
from envaudit.errors import ArtifactError, MissingExtraError
from envaudit.needs import Array, Items, Made, Mapping, Needs
from tests.artifacts.plain import named
from tests.environments import environment, interpreters

FIXTURES = Path(__file__).parents[2] / "fixtures/artifacts/joblib"

WRITE = """
import json, sys, warnings, joblib, numpy as np
warnings.simplefilter("ignore")
folder = sys.argv[1]
value = {
    "small": np.arange(3.0), "large": np.arange(30000.0).reshape(100, 300),
    "fortran": np.asfortranarray(np.ones((40, 50))),
    "objects": np.array(["a", None, {1: 2}], dtype=object), "empty": np.zeros((0, 4)), "scalar": np.array(7.5),
    "record": np.zeros(5, dtype=[("a", "f4"), ("b", "i8")]), "text": np.array(["ab", "c"]),
    "big": np.arange(4).astype(">i4"),
    "matrix": np.matrix([[1, 2]]), "time": np.array(["2024-01-01"], dtype="M8[D]"), "last": "end",
}
names = []
for compress in json.loads(sys.argv[2]):
    for protocol in json.loads(sys.argv[3]):
        name = "%s/%s-%s.joblib" % (folder, compress, protocol)
        joblib.dump(value, name, compress=(compress, 3) if compress else 0, protocol=protocol)
        names.append(name)
print(json.dumps(names))
"""


def write(python: Path, folder: Path, compressions: list[str], protocols: list[int]) -> list[Path]:
    """Files of the same value that the joblib of that environment writes."""
    done = subprocess.run(
        [str(python), "-c", WRITE, str(folder), json.dumps(compressions), json.dumps(protocols)],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return [Path(name) for name in json.loads(done.stdout.splitlines()[-1])]


def check(needs: Needs, *, padded: bool) -> None:
    """Everything that WRITE has put in is there."""
    assert needs.format == "joblib"
    assert needs.loader == "joblib.load"
    found: dict[str, Any] = dict(needs.roots[0].pairs)
    assert found["last"] == "end"
    assert found["small"].data == numpy.arange(3.0).tobytes()
    assert (found["large"].shape, found["large"].order, found["large"].nbytes) == ((100, 300), "C", 240000)
    assert (found["fortran"].shape, found["fortran"].order) == ((40, 50), "F")
    assert found["objects"].items.items[:2] == ["a", None]
    assert isinstance(found["objects"].items.items[2], Mapping)
    assert found["empty"].nbytes == 0
    assert (found["scalar"].shape, found["scalar"].data) == ((), numpy.array(7.5).tobytes())
    record = found["record"].dtype
    assert [(name, kind.spec, offset) for name, kind, offset in record.fields] == [("a", "<f4", 0), ("b", "<i8", 4)]
    assert record.itemsize == 12
    assert found["text"].dtype.spec == "<U2"
    # joblib >= 1.1 may store in the byte order of the machine, as numpy names it
    assert found["big"].dtype.spec == ">i4"
    assert found["matrix"].subclass.name == "matrix"
    assert found["time"].dtype.spec == "<M8[D]"
    assert {found[name].padded for name in ("small", "large", "record")} == {padded}
    assert {found[name].how for name in found if name != "last"} == {"joblib"}
    assert not needs.notes


OLD = interpreters().get("3.7")


@pytest.mark.network
@pytest.mark.parametrize(
    ("joblib_version", "numpy_version", "minor"),
    [("0.11", "1.21.6", "3.7"), ("0.13.2", "1.21.6", "3.7"), ("1.0.1", "1.21.6", "3.7"), ("1.1.1", "1.23.5", "3.10"),
     ("1.2.0", "1.23.5", "3.10"), ("1.4.2", "2.2.6", "3.13"), ("1.5.3", "2.2.6", "3.13")],
)  # fmt: skip
def test_every_joblib(joblib_version: str, numpy_version: str, minor: str, tmp_path: Path) -> None:
    python = interpreters().get(minor)
    if python is None:
        pytest.skip(f"no Python {minor}")
    folder = environment(f"joblib=={joblib_version}", f"numpy=={numpy_version}", python=python)
    padded = tuple(map(int, joblib_version.split(".")[:2])) >= (1, 2)
    for path in write(folder / "bin/python", tmp_path, ["", "zlib", "gzip", "bz2", "xz", "lzma"], [2, 4]):
        needs = artifacts.read(str(path))
        assert (needs.compression or "") == path.name.partition("-")[0]
        # Object arrays are a pickle of their own with the highest protocol.
        assert needs.protocol in (2, 4, 5)
        check(needs, padded=padded)


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("compress", ["", "zlib", "gzip", "bz2", "xz", "lzma", "lz4"])
def test_this_joblib(compress: str, protocol: int, tmp_path: Path) -> None:
    path = tmp_path / "model.joblib"
    value = {"a": numpy.arange(1000.0), "o": numpy.array([1, "x"], dtype=object), "z": 1}
    if compress == "lz4":
        pytest.importorskip("lz4")
    joblib.dump(value, path, compress=(compress, 3) if compress else 0, protocol=protocol)
    needs = artifacts.read(str(path))
    found = dict(needs.roots[0].pairs)
    assert found["a"].nbytes == 8000
    assert found["z"] == 1
    seen: set[tuple[str, str]] = set()

    class Recorder(joblib.numpy_pickle.NumpyUnpickler):  # type: ignore[misc]
        def find_class(self, module: str, name: str) -> Any:
            seen.add((module, name))
            return super().find_class(module, name)

    with (
        path.open("rb") as file,
        joblib.numpy_pickle_utils._validate_fileobject_and_memmap(file, str(path)) as (raw, _),
    ):
        Recorder(str(path), raw, True).load()
    assert named(needs) == seen


def test_lz4_without_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("lz4")
    path = tmp_path / "model.joblib"
    joblib.dump([1], path, compress=("lz4", 3))
    monkeypatch.setitem(__import__("sys").modules, "lz4.frame", None)
    with pytest.raises(MissingExtraError, match="lz4"):
        artifacts.read(str(path))


def test_the_offset_of_an_array_is_where_its_bytes_are(tmp_path: Path) -> None:
    path = tmp_path / "model.joblib"
    value = [numpy.full(5000, index, dtype="u4") for index in range(5)]
    joblib.dump(value, path)
    data = path.read_bytes()
    for index, found in enumerate(artifacts.read(str(path)).roots[0].items):
        assert isinstance(found, Array)
        assert data[found.at : found.at + found.nbytes] == value[index].tobytes()
        assert found.at % 16 == 0


def kept(pattern: str) -> list[Path]:
    """Kept files; the companions of the oldest are not models themselves."""
    return [path for path in sorted(FIXTURES.glob(pattern)) if ".npy" not in path.name]


@pytest.mark.parametrize("path", kept("joblib_*"), ids=lambda path: path.name)
def test_files_of_old_joblib(path: Path) -> None:
    if path.suffix == ".lz4":
        pytest.importorskip("lz4")
    needs = artifacts.read(str(path))
    assert needs.format == "joblib"
    found = needs.roots[0]
    assert found.length == 6
    arrays = [item for item in found.items if isinstance(item, Array)]
    assert [array.shape for array in arrays] == [(5,), (5,), (3,), (1, 3)]
    old = path.name.startswith(("joblib_0.8", "joblib_0.9"))
    assert any("joblib < 0.10" in note for note in needs.notes) is old


def test_companions_are_looked_for_in_the_folder_only(tmp_path: Path) -> None:
    source = kept("joblib_0.9.2_pickle_py35_np19.pkl")[0]
    data = source.read_bytes()
    alone = tmp_path / source.name
    alone.write_bytes(data)
    needs = artifacts.read(str(alone))
    assert any("companion" in note and "not there" in note for note in needs.notes)
    name = b"joblib_0.9.2_pickle_py35_np19.pkl_01.npy"
    hostile = b"../" + b"a" * (len(name) - 3)
    (tmp_path.parent / hostile[3:].decode()).write_bytes((FIXTURES / name.decode()).read_bytes())
    alone.write_bytes(data.replace(name, hostile))
    assert any(hostile.decode() in note for note in artifacts.read(str(alone)).notes)


def test_a_wrapper_without_shape_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "x.joblib"
    path.write_bytes(b"\x80\x02cjoblib.numpy_pickle\nNumpyArrayWrapper\n)\x81}b.")
    with pytest.raises(ArtifactError, match="without dtype or shape"):
        artifacts.read(str(path))


def test_a_wrapper_of_another_package_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "x.pkl"
    path.write_bytes(b"\x80\x02cmine\nNumpyArrayWrapper\n)\x81}b.")
    needs = artifacts.read(str(path))
    assert needs.format == "pickle"
    assert isinstance(needs.roots[0], Made)
    assert not isinstance(needs.roots[0].state, Items)
