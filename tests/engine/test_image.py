"""``image://``: an image is run once, shut off from everything, and leaves nothing behind."""

from __future__ import annotations

import os
import shutil
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from envaudit import store
from envaudit.errors import EngineError, InspectorError, TargetError
from envaudit.evidence import Evidence, FileRequest, Options, Request
from envaudit.take import take
from envaudit.targets import _engine, image

pytestmark = [pytest.mark.engine, pytest.mark.xdist_group("engine")]
Leftovers = Callable[[], list[str]]

BASE = "FROM envaudit-base:bookworm\n"
SECRET = "hunter2-do-not-tell"


def gather(reference: str, request: Request | None = None, **options: Any) -> Evidence:
    found = image.gather(reference, request or Request(), Options(**options))
    assert isinstance(found, Evidence)
    return found


def chosen(reference: str, **options: Any) -> tuple[str, str, str, tuple[str, ...]]:
    environment = gather(reference, **options).environment
    assert environment is not None
    return environment


def test_what_it_holds_is_seen(old: str, new: str, leftovers: Leftovers) -> None:
    before, after = take(old), take(new)
    assert before.target.kind == "image"
    assert str(before.of("python")["python"].version).startswith("3.11.")
    assert str(after.of("python")["python"].version).startswith("3.13.")
    assert before.of("distribution")["scikit-learn"].version == "1.3.2"
    assert after.of("distribution")["scikit-learn"].version == "1.6.1"
    assert before.of("setting")["OMP_NUM_THREADS"].version == "3"
    attributes = before.of("image")["config"].attributes
    assert attributes["architecture"] in ("amd64", "arm64")
    assert attributes["cmd"][0] == "python"
    assert attributes["labels"] == {"org.opencontainers.image.version": "1.2"}
    assert attributes["workdir"] == "/app"
    assert "env" not in attributes
    assert leftovers() == []


def test_any_way_to_name_it_gives_the_same(engine: Any, old: str) -> None:
    identity = engine.inspect_image(old)["Id"]
    expected = take(old).components
    for name in (f"image://{old}", identity, identity.removeprefix("sha256:")[:12]):
        assert take(name).components == expected, name


def test_it_is_shut_off(build: Any) -> None:
    tag = build("tiny", BASE)
    evidence = gather(
        tag,
        Request(
            files=(FileRequest("/proc/self/status"), FileRequest("/proc/self/mounts")), names=("/sys/class/net/*",)
        ),
    )
    status = dict(
        line.split(":\t", 1) for line in evidence.files["/proc/self/status"].text.splitlines() if ":\t" in line
    )
    assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == int(status["CapBnd"], 16) == 0
    assert status["NoNewPrivs"] == "1"
    root = next(
        line.split() for line in evidence.files["/proc/self/mounts"].text.splitlines() if line.split()[1] == "/"
    )
    assert "ro" in root[3].split(",")
    assert evidence.names == ("/sys/class/net/lo",)


def test_the_container_is_limited_and_labelled(engine: Any, build: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    converse = _engine.converse

    def spy(*arguments: Any) -> tuple[bytes, bytes]:
        for found in engine.containers(all=True, filters={"label": image.LABEL}):
            seen.append(engine.inspect_container(found["Id"]))
        return converse(*arguments)

    monkeypatch.setattr(_engine, "converse", spy)
    gather(build("tiny", BASE))
    (found,) = seen
    host, config = found["HostConfig"], found["Config"]
    assert host["NetworkMode"] == "none"
    assert host["ReadonlyRootfs"] is True
    assert host["CapDrop"] == ["ALL"]
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert 0 < host["PidsLimit"] < 1000
    assert 0 < host["Memory"] <= 2**31
    assert host["AutoRemove"] is True
    assert not host["Binds"]
    assert config["Tty"] is False
    assert config["StdinOnce"] is True
    assert found["Path"] == "python3"
    assert found["Args"] == ["-B", "-"]


def test_volumes_of_the_image_are_removed(engine: Any, build: Any, leftovers: Leftovers) -> None:
    tag = build("volume", BASE + "VOLUME /data\n")
    before = len(engine.volumes()["Volumes"] or ())
    gather(tag)
    assert leftovers() == []
    assert len(engine.volumes()["Volumes"] or ()) == before


def test_a_printing_sitecustomize_does_no_harm(build: Any) -> None:
    noise = (
        "import sys, atexit\n"
        "sys.stdout.buffer.write(b'\\xff\\x00 noise ' * 10000 + b'\\n'); sys.stdout.flush()\n"
        "sys.stderr.write('Traceback: envaudit-inspector-refuses\\n')\n"
        "atexit.register(print, 'envaudit-0000 and at the end')\n"
    )
    tag = build("noisy", BASE + "COPY custom /etc/python3.11/sitecustomize.py\n", {"custom": noise})
    assert gather(tag).interpreter["version"].startswith("3.11.")


def test_a_virtual_env_that_is_not_on_path(build: Any, old: str) -> None:
    tag = build("virtual-env", f"FROM {old}\nENV VIRTUAL_ENV=/opt/venv PATH=/usr/bin:/bin\nCMD []\n")
    assert chosen(tag) == ("/opt/venv/bin/python", "/opt/venv", "VIRTUAL_ENV", ())
    assert chosen(tag, python="/usr/bin/python3") == ("/usr/bin/python3", "/usr", "--python", ("/opt/venv",))


def test_the_entry_point_beats_virtual_env(build: Any) -> None:
    tag = build(
        "entrypoint",
        BASE + "RUN python3 -m venv --without-pip /srv/serve && python3 -m venv --without-pip /app/.venv\n"
        "ENV VIRTUAL_ENV=/app/.venv\nWORKDIR /app\n"
        'ENTRYPOINT ["/usr/bin/env", "A=b", "/srv/serve/bin/server", "--port"]\n',
    )
    assert chosen(tag) == ("/srv/serve/bin/python3", "/srv/serve", "entrypoint", ("/app/.venv",))


def test_a_virtual_env_that_is_gone_is_passed_over(build: Any) -> None:
    tag = build("gone", BASE + "ENV VIRTUAL_ENV=/opt/gone\n")
    assert chosen(tag)[:3] == ("/usr/bin/python3", "/usr", "PATH")


def test_an_unprivileged_user(build: Any) -> None:
    tag = build("user", BASE + "RUN mkdir -m 700 /secret\nUSER 1234:1234\n")
    evidence = gather(tag, Request(names=("/secret/*",)))
    assert evidence.image["user"] == "1234:1234"
    assert evidence.errors == (("/secret", "Permission denied"),)


def test_a_program_that_is_no_python(build: Any, leftovers: Leftovers) -> None:
    tag = build("nopython", "FROM scratch\nCOPY file /file\n", {"file": "x"})
    with pytest.raises(InspectorError, match=r"its user 'root' may not run /file|not for this machine"):
        gather(tag, python="/file")
    assert leftovers() == []


def test_another_architecture_that_cannot_be_read_either(build: Any, leftovers: Leftovers) -> None:
    foreign = 0xB7 if os.uname().machine == "x86_64" else 0x3E
    elf = (
        b"\x7fELF\x02\x01\x01"
        + bytes(9)
        + struct.pack("<HHIQQQIHHHHHH", 2, foreign, 1, 0x400078, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    )
    elf += struct.pack("<IIQQQQQQ", 1, 5, 0, 0x400000, 0x400000, 256, 256, 4096) + bytes(136)
    tag = build("foreign", BASE + "COPY python /opt/other/bin/python\nENV VIRTUAL_ENV=/opt/other\n", {"python": elf})
    with pytest.raises(InspectorError, match=r"its /opt/other/bin/python is not for this machine"):
        gather(tag)
    assert leftovers() == []


def test_one_that_hangs_is_given_up(hanging: str, leftovers: Leftovers) -> None:
    before = time.monotonic()
    with pytest.raises(InspectorError, match=r"no answer within 1 seconds \(--timeout sets the limit\)$"):
        gather(hanging, timeout=1.0)
    assert leftovers() == []
    assert time.monotonic() - before < 8


def test_one_that_never_stops_talking_is_given_up(
    build: Any, leftovers: Leftovers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_engine, "REPLY_CAP", 4 * 2**20)
    talk = "import os\nwhile True: os.write(1, b'x' * 65536)\n"
    tag = build("endless", BASE + "COPY custom /etc/python3.11/sitecustomize.py\n", {"custom": talk})
    with pytest.raises(InspectorError, match=r"the reply is longer than 4 MiB"):
        gather(tag)
    assert leftovers() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_after_a_signal(
    engine: Any, hanging: str, leftovers: Leftovers, number: signal.Signals
) -> None:
    mine = {"label": image.LABEL, "ancestor": hanging}
    process = subprocess.Popen(
        [sys.executable, "-m", "envaudit", "snapshot", hanging],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell starts its background jobs with SIGINT ignored, and these tests may run in one.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    for _ in range(200):
        if engine.containers(filters=mine):
            break
        time.sleep(0.05)
    else:
        process.kill()
        pytest.fail(f"no container came up: {process.communicate()}")
    process.send_signal(number)
    said, complaint = process.communicate(timeout=20)
    assert process.returncode != 0
    assert said == ""
    assert "Traceback" not in complaint
    if number == signal.SIGKILL:  # nobody can clean up then; the label tells what the container is
        for found in engine.containers(all=True, filters=mine):
            engine.remove_container(found["Id"], force=True)
    assert leftovers() == []


def test_an_interrupt_while_the_container_is_made(engine: Any, build: Any, leftovers: Leftovers) -> None:
    class Interrupted:
        """The engine makes the container, but its answer never arrives."""

        base_url = engine.base_url

        def __getattr__(self, name: str) -> Any:
            return getattr(engine, name)

        def create_container(self, *arguments: Any, **settings: Any) -> None:
            engine.create_container(*arguments, **settings)
            raise KeyboardInterrupt

    config = _engine.image_config(engine.inspect_image(build("tiny", BASE)))
    with pytest.raises(KeyboardInterrupt):
        image._run(Interrupted(), config, "python3", b"", b"token", "tiny", 5.0)
    assert leftovers() == []


def test_no_such_image(engine: Any, start: Callable[..., str], old: str) -> None:
    with pytest.raises(
        EngineError,
        match=r"^no image 'envaudit-nope:1' in the local engine; envaudit does not pull unasked:"
        r" --pull, or docker pull envaudit-nope:1$",
    ):
        take("envaudit-nope:1")
    with pytest.raises(EngineError, match="nor a file of that name"):
        take("model.bin")
    with pytest.raises(EngineError, match="is no image reference, and no such file exists"):
        take("Models/A")
    with pytest.raises(EngineError, match="the name is missing"):
        take("image://")
    name = start(old)
    with pytest.raises(EngineError, match=f"but a container; write container://{name}$"):
        take(name)


def test_what_cannot_be_pulled_is_one_line(engine: Any) -> None:
    with pytest.raises(EngineError, match=r"^127.0.0.1:9/envaudit/nope:1 cannot be pulled: .+$") as caught:
        take("127.0.0.1:9/envaudit/nope:1", Options(pull=True, timeout=30))
    assert "\n" not in str(caught.value)


def test_a_name_that_is_a_path_as_well(
    engine: Any, build: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tag = build("tiny", BASE)
    name = "envaudit-test-ambiguous"
    engine.tag(tag, name)
    monkeypatch.chdir(tmp_path)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", name], check=True)
    try:
        with pytest.raises(TargetError, match=rf"image://{name}") as caught:
            take(name)
        assert f"venv://{name}" in str(caught.value)
        assert take(f"venv://{name}").target.kind == "venv"
        assert take(f"image://{name}").target.kind == "image"
    finally:
        engine.remove_image(name)


def test_no_secret_reaches_the_snapshot(build: Any, tmp_path: Path) -> None:
    tag = build(
        "secrets",
        BASE + f"ENV DB_PASSWORD={SECRET} PIP_INDEX_URL=https://me:{SECRET}@example.org/simple OMP_NUM_THREADS=2\n"
        f"LABEL api.token={SECRET} source=https://me:{SECRET}@example.org/repo\n"
        f'CMD ["serve", "--api-key", "{SECRET}", "--password={SECRET}", "https://me:{SECRET}@example.org/"]\n',
    )
    text = store.dumps(take(tag))
    assert SECRET not in text
    assert "***" in text


RELAY = """
import socket, ssl, sys, threading
listening = socket.create_server(("127.0.0.1", 0))
print(listening.getsockname()[1], flush=True)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
if len(sys.argv) > 1:
    context.load_cert_chain(sys.argv[1] + "/cert.pem", sys.argv[1] + "/key.pem")

def pump(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass

def serve(near):
    if len(sys.argv) > 1:
        near = context.wrap_socket(near, server_side=True)
    far = socket.socket(socket.AF_UNIX)
    far.connect("/var/run/docker.sock")
    threading.Thread(target=pump, args=(near, far), daemon=True).start()
    pump(far, near)
    near.close()

while True:
    threading.Thread(target=serve, args=(listening.accept()[0],), daemon=True).start()
"""


@pytest.fixture(params=["plain", "tls"])
def remote(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The engine behind a TCP port; with TLS there is no half-closed connection to end the script by."""
    if not Path("/var/run/docker.sock").is_socket():
        pytest.skip("the engine's socket is elsewhere")
    arguments = []
    if request.param == "tls":
        if shutil.which("openssl") is None:
            pytest.skip("openssl makes the certificate")
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
             "-addext", "subjectAltName=DNS:localhost", "-keyout", tmp_path / "key.pem", "-out", tmp_path / "cert.pem"],
            check=True, capture_output=True,
        )  # fmt: skip
        shutil.copy(tmp_path / "cert.pem", tmp_path / "ca.pem")
        monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
        monkeypatch.setenv("DOCKER_CERT_PATH", str(tmp_path))
        monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
        monkeypatch.delenv("CURL_CA_BUNDLE", raising=False)
        arguments = [str(tmp_path)]
    with subprocess.Popen([sys.executable, "-c", RELAY, *arguments], stdout=subprocess.PIPE, text=True) as relay:
        assert relay.stdout is not None
        monkeypatch.setenv("DOCKER_HOST", f"tcp://localhost:{int(relay.stdout.readline())}")
        yield
        relay.kill()


def test_an_engine_behind_a_port(remote: None, build: Any, start: Callable[..., str]) -> None:
    tag = build("tiny", BASE)
    assert gather(tag, timeout=20).interpreter["version"].startswith("3.11.")
    assert take(f"container://{start(tag, 'sleep', '60')}", Options(timeout=20)).target.kind == "container"
