"""Requirement lines as distributions: every form of line, constraints, repeated names, completeness, refusals."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from envaudit import store
from envaudit.collectors.requirements import collect
from envaudit.errors import LockfileError
from envaudit.evidence import Evidence, FileText, RequirementLine
from envaudit.model import Component, Gap, Json
from envaudit.take import take

FIXTURES = Path(__file__).parents[2] / "fixtures" / "lockfiles"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
INCOMPLETE = Gap("distribution", None, "r.txt does not list what its packages pull in")


def evidence(*texts: str, constraints: tuple[str, ...] = (), comments: tuple[str, ...] = ()) -> Evidence:
    return Evidence(
        offers=frozenset({"requirements"}),
        requirements=(
            *(RequirementLine("r.txt", number, text) for number, text in enumerate(texts, 1)),
            *(RequirementLine("c.txt", number, text, True) for number, text in enumerate(constraints, 1)),
        ),
        comments=tuple(RequirementLine("r.txt", number, text) for number, text in enumerate(comments, 1)),
        files={"project/pyproject.toml": FileText('[project]\nname = "Local_Project"\nversion = "0.3"\n')},
    )


def read(*texts: str, **others: tuple[str, ...]) -> dict[str, dict[str, Json]]:
    """name -> version and attributes."""
    found = {}
    for item in collect(evidence(*texts, **others)):
        if isinstance(item, Component):
            version = {} if item.version is None else {"version": item.version}
            found[item.name] = {**version, **item.attributes}
    return found


def gaps(*texts: str, **others: tuple[str, ...]) -> list[Gap]:
    return [item for item in collect(evidence(*texts, **others)) if isinstance(item, Gap)]


def error(*texts: str, **others: tuple[str, ...]) -> str:
    with pytest.raises(LockfileError) as caught:
        list(collect(evidence(*texts, **others)))
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ("numpy", "numpy", {}),
        ("numpy==1.26.4", "numpy", {"version": "1.26.4"}),
        ("numpy == 1.26.4", "numpy", {"version": "1.26.4"}),
        ("numpy (==1.26.4)", "numpy", {"version": "1.26.4"}),
        ("Scikit_Learn.X==1", "scikit-learn-x", {"version": "1"}),
        ("torch==2.4.0+cu121", "torch", {"version": "2.4.0", "label": "cu121"}),
        ("pytz===2004d", "pytz", {"version": "2004d"}),
        ("numpy==1.26.*", "numpy", {"specifier": "==1.26.*"}),
        ("numpy>=1.2 , <2", "numpy", {"specifier": "<2,>=1.2"}),
        ("numpy>=1.2,==1.3", "numpy", {"version": "1.3"}),
        ("numpy~=1.2", "numpy", {"specifier": "~=1.2"}),
        ("a[B_c, d]==1", "a", {"version": "1", "extras": ["b-c", "d"]}),
        ("a==1 --hash=sha256:BB --hash sha256:aa", "a", {"version": "1", "hashes": ["sha256:aa", "sha256:bb"]}),
        ("a==1 --config-settings=x=y --global-option='--b c'", "a", {"version": "1"}),
        ("a==1; os_name=='nt'", "a", {"candidates": [{"marker": 'os_name == "nt"', "version": "1"}]}),
        (
            "a @ https://h/a-1.2-py3-none-any.whl",
            "a",
            {"version": "1.2", "source": {"kind": "archive", "url": "https://h/a-1.2-py3-none-any.whl"}},
        ),
        (
            "https://u:hunter2@h/A.b-1.2%2Bcpu-py3-none-any.whl#sha256=aa",
            "a-b",
            {
                "version": "1.2",
                "label": "cpu",
                "source": {
                    "kind": "archive",
                    "url": "https://***@h/A.b-1.2%2Bcpu-py3-none-any.whl",
                    "hash": "sha256:aa",
                },
            },
        ),
        (
            "https://h/a-1.2.tar.gz ; os_name == 'nt'",
            "a",
            {
                "candidates": [
                    {
                        "marker": 'os_name == "nt"',
                        "version": "1.2",
                        "source": {"kind": "archive", "url": "https://h/a-1.2.tar.gz"},
                    }
                ]
            },
        ),
        (
            "https://h/main.zip#egg=a&subdirectory=b",
            "a",
            {"source": {"kind": "archive", "url": "https://h/main.zip", "subdirectory": "b"}},
        ),
        (
            "git+https://h/o/r@v1.0#egg=A_b[x]",
            "a-b",
            {"extras": ["x"], "source": {"kind": "vcs", "url": "https://h/o/r", "requested": "v1.0"}},
        ),
        (
            f"a @ git+https://hunter2@h/o/r@{COMMIT}",
            "a",
            {"source": {"kind": "vcs", "url": "https://***@h/o/r", "requested": COMMIT, "commit": COMMIT}},
        ),
        (
            "-e git+ssh://git@h/o/r#egg=a",
            "a",
            {"source": {"kind": "vcs", "url": "ssh://git@h/o/r", "editable": True}},
        ),
        (
            "hg+https://h/o/r@tip#egg=a",
            "a",
            {"source": {"kind": "vcs", "url": "https://h/o/r", "requested": "tip"}},
        ),
        (
            "-e ./project[plot]",
            "local-project",
            {
                "version": "0.3",
                "extras": ["plot"],
                "source": {"kind": "directory", "where": "./project", "editable": True},
            },
        ),
        (
            "--editable=project",
            "local-project",
            {"version": "0.3", "source": {"kind": "directory", "where": "project", "editable": True}},
        ),
        ("./other#egg=a", "a", {"source": {"kind": "directory", "where": "./other"}}),
        (
            "wheels/a-1.2-py3-none-any.whl",
            "a",
            {"version": "1.2", "source": {"kind": "archive", "url": "wheels/a-1.2-py3-none-any.whl"}},
        ),
        (
            "a-1.2-py3-none-any.whl",
            "a",
            {"version": "1.2", "source": {"kind": "archive", "url": "a-1.2-py3-none-any.whl"}},
        ),
        (
            "file:///srv/a-1.2.tar.gz",
            "a",
            {"version": "1.2", "source": {"kind": "archive", "url": "file:///srv/a-1.2.tar.gz"}},
        ),
    ],
)
def test_a_line(text: str, name: str, expected: dict[str, Json]) -> None:
    assert read(text) == {name: expected}


@pytest.mark.parametrize(
    "text",
    [
        "--index-url https://u:hunter2@h/simple",
        "-i https://h/simple",
        "-ihttps://h/simple",
        "--extra-index-url=https://h/simple",
        "--no-index --find-links ./wheels",
        "-f ./wheels",
        "--no-binary :all:",
        "--only-binary=numpy",
        "--prefer-binary",
        "--pre",
        "--trusted-host h",
        "--use-feature fast-deps",
        "--extra-index https://h/simple",  # pip takes an unambiguous beginning
    ],
)
def test_global_options_require_nothing(text: str) -> None:
    assert list(collect(evidence(text))) == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "this is not a requirement",
            "r.txt:1: 'this is not a requirement': Expected semicolon (after name with no version specifier) or end",
        ),
        ("numpy==", "r.txt:1: 'numpy==': "),
        ("numpy==1,==2", "r.txt:1: 'numpy==1,==2': ==1 and ==2"),
        ("numpy>2,<1", "r.txt:1: 'numpy>2,<1': <1,>2"),
        ("numpy=1", "r.txt:1: 'numpy=1': "),
        ("numpy; python_version", "r.txt:1: 'numpy; python_version': "),
        ("numpy; nonsense == '1'", "r.txt:1: \"numpy; nonsense == '1'\": "),
        ("--nonsense", "r.txt:1: '--nonsense' is no option of a requirements file"),
        ("--re x", "r.txt:1: '--re' is no option of a requirements file"),
        ("-x", "r.txt:1: '-x' is no option of a requirements file"),
        ("--hash", "r.txt:1: --hash needs a value"),
        ("numpy --hash='sha256", "r.txt:1: has an unbalanced quote"),
        ("https://u:hunter2@h/a b.whl", "r.txt:1: 'https://***@h/a b.whl': a URL holds no spaces"),
        ("a @ https://u:hunter2@h/x y", "r.txt:1: 'a @ https://***@h/x y': "),
        ("a; " + "(" * 3000 + "os_name=='a'" + ")" * 3000, "r.txt:1: "),
    ],
)
def test_a_line_that_pip_refuses(text: str, reason: str) -> None:
    message = error(text)
    assert message.startswith(reason)
    assert "hunter2" not in message
    assert "\n" not in message


def test_the_number_of_an_invalid_line_after_continuations_and_in_an_include(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    (tmp_path / "requirements.txt").write_text("numpy \\\n >1\n\n-r sub/b.txt\n")
    (tmp_path / "sub" / "b.txt").write_text("# x\npandas \\\n  ==2 \\\n\nthis is \\\n  wrong\n")
    with pytest.raises(LockfileError, match=r"^sub/b\.txt:5: 'this is   wrong': Expected "):
        take("requirements.txt")


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (("numpy==1", "numpy==1"), {"version": "1"}),
        (("numpy==1.0", "numpy==1"), {"version": "1.0"}),
        (("numpy==1", "numpy>0.5"), {"version": "1"}),
        (("numpy>=1", "NumPy<2"), {"specifier": "<2,>=1"}),
        (("torch==2.4", "torch==2.4+cpu"), {"version": "2.4", "label": "cpu"}),
        (("a[x]", "a[y]>=1"), {"specifier": ">=1", "extras": ["x", "y"]}),
        (
            ("a==1 --hash=sha256:aa --hash=sha256:bb", "a==1 --hash=sha256:bb"),
            {"version": "1", "hashes": ["sha256:bb"]},
        ),
        (("pytz===2004d", "pytz===2004d", "pytz>=1"), {"version": "2004d"}),
    ],
)
def test_lines_of_one_name_hold_together(texts: tuple[str, ...], expected: dict[str, Json]) -> None:
    assert list(read(*texts).values()) == [expected]


@pytest.mark.parametrize(
    ("texts", "reason"),
    [
        (("six", "numpy==1", "numpy==2"), "r.txt:3: 'numpy==2' contradicts r.txt:2: 'numpy==1' (==1 and ==2)"),
        (("numpy>0", "numpy<2", "numpy==2"), "r.txt:3: 'numpy==2' contradicts r.txt:2: 'numpy<2' (==2 and <2,>0)"),
        (("numpy<1", "numpy>1"), "r.txt:2: 'numpy>1' contradicts r.txt:1: 'numpy<1' (<1,>1)"),
        (("t==1+cpu", "t==1+cu1"), "r.txt:2: 't==1+cu1' contradicts r.txt:1: 't==1+cpu' (==1+cpu and ==1+cu1)"),
        (
            ("a==1 --hash=sha256:aa", "a==1 --hash=sha256:bb"),
            (
                "r.txt:2: 'a==1 --hash=sha256:bb' contradicts r.txt:1: 'a==1 --hash=sha256:aa' "
                "(hashes that have nothing in common)"
            ),
        ),
        (
            ("a @ https://u:hunter2@h/a.zip", "a @ https://h/b.zip"),
            (
                "r.txt:2: 'a @ https://h/b.zip' contradicts r.txt:1: 'a @ https://***@h/a.zip' "
                "(two different places to install from)"
            ),
        ),
        (
            ("a @ https://h/a-2-py3-none-any.whl", "a<2"),
            "r.txt:2: 'a<2' contradicts r.txt:1: 'a @ https://h/a-2-py3-none-any.whl' (==2 and <2)",
        ),
    ],
)
def test_lines_that_contradict_each_other(texts: tuple[str, ...], reason: str) -> None:
    assert error(*texts) == reason


def test_conditional_lines_are_kept_whatever_python_reads_them() -> None:
    found = read("six; python_version < '3'", "tomli==1; python_version < '3'", "tomli==2; python_version >= '3'")
    assert found == {
        "six": {"candidates": [{"marker": 'python_version < "3"'}]},
        "tomli": {
            "candidates": [
                {"marker": 'python_version < "3"', "version": "1"},
                {"marker": 'python_version >= "3"', "version": "2"},
            ]
        },
    }


def test_the_order_of_lines_does_not_matter() -> None:
    texts = ("b==1; os_name=='nt'", "b==2; os_name=='posix'", "a>=1", "a<2", "c[x]", "c[y]")
    assert read(*texts) == read(*reversed(texts))


def test_constraints_narrow_and_never_require() -> None:
    found = read(
        "numpy>=1", "pandas", "six==1; os_name=='nt'", constraints=("numpy==1.26", "scipy==1", "pandas<3", "six<2")
    )
    assert found == {
        "numpy": {"version": "1.26"},
        "pandas": {"specifier": "<3"},
        "six": {
            "candidates": [
                {"constraint": True, "specifier": "<2"},
                {"marker": 'os_name == "nt"', "version": "1"},
            ]
        },
    }


def test_a_constraint_with_a_marker() -> None:
    assert read("numpy", constraints=("numpy<2; python_version<'3.9'",)) == {
        "numpy": {"candidates": [{"marker": 'python_version < "3.9"', "constraint": True, "specifier": "<2"}, {}]}
    }


def test_a_constraint_that_excludes_what_is_required() -> None:
    assert error("numpy==2", constraints=("numpy<2",)) == (
        "c.txt:1: 'numpy<2' contradicts r.txt:1: 'numpy==2' (==2 and <2)"
    )


def test_constraints_ask_for_no_extras_and_hide_nothing() -> None:
    assert read("a", constraints=("a[x]==1",)) == {"a": {"version": "1"}}
    assert gaps("a", constraints=("./unknown", "b==${VERSION}")) == [INCOMPLETE]


@pytest.mark.parametrize(
    ("text", "name", "reason"),
    [
        ("a==${VERSION}", "a", "r.txt:1: depends on the environment variable VERSION of whoever installs it"),
        ("A_b[x]${REST}", "a-b", "r.txt:1: depends on the environment variable REST of whoever installs it"),
        ("${NAME}==1", None, "r.txt:1: depends on the environment variable NAME of whoever installs it"),
        (
            "https://${T}@h/${FILE}.whl",
            None,
            "r.txt:1: installs https://***@h/${FILE}.whl, which does not tell its name",
        ),
        ("./other", None, "r.txt:1: installs ./other, which does not tell its name"),
        ("-e .", None, "r.txt:1: installs ., which does not tell its name"),
        (
            "git+https://u:hunter2@h/o/r",
            None,
            "r.txt:1: installs git+https://***@h/o/r, which does not tell its name",
        ),
        ("https://h/main.zip", None, "r.txt:1: installs https://h/main.zip, which does not tell its name"),
        (
            "-r https://u:hunter2@h/x.txt",
            None,
            "r.txt:1: the included https://***@h/x.txt was not read: nothing is fetched",
        ),
        (
            "-c ${FOLDER}/x.txt",
            None,
            "r.txt:1: the included ${FOLDER}/x.txt was not read: it depends on an environment variable",
        ),
    ],
)
def test_what_a_line_does_not_tell_is_a_gap(text: str, name: str | None, reason: str) -> None:
    assert read(text) == {}
    assert gaps(text)[0] == Gap("distribution", name, reason)


def test_a_token_in_a_variable_hides_nothing() -> None:
    found = read("a @ https://${TOKEN}@h/a-1-py3-none-any.whl")
    assert found["a"]["version"] == "1"
    assert found["a"]["source"]["url"] == "https://***@h/a-1-py3-none-any.whl"


@pytest.mark.parametrize(
    ("texts", "comments", "complete"),
    [
        (("a==1",), (), False),
        (("a==1 --hash=sha256:aa",), (), True),
        (("--require-hashes", "a==1"), (), True),
        (("a==1",), ("This file was autogenerated by uv via the following command:", "uv pip compile x"), True),
        (("a==1",), ("This file is autogenerated by pip-compile with Python 3.11",), True),
        (("a==1",), ("This file is @generated by PDM.",), True),
        (("a==1",), ("This file was autogenerated by uv via", "uv pip compile --no-deps x"), False),
        (("a==1",), ("generated by hand",), False),
        (("--index-url https://h/simple",), (), True),
    ],
)
def test_only_a_file_that_says_so_is_complete(
    texts: tuple[str, ...], comments: tuple[str, ...], complete: bool
) -> None:
    assert gaps(*texts, comments=comments) == ([] if complete else [INCOMPLETE])


def test_an_included_file_without_a_header_makes_the_whole_incomplete() -> None:
    base = evidence("a==1", comments=("This file was autogenerated by uv via",))
    more = base._replace(requirements=(*base.requirements, RequirementLine("more.txt", 1, "b")))
    assert [item for item in collect(more) if isinstance(item, Gap)] == [
        Gap("distribution", None, "more.txt does not list what its packages pull in")
    ]


def test_names_that_a_tool_left_out_of_its_list() -> None:
    comments = (
        "This file was autogenerated by uv via",
        "The following packages were excluded from the output:",
        "setuptools",
        "Pip==24",
        "",
        "numpy",
    )
    assert [gap.name for gap in gaps("a==1", comments=comments)] == ["setuptools", "pip"]


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(text=st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1).map(str.strip).filter(bool))
@example("-e")
@example("-e ''")
@example("-r")
@example("git+")
@example("git+ssh://")
@example("https://")
@example("file:")
@example("https://h/a-1-py3-none-any.whl;")
@example("./a ; python_version")
@example("a @ ")
@example("-")
@example("--")
@example("--hash=")
@example("a --hash=")
@example("~")
@example("https://[::1/x.whl")
@example("a @ https://[::1/x.whl")
@example("x/-.whl")
@example("./[]")
@example("==1")
def test_any_line_is_read_or_refused(text: str) -> None:
    refusal = ""
    try:
        assert all(isinstance(item, (Component, Gap)) for item in collect(evidence(text)))
    except LockfileError as caught:
        refusal = str(caught)
    assert not refusal or refusal.startswith("r.txt:1: ")
    assert "\n" not in refusal


_RELEASES = st.from_regex(r"[0-9]{1,3}(\.[0-9]{1,3}){0,2}", fullmatch=True)
_NAMES = st.from_regex(r"[a-z]([a-z0-9]|-(?=[a-z0-9])){0,8}", fullmatch=True)
_HASHES = st.lists(st.from_regex(r"sha256:[0-9a-f]{64}", fullmatch=True), max_size=3)


@given(pins=st.dictionaries(_NAMES, st.tuples(_RELEASES, _HASHES), max_size=6))
def test_pins_come_back(pins: dict[str, tuple[str, list[str]]]) -> None:
    texts = [
        f"{name}=={version}" + "".join(f" --hash={digest}" for digest in digests)
        for name, (version, digests) in pins.items()
    ]
    assert read(*texts) == {
        name: {"version": version, **({"hashes": sorted(set(digests))} if digests else {})}
        for name, (version, digests) in pins.items()
    }


@pytest.mark.parametrize(
    "name",
    ["written/requirements.txt", "made/requirements-2023.txt", "made/requirements-export.txt"],
)
def test_no_password_of_a_file_reaches_its_snapshot(name: str) -> None:
    assert "hunter2" not in store.dumps(take(str(FIXTURES / name)))


def test_every_form_of_line_together() -> None:
    snapshot = take(str(FIXTURES / "written" / "requirements.txt"))
    assert list(snapshot.of("distribution")) == [
        "bare-wheel",
        "colorama",
        "local-project",
        "numpy",
        "pandas",
        "pytz",
        "scikit-learn",
        "six",
        "source",
        "tomli",
        "torch",
        "vcs-by-egg",
        "vcs-by-name",
        "vcs-editable",
        "wheel-by-name",
        "xgboost",
    ]
    assert snapshot.find("distribution", "pandas") == Component("distribution", "pandas", "2.2.0")
    assert snapshot.find("distribution", "scipy") is None
    assert isinstance(snapshot.find("python", "python"), Gap)


def test_what_uv_compiled_with_hashes_is_complete() -> None:
    snapshot = take(str(FIXTURES / "made" / "requirements-2023.txt"))
    versions = {name: component.version for name, component in snapshot.of("distribution").items()}
    assert versions == {
        "joblib": "1.3.2",
        "numpy": "1.26.2",
        "pandas": "2.1.4",
        "python-dateutil": "2.8.2",
        "pytz": "2023.3.post1",
        "scikit-learn": "1.3.2",
        "scipy": "1.11.4",
        "six": "1.16.0",
        "threadpoolctl": "3.2.0",
        "tzdata": "2023.4",
    }
    assert all(component.attributes["hashes"] for component in snapshot.of("distribution").values())
    assert snapshot.find("distribution", "torch") is None


def test_what_uv_exported_names_its_own_project() -> None:
    snapshot = take(str(FIXTURES / "made" / "requirements-export.txt"))
    project = snapshot.of("distribution")["fraud"]
    assert project.version == "0.4"
    assert snapshot.find("distribution", "torch") is None


def test_what_pip_compile_left_out_is_not_seen() -> None:
    snapshot = take(str(FIXTURES / "made" / "requirements-pip-compile.txt"))
    assert isinstance(snapshot.find("distribution", "setuptools"), Gap)
    assert snapshot.find("distribution", "numpy") is None
