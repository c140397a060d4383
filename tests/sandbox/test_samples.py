"""Samples and expected answers: what is read, and the one line that a mistake in them gets."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import pytest

from envaudit.errors import SandboxError
from envaudit.model import RecordedAnswer
from envaudit.sandbox import Expectation, Sample, _answers, _npy, _samples, read_expectation
from envaudit.sandbox._samples import read_sample


def written(tmp_path: Path, name: str, content: bytes | str | object) -> str:
    path = tmp_path / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    return str(path)


@pytest.mark.parametrize(
    ("content", "columns", "rows"),
    [
        ("a,b\n1,2.5\n3,4\n", ("a", "b"), [[1, 2.5], [3, 4.0]]),
        ("1,2\n3,4\n", None, [[1, 2], [3, 4]]),
        ("name,ok\nx,True\ny,False\n", ("name", "ok"), [["x", True], ["y", False]]),
        ('\ufeffa,b\r\n"x,y",-1\r\n', ("a", "b"), [["x,y", -1]]),
        ("a,b\nx,1\n,2\n", ("a", "b"), [["x", 1], [None, 2]]),
        ('a,b\n"two\nlines",1\n"a\u2028b\x0c",2\n', ("a", "b"), [["two\nlines", 1], ["a\u2028b\x0c", 2]]),
        ("2024_01,b\n1,2\n", ("2024_01", "b"), [[1, 2]]),
    ],
)
def test_a_table_has_the_types_of_its_columns(
    tmp_path: Path, content: str, columns: tuple[str, ...] | None, rows: list[list[Any]]
) -> None:
    assert read_sample(written(tmp_path, "x.csv", content)) == Sample("table", tuple(rows), columns)


def test_an_empty_cell_among_numbers_is_not_a_number(tmp_path: Path) -> None:
    (_, cell), _ = read_sample(written(tmp_path, "x.csv", "a,b\n1,\n2,3\n")).rows
    assert math.isnan(cell)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ([[1, 2], [3, None]], Sample("table", ([1, 2], [3, None]))),
        ([{"a": 1, "b": "x"}, {"b": "y"}], Sample("table", ([1, "x"], [None, "y"]), ("a", "b"))),
        ({"a": [1, 2], "b": [3, 4]}, Sample("table", ([1, 3], [2, 4]), ("a", "b"))),
        ({"columns": ["a"], "index": [0], "data": [[1]]}, Sample("table", ([1],), ("a",))),
        (["a text", "another"], Sample("list", ("a text", "another"))),
    ],
)
def test_json_in_the_forms_that_people_have(tmp_path: Path, content: object, expected: Sample) -> None:
    assert read_sample(written(tmp_path, "x.json", content)) == expected


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.txt", "1", "a sample is an .npy, .csv or .json file"),
        ("x.csv", "", "is empty"),
        ("x.csv", "a,b\n", "has a header and no rows"),
        ("x.csv", "a,b\n1\n", "row 2 has 1 cells, not 2"),
        ("x.csv", b"\xff\xfe", "is not UTF-8"),
        ("x.json", "{", "line 1: is no JSON: Expecting property name enclosed in double quotes"),
        ("x.json", "[" * 100000, "is nested too deeply"),
        ("x.json", [], "a sample is a list of rows, or an object of columns"),
        ("x.json", {}, "an object holds lists of the same length, one for each column"),
        ("x.json", {"a": [1], "b": [1, 2]}, "an object holds lists of the same length, one for each column"),
        (
            "x.json",
            [{f"c{row}": 1} for row in range(5000)],
            "its 5000 rows have 5000 different columns, which is too much",
        ),
        ("x.json", [[1], [2, 3]], "row 2 has 2 cells, not 1"),
        ("x.json", [[{}]], "row 1 holds something else than numbers and texts"),
        ("x.json", [1, 2], "a sample is a list of rows, each of them a list of cells"),
        ("x.npy", b"\x93NUMPY", "is no .npy file"),
        ("x.npy", b"\x93NUMPY\x01\0\xff\xff{}....", "is a cut or broken .npy file"),
    ],
)
def test_a_bad_sample_is_one_line(tmp_path: Path, name: str, content: object, message: str) -> None:
    path = written(tmp_path, name, content)
    with pytest.raises(SandboxError) as caught:
        read_sample(path)
    assert str(caught.value) == f"{path}: {message}"


def test_one_that_is_not_there_or_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SandboxError, match=r"cannot be read: No such file or directory$"):
        read_sample(str(tmp_path / "x.csv"))
    monkeypatch.setattr(_samples, "CAP", 10)
    with pytest.raises(SandboxError, match=r"is larger than 0 MiB; a few rows suffice$"):
        read_sample(written(tmp_path, "x.csv", "a,b\n1,2\n3,4\n"))


def test_expected_answers_are_lists_by_method(tmp_path: Path) -> None:
    answers = {"predict": [0, 1], "predict_proba": [[0.25, 0.75]]}
    expect = Expectation({method: RecordedAnswer(values) for method, values in answers.items()}, "frame")
    assert read_expectation(written(tmp_path, "x.json", {**answers, "form": "frame"})) == expect
    marked = "\ufeff" + json.dumps({**answers, "form": "frame"})  # as Windows' editors and PowerShell write it
    assert read_expectation(written(tmp_path, "y.json", marked)) == expect


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1], 'expected answers are an object such as {"predict": [0, 1]}'),
        ({"fit": [1]}, "unknown method 'fit'; answers can be of predict, "),
        ({}, "each expected answer is a list"),
        ({"predict": 1}, "each expected answer is a list"),
        ({"predict": [1], "form": "tensor"}, "the form is one of frame, array, list"),
    ],
)
def test_bad_expected_answers_are_one_line(tmp_path: Path, content: object, message: str) -> None:
    with pytest.raises(SandboxError) as caught:
        read_expectation(written(tmp_path, "x.json", content))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


numpy = pytest.importorskip("numpy")


@pytest.mark.parametrize("code", ["?", "i1", "<i8", ">i4", "u2", "<f2", ">f8", "f4", "U3", ">U2", "S4"])
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3), (2, 0), (2, 1, 2)])
def test_npy_is_read_as_numpy_reads_it(tmp_path: Path, code: str, shape: tuple[int, ...]) -> None:
    size = math.prod(shape)
    array = numpy.arange(size).reshape(shape).astype(code)
    numpy.save(tmp_path / "x.npy", array)
    found = _npy.values((tmp_path / "x.npy").read_bytes())
    expected = array.tolist()
    if code == "S4":
        expected = numpy.char.decode(array, "latin-1").tolist()
    assert found == expected


def test_npy_in_fortran_order(tmp_path: Path) -> None:
    array = numpy.asfortranarray(numpy.arange(6.0).reshape(2, 3))
    numpy.save(tmp_path / "x.npy", array)
    assert read_expectation(str(tmp_path / "x.npy")) == Expectation({"predict": RecordedAnswer(array.tolist())})


@pytest.mark.parametrize("shape", ["(10**13, 0)", "(True, 2)", "(-1,)", "(1.0,)", f"({'1,' * 65})", "[2]"])
@pytest.mark.parametrize("order", ["True", "False"])
def test_npy_with_a_shape_that_no_array_has_is_one_line(tmp_path: Path, shape: str, order: str) -> None:
    shape = shape.replace("10**13", str(10**13))
    head = f"{{'descr': '<f8', 'fortran_order': {order}, 'shape': {shape}}}".encode()
    path = tmp_path / "x.npy"
    path.write_bytes(b"\x93NUMPY\1\0" + len(head).to_bytes(2, "little") + head + bytes(1024))
    with pytest.raises(SandboxError, match=r"x\.npy: is a cut or broken \.npy file$"):
        read_expectation(str(path))


def test_npy_with_objects_is_refused(tmp_path: Path) -> None:
    numpy.save(tmp_path / "x.npy", numpy.array([{}], dtype=object))
    with pytest.raises(SandboxError, match="holds Python objects, which only unpickling could read"):
        read_sample(str(tmp_path / "x.npy"))
    numpy.save(tmp_path / "x.npy", numpy.zeros(2, dtype=[("a", "O")]))
    with pytest.raises(SandboxError, match="holds records"):
        read_sample(str(tmp_path / "x.npy"))


NAN, INF = math.nan, math.inf


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ([1, 2], [1.0, 2.0]),
        ([NAN, INF], [NAN, INF]),
        ([[0.1]], [[0.1 * (1 + 5e-7)]]),
        ([0.0], [1e-12]),
        (["a", None, True], ["a", None, True]),
        ([[]], [[]]),
    ],
)
def test_the_same(old: object, new: object) -> None:
    assert _answers.compare(old, new) is None


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ([0.5], [0.6], "1 of 1 values differ; the first, number 0, is 0.6, not 0.5; the largest difference is 0.1"),
        ([1, 2], [1, 3], "1 of 2 values differ; the first, number 1, is 3, not 2; the largest difference is 1"),
        (["a"], ["b"], "1 of 1 values differ; the first, number 0, is 'b', not 'a'"),
        ([1.0], [NAN], "1 of 1 values differ; the first, number 0, is nan, not 1.0"),
        ([1], [10**400], f"1 of 1 values differ; the first, number 0, is 1{17 * '0'}...{19 * '0'}, not 1"),
        ([[1.0], [2.0]], [1.0, 2.0], "its shape is (2,), not (2, 1)"),
        ([1], [1, 1], "its shape is (2,), not (1,)"),
    ],
)  # fmt: skip
def test_different(old: object, new: object, words: str) -> None:
    found = _answers.compare(old, new)
    assert found is not None
    assert found.words == words


def test_ragged_answers_and_deep_ones_do_no_harm() -> None:
    assert _answers.compare([[1], [2, 3]], [[1], [2]]) is not None
    deep: Any = 1
    for _ in range(sys.getrecursionlimit() * 2):
        deep = [deep]
    assert _answers.compare([1], deep) is not None


def test_of_an_answer_that_was_cut_the_first_rows_count() -> None:
    assert _answers.compare([1, 2, 3], [1, 2], cut=True) is None
    assert _answers.compare([1, 2], [1, 2, 3], cut=True) is None
    assert _answers.compare([1, 9], [1, 2], cut=True) is not None


def test_a_short_answer_is_kept_whole_and_of_a_long_one_whole_rows() -> None:
    assert _answers.keep([[0.5, 1]]) == RecordedAnswer([[0.5, 1]])
    rows = [[index / 7, "word"] for index in range(5000)]
    kept = _answers.keep(rows)
    assert kept.rows == 5000
    assert kept.values == rows[: len(kept.values)]
    assert _answers.KEPT - 40 < len(json.dumps(kept.values, separators=(",", ":"))) <= _answers.KEPT
    assert _answers.keep(["x" * _answers.KEPT]).values == []


LABELS = [index % 3 for index in range(9000)]
NUMBERS = [index / 7 for index in range(9000)]


@pytest.mark.parametrize(
    ("old", "new", "value", "words"),
    [
        (LABELS, LABELS, "yes", ""),
        (LABELS, [*LABELS[:-1], 7], "no", "it differs after the first 4095 rows, which are those that were kept"),
        (LABELS, [7, *LABELS[1:]], "no", "1 of 4095 values differ; the first, number 0, is 7, not 0"),
        (LABELS, LABELS[:-1], "no", "it has 8999 rows, not 9000"),
        (LABELS, 7, "no", "it has 0 rows, not 9000"),
        (NUMBERS, [*NUMBERS[:-1], 0.5], "unknown", "the first 4"),
        (NUMBERS, [value * (1 + 1e-9) for value in NUMBERS], "unknown", "the first 4"),
        (NUMBERS, [0.5, *NUMBERS[1:]], "no", "1 of 4"),
        ([NUMBERS], [NUMBERS], "yes", ""),
        ([NUMBERS], [NUMBERS[::-1]], "unknown", "its rows were too long to be kept"),
        ([LABELS], [LABELS[::-1]], "no", "it differs after the first 0 rows"),
    ],
)
def test_the_rest_of_a_long_answer_counts_by_its_digest(old: object, new: object, value: str, words: str) -> None:
    found = _answers.judge(_answers.keep(old), new, False)
    assert found[0] == value
    assert found[1].startswith(words) if words else not found[1]


def test_where_all_rows_were_kept_the_digest_does_not_matter() -> None:
    assert _answers.judge(RecordedAnswer([0.1, 0.2], 2, "0" * 64), [0.1, 0.2 + 1e-12], False) == ("yes", "")


def test_depth_is_found_without_recursion() -> None:
    deep: Any = 1
    for _ in range(sys.getrecursionlimit() * 2):
        deep = [deep, 1]
    assert _answers.depth(deep) == sys.getrecursionlimit() * 2
    assert _answers.depth(1) == 0
    assert _answers.judge(RecordedAnswer([1], 2, "0" * 64), deep, False)[0] == "no"
