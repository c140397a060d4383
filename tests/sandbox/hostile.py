"""Model files that do, when loaded, what no model file should; and what has to become of each."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import NamedTuple


class Hostile(NamedTuple):
    """The code that loading runs, and the causes and words one of which the verdict has to show."""

    code: str
    causes: tuple[str, ...]
    error: str = ""


class _Payload:
    """An object whose pickle runs code."""

    def __init__(self, code: str) -> None:
        self.code = code

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, (self.code,)


def write(folder: Path, code: str) -> Path:
    """A pickle file that runs ``code`` when it is loaded."""
    path = folder / "model.pkl"
    path.write_bytes(pickle.dumps(_Payload(code), protocol=2))
    return path


SECONDS = 4.0
"""The limit under which each of them is run."""

CASES = {
    "loops": Hostile("while True: pass", ("time-out",), "not finished after 4 seconds"),
    "sleeps": Hostile("import time; time.sleep(1e6)", ("time-out",)),
    "ignores-signals": Hostile(
        "import signal, time\nfor n in (1, 2, 15, 24): signal.signal(n, signal.SIG_IGN)\nwhile True: time.sleep(1)",
        ("time-out",),
    ),
    "allocates-100-GB": Hostile("x = bytearray(100 << 30)", ("out-of-memory",), "MemoryError"),
    "allocates-bit-by-bit": Hostile(
        "x = []\nwhile True: x.append(bytearray(b'x' * (4 << 20)))", ("out-of-memory",)
    ),
    "fork-bomb": Hostile(
        "import os, time\nwhile True:\n    try: os.fork()\n    except OSError: time.sleep(0.01)", ("time-out",)
    ),
    "fills-the-disk": Hostile(
        "x = b'x' * (1 << 20)\nfor n in range(64):\n"
        "    with open('/tmp/%d' % n, 'wb') as f:\n        for _ in range(64): f.write(x)",
        ("exception",), "OSError: [Errno ",
    ),
    "segfaults": Hostile("import ctypes; ctypes.string_at(0)", ("crash",), "Segmentation fault (SIGSEGV)"),
    "aborts": Hostile("import os; os.abort()", ("crash",), "Aborted (SIGABRT)"),
    "exits": Hostile("import os; os._exit(0)", ("exit",), "the process ended by itself with exit code 0"),
    "sys-exit": Hostile("import sys; sys.exit('bye')", ("exception",), "SystemExit: bye"),
    "kills-its-parent": Hostile(
        "import os; os.kill(os.getppid(), 9)\nwhile True: pass", ("exception", "crash", "time-out")
    ),
    "floods-its-report": Hostile(
        "import os\nfor n in range(3, 20):\n    try:\n        while True: os.write(n, b'{\"x\": 1}\\n' * 4096)\n"
        "    except OSError: pass",
        ("broken-reply", "time-out", "exception"),
    ),
    "forges-its-report": Hostile(
        "import os\nfor n in range(3, 20):\n    try: os.write(n, b'[1]\\n{\"loaded\": [1], \"exception\": 7}\\n\\xff\\n"
        "{\"failed\": {}, \"exception\": {\"text\": 5}}\\n' + b'[' * 100000 + b'\\n')\n    except OSError: pass\n"
        "os._exit(3)",
        ("exit", "exception"),
    ),
    "raises-something-odd": Hostile(
        "class E(BaseException):\n    def __str__(self): raise ValueError('no')\nraise E", ("exception",)
    ),
    "prints": Hostile("print('x' * 10**7); import sys; sys.stderr.write('y' * 10**7); raise KeyError(1)",
                      ("exception",), "KeyError: 1"),
    "remounts": Hostile(
        "import ctypes, os\nif ctypes.CDLL(None).mount(b'none', b'/', b'', 4096 | 32, b'') == 0: os._exit(99)\n"
        "raise PermissionError('mount')",
        ("exception",), "PermissionError: mount",
    ),
}  # fmt: skip
