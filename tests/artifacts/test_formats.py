"""The other formats: numpy's, torch's, pandas', functions by value, and files that are no models."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import pickle
import subprocess
import tarfile
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy
import pytest

from envaudit import artifacts
from envaudit.artifacts import _bytecode
from envaudit.errors import ArtifactError
from envaudit.needs import Array, DType, Made, Mapping, Needs, Persistent
from tests.artifacts.plain import kind, named, resolved
from tests.environments import environment, interpreters

TORCH = Path(__file__).parents[2] / "fixtures/artifacts/torch"

DTYPES = [
    "<f8", ">i4", "|b1", "<U7", "|S3", "<M8[ns]", "<m8[25s]", "<c16", "|V5", "|O", "<f2",
    [("a", "<f4"), ("b", "<i8", (2, 3)), ("c", [("d", "|S3")])],
    {"names": ["x", "y"], "formats": ["<f4", "<i8"], "offsets": [0, 16], "itemsize": 32},
]  # fmt: skip


def equal(found: DType, expected: Any) -> bool:
    """Whether a symbolic dtype says what numpy says of the real one."""
    if expected.subdtype:
        base, shape = expected.subdtype
        inner, given = found.subdtype
        given = given if isinstance(given, tuple) else tuple(given.items)
        return bool(found.itemsize == expected.itemsize and equal(inner, base) and given == shape)
    if expected.names:
        fields = [(name, expected.fields[name][1]) for name in expected.names]
        return (
            found.itemsize == expected.itemsize
            and [(name, offset) for name, _, offset in found.fields] == fields
            and all(equal(part, expected.fields[name][0]) for name, part, _ in found.fields)
        )
    return bool(found.spec == expected.str and found.itemsize == expected.itemsize)


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("spec", DTYPES, ids=str)
def test_dtypes_and_arrays_in_pickles(spec: Any, protocol: int, tmp_path: Path) -> None:
    array = numpy.zeros((2, 3), dtype=spec, order="F")
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps([array, array.dtype], protocol))
    needs = artifacts.read(str(path))
    found, dtype = needs.roots[0].items
    assert isinstance(found, Array)
    assert found.shape == (2, 3)
    assert found.order == "F"
    assert found.dtype is not None
    assert equal(found.dtype, array.dtype)
    assert equal(dtype, array.dtype)
    assert found.nbytes == array.nbytes
    if not array.dtype.hasobject:
        assert found.data == bytes(array.nbytes)
    assert named(needs) == resolved(path.read_bytes())


@pytest.mark.parametrize("spec", DTYPES, ids=str)
def test_npy(spec: Any, tmp_path: Path) -> None:
    array = numpy.zeros((2, 3), dtype=spec)
    path = tmp_path / "a.npy"
    numpy.save(path, array)
    needs = artifacts.read(str(path))
    found = needs.roots[0]
    assert (needs.format, needs.loader, found.how, found.shape) == ("npy", "numpy.load", "npy", (2, 3))
    assert equal(found.dtype, array.dtype)
    assert found.nbytes == array.nbytes
    data = path.read_bytes()
    for cut in (5, 9, 40, len(data) - 1):
        path.write_bytes(data[:cut])
        with pytest.raises(ArtifactError):
            artifacts.read(str(path))


class Own:
    """A class of these tests."""


def test_objects_in_npy_and_npz(tmp_path: Path) -> None:
    array = numpy.array([Own(), 1], dtype=object)
    numpy.save(tmp_path / "o.npy", array)
    needs = artifacts.read(str(tmp_path / "o.npy"))
    assert kind(needs.roots[0].items.items[0]) == "Own"
    assert "tests.artifacts.test_formats" in {item.module for item in needs.globals}
    numpy.savez(tmp_path / "a.npz", x=numpy.arange(3), o=array)
    numpy.savez_compressed(tmp_path / "c.npz", x=numpy.arange(3), o=array)
    for name in ("a.npz", "c.npz"):
        needs = artifacts.read(str(tmp_path / name))
        assert needs.format == "npz"
        assert [key for key, _ in needs.roots[0].pairs] == ["x", "o"]
        assert "tests.artifacts.test_formats" in {item.module for item in needs.globals}


def torch_file(name: str) -> Needs:
    """What the reader says of a kept file."""
    return artifacts.read(str(TORCH / name))


def test_torch_state_dicts() -> None:
    for name, form in (("state_dict.pt", "torch_zip"), ("state_dict_legacy.pt", "torch_legacy")):
        needs = torch_file(name)
        assert (needs.format, needs.loader, needs.protocol) == (form, "torch.load", 2)
        assert named(needs) == {
            ("collections", "OrderedDict"), ("torch._utils", "_rebuild_tensor_v2"), ("torch", "FloatStorage"),
        }  # fmt: skip
        pairs = dict(needs.roots[0].pairs.pairs)
        assert sorted(pairs) == ["0.bias", "0.weight", "2.bias", "2.weight"]
        storage = pairs["0.weight"].args[0]
        assert isinstance(storage, Persistent)
        assert storage.id.items[0] == "storage"
    assert torch_file("state_dict.pt").array_bytes == 4 * (3 * 4 + 4 + 4 + 1)
    assert torch_file("state_dict.pt").versions["torch file format"] == ("3",)
    assert torch_file("state_dict_legacy.pt").versions["torch file format"] == ("legacy 1001",)


def test_torch_modules() -> None:
    for name in ("module.pt", "module_legacy.pt"):
        needs = torch_file(name)
        assert "torch.nn.modules.linear" in {item.module for item in needs.globals}
        assert "_modules" in needs.roots[0].attributes()
    script = torch_file("script.pt")
    assert script.loader == "torch.jit.load"
    assert "TorchScript" in script.notes[0]


def test_tensors_in_a_plain_pickle_are_opened() -> None:
    needs = torch_file("tensor.pkl")
    assert needs.format == "pickle"
    assert {("torch.storage", "_load_from_bytes"), ("torch", "LongStorage")} & named(needs)
    assert len(needs.nested) == 2
    assert all(isinstance(made, Made) for made, _ in needs.nested)


def test_a_device_is_told(tmp_path: Path) -> None:
    data = (TORCH / "state_dict.pt").read_bytes()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(tmp_path / "gpu.pt", "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name.endswith("data.pkl"):
                content = content.replace(b"X\x03\x00\x00\x00cpu", b"X\x06\x00\x00\x00cuda:0")
            new.writestr(name, content)
    assert "cuda:0" in artifacts.read(str(tmp_path / "gpu.pt")).notes[0]


FUNCTION = """
import cloudpickle, sys
k = 2
def f(x):
    def g(y):
        return y + k
    try:
        return [g(item) for item in x if item is not None]
    except ValueError as error:
        with open("x") as file:
            return file.read() + str(error) + len.__name__
cloudpickle.dump(f, open(sys.argv[1], "wb"), protocol=4)
"""


@pytest.mark.network
@pytest.mark.parametrize(
    ("minor", "version"),
    [("3.6", "2.2.1"), ("3.7", "2.2.1"), ("3.8", "3.0.0"), ("3.9", "3.1.1"), ("3.10", "3.1.1"), ("3.11", "3.1.1"),
     ("3.12", "3.1.1"), ("3.13", "3.1.1"), ("3.9", "1.6.0"), ("3.8", "1.2.2")],
)  # fmt: skip
def test_functions_by_value(minor: str, version: str, tmp_path: Path) -> None:
    python = interpreters().get(minor)
    if python is None:
        pytest.skip(f"no Python {minor}")
    folder = environment(f"cloudpickle=={version}", python=python)
    path = tmp_path / "f.pkl"
    subprocess.run([str(folder / "bin/python"), "-c", FUNCTION, str(path)], check=True, timeout=60)
    needs = artifacts.read(str(path))
    actual = tuple(map(int, minor.split(".")))
    codes = {code.name.rpartition(".")[2]: code for code in needs.codes}
    assert {"f", "g"} <= set(codes)
    for code in codes.values():
        assert code.python is not None
        assert code.newest is not None
        assert code.python <= actual <= code.newest
    assert {"open", "read", "ValueError"} <= set(codes["f"].names)
    assert "k" in codes["g"].names
    assert codes["f"].python == codes["f"].newest or minor in ("3.6", "3.7", "3.8", "3.9", "3.10")


def test_the_opcode_tables_are_those_of_the_interpreters() -> None:
    code = (
        "import opcode, json; print(json.dumps([sum(1 << n for name, n in opcode.opmap.items()"
        " if n < 256 and not name.startswith('INSTRUMENTED')), opcode.opmap.get('RESUME')]))"
    )
    checked = 0
    for minor, python in interpreters().items():
        version = tuple(map(int, minor.split(".")))
        if version in _bytecode.OPCODES:
            bits, resume = json.loads(subprocess.check_output([str(python), "-c", code]))
            assert _bytecode.OPCODES[version[0], version[1]] == bits
            assert _bytecode.RESUME.get((version[0], version[1])) == resume
            checked += 1
    assert checked


def test_a_later_python_is_not_guessed(tmp_path: Path) -> None:
    # 18 arguments, but an opcode that no known version has.
    code = (
        b"\x80\x04ctypes\nCodeType\n("
        + b"K\x00" * 6
        + b"C\x02\xff\x00)(X\x01\x00\x00\x00atK\x00K\x00X\x01\x00\x00\x00f"
    )
    path = tmp_path / "f.pkl"
    path.write_bytes(code + b"X\x01\x00\x00\x00fK\x01C\x00C\x00))tR.")
    (found,) = artifacts.read(str(path)).codes
    assert (found.name, found.python, found.newest, found.names) == ("f", (3, 14), None, ("a",))


def test_compressed_pickles(tmp_path: Path) -> None:
    data = pickle.dumps({"a": 1})
    for name, packed in (("gzip", gzip.compress(data)), ("bz2", bz2.compress(data)), ("xz", lzma.compress(data)),
                         ("zlib", zlib.compress(data)), ("lzma", lzma.compress(data, format=lzma.FORMAT_ALONE)),
                         ("gzip", gzip.compress(data[:5]) + gzip.compress(data[5:]))):  # fmt: skip
        path = tmp_path / "m"
        path.write_bytes(packed)
        needs = artifacts.read(str(path))
        assert needs.compression == name
        assert isinstance(needs.roots[0], Mapping)
        for cut in (3, len(packed) // 2, len(packed) - 9):
            path.write_bytes(packed[:cut])
            with pytest.raises(ArtifactError):
                artifacts.read(str(path))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("df.pkl", data)
    assert artifacts.read(str(path)).compression == "zip"


def tar_of(data: bytes) -> bytes:
    """A tar archive with one file."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        info = tarfile.TarInfo("model.pkl")
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def zip_of(**files: bytes) -> bytes:
    """A zip archive."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in files.items():
            archive.writestr(name.replace("__", "."), data)
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "an empty file"),
        (gzip.compress(b""), "an empty gzip file"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "git lfs pull"),
        (b"<!DOCTYPE html>\n<html><head><title>404</title>", "web page"),
        (b"  <html>Not found", "web page"),
        (b'<?xml version="1.0"?><Error><Code>NoSuchKey</Code>', "web page or an error message"),
        (b'{"error": "not found"}', "JSON"),
        (tar_of(b"x"), "tar archive"),
        (gzip.compress(tar_of(b"x")), "tar archive"),
        (gzip.compress(b"hello, this is text"), "of no known format"),
        (zip_of(a=b"1", b=b"2"), "zip archive that holds no single model"),
        (zip_of(schema__json=b"{}", b=b"2"), "skops"),
        (zip_of(a__npy=b"1", b__npy=b"2")[:-10], "truncated zip"),
        (b"\x89HDF\r\n\x1a\n" + b"\0" * 99, "HDF5"),
        (b"\x28\xb5\x2f\xfd" + b"\0" * 99, "zstd"),
        (bytes(999), "zero bytes"),
        (b"hello, this is text", "of no known format"),
        (b"I am text\n", "of no known format"),
        (b"import sklearn\n", "of no known format"),
        (pickle.dumps(list(range(100)))[:-40], "truncated"),
        ((100).to_bytes(8, "little") + b'{"__metadata__":{}}', "safetensors"),
    ],
)
def test_what_is_no_model_is_said(data: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(data)
    with pytest.raises(ArtifactError, match=words) as caught:
        artifacts.read(str(path))
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_places_that_are_no_files(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="a folder"):
        artifacts.read(str(tmp_path))
    with pytest.raises(ArtifactError, match="cannot be read: No such file"):
        artifacts.read(str(tmp_path / "absent"))
    with pytest.raises(ArtifactError, match="not a regular file"):
        artifacts.read("/dev/null")
    with pytest.raises(ArtifactError, match="cannot be read"):
        artifacts.read("a\0b")


def test_progress_is_told(tmp_path: Path) -> None:
    path = tmp_path / "m.pkl"
    path.write_bytes(pickle.dumps([f"word {index}" for index in range(50_000)]))
    seen: list[tuple[int, int]] = []
    artifacts.read(str(path), progress=lambda done, total: seen.append((done, total)))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert seen[-1][0] == seen[-1][1] == path.stat().st_size
