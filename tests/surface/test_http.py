"""Reading over HTTP: connections that are used again, dropped ones, redirects and proxies, on real sockets."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from envaudit.errors import TargetError
from envaudit.surface import _http


class Server(ThreadingHTTPServer):
    """A server that keeps connections open, and notes what it is asked on which of them."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[int, str, dict[str, str]]] = []
        self.connections = 0
        self.rude = False
        self.short = 0
        self.redirects: dict[str, str] = {}
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def process_request(self, request: socket.socket | tuple[bytes, socket.socket], client_address: object) -> None:
        self.connections += 1
        super().process_request(request, client_address)


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Nothing."""

    def do_GET(self) -> None:
        self.server.asked.append((self.client_address[1], self.path, dict(self.headers)))
        if self.path in self.server.redirects:
            self.send_response(302)
            self.send_header("Location", self.server.redirects[self.path])
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        data = self.path.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data) + (10 if self.server.short else 0)))
        self.end_headers()
        self.wfile.write(data)
        # Without a word in the headers, as a server does whose time for idle connections is over.
        self.close_connection = self.server.rude or self.server.short > 0
        self.server.short = max(0, self.server.short - 1)


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Server]]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(_http, "_PAUSE", 0.0)
    running: list[tuple[Server, threading.Thread]] = []

    def serve() -> Server:
        server = Server()
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        running.append((server, thread))
        return server

    yield serve
    _http.close()
    for server, thread in running:
        server.shutdown()
        thread.join()
        server.server_close()


def test_one_connection_serves_one_request_after_the_other(serve: Callable[[], Server]) -> None:
    server = serve()
    answers = [_http.get(f"{server.url}/{number}").data for number in range(20)]
    assert answers == [f"/{number}".encode() for number in range(20)]
    assert server.connections == 1


def test_requests_at_the_same_time_open_no_more_connections_than_there_are_of_them(
    serve: Callable[[], Server],
) -> None:
    server = serve()
    for _ in range(3):
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda number: _http.get(f"{server.url}/{number}").data, range(40)))
        assert answers == [f"/{number}".encode() for number in range(40)]
    assert server.connections <= 4


def test_a_connection_that_was_closed_meanwhile_costs_no_try(
    serve: Callable[[], Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve()
    monkeypatch.setattr(_http, "_TRIES", 1)
    server.rude = True
    for number in range(5):
        assert _http.get(f"{server.url}/{number}").data == f"/{number}".encode()
    assert server.connections == 5


def test_an_answer_that_is_cut_short_is_asked_for_again(serve: Callable[[], Server]) -> None:
    server = serve()
    server.short = 2
    assert _http.get(f"{server.url}/file").data == b"/file"
    assert len(server.asked) == 3
    server.short = 100
    with pytest.raises(TargetError, match="/file: cannot be read: IncompleteRead"):
        _http.get(f"{server.url}/file")


def test_a_redirect_is_followed_and_credentials_stay_at_their_host(serve: Callable[[], Server]) -> None:
    first, second = serve(), serve()
    first.redirects = {"/a": "/b", "/b": f"{second.url}/c"}
    assert _http.get(first.url.replace("//", "//user:hunter2@") + "/a").data == b"/c"
    assert ["Authorization" in headers for _, _, headers in first.asked] == [True, True]
    assert ["Authorization" in headers for _, _, headers in second.asked] == [False]
    first.redirects = {"/a": "/a"}
    with pytest.raises(TargetError, match="redirected for ever"):
        _http.get(f"{first.url}/a")
    with pytest.raises(TargetError, match="is no address of a web server"):
        _http.get("file:///etc/hostname")


def test_a_proxy_of_the_environment_is_asked(serve: Callable[[], Server], monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = serve()
    monkeypatch.setenv("http_proxy", proxy.url.replace("//", "//me:secret@"))
    assert _http.get("http://index.invalid/simple/").data == b"http://index.invalid/simple/"
    assert proxy.asked[0][2]["Proxy-Authorization"] == "Basic bWU6c2VjcmV0"
    assert proxy.asked[0][2]["Host"] == "index.invalid"
