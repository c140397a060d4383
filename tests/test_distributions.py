"""Installed distributions: real environments against importlib.metadata and pip, and every kind of damage."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envaudit.collectors import _requires
from envaudit.collectors.distributions import COLLECTOR
from envaudit.evidence import Evidence, Options
from envaudit.model import Component, Gap
from envaudit.targets import _live, _local, inspector
from tests.environments import UV, _run, environment, interpreters

STACK = ("scikit-learn==1.4.2", "pandas==2.0.3", "numpy==1.26.4", "scipy==1.13.1", "joblib==1.4.2")
LISTING = """
import json, importlib.metadata as m
print(json.dumps({d.metadata["Name"]: [d.version, d.read_text("INSTALLER")] for d in m.distributions()}))
"""


def collect(evidence: Evidence) -> tuple[dict[str, Component], list[Gap]]:
    items = list(COLLECTOR.collect(evidence))
    return (
        {item.name: item for item in items if isinstance(item, Component)},
        [item for item in items if isinstance(item, Gap)],
    )


def of_environment(venv: Path, **options: object) -> tuple[dict[str, Component], list[Gap]]:
    evidence = _local.inspect(str(venv / "bin/python"), COLLECTOR.request, Options(**options), "test")  # type: ignore[arg-type]
    return collect(evidence)


def of_folder(*folders: Path) -> tuple[dict[str, Component], list[Gap]]:
    """The distributions of a hand-made sys.path, through the inspector's own file reading."""
    reply = inspector.serve(_live.as_json(COLLECTOR.request), [str(folder) for folder in folders])
    return collect(_live.evidence(reply, None, COLLECTOR.request))


def lay(folder: Path, name: str, metadata: str, **files: str) -> Path:
    info = folder / name
    info.mkdir(parents=True)
    (info / "METADATA").write_text(metadata)
    for file, text in files.items():
        (info / file.replace("__", ".")).write_text(text)
    return info


@pytest.mark.network
def test_a_real_environment_is_what_importlib_metadata_says() -> None:
    python = interpreters().get("3.11") or Path(sys.executable)
    venv = environment(*STACK, python=python)
    found, gaps = of_environment(venv)
    listed = json.loads(subprocess.check_output([str(venv / "bin/python"), "-c", LISTING]))
    assert gaps == []
    assert {name: component.version for name, component in found.items()} == {
        name.lower().replace("_", "-"): version for name, (version, _) in listed.items()
    }
    assert found["scikit-learn"].attributes["installer"] == "uv"
    assert any(tag.startswith("cp311-cp311-manylinux") for tag in found["numpy"].attributes["tags"])
    assert all("build" in component.attributes for component in found.values())
    assert not any("unmet" in component.attributes for component in found.values())


@pytest.mark.network
@pytest.mark.parametrize("name", [name for name in interpreters() if tuple(map(int, name.split("."))) >= (3, 6)])
def test_every_python_lists_what_is_installed(name: str) -> None:
    venv = environment("six==1.16.0", "joblib<1.2", python=interpreters()[name])
    found, _ = of_environment(venv)
    assert found["six"].version == "1.16.0"
    assert "joblib" in found


@pytest.mark.network
def test_an_unmet_requirement_is_told_with_what_is_there(tmp_path: Path) -> None:
    venv = tmp_path / "venv"
    _run(UV, "venv", "--quiet", "--python", sys.executable, str(venv))
    _run(UV, "pip", "install", "--quiet", "--no-deps", "--python", str(venv / "bin/python"),
         "python-dateutil==2.9.0.post0", "pytest==8.0.0", "pluggy==0.13.1", "packaging==24.0")  # fmt: skip
    found, _ = of_environment(venv)
    assert found["python-dateutil"].attributes["unmet"] == ["six>=1.5 (not installed)"]
    unmet = found["pytest"].attributes["unmet"]
    assert "pluggy<2.0,>=1.3.0 (0.13.1 is installed)" in unmet
    assert not any("colorama" in item for item in unmet)  # only on Windows
    checked = subprocess.run(
        [UV, "pip", "check", "--python", str(venv / "bin/python")], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 1
    assert {"six", "pluggy"} <= set(checked.stderr.replace("`", " ").replace(">", " ").replace("<", " ").split())


@pytest.mark.network
def test_pip_and_the_metadata_are_compared_on_demand(tmp_path: Path) -> None:
    venv = tmp_path / "venv"
    _run(UV, "venv", "--quiet", "--seed", "--python", sys.executable, str(venv))
    _run(UV, "pip", "install", "--quiet", "--python", str(venv / "bin/python"), "six==1.16.0")
    found, gaps = of_environment(venv, pip=True)
    assert gaps == []
    assert not any("pip_disagrees" in component.attributes for component in found.values())
    # A second copy in front of it, as a botched deployment leaves it: the copy that import finds is another one.
    site = next(venv.glob("lib/*/site-packages"))
    lay(site / "early", "six-1.15.0.dist-info", "Name: six\nVersion: 1.15.0\n")
    (site / "early.pth").write_text("import sys; sys.path.insert(0, r'%s')\n" % (site / "early"))
    found, _ = of_environment(venv)
    assert found["six"].version == "1.15.0"
    assert found["six"].attributes["shadowed"] == [{"version": "1.16.0", "where": str(site)}]


def test_where_pip_and_the_metadata_disagree_is_told(tmp_path: Path) -> None:
    lay(tmp_path, "same-1.0.dist-info", "Name: Same_Thing\nVersion: 1.0\n")
    lay(tmp_path, "other-1.0.dist-info", "Name: other\nVersion: 1.0\n")
    lay(tmp_path, "unlisted-1.0.dist-info", "Name: unlisted\nVersion: 1.0\n")
    reply = inspector.serve(_live.as_json(COLLECTOR.request), [str(tmp_path)])
    evidence = _live.evidence(reply, None, COLLECTOR.request)
    found, gaps = collect(evidence._replace(pip={"same-thing": "1.0.0", "Other": "2.0", "ghost": "3.0"}))
    assert {name: one.attributes.get("pip_disagrees") for name, one in found.items()} == {
        "same-thing": None,
        "other": "2.0",
        "unlisted": "pip does not list it",
    }
    assert [gap.name for gap in gaps] == ["ghost"]


def test_an_environment_without_pip_cannot_be_asked_and_says_so(tmp_path: Path) -> None:
    from envaudit.errors import InspectorError

    _run(UV, "venv", "--quiet", "--python", sys.executable, str(tmp_path / "venv"))
    with pytest.raises(InspectorError, match="no working pip in that environment"):
        of_environment(tmp_path / "venv", pip=True)


@pytest.mark.network
def test_editable_vcs_and_archive_installs_tell_their_source(tmp_path: Path) -> None:
    project = tmp_path / "project"
    (project / "localpkg").mkdir(parents=True)
    (project / "localpkg/__init__.py").write_text("")
    (project / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
        '[project]\nname = "localpkg"\nversion = "0.3+gpu1"\n'
    )
    for arguments in (
        ["init", "-q"],
        ["add", "."],
        ["-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-qm", "x"],
    ):
        _run("git", "-C", str(project), *arguments)
    commit = subprocess.check_output(["git", "-C", str(project), "rev-parse", "HEAD"], text=True).strip()
    venv = tmp_path / "venv"
    _run(UV, "venv", "--quiet", "--python", sys.executable, str(venv))

    def install(*what: str) -> Component:
        _run(UV, "pip", "install", "--quiet", "--reinstall", "--python", str(venv / "bin/python"), *what)
        return of_environment(venv)[0]["localpkg"]

    editable = install("-e", str(project))
    assert (editable.version, editable.attributes["label"]) == ("0.3", "gpu1")
    assert editable.attributes["source"] == {"kind": "directory", "editable": True, "where": project.as_uri()}
    from_git = install(f"git+{project.as_uri()}@{commit}")
    assert from_git.attributes["source"]["kind"] == "vcs"
    assert from_git.attributes["source"]["commit"] == commit
    _run(UV, "build", "--quiet", "--wheel", "--out-dir", str(tmp_path), str(project))
    wheel = next(tmp_path.glob("*.whl"))
    from_wheel = install(wheel.as_uri())
    assert from_wheel.attributes["source"]["kind"] == "archive"


def test_a_credential_in_direct_url_never_gets_out(tmp_path: Path) -> None:
    url = "https://user:hunter2@example.org/x/pkg-1.0.zip?token=hunter2"
    lay(
        tmp_path,
        "pkg-1.0.dist-info",
        "Name: pkg\nVersion: 1.0\n",
        direct_url__json=json.dumps({"url": url, "archive_info": {}}),
    )
    found, _ = of_folder(tmp_path)
    assert "hunter2" not in json.dumps(found["pkg"].attributes)
    assert found["pkg"].attributes["source"]["url"].endswith("@example.org/x/pkg-1.0.zip?token=***")


def test_damage_is_a_gap_with_its_place_and_the_rest_is_read(tmp_path: Path) -> None:
    lay(tmp_path, "good-1.0.dist-info", "Metadata-Version: 2.1\nName: Good\nVersion: 1.0\n\nbody\nVersion: 9\n")
    lay(tmp_path, "empty-1.0.dist-info", "")
    lay(tmp_path, "~umpy-1.26.4.dist-info", "Name: numpy\nVersion: 1.26.4\n")
    (tmp_path / "gone-2.0.dist-info").mkdir()
    lay(tmp_path, "badurl-1.0.dist-info", "Name: badurl\nVersion: 1.0\n", direct_url__json="{")
    (tmp_path / "latin-1.0.dist-info").mkdir()
    (tmp_path / "latin-1.0.dist-info/METADATA").write_bytes(b"Name: latin\nVersion: 1.0\nAuthor: Andr\xe9\n")
    found, gaps = of_folder(tmp_path)
    assert set(found) == {"good", "badurl", "latin"}
    assert found["good"].version == "1.0"
    assert found["badurl"].attributes["source"] == {"kind": "unreadable"}
    assert {gap.name: gap.reason.rpartition(": ")[2] for gap in gaps} == {
        "empty": "names no version",
        "gone": "has no METADATA",
    }


def test_what_was_asked_for_is_told_from_what_came_along(tmp_path: Path) -> None:
    lay(
        tmp_path / "uv",
        "app-1.dist-info",
        "Name: app\nVersion: 1\nRequires-Dist: lib>=1\nRequires-Dist: win; os_name == 'nt'\n",
    )
    lay(tmp_path / "uv", "lib-1.dist-info", "Name: lib\nVersion: 1\nRequires-Dist: app; extra == 'x'\n")
    lay(tmp_path / "uv", "win-1.dist-info", "Name: win\nVersion: 1\n")
    found, _ = of_folder(tmp_path / "uv")
    assert {name for name, one in found.items() if "requested" in one.attributes} == {"app", "win"}
    (tmp_path / "uv/lib-1.dist-info/REQUESTED").touch()  # pip's mark, where there is one, has the word
    found, _ = of_folder(tmp_path / "uv")
    assert {name for name, one in found.items() if "requested" in one.attributes} == {"lib"}


def test_a_line_of_blanks_inside_a_folded_field_does_not_end_the_headers(tmp_path: Path) -> None:
    folded = "License: BSD\n        \n        Copyright\n        \n        More"
    lay(tmp_path, "a-1.dist-info", f"Name: a\nVersion: 1\n{folded}\nRequires-Dist: gone>=2\n\nbody\n")
    found, _ = of_folder(tmp_path)
    assert found["a"].attributes["unmet"] == ["gone>=2 (not installed)"]


def test_egg_info_forms_are_read(tmp_path: Path) -> None:
    (tmp_path / "old.egg-info").write_text("Name: old\nVersion: 0.1\n")
    (tmp_path / "newer-0.2-py3.11.egg-info").mkdir()
    (tmp_path / "newer-0.2-py3.11.egg-info/PKG-INFO").write_text("Name: newer\nVersion: 0.2\n")
    egg = tmp_path / "zipped-0.3-py3.11.egg"
    (egg / "EGG-INFO").mkdir(parents=True)
    (egg / "EGG-INFO/PKG-INFO").write_text("Name: zipped\nVersion: 0.3\n")
    found, gaps = of_folder(tmp_path, egg)
    assert {name: component.version for name, component in found.items()} == {
        "old": "0.1",
        "newer": "0.2",
        "zipped": "0.3",
    }
    assert gaps == []


def test_an_archive_on_the_path_is_not_taken_for_empty(tmp_path: Path) -> None:
    (tmp_path / "foo-1.0-py3.11.egg").write_bytes(b"PK")
    _, gaps = of_folder(tmp_path / "foo-1.0-py3.11.egg")
    assert [(gap.name, gap.reason.rpartition(": ")[2]) for gap in gaps] == [
        (None, "an archive on sys.path is not read")
    ]


def test_the_copy_that_import_finds_wins(tmp_path: Path) -> None:
    for folder, version in (("second", "2.0"), ("first", "1.0")):
        lay(tmp_path / folder, f"pkg-{version}.dist-info", f"Name: pkg\nVersion: {version}\n")
    found, _ = of_folder(tmp_path / "first", tmp_path / "second")
    assert found["pkg"].version == "1.0"
    found, _ = of_folder(tmp_path / "second", tmp_path / "first")
    assert found["pkg"].version == "2.0"
    assert found["pkg"].attributes["shadowed"] == [{"version": "1.0", "where": str(tmp_path / "first")}]


def test_conda_packages_lend_their_build_and_channel(tmp_path: Path) -> None:
    # Written after conda's documentation of conda-meta records; conda itself is not on the package index.
    lay(tmp_path / "site", "numpy-1.26.4.dist-info", "Name: numpy\nVersion: 1.26.4\n", INSTALLER="conda\n")
    meta = tmp_path / "conda-meta"
    meta.mkdir()
    (meta / "numpy-1.26.4-py311h64a7726_0.json").write_text(
        '{"build": "py311h64a7726_0",\n "channel": "https://conda.example.org/t/secret-token/conda-forge/linux-64"}'
    )
    request = COLLECTOR.request
    gatherer = inspector.Gatherer([str(tmp_path / "site")], str(tmp_path))
    files = {
        path: content
        for item in request.files
        for path in gatherer.expand(item.pattern)
        if (content := gatherer.file(path, item.cap, item.headers, item.binary)) is not None
    }
    reply = inspector.serve({}, [str(tmp_path / "site")]) | {"files": files}
    found, _ = collect(_live.evidence(reply, None, request))
    assert found["numpy"].attributes["conda"] == {"build": "py311h64a7726_0", "channel": "conda-forge"}


versions = st.lists(st.integers(0, 12), min_size=1, max_size=4).map(lambda parts: ".".join(map(str, parts)))
clauses = st.tuples(
    st.sampled_from([">=", "<=", "==", "!=", "<", ">", "~=", "==="]),
    versions,
    st.sampled_from(["", ".*", "rc1", ".post0", "a.0", ".dev1"]),
)
installed = st.tuples(versions, st.sampled_from(["", "", "rc1", ".post0", "b2", ".dev1", "+cpu"])).map("".join)


@given(st.lists(clauses, max_size=3), installed)
def test_what_is_proved_without_packaging_holds_with_packaging(parts: list[tuple[str, str, str]], version: str) -> None:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    text = ",".join("".join(part) for part in parts)
    if _requires.proved(text, version):
        try:
            assert SpecifierSet(text).contains(version, prereleases=True)
        except InvalidSpecifier:
            pytest.fail(f"{text!r} is no specifier, and was proved")


@pytest.mark.parametrize(
    ("specifier", "version"),
    [
        ("<3.0.0,>=2.1", "2.9.0.post0"), (">=2.9.0", "2.9.0.post0"), (">=2", "2.1rc1"),
        ("==1.*", "1.0.9"), ("!=5.26.*,<8", "7.36.2"),
        ("==0.66b2", "0.66b2"), ("<2.0a.0,>=1.37.4", "1.40.1"), ("==2.*", "2"), ("~=1.4", "1.5"), ("", "anything"),
    ],
)  # fmt: skip
def test_what_most_requirements_look_like_is_proved(specifier: str, version: str) -> None:
    assert _requires.proved(specifier, version)


conditions = st.tuples(
    st.sampled_from(["python_version", "sys_platform", "platform_system", "os_name", "extra", "python_full_version"]),
    st.sampled_from(["==", "!=", "<", "<=", ">", ">=", "~="]),
    st.sampled_from(["3.8", "3.11", "3.14", "3.11.4", "linux", "win32", "Windows", "Linux", "posix", "test", ""]),
    st.sampled_from(["'{}'", '"{}"']),
).map(lambda parts: f"{parts[0]} {parts[1]} {parts[3].format(parts[2])}")
markers = st.recursive(
    conditions,
    lambda inner: (
        st.tuples(inner, st.sampled_from([" and ", " or "]), inner).map("".join) | inner.map(lambda text: f"({text})")
    ),
    max_leaves=5,
)


@given(markers)
def test_a_marker_that_is_certainly_false_is_false_with_packaging(text: str) -> None:
    from packaging.markers import InvalidMarker, Marker, UndefinedComparison

    environment = _requires.Checker({}, inspector.interpreter([])).environment()
    if _requires.certainly_false(text, environment):
        # What packaging refuses is no requirement that could hold.
        with contextlib.suppress(InvalidMarker, UndefinedComparison):
            assert not Marker(text).evaluate(environment)


@given(st.text(max_size=60), versions)
def test_any_text_in_requires_dist_is_survived(text: str, version: str) -> None:
    interpreter = inspector.interpreter([])
    _requires.Checker({"a": version}, interpreter).unmet([text, f"a{text}", f"a ; {text}"])


@given(st.text(max_size=300))
def test_any_text_as_metadata_is_survived(text: str) -> None:
    from envaudit.evidence import FileText

    evidence = Evidence(
        interpreter={**inspector.interpreter(["/s"]), "path": ["/s"]},
        files={"/s/x-1.dist-info/METADATA": FileText(text), "/s/x-1.dist-info/direct_url.json": FileText(text)},
    )
    list(COLLECTOR.collect(evidence))
