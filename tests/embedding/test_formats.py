"""How a snapshot rides in each format: where, what it leaves alone, and how the model is restored."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import pickle
import stat
import struct
import zipfile
import zlib
from importlib import import_module
from pathlib import Path
from typing import Any

import joblib
import numpy
import pytest

from envaudit import artifacts, embedding
from envaudit.embedding import ENDING
from envaudit.errors import ArtifactError, EmbeddingError
from tests.embedding.kinds import record

GIVEN = record(60)
FIXTURES = Path(__file__).parents[2] / "fixtures/artifacts"
VALUE = {"name": "forest", "text": "envaudit record " * 4000, "numbers": list(range(500))}
ARRAYS = {**VALUE, "weights": numpy.random.default_rng(0).normal(size=(200, 30)), "empty": numpy.zeros(0)}
PICKLED = pickle.dumps(VALUE)
BEHIND, FRONT, HEADER = "behind the pickle", "in front of the pickle", "in the gzip header"
STREAM, FRAME, MEMBER = "in a stream behind the model's", "in a frame behind the model's", "in a member of the archive"
BESIDE = "in a file beside it"


def archive(prefix: str = "model/", comment: bytes = b"", members: int = 0, **options: Any) -> bytes:
    """What torch.save writes, as far as zip goes."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", **options) as file:
        for name, data in (("data.pkl", pickle.dumps({"a": 1}, 2)), ("byteorder", b"little"), ("version", b"3\n")):
            with file.open(prefix + name, "w", force_zip64=True) as member:
                member.write(data)
        for number in range(members):
            file.writestr(f"{prefix}data/{number}", b"")
        file.comment = comment
    return stream.getvalue()


def header(data: bytes, flags: int, fields: bytes) -> bytes:
    """A gzip file with more in its header."""
    plain = gzip.compress(data, mtime=0)
    return plain[:3] + bytes([flags]) + plain[4:10] + fields + plain[10:]


def with_header_checksum(data: bytes) -> bytes:
    plain = header(data, 2, b"")
    return plain[:10] + struct.pack("<H", zlib.crc32(plain[:10]) & 0xFFFF) + plain[10:]


EXTRA = struct.pack("<H2sH3s", 7, b"ab", 3, b"xyz")
FILES: dict[str, tuple[str, bytes]] = {
    **{f"protocol {number}": (BEHIND, pickle.dumps(VALUE, number)) for number in range(6)},
    "bytes behind the pickle": (BEHIND, PICKLED + b"\0" * 9),
    "zlib": (FRONT, zlib.compress(PICKLED)),
    "zlib, level 0": (FRONT, zlib.compress(PICKLED, 0)),
    "gzip": (HEADER, gzip.compress(PICKLED, mtime=0)),
    "gzip with an extra field": (HEADER, header(PICKLED, 4, EXTRA)),
    "gzip with a name": (HEADER, header(PICKLED, 8, b"model.pkl\0")),
    "gzip with both and a comment": (HEADER, header(PICKLED, 4 | 8 | 16, EXTRA + b"model.pkl\0good\0")),
    "gzip with a checksum of the header": (BESIDE, with_header_checksum(PICKLED)),
    "gzip of two members": (HEADER, gzip.compress(PICKLED[:99], mtime=0) + gzip.compress(PICKLED[99:], mtime=0)),
    "bzip2": (STREAM, bz2.compress(PICKLED)),
    "bzip2 of two streams": (STREAM, bz2.compress(PICKLED[:99]) + bz2.compress(PICKLED[99:])),
    "xz": (STREAM, lzma.compress(PICKLED)),
    "xz with padding": (STREAM, lzma.compress(PICKLED) + b"\0" * 8),
    "xz of two streams": (STREAM, lzma.compress(PICKLED[:99]) + lzma.compress(PICKLED[99:])),
    "lzma": (STREAM, lzma.compress(PICKLED, lzma.FORMAT_ALONE)),
    "lz4": (FRAME, import_module("lz4.frame").compress(PICKLED)),
    "torch": (MEMBER, (FIXTURES / "torch/module.pt").read_bytes()),
    "TorchScript": (MEMBER, (FIXTURES / "torch/script.pt").read_bytes()),
    "archive": (MEMBER, archive()),
    "archive without a folder": (MEMBER, archive("")),
    "archive with a comment": (MEMBER, archive(comment=b"of the zip")),
    "two pickles": (BESIDE, PICKLED + PICKLED),
    "torch before 1.6": (BESIDE, (FIXTURES / "torch/module_legacy.pt").read_bytes()),
    "no pickle": (BESIDE, b"ONNX\x08\x07\x12\x07pytorch" + bytes(range(256))),
    "JSON": (BESIDE, b'{"learner": {"version": [2, 1, 0]}}'),
    "zstd": (BESIDE, bytes.fromhex("28b52ffd2401090000804e2e") + bytes(8)),
}


def npy() -> bytes:
    stream = io.BytesIO()
    numpy.save(stream, numpy.arange(9))
    return stream.getvalue()


def zipped(**members: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        for name, data in members.items():
            file.writestr(name.replace("__", "."), data)
    return stream.getvalue()


def dumped(**options: Any) -> bytes:
    stream = io.BytesIO()
    joblib.dump(ARRAYS, stream, **options)
    return stream.getvalue()


FILES |= {
    "npy": (BESIDE, npy()),
    "skops": (BESIDE, zipped(schema__json=b"{}")),
    "PMML": (BESIDE, b'<?xml version="1.0"?>\n<PMML xmlns="http://www.dmg.org/PMML-4_4" version="4.4"/>'),
    "CatBoost": (BESIDE, b"CBM1" + bytes(60)),
    "TorchScript of torch 1.0": (BESIDE, zipped(**{"script/model__json": b"{}", "script/tensors/0": bytes(8)})),
    "frame in a zip": (BESIDE, zipped(frame__pkl=PICKLED)),
    "joblib": (BEHIND, dumped()),
    **{
        f"joblib, {how}": (where, dumped(compress=(how, 3)))
        for how, where in {"zlib": FRONT, "gzip": HEADER, "bz2": STREAM, "xz": STREAM, "lzma": STREAM}.items()
    },
}


def told(value: Any, but: frozenset[str] = frozenset({"at"})) -> Any:
    """All that a reader says of a file but where in the file it stands."""
    names = getattr(value, "_fields", None) or getattr(type(value), "__slots__", None)
    if names:
        return {name: told(getattr(value, name)) for name in names if name not in but}
    if isinstance(value, (tuple, list)):
        return [told(part) for part in value]
    return value


def read(path: Path) -> Any:
    """What the reader says of a model but for the record: the error, where it reads no such model."""
    try:
        return told(artifacts.read(str(path)), frozenset({"size", "record_at"}))
    except ArtifactError as error:
        return str(error)


@pytest.mark.parametrize("name", FILES)
def test_rides_and_is_taken_out_again(name: str, tmp_path: Path) -> None:
    where, data = FILES[name]
    path = tmp_path / "model"
    path.write_bytes(data)
    assert embedding.find(str(path)) is None
    before, needs = embedding.identity(str(path)), read(path)
    assert embedding.write(str(path), GIVEN) == where
    found = embedding.read(str(path))
    assert (found.record.snapshot, found.record.sample, found.where) == (*GIVEN[:2], where)
    assert (found.record.digest, found.record.size) == before == embedding.identity(str(path))
    assert (path.read_bytes() == data) == (where == BESIDE)
    assert b"".join(map(bytes, embedding.own(str(path)))) == data
    assert read(path) == needs
    assert embedding.write(str(path), record(20, sample=False)) == where
    again = path.read_bytes()
    assert embedding.read(str(path)).record.sample is None
    assert embedding.remove(str(path)) == where
    assert path.read_bytes() == data
    assert embedding.find(str(path)) is None
    assert embedding.remove(str(path)) is None
    assert os.listdir(tmp_path) == ["model"]
    embedding.write(str(path), record(20, sample=False))
    assert path.read_bytes() == again  # the same record in the same model: the same bytes


def test_archives_are_whole(tmp_path: Path) -> None:
    for name in (name for name, (where, _) in FILES.items() if where == MEMBER):
        path = tmp_path / "model.pt"
        path.write_bytes(FILES[name][1])
        with zipfile.ZipFile(path) as before:
            members = [(item.filename, item.CRC, item.header_offset) for item in before.infolist()]
            comment = before.comment
        embedding.write(str(path), GIVEN)
        with zipfile.ZipFile(path) as after:
            *same, last = after.infolist()
            assert [(item.filename, item.CRC, item.header_offset) for item in same] == members, name
            assert after.comment == comment
            text = json.loads(after.read(last))
            assert last.filename.endswith("extra/envaudit.json")
            assert text["sample"]["file"] == "X.csv"


@pytest.mark.parametrize("count", [0xFFFF - 1, 0xFFFF + 1])
def test_more_members_than_the_short_form_counts(count: int, tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    data = archive(members=count - 3)
    path.write_bytes(data)
    assert embedding.write(str(path), GIVEN) == MEMBER
    with zipfile.ZipFile(path) as file:
        assert len(file.namelist()) == count + 1
    assert embedding.read(str(path)).record.snapshot == GIVEN.snapshot
    embedding.remove(str(path))
    assert path.read_bytes() == data


def test_an_archive_beyond_4_gb(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("model/data.pkl", pickle.dumps({"a": 1}, 2))
        file.start_dir += 4 << 30  # a hole, as a large storage would be
        file.writestr("model/version", b"3\n")
    size, blocks = path.stat().st_size, path.stat().st_blocks
    assert size > 4 << 30
    assert blocks < 100
    assert embedding.write(str(path), GIVEN) == MEMBER
    assert path.stat().st_blocks < 200  # only the end was written
    assert embedding.find(str(path)) is not None
    with zipfile.ZipFile(path) as file:
        assert file.testzip() is None
        assert file.namelist() == ["model/data.pkl", "model/version", "model/extra/envaudit.json"]
    assert embedding.remove(str(path)) == MEMBER
    assert path.stat().st_size == size


def test_a_record_that_is_too_long_for_the_gzip_header_lies_beside(tmp_path: Path) -> None:
    path = tmp_path / "model.pkl.gz"
    data = gzip.compress(PICKLED, mtime=0)
    path.write_bytes(data)
    assert embedding.write(str(path), record(3)) == HEADER
    assert embedding.write(str(path), record(2000)) == BESIDE
    assert path.read_bytes() == data
    assert embedding.read(str(path)).record.snapshot == record(2000).snapshot
    assert embedding.write(str(path), record(3)) == HEADER
    assert os.listdir(tmp_path) == ["model.pkl.gz"]
    assert embedding.read(str(path)).record.snapshot == record(3).snapshot


def test_a_sidecar_on_demand_takes_the_place_of_what_rides_inside(tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(PICKLED)
    embedding.write(str(path), record(3))
    assert embedding.write(str(path), record(4), sidecar=True) == BESIDE
    assert path.read_bytes() == PICKLED
    assert embedding.read(str(path)).record.snapshot == record(4).snapshot
    assert sorted(os.listdir(tmp_path)) == ["model.pkl", "model.pkl" + ENDING]


LARGE = pickle.dumps({"weights": bytes(66 << 20)})
"""So large that it is not copied."""


@pytest.mark.parametrize("data", [PICKLED, LARGE], ids=["small", "large"])
def test_permissions_owner_and_links_are_kept(data: bytes, tmp_path: Path) -> None:
    path, link = tmp_path / "store" / "model.pkl", tmp_path / "current.pkl"
    path.parent.mkdir()
    path.write_bytes(data)
    path.chmod(0o640)
    owner = (1234, 2345) if os.geteuid() == 0 else (os.geteuid(), os.getegid())
    os.chown(path, *owner)
    link.symlink_to("store/model.pkl")
    for carries in (True, False):
        inode = path.stat().st_ino
        _ = embedding.write(str(link), GIVEN) if carries else embedding.remove(str(link))
        found = path.stat()
        assert (stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid) == (0o640, *owner)
        assert os.readlink(link) == "store/model.pkl"
        assert (found.st_ino == inode) == (data is LARGE)
    assert path.read_bytes() == data
    assert os.listdir(path.parent) == ["model.pkl"]


def test_a_model_that_is_mapped_into_memory_stays_what_it_is(tmp_path: Path) -> None:
    path = tmp_path / "model.joblib"
    weights = numpy.arange(9_000_000.0)
    joblib.dump({"weights": weights}, path)
    mapped = joblib.load(path, mmap_mode="r")["weights"]
    assert isinstance(mapped, numpy.memmap)
    for given in (GIVEN, record(3), None):
        where = embedding.remove(str(path)) if given is None else embedding.write(str(path), given)
        assert where == BEHIND
        assert numpy.array_equal(mapped, weights)


@pytest.mark.parametrize("data", [PICKLED, LARGE], ids=["small", "large"])
def test_the_other_names_of_a_file_keep_what_they_have(data: bytes, tmp_path: Path) -> None:
    path, cached = tmp_path / "model.pkl", tmp_path / "cached"
    path.write_bytes(data)
    os.link(path, cached)
    embedding.write(str(path), GIVEN)
    assert cached.read_bytes() == data
    assert embedding.find(str(cached)) is None
    assert embedding.read(str(path)).record.snapshot == GIVEN.snapshot


def test_extended_attributes_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(PICKLED)
    try:
        os.setxattr(path, "user.origin", b"training")
    except OSError as error:
        pytest.skip(f"no extended attributes here: {error}")
    embedding.write(str(path), GIVEN)
    assert os.getxattr(path, "user.origin") == b"training"


@pytest.mark.parametrize("data", [PICKLED, dumped(), dumped(protocol=0)], ids=["pickle", "joblib", "protocol 0"])
def test_a_record_that_is_not_whole_is_no_matter_to_loaders(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model"
    path.write_bytes(data)
    embedding.write(str(path), record(3))
    whole = path.read_bytes()
    load = pickle.loads if data is PICKLED else lambda given: joblib.load(io.BytesIO(given))
    for size in range(len(data), len(whole)):
        assert load(whole[:size])["numbers"] == VALUE["numbers"]


def test_a_folder_that_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(EmbeddingError, match="name the model file in it"):
        embedding.find(str(tmp_path))
