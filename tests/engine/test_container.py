"""``container://``: a running container is looked at from inside, and nothing is left in it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from envaudit import store
from envaudit.errors import EngineError, InspectorError
from envaudit.evidence import Evidence, Options, Request
from envaudit.take import take
from envaudit.targets import container

pytestmark = [pytest.mark.engine, pytest.mark.xdist_group("engine")]
Start = Callable[..., str]


def gather(name: str, request: Request | None = None, **options: Any) -> Evidence:
    found = container.gather(name, request or Request(), Options(**options))
    assert isinstance(found, Evidence)
    return found


def test_it_is_the_same_as_its_image(old: str, start: Start) -> None:
    name = start(old)
    inside, image = take(f"container://{name}"), take(f"image://{old}")
    # The one exception: an image is looked at without devices, so that it cannot tell of a driver and GPUs.
    devices = {"driver", "gpu"}
    assert inside.components.keys() - devices == image.components.keys()
    for kind in image.components:
        assert inside.of(kind) == image.of(kind), kind
    assert inside.gaps == tuple(gap for gap in image.gaps if gap.kind not in devices)
    assert {gap.kind for gap in image.gaps} >= devices
    assert inside.target.environment == image.target.environment
    versions = {name: found.version for name, found in inside.of("distribution").items()}
    assert versions["scikit-learn"] == "1.3.2"
    assert versions["numpy"] == "1.26.4"


def test_the_active_python_is_that_of_the_command(old: str, start: Start) -> None:
    name = start(old, "/usr/bin/python3", "-c", "import time; time.sleep(60)")
    environment = gather(name).environment
    assert environment is not None
    assert environment[:3] == ("/usr/bin/python3", "/usr", "command")
    assert environment.others == ("/opt/venv",)


def test_what_the_entry_point_exported_counts(build: Any, start: Start) -> None:
    tag = build(
        "exporting",
        "FROM envaudit-base:bookworm\nENV OMP_NUM_THREADS=1\n"
        'ENTRYPOINT ["sh", "-c", "export OMP_NUM_THREADS=7; exec sleep 60"]\n',
    )
    name = start(tag)
    time.sleep(0.3)
    assert gather(name, Request(environ=("OMP_NUM_THREADS",))).environ == {"OMP_NUM_THREADS": "7"}


def test_in_the_process_namespace_of_the_host_process_1_is_not_asked(build: Any, start: Start, old: str) -> None:
    name = start(old, pid_mode="host")
    assert gather(name, Request(environ=("OMP_NUM_THREADS",))).environ == {"OMP_NUM_THREADS": "3"}


def test_nothing_is_written_in_it(engine: Any, old: str, start: Start) -> None:
    name = start(old)
    gather(name)
    take(f"container://{name}")
    assert engine.diff(name) in (None, [])


def test_a_read_only_container_can_be_looked_at(old: str, start: Start) -> None:
    assert gather(start(old, read_only=True)).interpreter["version"].startswith("3.11.")


def test_no_such_container(engine: Any, old: str) -> None:
    with pytest.raises(EngineError, match=r"^no container 'envaudit-nope' in the local engine; docker ps lists them$"):
        gather("envaudit-nope")
    with pytest.raises(EngineError, match=r"an image of that name is there: image://envaudit-test/old"):
        gather(old)
    with pytest.raises(EngineError, match="the name is missing"):
        gather("")


def test_a_stopped_container(engine: Any, old: str, start: Start) -> None:
    name = start(old)
    engine.kill(name)
    engine.wait(name)
    with pytest.raises(
        EngineError, match=rf"^container '{name}' is not running \(exited\); .* image://envaudit-test/old"
    ):
        gather(name)


def test_a_paused_container(engine: Any, old: str, start: Start) -> None:
    name = start(old)
    engine.pause(name)
    try:
        with pytest.raises(EngineError, match=rf"docker unpause {name} wakes it$"):
            gather(name)
    finally:
        engine.unpause(name)


def test_an_interpreter_that_is_not_there_or_may_not_run(old: str, start: Start) -> None:
    name = start(old)
    with pytest.raises(InspectorError, match=r"there is no /nope in it \(--python\)$"):
        gather(name, python="/nope")
    with pytest.raises(InspectorError, match=r"there is no python9 in it"):
        gather(name, python="python9")
    with pytest.raises(InspectorError, match=r"its user 'root' may not run /etc/passwd"):
        gather(name, python="/etc/passwd")
    with pytest.raises(InspectorError, match=r"did not answer \(exit code 1\)"):
        gather(name, python="cat")


def test_a_container_without_python(build: Any, start: Start) -> None:
    tag = build("links-gone", "FROM envaudit-base:bookworm\nRUN rm /usr/bin/python3*\n")
    with pytest.raises(
        InspectorError, match=r"no Python found in it \(tried python3, python\); --python PATH names one$"
    ):
        gather(start(tag, "sleep", "60"))


def test_one_that_hangs_is_given_up(hanging: str, start: Start) -> None:
    name = start(hanging, "sleep", "60")
    before = time.monotonic()
    with pytest.raises(InspectorError, match=r"no answer within 1 seconds \(--timeout sets the limit\)$"):
        gather(name, timeout=1.0)
    assert time.monotonic() - before < 5


def test_a_command_that_hangs_is_ended_and_the_rest_is_told(engine: Any, old: str, start: Start) -> None:
    name = start(old)
    evidence = gather(name, Request(commands=(("sleep", "30"), ("sleep", "31"))), timeout=4.0)
    assert [output.exit_code for output in evidence.commands.values()] == [None]
    for _ in range(50):
        if len(engine.top(name)["Processes"]) == 1:
            return
        time.sleep(0.1)
    pytest.fail("something is still running there")


def test_the_command_line_end_to_end(old: str, start: Start, tmp_path: Path) -> None:
    path = tmp_path / "serve.json"
    name = start(old)
    done = subprocess.run(
        [sys.executable, "-m", "envaudit", "snapshot", f"container://{name}", "-o", str(path)],
        capture_output=True, text=True, check=False, env=os.environ,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert store.read(str(path)).target.kind == "container"
