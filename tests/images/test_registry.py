"""Images in a real registry, open and guarded, pushed by skopeo and pulled by an engine."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from envaudit.errors import TargetError
from envaudit.images.registry import open_registry
from envaudit.images.source import Source
from tests.images import making, serving
from tests.images.conftest import Skopeo, tool
from tests.images.making import Made

pytestmark = pytest.mark.usefixtures("docker_config")

PASSWORD = "hunter2"
ARM = making.image({"a": b"1"}, architecture="arm64", variant="v8")


def opened(reference: str, platform: str | None = None) -> Source:
    return open_registry(reference, platform, 30)


def contents(source: Source) -> list[bytes]:
    """The layers, each checked against its digest."""
    found = []
    for layer in source.layers:
        with source.open(layer) as stream:
            found.append(stream.read())
        assert making.digest_of(found[-1]) == layer.digest
    return found


def layers(made: Made) -> list[bytes]:
    return [made.blobs[layer["digest"]] for layer in made.document["layers"]]


def push(skopeo: Skopeo, made: Made, reference: str, folder: Path, *options: str) -> None:
    where = making.layout(folder / "pushed", made.named("x"))
    try:
        skopeo(f"oci:{where}:x", f"docker://{reference}", "--dest-tls-verify=false", *options)
    finally:
        shutil.rmtree(where)


def test_an_image(registry: str, small: Made, tmp_path: Path, skopeo: Skopeo) -> None:
    push(skopeo, small, f"{registry}/fraud:1.2", tmp_path)
    said = list[str]()
    source = open_registry(f"{registry}/fraud:1.2", None, 30, said.append)
    assert said == [f"asking {registry} for fraud"]
    assert contents(source) == layers(small)
    assert source.config == json.loads(small.blobs[small.document["config"]["digest"]])
    assert source.facts == {
        "id": small.document["config"]["digest"],
        "digests": [f"{registry}/fraud@{small.digest}"],
        "tags": [f"{registry}/fraud:1.2"],
        "platforms": [],
    }
    pinned = opened(f"{registry}/fraud@{small.digest}")
    assert pinned.facts == {**source.facts, "tags": []}
    # The digest says what is meant, whatever the tag says by now.
    assert opened(f"{registry}/fraud:gone@{small.digest}").layers == source.layers


def test_a_layer_from_an_offset_on(registry: str, small: Made, tmp_path: Path, skopeo: Skopeo) -> None:
    push(skopeo, small, f"{registry}/offset:1", tmp_path)
    source = opened(f"{registry}/offset:1")
    whole = contents(source)[1]
    for start in (1, 1000, len(whole) - 1):
        with source.open(source.layers[1], start) as stream:
            assert stream.read() == whole[start:]
    for start in (len(whole), len(whole) + 1):
        with source.open(source.layers[1], start) as stream:
            assert stream.read() == b""


def test_the_image_for_a_platform(registry: str, small: Made, tmp_path: Path, skopeo: Skopeo) -> None:
    index = making.index(small, ARM)
    push(skopeo, index, f"{registry}/many:1", tmp_path, "--all")
    source = opened(f"{registry}/many:1", "linux/arm64")
    assert contents(source) == layers(ARM)
    assert source.facts["platforms"] == ["linux/amd64", "linux/arm64"]
    assert source.facts["digests"] == [f"{registry}/many@{index.digest}", f"{registry}/many@{ARM.digest}"]
    assert opened(f"{registry}/many@{ARM.digest}").layers == source.layers
    with pytest.raises(TargetError, match=r"none for linux/s390x; .* exist: linux/amd64, linux/arm64$"):
        opened(f"{registry}/many:1", "linux/s390x")


def test_layers_packed_with_zstd(registry: str, small: Made, tmp_path: Path, skopeo: Skopeo) -> None:
    made, packed = f"oci:{making.layout(tmp_path / 'gzip', small)}", f"oci:{tmp_path / 'zstd'}:x"
    skopeo(made, packed, "--dest-compress", "--dest-compress-format", "zstd")
    skopeo(packed, f"docker://{registry}/zstd:1", "--dest-tls-verify=false")
    source = opened(f"{registry}/zstd:1")
    assert all(data.startswith(b"\x28\xb5\x2f\xfd") for data in contents(source))
    diff_ids = json.loads(small.blobs[small.document["config"]["digest"]])["rootfs"]["diff_ids"]
    assert [layer.diff_id for layer in source.layers] == diff_ids


@pytest.mark.engine
@pytest.mark.xdist_group("engine")
def test_the_digest_is_the_one_that_an_engine_keeps(
    engine: Any, registry: str, small: Made, tmp_path: Path, skopeo: Skopeo
) -> None:
    index = making.index(small, ARM)
    push(skopeo, index, f"{registry}/pulled:1", tmp_path, "--all")
    push(skopeo, small, f"{registry}/pulled:2", tmp_path)
    for name, platform in ((f"{registry}/pulled:1", "linux/amd64"), (f"{registry}/pulled:2", None)):
        source = opened(name, platform)
        subprocess.run(["docker", "pull", "--quiet", name], check=True, capture_output=True)
        try:
            described = engine.inspect_image(name)
        finally:
            engine.remove_image(name)
        assert source.facts["digests"][0] in described["RepoDigests"]
        assert source.facts["id"] == described["Id"]
        assert source.facts["tags"] == described["RepoTags"]


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("missing:1", "does not have a tag 1 of missing"),
        ("there:2", "does not have a tag 2 of there"),
        (f"there@sha256:{'0' * 64}", f"does not have the manifest sha256:{'0' * 64}"),
    ],
)
def test_what_is_not_there(registry: str, tmp_path: Path, skopeo: Skopeo, name: str, why: str) -> None:
    push(skopeo, ARM, f"{registry}/there:1", tmp_path)
    with pytest.raises(TargetError, match=why):
        opened(f"{registry}/{name}")


def test_a_storage_that_was_damaged(tmp_path: Path, small: Made, skopeo: Skopeo) -> None:
    folder = tmp_path / "registry"
    config, layer = small.document["config"]["digest"], small.document["layers"][0]["digest"]
    with serving.registry(tool("docker-registry"), folder) as host:
        push(skopeo, small, f"{host}/fraud:1", tmp_path)
        source = opened(f"{host}/fraud:1")
        stored = folder / "storage" / "docker" / "registry" / "v2" / "blobs" / "sha256"
        shutil.rmtree(stored / layer[7:9])
        with pytest.raises(TargetError, match=f"its registry does not have layer {layer}$"):
            source.open(source.layers[0])
        data = stored / config[7:9] / config[7:] / "data"
        data.write_bytes(data.read_bytes().replace(b"amd64", b"arm64"))
        with pytest.raises(TargetError, match=f"stored as {config} is something else"):
            opened(f"{host}/fraud:1")


def log_in(docker_config: Path, host: str, password: str = PASSWORD) -> None:
    """What ``docker login`` writes."""
    pair = base64.b64encode(f"me:{password}".encode()).decode()
    docker_config.write_text(json.dumps({"auths": {host: {"auth": pair}}}))


def refused(reference: str) -> str:
    with pytest.raises(TargetError) as caught:
        opened(reference)
    assert PASSWORD not in str(caught.value)
    return str(caught.value)


def test_a_password(small: Made, tmp_path: Path, skopeo: Skopeo, docker_config: Path) -> None:
    known = subprocess.run([tool("htpasswd"), "-Bbn", "me", PASSWORD], capture_output=True, text=True, check=True)
    (tmp_path / "htpasswd").write_text(known.stdout)
    auth = {"htpasswd": {"realm": "test", "path": str(tmp_path / "htpasswd")}}
    with serving.registry(tool("docker-registry"), tmp_path / "registry", auth=auth) as host:
        push(skopeo, small, f"{host}/fraud:1", tmp_path, f"--dest-creds=me:{PASSWORD}")
        assert refused(f"{host}/fraud:1").endswith(f"it wants a login, or does not exist; docker login {host}")
        log_in(docker_config, host, "wrong")
        assert refused(f"{host}/fraud:1").endswith(f"refuses the login that Docker keeps; docker login {host}")
        log_in(docker_config, "elsewhere.example")
        assert "wants a login" in refused(f"{host}/fraud:1")
        log_in(docker_config, host)
        assert contents(opened(f"{host}/fraud:1")) == layers(small)


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    """``ca.pem`` with ``ca.key``: a certificate for 127.0.0.1 that is its own authority."""
    command = [tool("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test"]
    files = ["-keyout", str(tmp_path / "ca.key"), "-out", str(tmp_path / "ca.pem")]
    subprocess.run([*command, "-addext", "subjectAltName=IP:127.0.0.1", *files], check=True, capture_output=True)
    return tmp_path / "ca.pem"


def test_tls(small: Made, tmp_path: Path, skopeo: Skopeo, authority: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tls = {"certificate": str(authority), "key": str(authority.with_suffix(".key"))}
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)
    with serving.registry(tool("docker-registry"), tmp_path / "registry", http={"tls": tls}) as host:
        push(skopeo, small, f"{host}/fraud:1", tmp_path)
        assert "the certificate of its registry cannot be checked; REQUESTS_CA_" in refused(f"{host}/fraud:1")
        with monkeypatch.context() as patch:
            patch.setenv("SSL_CERT_FILE", str(tmp_path / "gone.pem"))
            assert "cannot be checked" in refused(f"{host}/fraud:1")
            patch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "gone.pem"))
            assert "gone.pem, which does not exist" in refused(f"{host}/fraud:1")
        for name in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"):
            with monkeypatch.context() as patch:
                patch.setenv(name, str(authority))
                assert contents(opened(f"{host}/fraud:1")) == layers(small)


def test_plain_http_is_spoken_within_this_machine_alone(registry: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # The name of a host that is this machine, and does not say so.
    monkeypatch.setattr(socket, "getaddrinfo", _to_loopback(socket.getaddrinfo))
    port = registry.rpartition(":")[2]
    assert "speaks no TLS; plain HTTP is spoken within this machine alone" in refused(f"far.example:{port}/x")


def _to_loopback(known: Any) -> Any:
    return lambda host, *arguments, **options: known("127.0.0.1", *arguments, **options)


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Tokens:
    """A token server (distribution/distribution, docs/spec/auth/jwt.md) for one who has a password."""

    service = "registry of the test"

    def __init__(self, authority: Path) -> None:
        self.authority = authority
        self.given = list[serving.Request]()

    def __call__(self, handler: serving.Handler, request: serving.Request) -> bool:
        self.given.append(request)
        asked = parse_qs(urlsplit(request.path).query or request.body.decode())
        basic = base64.b64encode(f"me:{PASSWORD}".encode()).decode()
        known = request.headers.get("Authorization") == f"Basic {basic}" or asked.get("refresh_token") == [PASSWORD]
        if not known or asked["service"] != [self.service]:
            return handler.answer(401, b'{"errors": [{"code": "UNAUTHORIZED"}]}')
        scopes = [scope.split(":") for scope in asked.get("scope", ())]
        access = [{"type": kind, "name": name, "actions": actions.split(",")} for kind, name, actions in scopes]
        return handler.answer(200, json.dumps({"token": self._token(access)}).encode())

    def _token(self, access: list[dict[str, Any]]) -> str:
        certificate = "".join(self.authority.read_text().splitlines()[1:-1])
        head = {"typ": "JWT", "alg": "RS256", "x5c": [certificate]}
        now = int(time.time())
        claims = {"iss": "test", "aud": self.service, "sub": "me", "nbf": now - 60, "exp": now + 60, "access": access}
        text = ".".join(_encoded(json.dumps(part).encode()) for part in (head, claims))
        signed = [tool("openssl"), "dgst", "-sha256", "-sign", str(self.authority.with_suffix(".key"))]
        signature = subprocess.run(signed, input=text.encode(), capture_output=True, check=True).stdout
        return f"{text}.{_encoded(signature)}"


@contextmanager
def guarded(authority: Path, folder: Path) -> Iterator[tuple[str, Tokens]]:
    """A registry that wants tokens, and where they are to be had."""
    tokens = Tokens(authority)
    with serving.server(ARM, tokens) as server:
        auth = {"realm": f"http://{server.host}/token", "service": tokens.service, "issuer": "test"}
        settings = {"token": {**auth, "rootcertbundle": str(authority)}}
        with serving.registry(tool("docker-registry"), folder, auth=settings) as host:
            yield host, tokens


def test_tokens(small: Made, tmp_path: Path, skopeo: Skopeo, docker_config: Path, authority: Path) -> None:
    with guarded(authority, tmp_path / "registry") as (host, tokens):
        push(skopeo, small, f"{host}/fraud:1", tmp_path, f"--dest-creds=me:{PASSWORD}")
        assert "wants a login" in refused(f"{host}/fraud:1")
        log_in(docker_config, host, "wrong")
        assert "refuses the login" in refused(f"{host}/fraud:1")
        log_in(docker_config, host)
        tokens.given.clear()
        assert contents(opened(f"{host}/fraud:1")) == layers(small)
        (asked,) = tokens.given
        assert parse_qs(urlsplit(asked.path).query)["scope"] == ["repository:fraud:pull"]
        docker_config.write_text(json.dumps({"auths": {host: {"auth": "", "identitytoken": PASSWORD}}}))
        tokens.given.clear()
        assert contents(opened(f"{host}/fraud:1")) == layers(small)
        assert [asked.method for asked in tokens.given] == ["POST"]


def test_memory_does_not_grow_with_a_layer(registry: str, tmp_path: Path, skopeo: Skopeo) -> None:
    import tracemalloc

    large = making.image({"a": os.urandom(12 * 2**20)})
    push(skopeo, large, f"{registry}/large:1", tmp_path)
    source = opened(f"{registry}/large:1")
    seen = hashlib.sha256()
    tracemalloc.start()
    try:
        with source.open(source.layers[0]) as stream:
            while data := stream.read(128 * 1024):
                seen.update(data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert f"sha256:{seen.hexdigest()}" == source.layers[0].digest
    assert peak < 4 * 2**20
