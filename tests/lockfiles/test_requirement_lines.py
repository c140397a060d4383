"""The reader of requirements files: encodings, continuations, comments, includes, and where it refuses."""

from __future__ import annotations

import codecs
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from envaudit.errors import LockfileError
from envaudit.targets import _requirement_lines, requirements
from envaudit.targets._requirement_lines import decode, logical_lines, read


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(name: str, content: str | bytes) -> str:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return name


def lines(name: str) -> list[tuple[str, int, str, bool]]:
    return [tuple(line) for line in read(name).lines]  # type: ignore[misc]


def test_comments_and_blank_lines() -> None:
    text = "# all comment\n\n  \nnumpy # behind\npandas#1\n\t# indented\nscipy\t# tab\n"
    assert list(logical_lines(text)) == [(4, "numpy"), (5, "pandas#1"), (7, "scipy")]


def test_continuations_keep_the_number_of_their_first_line() -> None:
    text = "numpy \\\n  >=1 \\\n  ,<2\npandas\n"
    assert list(logical_lines(text)) == [(1, "numpy   >=1   ,<2"), (4, "pandas")]


def test_a_comment_ends_a_continuation() -> None:
    assert list(logical_lines("numpy \\\n# why \\\npandas\n")) == [(1, "numpy"), (3, "pandas")]


def test_a_comment_behind_a_continued_line_takes_the_rest() -> None:
    assert list(logical_lines("numpy # why \\\n>=1\npandas\n")) == [(1, "numpy"), (3, "pandas")]


def test_a_continuation_at_the_end_of_the_file() -> None:
    assert list(logical_lines("pandas\nnumpy \\")) == [(1, "pandas"), (2, "numpy")]


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_line_endings(ending: str) -> None:
    text = ending.join(["numpy \\", ">=1", "pandas", ""])
    assert list(logical_lines(text)) == [(1, "numpy >=1"), (3, "pandas")]


@pytest.mark.parametrize(
    "data",
    [
        "numpy # größer".encode(),
        codecs.BOM_UTF8 + "numpy # größer".encode(),
        codecs.BOM_UTF16_LE + "numpy # größer".encode("utf-16-le"),
        codecs.BOM_UTF16_BE + "numpy # größer".encode("utf-16-be"),
        codecs.BOM_UTF32_LE + "numpy # größer".encode("utf-32-le"),
        codecs.BOM_UTF32_BE + "numpy # größer".encode("utf-32-be"),
        b"# -*- coding: latin-1 -*-\n" + "numpy # größer".encode("latin-1"),
        b"#!shebang\n# vim: set fileencoding=cp1252 :\n" + "numpy # größer".encode("cp1252"),
    ],
)
def test_encodings(data: bytes) -> None:
    assert decode(data, "x.txt").endswith("numpy # größer")


def test_other_text_falls_back_without_asking_the_locale() -> None:
    assert decode("numpy # größer".encode("latin-1"), "x.txt") == "numpy # größer"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("numpy".encode("utf-16-le"), "x.txt: is no text (it holds NUL bytes; UTF-16 needs a byte order mark)"),
        (b"# coding: nonsense\nnumpy", "x.txt: declares nonsense, which is no encoding for a file like this"),
        (b"# coding: utf-7\nnumpy", "x.txt: declares utf-7, which is no encoding for a file like this"),
        (b"# coding: idna\nnumpy", "x.txt: declares idna, which is no encoding for a file like this"),
        (b"# coding: zip\nnumpy", "x.txt: declares zip, which is no encoding for a file like this"),
        (b"# coding: ascii\n\xff", "x.txt: is not in the encoding that it declares, ascii"),
        (codecs.BOM_UTF16_LE + b"a", "x.txt: is not in the encoding that it declares, utf-16-le"),
    ],
)
def test_no_text(data: bytes, reason: str) -> None:
    write("x.txt", data)
    with pytest.raises(LockfileError) as caught:
        read("x.txt")
    assert str(caught.value) == reason


def test_includes_are_relative_to_the_file_that_names_them() -> None:
    write("requirements.txt", "-r more/base.txt\nlast\n")
    write("more/base.txt", "--requirement=deep/x.txt\n-c../cons.txt\nbase\n")
    write("more/deep/x.txt", "deep\n")
    write("cons.txt", "narrow<2\n")
    assert lines("requirements.txt") == [
        ("more/deep/x.txt", 1, "deep", False),
        ("cons.txt", 1, "narrow<2", True),
        ("more/base.txt", 3, "base", False),
        ("requirements.txt", 2, "last", False),
    ]


def test_an_included_file_named_with_quotes_or_spaces() -> None:
    write("requirements.txt", "-r 'my base.txt'\n")
    write("my base.txt", "numpy\n")
    assert lines("requirements.txt") == [("my base.txt", 1, "numpy", False)]


def test_a_cycle_ends_and_each_file_is_read_once_in_each_role() -> None:
    write("a.txt", "-r b.txt\n-c b.txt\n-r ./a.txt\nfrom-a\n")
    write("b.txt", "-r sub/../a.txt\n-r b.txt\nfrom-b\n")
    write("sub/x", "")
    assert lines("a.txt") == [
        ("b.txt", 3, "from-b", False),
        ("b.txt", 3, "from-b", True),
        ("a.txt", 4, "from-a", False),
    ]


def test_a_link_to_itself_is_the_same_file() -> None:
    write("a.txt", "-r link.txt\nnumpy\n")
    os.symlink("a.txt", "link.txt")
    assert lines("a.txt") == [("a.txt", 2, "numpy", False)]


def test_requirements_inside_constraints_are_requirements_as_for_pip() -> None:
    write("a.txt", "-c b.txt\n")
    write("b.txt", "-r c.txt\nfrom-b\n")
    write("c.txt", "from-c\n")
    assert lines("a.txt") == [("c.txt", 1, "from-c", False), ("b.txt", 2, "from-b", True)]


def test_a_chain_that_does_not_end() -> None:
    for number in range(_requirement_lines.FILES + 5):
        write(f"{number}.txt", f"-r {number + 1}.txt\n")
    with pytest.raises(LockfileError, match=r"^499\.txt:1: includes more than 500 files$"):
        read("0.txt")


@pytest.mark.parametrize(
    "text",
    ["-r https://host.example/x.txt", "-c http://host.example/x.txt", "-r ${FOLDER}/x.txt", "-r file:///x.txt"],
)
def test_what_cannot_be_followed_stays_as_a_line(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOLDER", "/etc")
    write("a.txt", f"numpy\n{text}\n")
    assert lines("a.txt") == [("a.txt", 1, "numpy", False), ("a.txt", 2, text, False)]


def test_variables_are_never_expanded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "hunter2")
    write("a.txt", "x @ https://${TOKEN}@host.example/x.whl\n")
    assert lines("a.txt") == [("a.txt", 1, "x @ https://${TOKEN}@host.example/x.whl", False)]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("\n\n-r x.txt\n", "a.txt:3: included file x.txt does not exist"),
        ("numpy \\\n>1\n-c x.txt\n", "a.txt:3: included file x.txt does not exist"),
        ("-r sub\n", "a.txt:1: sub: cannot be read: Is a directory"),
        ("-r\n", "a.txt:1: names no file to include"),
        ("-r 'x.txt\n", "a.txt:1: has an unbalanced quote"),
        ("-r sub/b.txt\n", "sub/b.txt:2: included file sub/gone.txt does not exist"),
    ],
)
def test_includes_that_fail(text: str, reason: str) -> None:
    write("sub/b.txt", "# one\n-r gone.txt\n")
    write("a.txt", text)
    with pytest.raises(LockfileError) as caught:
        read("a.txt")
    assert str(caught.value) == reason


def test_a_file_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_requirement_lines, "CAP", 1024 * 1024)
    write("a.txt", b"#" * (1024 * 1024 + 1))
    with pytest.raises(LockfileError, match=r"^a\.txt: is larger than 1 MiB$"):
        read("a.txt")


def test_comments_of_the_first_column_are_kept_for_requirements_only() -> None:
    write("a.txt", "# made by hand\nnumpy\n  # via x\n-c c.txt\n#last")
    write("c.txt", "# of constraints\n")
    assert [tuple(comment) for comment in read("a.txt").comments] == [
        ("a.txt", 1, "made by hand", False),
        ("a.txt", 5, "last", False),
    ]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.binary() | st.text().map(lambda text: text.encode("utf-8", "surrogatepass")))
@example(b"# coding: punycode\n-")
@example(b"-r \0")
@example(b"-r " + b"x" * 300)
@example(b"\xff\xfe\x00\xd8")
@example(b"-r a.txt\\")
def test_any_bytes_give_lines_or_a_lockfile_error(data: bytes) -> None:
    Path("a.txt").write_bytes(data)
    refusal = ""
    try:
        for line in read("a.txt").lines:
            assert line.text == line.text.strip() != ""
            assert line.line >= 1
    except LockfileError as caught:
        refusal = str(caught)
    assert not refusal or "a.txt" in refusal


_NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,10}[a-z0-9]", fullmatch=True)
_LINES = st.builds(
    lambda name, operator, version, marker: f"{name}{operator}{version}{marker}",
    _NAMES,
    st.sampled_from(["==", ">=", "~=", "<"]),
    st.from_regex(r"[0-9]{1,3}\.[0-9]{1,3}", fullmatch=True),
    st.sampled_from(["", " ; python_version < '3.9'", "; sys_platform=='win32'"]),
)
_ENCODINGS = st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(wanted=st.lists(_LINES, max_size=8), data=st.data(), encoding=_ENCODINGS)
def test_lines_come_back_however_they_were_laid_out(wanted: list[str], data: st.DataObject, encoding: str) -> None:
    physical: list[str] = []
    expected = []
    for text in wanted:
        physical += data.draw(st.lists(st.sampled_from(["", "# comment", "   "]), max_size=2))
        expected.append((len(physical) + 1, text))
        cut = data.draw(st.integers(1, len(text)))
        broken = data.draw(st.booleans()) and 0 < cut < len(text)
        comment = data.draw(st.sampled_from(["", "  # why", "\t#"]))
        physical += [text[:cut] + "\\", text[cut:] + comment] if broken else [text + comment]
    ending = data.draw(st.sampled_from(["\n", "\r\n"]))
    Path("a.txt").write_bytes(ending.join(physical).encode(encoding))
    assert [(line.line, line.text) for line in read("a.txt").lines] == expected


@pytest.mark.parametrize(
    ("name", "content", "claimed"),
    [
        ("requirements.txt", "", True),
        ("requirements-dev.txt", "anything at all", True),
        ("dev-requirements.in", "numpy", True),
        ("constraints.txt", "numpy<2", True),
        ("freeze.txt", "# made\nnumpy==1.26.4\npandas==2.2.0\n", True),
        ("base.in", "numpy>=1\npandas\n", True),
        ("prod.txt", "-r base.in\n", True),
        ("prod.txt", "--index-url https://host.example/simple\nnumpy\n", True),
        ("prod.txt", "numpy @ https://host.example/numpy.whl\n", True),
        ("prod.txt", "numpy[extra]==1 ; python_version < '3'\n", True),
        ("words.txt", "numpy\npandas\n", False),
        ("notes.txt", "numpy==1 and then some prose\nthis is prose\n", False),
        ("notes.txt", "Dear all,\nplease read.\n", False),
        ("empty.txt", "", False),
        ("MANIFEST.in", "include *.txt\nrecursive-include docs *.md\n", False),
        ("data.txt", b"\x00\x01\x02", False),
        ("LICENSE.txt", "Apache License\nVersion 2.0\n", False),
        ("table.txt", "a = 1\nb = 2\n", False),
        ("requirements.json", "{}", False),
        ("requirements.md", "numpy==1", False),
    ],
)
def test_which_files_are_taken_for_requirements(name: str, content: str | bytes, claimed: bool) -> None:
    write(name, content)
    assert requirements.claims(name) is claimed


def test_a_folder_called_like_a_requirements_file() -> None:
    Path("requirements.txt").mkdir()
    assert not requirements.claims("requirements.txt")
