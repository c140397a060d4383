"""Images in files, as skopeo and the engine write them, and as nobody should."""

from __future__ import annotations

import gzip
import io
import json
import os
import shutil
import subprocess
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envaudit.errors import TargetError
from envaudit.images import layout
from envaudit.images.source import Layer, Source
from tests.images import making
from tests.images.conftest import Skopeo

ONE = making.image({"a": b"1"}, {"b": b"2" * 70_000})
ARM = making.image({"a": b"1"}, architecture="arm64", variant="v8")


def stored(source: Source, layer: Layer) -> bytes:
    with source.open(layer) as file:
        return file.read()


def files(source: Source) -> list[dict[str, bytes]]:
    """The files of each layer, each layer checked against both of its digests."""
    found = []
    for layer in source.layers:
        data = stored(source, layer)
        assert layer.digest == making.digest_of(data)
        assert layer.size == len(data)
        if data.startswith(b"\x1f\x8b"):
            data = gzip.decompress(data)
        assert layer.diff_id == making.digest_of(data)
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            found.append({
                member.name: archive.extractfile(member).read()  # type: ignore[union-attr]
                for member in archive
                if member.isfile()
            })  # fmt: skip
    return found


def copies(path: Path, folder: Path, skopeo: Skopeo) -> dict[str, Path]:
    """The image of a docker archive in every form that skopeo writes."""
    for form in ("oci", "oci-archive", "docker-archive"):
        skopeo(f"docker-archive:{path}", f"{form}:{folder / form}:h.io/fraud:1.2")
    return {form: folder / form for form in ("oci", "oci-archive", "docker-archive")}


@pytest.mark.engine
@pytest.mark.xdist_group("engine")
def test_every_form_holds_the_same(engine: Any, two_layers: str, saved: Path, tmp_path: Path, skopeo: Skopeo) -> None:
    expected = [{"first": b"1\n"}, {"second": b"2" * 100_000}]
    described = engine.inspect_image(two_layers)
    source = layout.open_path(str(saved), None)
    assert files(source) == expected
    assert source.facts["id"] == described["Id"]
    assert source.facts["tags"] == described["RepoTags"]
    assert [layer.diff_id for layer in source.layers] == described["RootFS"]["Layers"]
    assert source.config["config"]["Env"] == described["Config"]["Env"]
    for form, path in copies(saved, tmp_path, skopeo).items():
        copy = layout.open_path(str(path), None)
        assert files(copy) == expected, form
        assert copy.config["config"]["Env"] == described["Config"]["Env"], form
        assert copy.facts["tags"] == ["h.io/fraud:1.2"], form


@pytest.mark.engine
@pytest.mark.xdist_group("engine")
def test_an_exported_container_is_one_layer(engine: Any, two_layers: str, tmp_path: Path) -> None:
    path = tmp_path / "exported.tar"
    container = engine.create_container(two_layers)["Id"]
    try:
        with path.open("wb") as file:
            file.writelines(engine.export(container))
    finally:
        engine.remove_container(container)
    source = layout.open_path(str(path), None)
    assert (source.config, source.facts) == ({}, {})
    (layer,) = source.layers
    assert layer == Layer("", path.stat().st_size)
    assert stored(source, layer) == path.read_bytes()
    packed = tmp_path / "exported.tar.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    source = layout.open_path(str(packed), None)
    assert stored(source, source.layers[0]) == packed.read_bytes()
    assert all(layout.looks_like_image(str(form)) for form in (path, packed))
    with pytest.raises(TargetError, match="no image is named fraud"):
        layout.open_path(str(path), None, "fraud")


@pytest.mark.engine
@pytest.mark.xdist_group("engine")
def test_several_images_of_one_archive(two_layers: str, saved: Path, tmp_path: Path) -> None:
    path = tmp_path / "several.tar"
    other = f"{two_layers.rpartition(':')[0]}:other"
    subprocess.run(["docker", "tag", two_layers, other], check=True)
    try:
        subprocess.run(["docker", "save", "--output", path, other, "envaudit-base:bookworm"], check=True)
    finally:
        subprocess.run(["docker", "rmi", "--no-prune", other], check=True, capture_output=True)
    with pytest.raises(TargetError, match=r"holds several images; write one of .*#envaudit-") as caught:
        layout.open_path(str(path), None)
    for spelling in str(caught.value).partition("write one of ")[2].split(", "):
        source = layout.open_path(*_split(spelling))
        assert source.facts["tags"] == [spelling.rpartition("#")[2]]
    expected = layout.open_path(str(saved), None)
    assert layout.open_path(str(path), None, f"docker.io/{other}").layers == expected.layers
    assert layout.open_path(str(path), None, str(expected.facts["id"])).layers == expected.layers
    with pytest.raises(TargetError, match=r"no image named fraud; those that it holds: .*#envaudit-"):
        layout.open_path(str(path), None, "fraud")


def _split(text: str) -> tuple[str, None, str | None]:
    path, name = layout.split(text)
    return path, None, name


def test_a_name_follows_a_path(tmp_path: Path) -> None:
    odd = tmp_path / "a#b.tar"
    odd.touch()
    assert layout.split(str(odd)) == (str(odd), None)
    assert layout.split(f"{odd}#x:1") == (str(odd), "x:1")
    assert layout.split("fraud.tar#h.io/x:1") == ("fraud.tar", "h.io/x:1")
    assert layout.split("fraud.tar") == ("fraud.tar", None)


def test_zstd_layers_as_skopeo_writes_them(tmp_path: Path, skopeo: Skopeo) -> None:
    made = making.layout(tmp_path / "gzip", ONE.named("x"))
    skopeo(f"oci:{made}:x", f"oci:{tmp_path / 'zstd'}:x", "--dest-compress", "--dest-compress-format", "zstd")
    source = layout.open_path(str(tmp_path / "zstd"), None)
    for layer, before in zip(source.layers, layout.open_path(str(made), None).layers, strict=True):
        data = stored(source, layer)
        assert data.startswith(b"\x28\xb5\x2f\xfd")
        assert layer.digest == making.digest_of(data)
        assert layer.diff_id == before.diff_id


@pytest.mark.parametrize("prefix", ["", "./"])
def test_an_archive_and_a_folder_read_alike(tmp_path: Path, prefix: str) -> None:
    folder = making.layout(tmp_path / "folder", ONE)
    path = making.archive(tmp_path / "archive.tar", folder, prefix)
    sources = [layout.open_path(str(place), None) for place in (folder, path)]
    assert files(sources[0]) == files(sources[1]) == [{"a": b"1"}, {"b": b"2" * 70_000}]
    for source in sources:
        whole = stored(source, source.layers[1])
        with source.open(source.layers[1], 100) as file:
            assert file.read(10) == whole[100:110]
            assert file.seekable()
            assert file.seek(3) == 3
            assert file.read() == whole[3:]
            assert file.read() == b""
            assert file.seek(-5, os.SEEK_END) == len(whole) - 5
            assert file.read() == whole[-5:]
        with source.open(source.layers[1], len(whole) + 7) as file:
            assert file.read() == b""


def test_an_archive_that_is_compressed_as_a_whole(tmp_path: Path) -> None:
    # Random bytes among others: marks lie 16 MiB apart, and not all of it can be at hand.
    large = making.image({"a": os.urandom(2**20) * 17}, {"b": b"1"}, {"c": os.urandom(2**20) * 2}, pack=bytes)
    path = making.archive(tmp_path / "x.tar", making.layout(tmp_path / "folder", large))
    packed = tmp_path / "x.tar.gz"
    with packed.open("wb") as file:
        subprocess.run(["gzip", "-1", "--stdout", str(path)], stdout=file, check=True)
    assert layout.looks_like_image(str(packed))
    said = list[str]()
    plain, source = (layout.open_path(str(form), None, None, said.append) for form in (path, packed))
    assert said == [f"going through {packed}, which is compressed"]
    assert source[:3] == plain[:3]  # type: ignore[index]
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda layer: making.digest_of(stored(source, layer)), source.layers))
    assert found == [layer.digest for layer in source.layers]
    whole = stored(plain, plain.layers[2])
    for start in (1, 10**6, len(whole) - 3, len(whole), len(whole) + 3):
        with source.open(source.layers[2], start) as stream:
            assert stream.read(5) == whole[start : start + 5]
    packed.write_bytes(packed.read_bytes()[: packed.stat().st_size // 2])
    with pytest.raises(TargetError, match=r"x.tar.gz: the archive is damaged: it ends in the middle"):
        layout.open_path(str(packed), None)


def test_layers_can_be_read_at_a_time(tmp_path: Path) -> None:
    many = making.image(*({"a": os.urandom(200_000)} for _ in range(6)))
    path = making.archive(tmp_path / "archive.tar", making.layout(tmp_path / "folder", many))
    source = layout.open_path(str(path), None)
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda layer: making.digest_of(stored(source, layer)), source.layers))
    assert found == [layer.digest for layer in source.layers]


def test_the_image_for_a_platform(tmp_path: Path) -> None:
    index = making.index(ONE, ARM)
    nested = making.layout(tmp_path / "nested", index.named("h.io/fraud:1.2"))
    flat = making.layout(tmp_path / "flat", ONE, ARM)
    for folder in (nested, flat):
        source = layout.open_path(str(folder), "linux/arm64")
        assert source.config["architecture"] == "arm64"
        assert source.facts["platforms"] == ["linux/amd64", "linux/arm64"]
        with pytest.raises(TargetError, match=r"none for linux/s390x; .* exist: linux/amd64, linux/arm64$"):
            layout.open_path(str(folder), "linux/s390x")
    # The name says nothing of what a registry knows by it.
    assert layout.open_path(str(nested), "linux/arm64").facts["digests"] == []


def test_an_index_of_which_one_platform_was_saved(tmp_path: Path) -> None:
    folder = making.layout(tmp_path / "part", making.index(ONE, ARM))
    (folder / "blobs" / ONE.digest.replace(":", "/")).unlink()
    assert layout.open_path(str(folder), None).config["architecture"] == "arm64"
    with pytest.raises(TargetError, match=r"none for linux/amd64; .* exist: linux/arm64$"):
        layout.open_path(str(folder), "linux/amd64")


def test_several_images_of_one_layout(tmp_path: Path) -> None:
    other = making.image({"x": b"y"})
    folder = making.layout(tmp_path / "several", ONE.named("1.2"), other.named("1.3"), ONE.named("newest"))
    with pytest.raises(TargetError, match=r"several images; write one of \S+#1.2, \S+#1.3, \S+#newest$"):
        layout.open_path(str(folder), None)
    for name in ("1.2", "newest", ONE.digest):
        assert files(layout.open_path(str(folder), None, name)) == [{"a": b"1"}, {"b": b"2" * 70_000}]
    assert files(layout.open_path(str(folder), None, "1.3")) == [{"x": b"y"}]
    unnamed = making.layout(tmp_path / "unnamed", *(
        made._replace(descriptor={**made.descriptor, "platform": None}) for made in (ONE, other)
    ))  # fmt: skip
    with pytest.raises(TargetError, match=rf"write one of \S+#{ONE.digest}, \S+#{other.digest}$"):
        layout.open_path(str(unnamed), None)


FROM = {"containerd.io/distribution.source.docker.io": "library/x,team/y"}
"""What engines write into the index of images that they pulled."""


def saved_by_containerd(folder: Path, top: making.Made, image: making.Made) -> Path:
    """What engines with containerd's store write for ``docker save h.io/fraud:1.2``: the image of one platform."""
    annotations = {"io.containerd.image.name": "h.io/fraud:1.2", making.NAME: "1.2", **FROM}
    top = top._replace(descriptor={**top.descriptor, "annotations": annotations, "platform": None})
    making.layout(folder, top)
    config, *layers = (
        f"blobs/{part['digest'].replace(':', '/')}" for part in (image.document["config"], *image.document["layers"])
    )
    entry = {"Config": config, "RepoTags": ["h.io/fraud:1.2"], "Layers": layers}
    (folder / "manifest.json").write_text(json.dumps([entry]))
    return making.archive(folder.with_suffix(".tar"), folder)


def test_what_engines_with_the_store_of_containerd_save(tmp_path: Path) -> None:
    path = saved_by_containerd(tmp_path / "one", ONE, ONE)
    source = layout.open_path(str(path), None)
    assert files(source) == [{"a": b"1"}, {"b": b"2" * 70_000}]
    assert source.facts["tags"] == ["h.io/fraud:1.2"]
    assert source.facts["digests"] == [f"x@{ONE.digest}", f"team/y@{ONE.digest}"]
    index = making.index(ONE, ARM)
    path = saved_by_containerd(tmp_path / "two", index, ARM)
    assert layout.open_path(str(path), "linux/amd64").config["architecture"] == "amd64"
    source = layout.open_path(str(path), "linux/arm64", "h.io/fraud:1.2")
    assert files(source) == [{"a": b"1"}]
    assert source.facts["digests"] == [
        f"{name}@{digest}" for digest in (index.digest, ARM.digest) for name in ("x", "team/y")
    ]


def test_of_a_platform_that_was_not_saved_the_manifest_may_be_there(tmp_path: Path) -> None:
    folder = tmp_path / "part"
    saved_by_containerd(folder, making.index(ONE, ARM), ARM)
    (folder / "blobs" / ONE.document["config"]["digest"].replace(":", "/")).unlink()
    path = making.archive(tmp_path / "part.tar", folder)
    assert layout.open_path(str(path), None).config["architecture"] == "arm64"
    with pytest.raises(TargetError, match=r"none for linux/amd64; .* exist: linux/arm64$"):
        layout.open_path(str(path), "linux/amd64")


def test_manifests_that_engines_25_wrote_wrongly_are_not_believed(tmp_path: Path) -> None:
    for name, layers in (("order", ONE.document["layers"][::-1]), ("layers", [])):
        wrong = making.document({**ONE.document, "layers": layers}, making.MANIFEST, ONE)
        path = saved_by_containerd(tmp_path / name, wrong, ONE)
        assert files(layout.open_path(str(path), None)) == [{"a": b"1"}, {"b": b"2" * 70_000}]
    folder = tmp_path / "order"
    (folder / "index.json").write_text('{"schemaVersion": 2, "manifests": null}')
    path = making.archive(tmp_path / "null.tar", folder)
    assert files(layout.open_path(str(path), None)) == [{"a": b"1"}, {"b": b"2" * 70_000}]


def docker_archive(path: Path, *members: tuple[str, bytes | str], links: dict[str, str] | None = None) -> str:
    """Members in this order; texts are paths that a hard link points to, ``links`` are symbolic ones."""
    with tarfile.open(path, "w") as archive:
        for name, data in members:
            member = tarfile.TarInfo(name)
            if isinstance(data, str):
                member.type, member.linkname = tarfile.LNKTYPE, data
            else:
                member.size = len(data)
            archive.addfile(member, io.BytesIO(data) if isinstance(data, bytes) else None)
        for name, target in (links or {}).items():
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, target
            archive.addfile(member)
    return str(path)


TAR = making.tar_of({"a": b"1"})
CONFIG = json.dumps({
    "os": "linux", "architecture": "arm64", "rootfs": {"diff_ids": [making.digest_of(TAR)] * 2},
}).encode()  # fmt: skip
HEX = making.digest_of(CONFIG).partition(":")[2]
SAVED = [{"Config": f"{HEX}.json", "RepoTags": ["fraud:1.2"], "Layers": ["aa/layer.tar", "bb/layer.tar"]}]


def saved_as(value: Any) -> tuple[str, bytes]:
    return "manifest.json", json.dumps(value).encode()


@pytest.mark.parametrize(
    ("second", "links"),
    [
        ((), {"bb/layer.tar": "../aa/layer.tar"}),
        ((("bb/layer.tar", "aa/layer.tar"),), {}),
        ((), {"bb/layer.tar": "../cc/layer.tar", "cc/layer.tar": "../aa/./layer.tar"}),
    ],
)
def test_equal_layers_are_links_to_one(tmp_path: Path, second: Any, links: dict[str, str]) -> None:
    path = docker_archive(
        tmp_path / "x.tar", (f"{HEX}.json", CONFIG), ("aa/layer.tar", TAR), *second, saved_as(SAVED), links=links
    )
    source = layout.open_path(path, None)
    assert files(source) == [{"a": b"1"}, {"a": b"1"}]
    assert source.facts == {"id": f"sha256:{HEX}", "digests": [], "tags": ["fraud:1.2"]}


def test_layers_that_other_tools_compress_have_no_digest_that_is_known(tmp_path: Path) -> None:
    packed = gzip.compress(TAR)
    members = ((f"{HEX}.json", CONFIG), ("aa/layer.tar", packed), ("bb/layer.tar", packed), saved_as(SAVED))
    source = layout.open_path(docker_archive(tmp_path / "x.tar", *members), None)
    assert source.layers[0] == Layer("", len(packed), "", making.digest_of(TAR))


@pytest.mark.parametrize(
    ("members", "links", "why"),
    [
        ((saved_as({}),), {}, "manifest.json: lists no images"),
        ((saved_as([]),), {}, "holds no image"),
        ((saved_as([1]),), {}, "lists no images"),
        ((saved_as([{**SAVED[0], "Config": 1}]),), {}, "lists no images"),
        ((saved_as([{**SAVED[0], "Layers": "aa"}]),), {}, "lists no images"),
        ((saved_as([{**SAVED[0], "Layers": [["aa"]]}]),), {}, "lists no images"),
        ((saved_as([{**SAVED[0], "RepoTags": 5}]),), {}, "lists no images"),
        ((("manifest.json", b"{"),), {}, "is no JSON document"),
        ((saved_as([{**SAVED[0], "Config": "../../../etc/passwd"}]),), {}, r"lacks \.\./\.\./\.\./etc/passwd"),
        ((saved_as([{**SAVED[0], "Config": "/etc/passwd"}]),), {}, "lacks /etc/passwd"),
        ((saved_as([{**SAVED[0], "Config": "x\n\x1b[31m"}]),), {}, r"lacks x\\n\\x1b"),
        ((saved_as(SAVED),), {f"{HEX}.json": "/etc/passwd"}, rf"lacks {HEX}.json"),
        ((saved_as(SAVED),), {f"{HEX}.json": f"{HEX}.json"}, "a link to a link"),
        ((saved_as(SAVED), (f"{HEX}.json", CONFIG)), {}, "lacks aa/layer.tar"),
        ((saved_as(SAVED), (f"{HEX}.json", CONFIG + b" ")), {}, f"stored as sha256:{HEX} is something else"),
        ((saved_as([{**SAVED[0], "Layers": ["aa"] * 2000}]), (f"{HEX}.json", CONFIG)), {}, "has 2000 layers"),
        ((saved_as([{**SAVED[0], "Layers": ["aa"]}]), (f"{HEX}.json", CONFIG)), {}, "has 1 layers, and .* for 2"),
        ((("index.json", b"{}"),), {}, "neither an image manifest nor"),
        ((("index.json", json.dumps(ONE.document).encode()),), {}, "index.json is no image index"),
        ((("index.json", b'{"manifests": []}'),), {}, "holds no image"),
        ((("index.json", b'{"manifests": []}'), ("oci-layout", b"{}")), {}, "another version than 1.0.0"),
        ((("index.json", json.dumps(making.index(ONE).document).encode()),), {}, f"lacks blobs/.*{ONE.digest[7:]}"),
    ],
)
def test_a_broken_archive_gets_one_line(tmp_path: Path, members: Any, links: dict[str, str], why: str) -> None:
    path = docker_archive(tmp_path / "x.tar", *members, links=links)
    with pytest.raises(TargetError, match=why) as caught:
        layout.open_path(path, None)
    assert str(caught.value).startswith(path)
    assert str(caught.value).isprintable()


def test_another_platform_than_the_one_that_was_saved(tmp_path: Path) -> None:
    members = ((f"{HEX}.json", CONFIG), ("aa/layer.tar", TAR), ("bb/layer.tar", "aa/layer.tar"), saved_as(SAVED))
    path = docker_archive(tmp_path / "x.tar", *members)
    assert layout.open_path(path, "linux/arm64").config["architecture"] == "arm64"
    with pytest.raises(TargetError, match=r"none for linux/amd64; .* exist: linux/arm64$"):
        layout.open_path(path, "linux/amd64")


def test_an_archive_that_was_cut_off(tmp_path: Path) -> None:
    path = making.archive(tmp_path / "x.tar", making.layout(tmp_path / "folder", ONE))
    data = path.read_bytes()
    for size in (700, 3000, len(data) // 2):
        path.write_bytes(data[:size])
        with pytest.raises(TargetError, match=r"x.tar: (is damaged: it ends in the middle|is neither)"):
            layout.open_path(str(path), None)


@pytest.mark.parametrize(("pack", "command"), [("xz", "unxz"), ("bzip2", "bunzip2")])
def test_a_compressed_archive_says_how_to_unpack_it(tmp_path: Path, pack: str, command: str) -> None:
    path = making.archive(tmp_path / "x.tar", making.layout(tmp_path / "folder", ONE))
    subprocess.run([pack, str(path)], check=True)
    (packed,) = tmp_path.glob("x.tar.*")
    assert layout.looks_like_image(str(packed))
    with pytest.raises(TargetError, match=f"is compressed, and not with gzip; {command} it"):
        layout.open_path(str(packed), None)


def test_what_is_in_the_way_of_a_blob_is_not_read(tmp_path: Path) -> None:
    for make in (os.mkfifo, lambda path: path.symlink_to("/dev/zero"), lambda path: path.symlink_to(path)):
        folder = making.layout(tmp_path / "folder", ONE)
        config = folder / "blobs" / str(ONE.document["config"]["digest"]).replace(":", "/")
        config.unlink()
        make(config)
        with pytest.raises(TargetError, match=f"{config}: cannot be read: (is no regular file|Too many levels)"):
            layout.open_path(str(folder), None)
        shutil.rmtree(folder)


def test_a_header_that_claims_a_gigabyte_is_not_believed(tmp_path: Path) -> None:
    header = tarfile.TarInfo("blobs/x")
    header.type, header.size = tarfile.XHDTYPE, 2**30
    path = tmp_path / "x.tar"
    path.write_bytes(making.tar_of({"oci-layout": b""})[:512] + header.tobuf(tarfile.USTAR_FORMAT))
    os.truncate(path, 2**30 + 4096)
    with pytest.raises(TargetError, match="is damaged: a header has 1073741824 bytes"):
        layout.open_path(str(path), None)


OCI, DOCKER = making.image({"a": b"1"}, {"b": b"2"}), [saved_as(SAVED), (f"{HEX}.json", CONFIG), ("aa/layer.tar", TAR)]


@given(
    st.sampled_from(["oci", "docker"]),
    st.lists(st.tuples(st.integers(0, 2**14), st.binary(min_size=1, max_size=8)), max_size=3),
    st.integers(-2000, 0),
)
def test_an_archive_with_any_damage_is_an_image_or_one_line(
    tmp_path_factory: pytest.TempPathFactory, form: str, damages: list[tuple[int, bytes]], cut: int
) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    path = folder / "x.tar"
    if form == "oci":
        making.archive(path, making.layout(folder / "layout", OCI))
    else:
        docker_archive(path, *DOCKER, ("bb/layer.tar", "aa/layer.tar"))
    data = bytearray(path.read_bytes())
    for at, written in damages:
        data[at : at + len(written)] = written
    path.write_bytes(data[: len(data) + cut])
    layout.looks_like_image(str(path))
    try:
        source = layout.open_path(str(path), None)
    except TargetError as error:
        line = str(error)
    else:
        line = ""
        assert all(stored(source, layer) is not None for layer in source.layers)
    assert line == "" or line.startswith(str(path))


def test_an_archive_of_very_many_members(tmp_path: Path) -> None:
    member = tarfile.TarInfo("blobs/x").tobuf()
    path = tmp_path / "x.tar"
    path.write_bytes(member * 17_000)
    with pytest.raises(TargetError, match="more than 16384 members"):
        layout.open_path(str(path), None)


def test_what_an_image_looks_like(tmp_path: Path) -> None:
    folder = making.layout(tmp_path / "folder", ONE)
    for path in (folder, making.archive(tmp_path / "a", folder), making.archive(tmp_path / "b", folder, "./")):
        assert layout.looks_like_image(str(path)), path
    (tmp_path / "plain.tar").write_bytes(making.tar_of({"data/1.csv": b"1", "data/2.csv": b"2"}))
    (tmp_path / "text").write_text("# requirements\n")
    (tmp_path / "text.gz").write_bytes(gzip.compress(b"text" * 1000))
    (tmp_path / "empty").touch()
    for name in ("plain.tar", "text", "text.gz", "empty", "absent", "."):
        assert not layout.looks_like_image(str(tmp_path / name)), name
        with pytest.raises(TargetError):
            layout.open_path(str(tmp_path / name), None)
