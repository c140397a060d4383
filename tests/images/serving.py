"""Registries: Debian's own, run for a test, and one in this process that can be told to misbehave."""

from __future__ import annotations

import http.client
import json
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.images.making import Made


@contextmanager
def registry(program: str, folder: Path, **settings: dict[str, Any]) -> Iterator[str]:
    """``HOST:PORT`` of docker-registry, its storage in a folder; ``settings`` are further parts of its config.yml."""
    folder.mkdir(exist_ok=True)
    for _ in range(5):
        with socket.create_server(("127.0.0.1", 0)) as free:
            host = f"127.0.0.1:{free.getsockname()[1]}"
        config = {
            "version": "0.1",
            "log": {"level": "error", "accesslog": {"disabled": True}},
            "storage": {"filesystem": {"rootdirectory": str(folder / "storage")}},
            **settings,
            "http": {"addr": host, **settings.get("http", {})},
        }
        (folder / "config.yml").write_text(json.dumps(config))  # JSON is YAML
        with (folder / "log").open("w") as log:
            process = subprocess.Popen([program, "serve", str(folder / "config.yml")], stdout=log, stderr=log)
        try:
            if _answers(host, process):
                yield host
                return
        finally:
            process.terminate()
            process.wait()
    pytest.fail(f"docker-registry does not answer: {(folder / 'log').read_text()[-2000:]}")


def _answers(host: str, process: subprocess.Popen[bytes]) -> bool:
    """Whether it does, at last; False where it has ended: somebody else may have taken the port."""
    while process.poll() is None:
        connection = http.client.HTTPConnection(host, timeout=10)
        try:
            connection.request("GET", "/v2/")
            connection.getresponse().read()
        except OSError:
            time.sleep(0.05)
        else:
            return True
        finally:
            connection.close()
    return False


class Request(NamedTuple):
    """What was asked."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Handler(BaseHTTPRequestHandler):
    """Answers as a registry does, unless the server's ``misbehave`` has answered."""

    server: Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        request = Request(self.command, self.path, dict(self.headers), body)
        self.server.requests.append(request)
        if not self.server.misbehave(self, request):
            self.honestly()

    do_POST = do_GET  # noqa: N815

    def honestly(self) -> None:
        made = self.server.made
        _, _, rest = self.path.partition("?")[0].partition("/v2/")
        kind, _, name = rest.partition("fraud/")[2].partition("/")
        name = made.digest if name == "1.2" else name
        if not rest:
            self.answer(200, b"{}")
        elif name not in made.blobs:
            self.answer(404, b'{"errors": [{"code": "MANIFEST_UNKNOWN"}]}')
        elif kind == "manifests":
            data = made.blobs[name]
            self.answer(200, data, {"Content-Type": json.loads(data)["mediaType"]})
        else:
            self.answer_range(made.blobs[name])

    def answer_range(self, data: bytes) -> None:
        """A blob, or the part of it that was asked for."""
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(asked[1]) if asked else 0
        span = {"Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"} if asked else {}
        self.answer(206 if asked else 200, data[start:], span)

    def answer(
        self, status: int, data: bytes = b"", headers: dict[str, str] | None = None, cut: int | None = None
    ) -> bool:
        """One answer; ``cut`` closes the connection after so many of its bytes. True: it was answered."""
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data[:cut])
        self.close_connection = cut is not None
        return True

    def log_message(self, *arguments: Any) -> None:
        pass


class Server(ThreadingHTTPServer):
    """A registry of one image, ``fraud:1.2``, that writes down what it is asked."""

    daemon_threads = True

    def __init__(self, made: Made, misbehave: Callable[[Handler, Request], bool]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.made, self.misbehave = made, misbehave
        self.requests = list[Request]()
        self.over = threading.Event()
        """Set at the end, for whoever lets a client wait."""
        self.host = f"127.0.0.1:{self.server_address[1]}"

    def asked(self, part: str) -> list[Request]:
        """The requests whose path holds a text."""
        return [request for request in self.requests if part in request.path]

    def handle_error(self, request: Any, address: Any) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError):  # a client that had enough
            super().handle_error(request, address)


Misbehave = Callable[[Handler, Request], bool]


@contextmanager
def server(made: Made, misbehave: Misbehave = lambda handler, request: False) -> Iterator[Server]:
    """A running :class:`Server`."""
    running = Server(made, misbehave)
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield running
    finally:
        running.over.set()
        running.shutdown()
        thread.join()
        running.server_close()
