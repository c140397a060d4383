"""A registry that is slow, broken, or after the credentials: few tries, then one line, and nothing told to others."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from envaudit.errors import MissingExtraError, TargetError
from envaudit.images import _http, registry
from envaudit.images.registry import open_registry
from envaudit.images.source import Source
from tests.images import making
from tests.images.serving import Handler, Misbehave, Request, Server, server

SECRET = "hunter2"
MADE = making.image({"a": b"1"}, {"b": bytes(range(256)) * 4000}, pack=lambda data: data)
LAYER = MADE.document["layers"][1]["digest"]
CONFIG = MADE.document["config"]["digest"]


pytestmark = pytest.mark.usefixtures("docker_config")


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_http, "PAUSE", 0.01)


def opened(host: str, timeout: float = 10, name: str = "fraud:1.2") -> Source:
    return open_registry(f"{host}/{name}", None, timeout)


def layer(source: Source, start: int = 0) -> bytes:
    with source.open(source.layers[1], start) as stream:
        return stream.read()


def log_in(docker_config: Path, host: str, **entry: str) -> None:
    entry = entry or {"auth": base64.b64encode(f"me:{SECRET}".encode()).decode()}
    docker_config.write_text(json.dumps({"auths": {host: entry}}))


def refused(host: str, **options: Any) -> str:
    """The one line that it ends with; never one with a secret in it."""
    with pytest.raises(TargetError) as caught:
        layer(opened(host, **options))
    line = str(caught.value)
    assert line.startswith(f"registry://{host}/fraud:1.2: ")
    assert line.isprintable()
    assert SECRET not in line
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return line


def first(count: int, part: str, answer: Callable[[Handler], object]) -> Misbehave:
    """Answer so the first times that such a path is asked for."""
    left = [count]

    def misbehave(handler: Handler, request: Request) -> bool:
        if part not in request.path or not left[0]:
            return False
        left[0] -= 1
        answer(handler)
        return True

    return misbehave


def test_an_honest_one() -> None:
    with server(MADE) as honest:
        source = opened(honest.host)
        assert layer(source) == MADE.blobs[LAYER]
        assert layer(source, 100_000) == MADE.blobs[LAYER][100_000:]
        assert honest.asked("/blobs/")[-1].headers["Range"] == "bytes=100000-"
        assert not any("Authorization" in request.headers for request in honest.requests)


@pytest.mark.parametrize("status", [429, 500, 502, 503])
@pytest.mark.parametrize("part", ["/manifests/1.2", f"/blobs/{CONFIG}", f"/blobs/{LAYER}"])
def test_what_passes_is_waited_for(status: int, part: str) -> None:
    with server(MADE, first(2, part, lambda handler: handler.answer(status, b"{}"))) as bad:
        assert layer(opened(bad.host)) == MADE.blobs[LAYER]
        assert len(bad.asked(part)) == 3


@pytest.mark.parametrize("status", [429, 500])
def test_what_does_not_pass_is_given_up(status: int) -> None:
    with server(MADE, first(100, "/manifests/", lambda handler: handler.answer(status))) as bad:
        line = refused(bad.host)
        assert f"its registry answers {status}" in line
        assert ("docker login" in line) == (status == 429)
        assert len(bad.asked("/manifests/")) == _http.TRIES


def test_the_pause_that_a_registry_wants_is_made() -> None:
    pauses = list[float]()

    def busy(handler: Handler) -> None:
        pauses.append(time.monotonic())
        handler.answer(429, headers={"Retry-After": "1"})

    with server(MADE, first(1, "/manifests/", busy)) as bad:
        opened(bad.host)
        assert time.monotonic() - pauses[0] >= 1

    def now(handler: Handler) -> None:
        handler.answer(503, headers={"Retry-After": handler.date_time_string()})

    with server(MADE, first(1, "/manifests/", now)) as bad:
        opened(bad.host)
        assert len(bad.asked("/manifests/")) == 2


@pytest.mark.parametrize("pause", ["", "soon", "-1", "\xb2", "Fri, 31 Dec 1999 23:59:59 GMT", "31 Dec 99999999"])
def test_a_pause_that_is_none(pause: str) -> None:
    headers = {"Retry-After": pause}
    with server(MADE, first(1, "/manifests/", lambda handler: handler.answer(503, headers=headers))) as bad:
        assert layer(opened(bad.host)) == MADE.blobs[LAYER]


@pytest.mark.parametrize("pause", ["3600", "Fri, 31 Dec 2100 23:59:59 GMT"])
def test_a_long_pause_is_not_made(pause: str) -> None:
    headers = {"Retry-After": pause}
    with server(MADE, first(100, "/manifests/", lambda handler: handler.answer(429, headers=headers))) as bad:
        assert re.search(r"answers 429 .*; try again in \d+ seconds", refused(bad.host))
        assert len(bad.asked("/manifests/")) == 1


@pytest.mark.parametrize("part", ["/manifests/1.2", f"/blobs/{LAYER}"])
def test_silence_has_an_end(part: str) -> None:
    def silent(handler: Handler) -> None:
        handler.server.over.wait()

    with server(MADE, first(100, part, silent)) as bad:
        assert "did not answer within 0.2 seconds (--timeout)" in refused(bad.host, timeout=0.2)
        assert len(bad.asked(part)) == _http.TRIES


def test_a_document_that_drips_has_an_end() -> None:
    def drip(handler: Handler) -> None:
        handler.send_response(200)
        handler.end_headers()
        while not handler.server.over.wait(0.05):
            handler.wfile.write(b" ")

    with server(MADE, first(100, "/manifests/", drip)) as bad:
        assert "no whole answer within 0.5 seconds" in refused(bad.host, timeout=0.5)


def test_a_document_without_an_end_is_not_kept() -> None:
    sent = [0]

    def flood(handler: Handler) -> None:
        handler.send_response(200)
        handler.end_headers()
        while not handler.server.over.is_set():
            sent[0] += handler.wfile.write(b" " * 65536)

    with server(MADE, first(100, "/manifests/", flood)) as bad:
        assert "is longer than 4194304 bytes" in refused(bad.host)
    assert sent[0] < 64 * 2**20


@pytest.mark.parametrize("ranges", [True, False])
def test_a_layer_that_is_cut_goes_on_where_it_was(ranges: bool) -> None:
    data = MADE.blobs[LAYER]

    def cut(handler: Handler, request: Request) -> bool:
        if LAYER not in request.path:
            return False
        start = int(request.headers.get("Range", "bytes=0-")[6:-1])
        last = len(bad.asked(LAYER)) > 3
        if ranges:
            span = {"Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"}
            handler.answer(206 if start else 200, data[start:], span, None if last else 300_000)
        else:
            handler.answer(200, data, cut=None if last else start + 300_000)
        return True

    with server(MADE, cut) as bad:
        assert layer(opened(bad.host)) == data
        starts = [int(request.headers.get("Range", "bytes=0-")[6:-1]) for request in bad.asked(LAYER)]
        assert len(starts) == 4
        # What came along with a cut may be lost, and is asked for again.
        assert 0 == starts[0] < starts[1] < starts[2] < starts[3] < len(data)


@pytest.mark.parametrize(("part", "digest"), [("/manifests/", MADE.digest), (CONFIG, CONFIG)])
def test_a_document_that_is_cut_is_asked_for_again(part: str, digest: str) -> None:
    with server(MADE, first(2, part, lambda handler: handler.answer(200, MADE.blobs[digest], cut=50))) as bad:
        assert layer(opened(bad.host)) == MADE.blobs[LAYER]
        assert len(bad.asked(part)) == 3


def test_a_layer_that_never_comes_whole_is_given_up() -> None:
    def cut(handler: Handler, request: Request) -> bool:
        if LAYER in request.path:
            handler.answer(200, MADE.blobs[LAYER], cut=100)
        return LAYER in request.path

    with server(MADE, cut) as bad:
        assert re.search(r"cannot be read: (its registry cannot be reached|the connection)", refused(bad.host))
        assert len(bad.asked(LAYER)) == _http.TRIES


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda handler: handler.answer(200, b"short"), f"another length of layer {LAYER} than its manifest says"),
        (lambda handler: handler.answer(206, MADE.blobs[LAYER], {"Content-Range": "bytes 7-9/10"}), "another length"),
        (lambda handler: handler.answer(404), f"does not have layer {LAYER}"),
        (lambda handler: handler.answer(416), "answers 416 when asked for layer"),
        (lambda handler: handler.answer(304), "answers 304 when asked for layer"),
    ],
)
def test_a_layer_that_is_another(answer: Callable[[Handler], object], why: str) -> None:
    with server(MADE, first(100, LAYER, answer)) as bad:
        assert why in refused(bad.host)


def test_documents_are_checked_whatever_the_registry_says_of_them() -> None:
    lie = {"Docker-Content-Digest": CONFIG, "Content-Type": making.MANIFEST}
    for part in ("/manifests/1.2", f"/blobs/{CONFIG}"):
        with server(MADE, first(100, part, lambda handler: handler.answer(200, b"{}", lie))) as bad:
            assert re.search("neither an image manifest|is something else", refused(bad.host))
    other = first(100, "/manifests/", lambda handler: handler.answer(200, b"{}"))
    with server(MADE, other) as bad, pytest.raises(TargetError, match=f"stored as {MADE.digest} is something else"):
        opened(bad.host, name=f"fraud@{MADE.digest}")


def test_schema_1() -> None:
    old = json.dumps({"schemaVersion": 1, "name": "fraud", "fsLayers": []}).encode()
    with server(MADE, first(9, "/manifests/", lambda handler: handler.answer(200, old))) as bad:
        assert "image format of before 2016 (schema 1)" in refused(bad.host)


def test_layers_that_are_foreign_are_not_fetched_from_elsewhere() -> None:
    with server(MADE) as elsewhere:
        made = MADE.document
        made["layers"][1].update(
            mediaType="application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
            urls=[f"http://{elsewhere.host}/v2/fraud/blobs/{LAYER}"],
        )
        foreign = making.document(made, making.MANIFEST, MADE)
        del foreign.blobs[LAYER]
        with server(foreign) as bad:
            assert "which its makers do not let others distribute" in refused(bad.host)
        assert elsewhere.requests == []


BASIC = {"WWW-Authenticate": 'Basic realm="x"'}


def guard(headers: dict[str, str]) -> Misbehave:
    """Let nobody in, whatever he says."""
    body = b'{"errors": [{"code": "UNAUTHORIZED"}]}'
    return first(100, "/fraud/", lambda handler: handler.answer(401, body, headers))


@pytest.mark.parametrize("headers", [BASIC, {}, {"WWW-Authenticate": "Negotiate"}, {"WWW-Authenticate": '",,=="'}])
def test_who_is_never_let_in_is_told_to_log_in(headers: dict[str, str], docker_config: Path) -> None:
    with server(MADE, guard(headers)) as bad:
        assert f"wants a login, or does not exist; docker login {bad.host}" in refused(bad.host)
        log_in(docker_config, bad.host)
        assert f"refuses the login that Docker keeps; docker login {bad.host}" in refused(bad.host)
        assert len(bad.requests) < 10


def test_access_is_denied(docker_config: Path) -> None:
    with server(MADE, first(100, "/fraud/", lambda handler: handler.answer(403))) as bad:
        assert f"access is denied without a login; docker login {bad.host}" in refused(bad.host)


def basic(handler: Handler, request: Request) -> bool:
    """A registry that lets me in."""
    expected = base64.b64encode(f"me:{SECRET}".encode()).decode()
    if "/fraud/" in request.path and request.headers.get("Authorization") != f"Basic {expected}":
        handler.answer(401, headers=BASIC)
        return True
    return False


@pytest.fixture
def elsewhere() -> Iterator[Server]:
    with server(MADE) as running:
        yield running


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_redirect_takes_no_credentials_along(docker_config: Path, elsewhere: Server, host: str) -> None:
    def away(handler: Handler, request: Request) -> bool:
        if not basic(handler, request) and "/blobs/" in request.path:
            place = f"http://{host}:{elsewhere.server_address[1]}{request.path}?signature={SECRET}"
            handler.answer(307, headers={"Location": place})
            return True
        return False

    with server(MADE, away) as bad:
        log_in(docker_config, bad.host)
        source = opened(bad.host)
        assert layer(source) == MADE.blobs[LAYER]
        assert layer(source, 5) == MADE.blobs[LAYER][5:]
        assert len(elsewhere.requests) == 3
        assert not any("Authorization" in request.headers for request in elsewhere.requests)
        assert elsewhere.requests[-1].headers["Range"] == "bytes=5-"
        elsewhere.misbehave = lambda handler, request: handler.answer(403)
        refused(bad.host)
        elsewhere.misbehave = guard(BASIC)
        refused(bad.host)
        elsewhere.misbehave = lambda handler, request: handler.server.over.wait() is True
        refused(bad.host, timeout=0.1)
        assert not any("Authorization" in request.headers for request in elsewhere.requests)


def test_a_redirect_in_the_same_place_takes_them_along(docker_config: Path) -> None:
    def moved(handler: Handler, request: Request) -> bool:
        if basic(handler, request):
            return True
        if "/blobs/" not in request.path or "moved" in request.path:
            return False
        handler.answer(308, headers={"Location": f"{request.path}?moved"})
        return True

    with server(MADE, moved) as bad:
        log_in(docker_config, bad.host)
        assert layer(opened(bad.host)) == MADE.blobs[LAYER]


@pytest.mark.parametrize(
    ("location", "why"),
    [
        ("/v2/fraud/manifests/1.2", "redirects for ever"),
        ("http://registry.example/v2/", "a place without TLS"),
        ("ftp://127.0.0.1/", "a place without TLS"),
        ("file:///etc/passwd", "a place without TLS"),
        ("http://[::1", "cannot be read|a place without TLS"),
        ("http://127.0.0.1:99999/", "a place without TLS"),
    ],
)
def test_redirects_that_are_not_followed(location: str, why: str) -> None:
    headers = {"Location": location}
    with server(MADE, first(100, "/manifests/", lambda handler: handler.answer(302, headers=headers))) as bad:
        assert re.search(why, refused(bad.host))
        assert len(bad.asked("/manifests/")) < 8


def tokens(server_of_tokens: Callable[[], str], good: set[str]) -> Misbehave:
    """A registry that takes these tokens alone, and says where they are to be had."""

    def misbehave(handler: Handler, request: Request) -> bool:
        if "/fraud/" not in request.path or request.headers.get("Authorization", "")[7:] in good:
            return False
        challenge = f'Bearer realm="{server_of_tokens()}",service="a \\"registry\\"",scope="repository:other:push"'
        handler.answer(401, headers={"WWW-Authenticate": challenge})
        return True

    return misbehave


def test_a_token_is_kept_until_it_is_refused(elsewhere: Server, docker_config: Path) -> None:
    good = {"token-1"}

    def give(handler: Handler, request: Request) -> bool:
        handler.answer(200, json.dumps({"access_token": next(iter(good))}).encode())
        return True

    elsewhere.misbehave = give
    with server(MADE, tokens(lambda: f"http://{elsewhere.host}/token", good)) as bad:
        log_in(docker_config, bad.host)
        source = opened(bad.host)
        with ThreadPoolExecutor(4) as pool:
            assert all(data == MADE.blobs[LAYER] for data in pool.map(lambda _: layer(source), range(8)))
        assert len(elsewhere.requests) == 1
        asked = elsewhere.requests[0]
        assert asked.path == "/token?scope=repository%3Afraud%3Apull&service=a+%22registry%22"
        assert asked.headers["Authorization"] == "Basic " + base64.b64encode(f"me:{SECRET}".encode()).decode()
        good.clear()
        good.add("token-2")
        assert layer(source) == MADE.blobs[LAYER]
        assert len(elsewhere.requests) == 2
        good.clear()
        good.add(f"never-{SECRET}\u00e9")
        assert "refuses the login" in refused(bad.host) or "holds no token" in refused(bad.host)


def test_an_identity_token_is_exchanged(elsewhere: Server, docker_config: Path) -> None:
    elsewhere.misbehave = lambda handler, request: handler.answer(200, b'{"token": "good"}')
    with server(MADE, tokens(lambda: f"http://{elsewhere.host}/token", {"good"})) as bad:
        log_in(docker_config, bad.host, auth="", identitytoken=SECRET)
        assert layer(opened(bad.host)) == MADE.blobs[LAYER]
    (asked,) = elsewhere.requests
    assert (asked.method, asked.path) == ("POST", "/token")
    assert "Authorization" not in asked.headers
    assert f"grant_type=refresh_token&client_id=envaudit&refresh_token={SECRET}" in asked.body.decode()


@pytest.mark.parametrize("realm", ["http://tokens.example/t", "", "//x", "ftp://127.0.0.1/", "https:", "token"])
def test_a_token_server_that_others_can_listen_to_is_told_nothing(realm: str, docker_config: Path) -> None:
    with server(MADE, tokens(lambda: realm, set())) as bad:
        log_in(docker_config, bad.host)
        assert re.search("token server without TLS", refused(bad.host))


@pytest.mark.parametrize(
    ("status", "data", "why"),
    [
        (200, b"{}", "holds no token"),
        (200, b'{"token": ["x"]}', "holds no token"),
        (200, b'{"token": "a\\r\\nX-Evil: 1"}', "holds no token"),
        (200, b"<html>", "is no JSON document"),
        (200, b"[]", "is no JSON object"),
        (401, f'{{"details": "{SECRET}"}}'.encode(), "refuses the login that Docker keeps"),
        (403, b"", "access is denied of this login"),
        (404, b"", "does not have a token"),
        (302, b"", "answers 302 when asked for a token"),
        (503, b"", "answers 503"),
    ],
)
def test_a_token_server_that_gives_none(
    elsewhere: Server, docker_config: Path, status: int, data: bytes, why: str
) -> None:
    elsewhere.misbehave = lambda handler, request: handler.answer(
        status, data, {"Location": f"http://{elsewhere.host}/x"}
    )
    with server(MADE, tokens(lambda: f"http://{elsewhere.host}/token", set())) as bad:
        log_in(docker_config, bad.host)
        assert why in refused(bad.host)


def test_what_a_credential_helper_keeps(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, docker_config: Path) -> None:
    helper = tmp_path / "docker-credential-drawer"
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with server(MADE, basic) as bad:
        for key in ("credsStore", "credHelpers"):
            docker_config.write_text(json.dumps({key: "drawer" if key == "credsStore" else {bad.host: "drawer"}}))
            helper.write_text(f"#!/bin/sh\necho '{json.dumps({'Username': 'me', 'Secret': SECRET})}'\n")
            helper.chmod(0o755)
            assert layer(opened(bad.host)) == MADE.blobs[LAYER]
            helper.write_text(f"#!/bin/sh\necho {SECRET} is locked away\nexit 1\n")
            assert "(the credential helper named in the Docker configuration cannot be asked)" in refused(bad.host)
            helper.write_text("#!/bin/sh\necho credentials not found in native keychain\nexit 1\n")
            assert refused(bad.host).endswith(f"docker login {bad.host}")
            helper.unlink()
            assert "(the credential helper named" in refused(bad.host)


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"auths": {"HOST": {"auth": "?"}}}', '{"auths": {"HOST": 1}}', '{"auths": 1}', '"x"']
)
def test_a_broken_docker_configuration_is_no_login(text: str, docker_config: Path) -> None:
    with server(MADE, basic) as bad:
        docker_config.write_text(text.replace("HOST", bad.host))
        assert "wants a login" in refused(bad.host)


def test_no_proxy_stands_between_this_machine_and_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    with server(MADE) as gone:
        pass
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://{gone.host}")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with server(MADE) as honest:
        assert layer(opened(honest.host)) == MADE.blobs[LAYER]


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        *(("localhost", True), ("LOCALHOST:5000", True), ("127.0.0.1:5000", True), ("127.1.2.3", True)),
        *(("[::1]:5000", True), ("[::2]", False), ("localhost.example", False), ("127.0.0.1.example", False)),
        *(("10.0.0.1", False), ("0.0.0.0", False), ("me@127.0.0.1@example", False), ("", False), ("[", False)),
    ],
)
def test_what_is_this_machine(host: str, expected: bool) -> None:
    assert _http.is_local(f"http://{host}/v2/") is expected


def test_nobody_is_there() -> None:
    with server(MADE) as gone:
        pass
    assert "its registry cannot be reached: Connection refused" in refused(gone.host)


def test_a_host_that_is_none() -> None:
    with pytest.raises(TargetError, match=r"there is no host fraud\.invalid|cannot be reached"):
        opened("fraud.invalid")


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "requests", None)
    with pytest.raises(MissingExtraError, match=r"envaudit\[docker\]"):
        registry.open_registry("fraud:1.2", None, 1)
