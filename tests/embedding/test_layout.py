"""The layouts of docs/embedding.md, read by a reader that knows nothing but the page."""

from __future__ import annotations

import base64
import bz2
import hashlib
import json
import lzma
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import referencing

from envaudit import embedding
from envaudit.embedding import ENDING
from tests.embedding.kinds import kinds, record

DOCS = Path(__file__).parents[2] / "docs"
MARK = b"end of envaudit record"


def behind(data: bytes) -> tuple[bytes, bytes]:
    """The packed record, and the model's own bytes."""
    assert data.endswith(MARK + b".")
    length = int.from_bytes(data[-27:-23], "little")
    own, pickled = data[:-length], data[-length:]
    assert pickled[:20] == b"\x80\x03C\x0fenvaudit record0"
    assert pickled[20:21] == b"B"
    count = int.from_bytes(pickled[21:25], "little")
    assert count == len(pickled) - 26
    return pickled[25 : 25 + count - 26], own


def in_a_bzip2_stream(data: bytes) -> tuple[bytes, bytes]:
    at = max(data.rfind(b"BZh%d1AY&SY" % level) for level in range(1, 10))
    return behind(bz2.decompress(data[at:]))[0], data[:at]


def in_an_xz_stream(data: bytes) -> tuple[bytes, bytes]:
    at = data.rfind(b"\xfd7zXZ\0")
    return behind(lzma.decompress(data[at:]))[0], data[:at]


def in_an_lz4_frame(data: bytes) -> tuple[bytes, bytes]:
    length = int.from_bytes(data[-26:-22], "little")
    frame = data[-length:]
    assert frame[:4] == b"\x5e\x2a\x4d\x18"
    assert int.from_bytes(frame[4:8], "little") == length - 8
    return frame[8:-26], data[:-length]


def in_the_gzip_header(data: bytes) -> tuple[bytes, bytes]:
    assert data[3] == 4
    length = int.from_bytes(data[10:12], "little")
    assert data[12:14] == b"EA"
    assert int.from_bytes(data[14:16], "little") == length - 4
    return data[16 : 12 + length], data[:3] + b"\0" + data[4:10] + data[12 + length :]


def in_front(data: bytes) -> tuple[bytes, bytes]:
    content, at = b"", 2
    while True:
        assert data[at] == 0
        length = int.from_bytes(data[at + 1 : at + 3], "little")
        content += data[at + 5 : at + 5 + length]
        at += 5 + length
        if len(content) >= 6 + int.from_bytes(content[1:5], "little"):
            break
    assert content[:1] + content[-1:] == b"X0"
    name, second, checksum, modulo, packed = content[5:-1].decode().split(" ")
    assert (name, second) == ("envaudit", "record")
    whole = zlib.decompress(data)
    assert whole.startswith(content)
    assert int(modulo) == (len(whole) - len(content)) % 65_521
    return base64.b64decode(packed), data[:2] + data[at:-4] + bytes.fromhex(checksum)


def in_a_member(path: Path) -> tuple[bytes, bytes]:
    with zipfile.ZipFile(path) as file:
        *_, last = file.infolist()
        assert last.filename.endswith("/extra/envaudit.json")
        return file.read(last), path.read_bytes()[: last.header_offset]


READERS: dict[str, Callable[[bytes], tuple[bytes, bytes]]] = {
    "pickle": behind,
    "joblib": behind,
    "bz2": in_a_bzip2_stream,
    "xz": in_an_xz_stream,
    "lzma": in_an_xz_stream,
    "lz4": in_an_lz4_frame,
    "gzip": in_the_gzip_header,
    "zlib": in_front,
}


def digest(data: bytes) -> str:
    """As the page says it."""
    parts = [data[at : at + (16 << 20)] for at in range(0, len(data), 16 << 20)] or [b""]
    return "sha256/16MiB:" + hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()


def schema() -> Any:
    found = referencing.Registry()
    for name in ("snapshot.schema.json", "embedding.schema.json"):
        found = found.with_resource(name, referencing.Resource.from_contents(json.loads((DOCS / name).read_text())))
    return jsonschema.Draft202012Validator({"$ref": "embedding.schema.json"}, registry=found)


def text_of(path: Path, name: str) -> tuple[bytes, bytes]:
    if name == "npy":
        return Path(f"{path}{ENDING}").read_bytes(), path.read_bytes()
    if name == "torch":
        return in_a_member(path)
    packed, own = READERS[name](path.read_bytes())
    return zlib.decompress(packed), own


@pytest.mark.parametrize("count", [3, 1500], ids=["short", "long"])
@pytest.mark.parametrize("name", kinds())
def test_the_page_says_how_to_read_it(name: str, count: int, tmp_path: Path) -> None:
    path = tmp_path / "model"
    path.write_bytes(kinds()[name].model)
    where = embedding.write(str(path), record(count))
    text, own = text_of(path, "npy" if where == "in a file beside it" else name)
    assert own == kinds()[name].model
    document = json.loads(text)
    schema().validate(document)
    assert document["digest"] == digest(own)
    assert document["size"] == len(own)
    assert base64.b64decode(document["sample"]["base64"]) == b"a,b\n1,2\n"


@pytest.mark.parametrize("size", [0, 1, 16 << 20, (16 << 20) + 1, 33 << 20])
def test_the_digest_is_what_the_page_says(size: int, tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    data = bytes(range(256)) * (size // 256 + 1)
    path.write_bytes(data[:size])
    assert embedding.identity(str(path)) == (digest(data[:size]), size)


def test_the_schema_refuses(tmp_path: Path) -> None:
    path = tmp_path / "model.npy"
    path.write_bytes(kinds()["npy"].model)
    embedding.write(str(path), record())
    good = json.loads(text_of(path, "npy")[0])
    changes: list[dict[str, Any]] = [
        {"envaudit_embedded": 2}, {"digest": "5f0c"}, {"size": -1}, {"snapshot": {}}, {"sample": {"file": "X.npy"}},
        {"sample": {"file": "../X.npy", "base64": ""}},
    ]  # fmt: skip
    for change in changes:
        assert not schema().is_valid({**good, **change}), change
    assert not schema().is_valid({key: value for key, value in good.items() if key != "size"})
