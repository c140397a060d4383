"""Indexes, manifests and configurations: what is in them is found, and nothing in them is believed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envaudit.errors import TargetError
from envaudit.images import manifest
from envaudit.images.manifest import Image, Index, Manifest
from tests.images import making
from tests.images.making import Made

HOST = {"os": "linux", "architecture": "amd64"}
ONE = making.image({"a": b"1"}, {"b": b"2"})
ARM = making.image({"a": b"1"}, architecture="arm64", variant="v8")
V6, V7 = (making.image({"a": b"1"}, architecture="arm", variant=variant) for variant in ("v6", "v7"))
RECORD = ONE._replace(
    descriptor={
        **making.image({"built": b"by"}).descriptor,
        "annotations": {"vnd.docker.reference.type": "attestation-manifest"},
        "platform": {"os": "unknown", "architecture": "unknown"},
    }
)


def resolve(made: Made, platform: str | None = None, **blobs: bytes) -> Image:
    found = manifest.parse(made.blobs[made.digest], "x", made.descriptor["mediaType"])
    return manifest.resolve(found, (made.digest,), lambda item: made.blobs[item.digest], platform, "x")


def test_an_image() -> None:
    image = resolve(ONE)
    parts = ONE.document
    assert image.id == parts["config"]["digest"]
    assert image.digests == (ONE.digest,)
    assert image.platforms == ()
    assert [(layer.digest, layer.size, layer.media_type) for layer in image.layers] == [
        (part["digest"], part["size"], part["mediaType"]) for part in parts["layers"]
    ]
    assert [layer.diff_id for layer in image.layers] == image.config["rootfs"]["diff_ids"]


@pytest.mark.parametrize(
    ("images", "platform", "expected"),
    [
        ((ARM, ONE), "linux/amd64", ONE),
        ((ONE, ARM), "linux/arm64", ARM),
        ((ONE, ARM), "linux/aarch64/v8", ARM),
        ((ONE, ARM), "linux/arm64/v9", ARM),
        ((V6, V7), "linux/arm", V7),
        ((V6, V7), "linux/arm/v8", V7),
        ((V7, V6), "linux/arm/v6", V6),
        ((RECORD, ARM), None, ARM),
        ((ONE, RECORD), "linux/amd64", ONE),
        ((making.index(making.index(ARM), ONE),), "linux/arm64", ARM),
    ],
)
def test_the_image_for_a_platform(images: tuple[Made, ...], platform: str | None, expected: Made) -> None:
    made = making.index(*images)
    image = resolve(made, platform)
    assert image.digests == (made.digest, expected.digest)
    assert image.config["architecture"] == expected.descriptor["platform"]["architecture"]
    assert "unknown/unknown" not in image.platforms


@pytest.mark.parametrize(
    ("images", "platform", "existing"),
    [
        ((ARM, ONE), "linux/s390x", "linux/arm64, linux/amd64"),
        ((V7, ARM), "linux/arm/v6", "linux/arm/v7, linux/arm64"),
        ((V7, RECORD), "linux/arm64", "linux/arm/v7"),
        ((ONE,), "windows/amd64", "linux/amd64"),
    ],
)
def test_no_platform_fits(images: tuple[Made, ...], platform: str, existing: str) -> None:
    with pytest.raises(TargetError, match=f"none for {platform}; .* those that exist: {existing}$"):
        resolve(making.index(*images), platform)


def test_an_image_without_an_index_for_another_platform() -> None:
    assert resolve(ARM).config["architecture"] == "arm64"
    assert resolve(ARM, "linux/arm64/v8").config["architecture"] == "arm64"
    with pytest.raises(TargetError, match=r"none for linux/amd64; .* exist: linux/arm64$"):
        resolve(ARM, "linux/amd64")


def test_foreign_architectures_do_not_stand_in() -> None:
    with pytest.raises(TargetError, match=r"none for .*; .* those that exist: linux/arm/v7, linux/arm/v6"):
        resolve(making.index(V7, V6))


def changed(made: Made, **fields: Any) -> bytes:
    return json.dumps({**made.document, **fields}).encode()


MANY = 1100 * [ONE.document["layers"][0]]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "no JSON document"),
        (b"{", "no JSON document"),
        (b"\xff\xfe\x00", "no JSON document"),
        (b"[" * 100_000, "no JSON document"),
        (b"9" * 100_000, "no JSON"),
        (rb'{"a": "\ud800"}', "no JSON document"),
        (b"[]", "no JSON object"),
        (b"{}", "neither an image manifest nor an image index"),
        (b" " * (manifest.DOCUMENT_CAP + 1), "longer than 4194304 bytes"),
        (b'{"schemaVersion": 1}', "schema 1"),
        (changed(ONE, mediaType=manifest.SCHEMA_1_TYPES[1]), "schema 1"),
        (changed(ONE, mediaType=making.INDEX), "given out as"),
        (changed(ONE, manifests=[]), "both an index and a manifest"),
        (changed(ONE, layers={}), "layers are no list"),
        (changed(ONE, layers=["x"]), "something else than descriptors"),
        (changed(ONE, layers=MANY), "1100 layers"),
        (changed(ONE, layers=[{**MANY[0], "digest": "sha256:../../x"}]), "no digest that is read"),
        (changed(ONE, layers=[{**MANY[0], "digest": "md5:" + "0" * 32}]), "no digest that is read"),
        (changed(ONE, layers=[{**MANY[0], "digest": None}]), "null is no digest"),
        (changed(ONE, layers=[{**MANY[0], "size": -1}]), "-1 is no size"),
        (changed(ONE, layers=[{**MANY[0], "size": 2**80}]), "is no size"),
        (changed(ONE, layers=[{**MANY[0], "size": True}]), "true is no size"),
        (changed(ONE, layers=[{**MANY[0], "size": "9" * 500}]), r"9\.\.\. is no size"),
        (changed(ONE, layers=[{**MANY[0], "mediaType": "application/vnd.in-toto+json"}]), "is no layer"),
        (changed(ONE, layers=[{**MANY[0], "mediaType": "\x1b[2J\n"}]), r"\\u001b\[2J\\n.* is no layer"),
        (changed(ONE, layers=[{**MANY[0], "mediaType": f"{making.LAYER}+gzip+encrypted"}]), "is encrypted"),
        (changed(ONE, layers=[{**MANY[0], "annotations": 1}]), "annotations"),
        (changed(ONE, config=None), "something else than descriptors"),
        (
            changed(ONE, config={**ONE.document["config"], "mediaType": "application/vnd.cncf.helm.config.v1+json"}),
            "no container image but an artifact of type .*helm",
        ),
    ],
)
def test_what_is_no_manifest_gets_one_line(data: bytes, why: str) -> None:
    with pytest.raises(TargetError, match=why) as caught:
        manifest.parse(data, "fraud.tar", making.MANIFEST)
    assert str(caught.value).startswith("fraud.tar: ")
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"architecture": 7}, "architecture is no text"),
        ({"config": "x"}, "config is no JSON object"),
        ({"config": {"Env": "PATH=/"}}, "Env is no list of texts"),
        ({"config": {"Env": [1]}}, "Env is no list of texts"),
        ({"config": {"Entrypoint": {}}}, "Entrypoint is no list of texts"),
        ({"config": {"Labels": {"a": 1}}}, "Labels is no object of texts"),
        ({"config": {"User": 0}}, "User is no text"),
        ({"rootfs": [1]}, "rootfs is no JSON object"),
        ({"rootfs": {"diff_ids": ["x"]}}, "diff_ids is no list of digests"),
        ({"rootfs": {"diff_ids": []}}, "has 1 layers, and a configuration for 0"),
        ({"rootfs": None}, "has 1 layers, and a configuration for 0"),
    ],
)
def test_what_is_no_configuration_gets_one_line(fields: dict[str, Any], why: str) -> None:
    with pytest.raises(TargetError, match=why):
        resolve(making.image({"a": b"1"}, **fields))


@pytest.mark.parametrize("config", [{"config": None}, {"config": {"Env": None, "Entrypoint": None, "Cmd": "sh"}}])
def test_what_may_be_left_out(config: dict[str, Any]) -> None:
    assert resolve(making.image({"a": b"1"}, **config)).config["config"] == config["config"]


@pytest.mark.parametrize("part", [ONE.digest, ONE.document["config"]["digest"]])
def test_a_damaged_document(part: str) -> None:
    made = making.index(ONE, ARM)
    made.blobs[part] = made.blobs[part].replace(b"linux", b"Linux").replace(b"schemaVersion", b"schemaversion")
    with pytest.raises(TargetError, match=f"stored as {part} is something else"):
        resolve(made, "linux/amd64")


def test_indexes_in_indexes_come_to_an_end() -> None:
    deep = ONE
    for _ in range(5):
        deep = making.index(deep)
    with pytest.raises(TargetError, match="more than 3 deep or 16 of them"):
        resolve(deep)
    wide = making.index(*(making.index(making.image({"a": bytes([number])})) for number in range(20)))
    with pytest.raises(TargetError, match="more than 3 deep or 16 of them"):
        resolve(wide)


def test_what_is_no_image_does_not_count() -> None:
    other = ONE._replace(descriptor={**ARM.descriptor, "mediaType": "application/x-other", "platform": HOST})
    assert resolve(making.index(other, ONE), "linux/amd64").digests[1] == ONE.digest
    with pytest.raises(TargetError, match="lists no image that is there"):
        resolve(making.index(other))


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
_FIELDS = st.sampled_from(
    "schemaVersion mediaType artifactType config layers manifests digest size annotations platform os architecture "
    "variant rootfs diff_ids Env Labels Cmd".split()
)
_DESCRIPTOR = st.fixed_dictionaries(
    {}, optional={name: st.just(value) | _JSON for name, value in {**ONE.descriptor, "annotations": {}}.items()}
)
_DOCUMENT = st.dictionaries(_FIELDS, _JSON | _DESCRIPTOR | st.lists(_DESCRIPTOR, max_size=3), max_size=6)


@given(_DOCUMENT.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=50))
def test_garbage_is_a_document_or_one_line(data: bytes) -> None:
    refused = list[TargetError]()
    try:
        found = manifest.parse(data, "x")
        assert isinstance(found, (Index, Manifest))
        manifest.resolve(found, (), lambda item: data, "linux/amd64", "x")
    except TargetError as error:
        refused.append(error)
    try:
        assert isinstance(manifest.configuration(data, "x"), dict)
    except TargetError as error:
        refused.append(error)
    assert all(str(error).isprintable() for error in refused)
