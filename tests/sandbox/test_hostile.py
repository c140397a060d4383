"""The canary: whatever a file does when it is loaded, it stays in the sandbox and becomes a verdict."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from pathlib import Path

import pytest

from envaudit.evidence import MIB
from envaudit.sandbox import Limits
from tests.sandbox import hostile
from tests.sandbox.conftest import Execute

pytestmark = pytest.mark.usefixtures("bubblewrap")

LIMITS = Limits(seconds=hostile.SECONDS, memory=256 * MIB, processes=64, disk=16 * MIB)


@pytest.mark.parametrize("name", hostile.CASES)
def test_what_it_does_is_an_outcome(name: str, tmp_path: Path, execute: Execute) -> None:
    case = hostile.CASES[name]
    started = time.monotonic()
    verdict = execute(hostile.write(tmp_path, case.code), limits=LIMITS)
    assert time.monotonic() - started < hostile.SECONDS + 15
    assert (verdict.load.value, verdict.load.how) == ("no", "executed")
    assert verdict.predict.value == verdict.same.value == "no"
    (reason,) = verdict.reasons
    assert reason.question == "load"
    assert reason.cause in case.causes
    assert case.error in reason.error
    assert "\n" not in reason.error
    assert "\n" not in reason.explanation


def test_it_writes_nothing_and_reads_no_secret(tmp_path: Path, execute: Execute) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hunter2")
    canary = tmp_path / "canary"
    home = Path.home() / ".envaudit-canary"
    code = f"""
import os
found = []
for path in ({str(canary)!r}, {str(home)!r}, '/usr/envaudit-canary', '/envaudit/model.pkl', '/etc/canary', '/canary',
             '/dev/canary'):
    try: open(path, 'w').close(); found.append(path)
    except OSError: pass
for path in ({str(secret)!r}, '/etc/shadow', '/proc/1/root{tmp_path}/secret'):
    try: open(path).read(); found.append(path)
    except OSError: pass
raise RuntimeError(found)
"""
    (reason,) = execute(hostile.write(tmp_path, code)).reasons
    assert reason.error == "RuntimeError: []"
    assert not canary.exists()
    assert not home.exists()


def test_it_reaches_nobody(tmp_path: Path, execute: Execute) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        code = f"import socket; socket.create_connection(('127.0.0.1', {server.getsockname()[1]}), 2)"
        (reason,) = execute(hostile.write(tmp_path, code)).reasons
        assert reason.error.startswith(("ConnectionRefusedError: ", "OSError: "))
        with pytest.raises(TimeoutError):
            server.accept()


def test_it_sees_no_variable_that_is_not_allowed(
    tmp_path: Path, execute: Execute, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    code = """
import os
names = sorted(os.environ)
for place in os.listdir('/proc'):
    try: names.append(str(open('/proc/%s/environ' % place).read()))
    except (OSError, UnicodeDecodeError): pass
raise RuntimeError('AWS' in str(names), os.environ['OMP_NUM_THREADS'])
"""
    (reason,) = execute(hostile.write(tmp_path, code)).reasons
    assert reason.error == "RuntimeError: (False, '3')"


def test_it_has_no_rights(tmp_path: Path, execute: Execute) -> None:
    code = """
status = dict(line.split(':\\t', 1) for line in open('/proc/self/status') if ':\\t' in line)
raise RuntimeError(int(status['CapEff'], 16), int(status['CapPrm'], 16), status['NoNewPrivs'].strip())
"""
    (reason,) = execute(hostile.write(tmp_path, code)).reasons
    assert reason.error == "RuntimeError: (0, 0, '1')"


def test_a_descendant_that_hides_does_not_outlive_it(tmp_path: Path, execute: Execute) -> None:
    code = """
import os
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execvp('sleep', ['sleep', '54321.125'])
    os._exit(0)
raise KeyError('done')
"""
    (reason,) = execute(hostile.write(tmp_path, code)).reasons
    assert reason.error == "KeyError: 'done'"
    for _ in range(50):
        if not _running("54321.125"):
            return
        time.sleep(0.1)
    pytest.fail("it still runs")


def _running(word: str) -> bool:
    done = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    return any(word in line for line in done.stdout.splitlines())


def test_a_file_that_only_its_owner_may_read(tmp_path: Path, execute: Execute) -> None:
    model = hostile.write(tmp_path, "raise KeyError(1)")
    model.chmod(0o400)
    (reason,) = execute(model).reasons
    assert reason.error == "KeyError: 1"


@pytest.mark.skipif(os.getuid() != 0, reason="only root turns into another user")
def test_root_turns_into_nobody(tmp_path: Path, execute: Execute) -> None:
    (reason,) = execute(hostile.write(tmp_path, "import os; raise KeyError(os.getresuid(), os.getgroups())")).reasons
    assert reason.error == "KeyError: ((65534, 65534, 65534), [])"


@pytest.mark.skipif(os.getuid() != 0, reason="only root turns into another user")
def test_root_stays_root_where_nobody_could_not_read_the_environment(
    tmp_path: Path, execute: Execute, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "lib/closed"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("thing = 1\n")
    package.chmod(0o700)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "lib"))
    code = """
import os, closed
status = dict(line.split(':\\t', 1) for line in open('/proc/self/status') if ':\\t' in line)
try: open('/proc/sys/kernel/core_pattern', 'a')
except OSError: raise KeyError(os.getuid(), closed.thing, int(status['CapEff'], 16))
"""
    verdict = execute(hostile.write(tmp_path, code))
    assert verdict.reasons[0].error == "KeyError: (0, 1, 0)"
    assert any(note.startswith("ran as root") for note in verdict.notes)
