"""Whatever a file or a target's code is like, a prediction ends soon, and in a verdict."""

from __future__ import annotations

import pickle
import sys
import time
from pathlib import Path

import pytest

from envaudit.artifacts import read
from envaudit.prediction.evaluation import Evaluation
from envaudit.prediction.outcome import predict
from envaudit.surface import Surface
from tests.prediction.test_cases import write

HEADER = "class Model:\n"
CODES = {
    "endless-recursion": HEADER + "    def predict(self, X):\n        return self.predict(X)\n",
    "mutual-recursion": HEADER
    + "    def predict(self, X):\n        return self.other(X, 1)\n"
    + "    def other(self, X, n):\n        return self.predict([X, n]) + self.other(X, n + 1)\n",
    "endless-loop": HEADER + "    def predict(self, X):\n        while True:\n            X = [X]\n",
    "growing-text": HEADER
    + "    def predict(self, X):\n        text = 'x'\n        for i in range(60):\n            text = text + text\n"
    + "        return '%999999999d' % 1 + '{:>999999999}'.format(text)\n",
    "recursive-property": HEADER + "    @property\n    def predict(self):\n        return self.predict\n",
    "recursive-getattr": HEADER
    + "    def __getattr__(self, name):\n        return getattr(self, name + 'x')\n"
    + "    def predict(self, X):\n        return self.a\n",
    "its-own-base": "class Model(Model):\n    def predict(self, X):\n        return 1\n",
    "circular-import": "from lib.n import *\nfrom lib.n import Model\n",
    "syntax-error": "class Model(:\n",
    "deep-expression": HEADER + "    def predict(self, X):\n        return " + "(" * 80 + "self.a" + ")" * 80 + "\n",
    "long-sum": HEADER + "    def predict(self, X):\n        return " + "+".join(["self.a"] * 3000) + "\n",
    "many-branches": HEADER
    + "    def predict(self, X):\n"
    + "".join(
        f"        if X[{i}]:\n            self.a = X\n        else:\n            self.b = self.c\n" for i in range(200)
    ),
    "fan-out": "".join(f"def f{i}(m):\n    return f{i + 1}(m) or f{i + 1}([m])\n" for i in range(40))
    + "def f40(m):\n    return m\n"
    + HEADER
    + "    def predict(self, X):\n        return f0(self)\n",
}


class Model:
    """Pickled under another module's name."""


def judged(folder: Path, source: str, data: bytes) -> float:
    write(folder, {"lib/m.py": source, "lib/n.py": "from lib.m import *\nfrom lib.m import Model\n"})
    path = folder / "model.pkl"
    path.write_bytes(data)
    started = time.process_time()
    surface = Surface.of_folders(sys.version_info[:2], [str(folder), *filter(None, sys.path)], "serving")
    verdict = predict(read(str(path)), Evaluation.world_of(surface), "model.pkl")
    assert verdict.load.value in ("yes", "no", "unknown")
    return time.process_time() - started


def stream(state: bytes = b"") -> bytes:
    return b"\x80\x02clib.m\nModel\n)\x81" + state + b"."


@pytest.mark.parametrize("name", CODES)
def test_code_that_does_not_end(name: str, tmp_path: Path) -> None:
    assert judged(tmp_path, CODES[name], stream()) < 20


@pytest.mark.parametrize("depth", [100, 900, 5_000, 100_000])
def test_deeply_nested_state(depth: int, tmp_path: Path) -> None:
    nested = b"}U\x01a" + b"]" * depth + b"a" * (depth - 1) + b"sb"
    assert judged(tmp_path, CODES["deep-expression"], stream(nested)) < 20


def test_state_that_holds_itself(tmp_path: Path) -> None:
    own: list[object] = []
    own.append(own)
    loop = pickle.dumps({"a": own, "b": [own, own]}, 2)[2:-1]
    assert judged(tmp_path, CODES["deep-expression"], stream(loop + b"b")) < 20


def test_ten_thousand_parts(tmp_path: Path) -> None:
    parts = b"}U\x01a](" + b"clib.m\nModel\n)\x81}U\x01xK\x01sb" * 10_000 + b"esb"
    source = HEADER + "    def predict(self, X):\n        return [part.predict(X) for part in self.a]\n"
    assert judged(tmp_path, source, stream(parts)) < 20


def test_a_version_that_is_none(tmp_path: Path) -> None:
    """A build of one's own with a version that PEP 440 does not know is no release that anything is known of."""
    for name in ("pandas", "torch", "xgboost"):
        write(tmp_path, {f"{name}/__init__.py": "class Model:\n    pass\n"})
        information = tmp_path / f"{name}-ours.dist-info"
        information.mkdir()
        (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: our own build!\n")
    surface = Surface.of_folders(sys.version_info[:2], [str(tmp_path), *filter(None, sys.path)], "serving")
    world = Evaluation.world_of(surface)
    assert world.surface.version("torch") == "our own build!"
    assert world.surface.release("torch") is None
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps({"when": None}))
    for loader in ("pickle.load", "torch.load"):
        assert predict(read(str(path))._replace(loader=loader), world, "model.pkl").load.value == "yes"
