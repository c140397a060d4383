"""Sources of which only parts are parsed: each part is what it is in the syntax tree of the whole."""

from __future__ import annotations

import ast
import random
import re
import sys
import sysconfig
import warnings
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envaudit.artifacts import read
from envaudit.prediction import sources
from envaudit.prediction.bindings import Bindings
from envaudit.prediction.evaluation import Evaluation
from envaudit.prediction.outcome import predict
from envaudit.prediction.sources import ModuleBindings, of_source
from envaudit.surface import Surface
from envaudit.surface._facts import Facts
from envaudit.surface.surface import decoded
from tests.prediction.test_cases import CASES, python, write

LIBRARY = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))
STATEMENTS = [
    "import a, b.c as d",
    "from .e import f as g, h; from i import *",
    "j = 1; k = (2,\n    3); l = 4",
    "m, (n, *o) = 5, \\\n    6",
    "def p(q=1): return q",
    "def r(\n    s,\n): t = 1; return s",
    "async def u(v):\n    '''Seven\nlines.\n\n\n\n\n'''\n    await v\n    # a comment",
    "@staticmethod\n@property\ndef w():\n\tif 1:\n\t\tx = '''\n\n\n\n'''\n\t\treturn x\n\treturn 2",
    "@\\\nstaticmethod\ndef w2():\n    pass",
    "class y:\n    z = 1\n    def a1(self):\n        b1 = 1\n\n\n\n\n\n        return b1 \\\n\n    c1 = a1",
    "class d1(y):\n  @w\n  def e1(self):\n     @w\n     def f1():\n      return [\n1,\n2,\n3]\n     return\n  g1 = 2",
    "try:\n    import h1\nexcept j:\n    def i1():\n        '''1\n2\n3\n4\n5\n6\n7'''; return 1\nelse:\n    h1 = 2",
    "if j:\n    from k1 import *\nelse:\n    def l1(): ...",
    "for m1 in 1, 2:\n    n1 = m1",
    "with j as o1:\n    p1: int = 1",
    "globals()['q1'] = 1",
    "def r1(): \\\n  s1 = 1; \\\n  t1 = 2",
    "\fu1 = 'é\\d'",
    "# nothing\n\n",
    "'''words'''",
]  # fmt: skip


def described(node: Any) -> str:
    """A syntax tree in words; where a part ends within a line is told by nothing."""
    text = ast.dump(node, include_attributes=True) if isinstance(node, ast.AST) else repr(node)
    return re.sub(r", end_col_offset=\d+", "", text)


def told(module: ModuleBindings | Bindings) -> dict[str, list[tuple[Any, ...]]]:
    """Everything that it says, with every body read."""
    found = {name: module.names[name] for name in module.names} | {"*": module.stars}
    return {
        name: [
            (item.kind, described(item.node), item.detail, [(described(node), how) for node, how in item.guards])
            for item in bindings
        ]
        for name, bindings in found.items()
    }


def compare(text: str, folder: Path) -> ModuleBindings | None:
    """The module as it is told from what was kept, after it was held against the syntax tree of the whole."""
    fresh, kept = of_source(text, Facts(str(folder))), of_source(text, Facts(str(folder)))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except (SyntaxError, ValueError):
        assert fresh is None
        assert kept is None
        return None
    assert fresh is not None
    assert kept is not None
    whole = Bindings(tree)
    assert told(fresh) == told(whole)
    assert told(kept) == told(whole)
    assert fresh.dynamic == kept.dynamic == whole.dynamic
    return kept


@pytest.mark.parametrize("path", random.Random(1).sample(LIBRARY, 40), ids=lambda path: path.name)
def test_every_part_is_what_it_is_in_the_whole(path: Path, tmp_path: Path) -> None:
    text = decoded(path.read_bytes())
    assert text is not None
    assert compare(text, tmp_path) is not None


@given(
    st.lists(st.sampled_from(STATEMENTS), max_size=8), st.sampled_from(["\n", "\n\n# c\n"]), st.sampled_from(["", "\n"])
)
def test_statements_in_any_order_are_told_apart(
    tmp_path_factory: pytest.TempPathFactory, statements: list[str], between: str, end: str
) -> None:
    assert compare(between.join(statements) + end, tmp_path_factory.getbasetemp() / "facts") is not None


@given(st.text(alphabet="def a1:;,=()[]@\\\n\t '\"#*", max_size=60))
def test_any_text_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    compare(text, tmp_path_factory.getbasetemp() / "facts")


def parsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that are parsed from now on, without the empty lines that only count."""
    texts: list[str] = []
    parse = sources._parsed

    def noted(text: str) -> ast.Module:
        texts.append(text.strip("\n"))
        return parse(text)

    monkeypatch.setattr(sources, "_parsed", noted)
    return texts


def test_only_what_is_asked_for_is_parsed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = "\n".join(f"        line{number} = {number}" for number in range(10))
    text = f"import a\n\nclass B:\n    def long(self):\n{body}\n    def short(self):\n        pass\n\nc = 1\n"
    of_source(text, Facts(str(tmp_path)))
    texts = parsed(monkeypatch)
    module = of_source(text, Facts(str(tmp_path)))
    assert module is not None
    assert list(module.names) == ["a", "B", "c"]
    assert "d" not in module.names
    assert texts == []
    (binding,) = module.names["c"]
    assert binding.node.lineno == 18
    assert texts == ["c = 1"]
    (binding,) = module.names["B"]
    assert "line" not in texts[1]
    method = binding.node.body[0]
    assert (method.lineno, method.end_lineno, binding.node.end_lineno) == (4, 14, 16)
    assert len(texts) == 2
    assert [statement.lineno for statement in method.body] == list(range(5, 15))
    assert len(texts) == 3


def test_escapes_that_python_warns_of_are_nobody_else_s_business(tmp_path: Path) -> None:
    module = of_source("a = '\\d'\n", Facts(str(tmp_path)))  # warnings are errors in these tests
    assert module is not None
    assert module.names["a"][0].node.value == "\\d"


def test_what_was_not_python_stays_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert of_source("print 1", Facts(str(tmp_path))) is None
    texts = parsed(monkeypatch)
    assert of_source("print 1", Facts(str(tmp_path))) is None
    assert texts == []


def test_a_part_too_deep_for_the_stack_is_opaque(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "a = 1\nb = 2\n"
    of_source(text, Facts(str(tmp_path)))
    module = of_source(text, Facts(str(tmp_path)))
    assert module is not None

    def fail(text: str) -> ast.Module:
        raise RecursionError

    with monkeypatch.context() as patched:
        patched.setattr(sources, "_parsed", fail)
        assert [item.kind for item in module.names["a"]] == ["opaque"]
    assert [item.kind for item in module.names["b"]] == ["value"]


def verdicts(folder: Path, model: Path) -> Iterator[object]:
    while True:
        surface = Surface.of_folders(sys.version_info[:2], [str(folder), *filter(None, sys.path)], "serving")
        yield predict(read(str(model)), Evaluation.world_of(surface), "model.pkl")


@pytest.mark.parametrize("name", list(CASES)[::3])
def test_the_verdict_is_the_same_from_what_was_kept(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train, serve, model = tmp_path / "train", tmp_path / "serve", tmp_path / "model.pkl"
    write(train, CASES[name]["train"])
    write(serve, CASES[name]["serve"])
    python(train, f"import pickle\n{CASES[name]['make']}\npickle.dump(made, open(sys.argv[1], 'wb'), 4)", str(model))
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ENVAUDIT_CACHE", str(tmp_path / "file"))  # nothing can be kept
    (without,) = islice(verdicts(serve, model), 1)
    monkeypatch.setenv("ENVAUDIT_CACHE", str(tmp_path / "cache"))
    first, second = islice(verdicts(serve, model), 2)
    assert without == first == second


def test_a_changed_file_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENVAUDIT_CACHE", str(tmp_path / "cache"))
    write(tmp_path / "there", {"library.py": "class Model:\n    pass\n"})
    model = tmp_path / "model.pkl"
    code = "import pickle, library\npickle.dump(library.Model(), open(sys.argv[1], 'wb'))"
    python(tmp_path / "there", code, str(model))
    seen = []
    for text in ("class Model:\n    pass\n", "class Other:\n    pass\n", "class Model:\n    pass\n"):
        write(tmp_path / "there", {"library.py": text})
        (verdict,) = islice(verdicts(tmp_path / "there", model), 1)
        seen.append(verdict.load.value)  # type: ignore[attr-defined]
    assert seen == ["yes", "no", "yes"]
