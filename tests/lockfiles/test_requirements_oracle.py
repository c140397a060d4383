"""pip-requirements-parser, which is made from pip's own code, reads the same on all that it still understands."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pip_requirements_parser import RequirementsFile

from envaudit.collectors._names import normalise
from envaudit.collectors._requirement import Entry, parse
from envaudit.targets._requirement_lines import read

FIXTURES = Path(__file__).parents[2] / "fixtures" / "lockfiles"


def ours(path: str) -> set[tuple[object, ...]]:
    found: set[tuple[object, ...]] = set()
    for line in read(path).lines:
        entry = parse(line, {})
        if isinstance(entry, Entry):
            part = entry.part
            pin = (part["version"] + (f"+{part['label']}" if "label" in part else "")) if "version" in part else ""
            found.add(
                (
                    entry.name,
                    pin,
                    entry.marker,
                    tuple(part.get("extras", ())),
                    tuple(part.get("hashes", ())),
                    line.line,
                    line.constraint,
                )
            )
    return found


def theirs(path: str) -> set[tuple[object, ...]]:
    found: set[tuple[object, ...]] = set()
    for requirement in RequirementsFile.from_file(path, include_nested=True).requirements:
        if requirement.name is None:
            continue
        pins = [clause for clause in requirement.specifier or () if clause.operator in ("==", "===")]
        pin = pins[0].version if pins and not pins[0].version.endswith(".*") else ""
        if requirement.is_wheel:
            pin = requirement.link.filename.split("-")[1]
        found.add(
            (
                normalise(requirement.name),
                pin,
                str(requirement.marker or ""),
                tuple(sorted(normalise(extra) for extra in requirement.extras)),
                tuple(sorted(requirement.hash_options)),
                requirement.requirement_line.line_number,
                requirement.is_constraint,
            )
        )
    return found


@pytest.mark.parametrize(
    "name",
    ["requirements-2023.txt", "requirements-universal.txt", "requirements-export.txt", "requirements-pip-compile.txt"],
)
def test_files_that_tools_wrote(name: str) -> None:
    path = str(FIXTURES / "made" / name)
    assert ours(path) == theirs(path)
    assert ours(path)


TEXT = """\
# comment
numpy==1.26.4
Scikit_Learn[alldeps,b] >=1.3, <1.4   # behind
torch==2.4.0+cu121 \\
    --hash=sha256:bb \\
    --hash=sha256:aa
six ; python_version < "3"
tomli==2.0.1 ; python_version < "3.11"
pytz===2004d
x @ https://h.example/x-1.2-py3-none-any.whl
https://h.example/y-3.4-py3-none-any.whl
git+https://h.example/o/r@v1#egg=vcs
-e git+https://h.example/o/r@v1#egg=vcs-editable
--index-url https://h.example/simple
--no-binary :all:
-c constraints.txt
-r more/base.txt
"""


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_every_form_that_it_knows(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "requirements.txt"
    path.write_bytes(TEXT.encode(encoding))
    (tmp_path / "constraints.txt").write_text("numpy<2\nscipy==1.11.4\n")
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "base.txt").write_text("pandas \\\n>=2\n-r ../last.txt\n")
    (tmp_path / "last.txt").write_text("\n\nlast==1\n")
    assert ours(str(path)) == theirs(str(path))
    assert len(ours(str(path))) == 14


_LINE = st.builds(
    "{}{}{}{}{}".format,
    st.sampled_from(["numpy", "Scikit_Learn", "a.b-c", "x[y]", "x[Y, z]"]),
    st.sampled_from(["", "==1.2", " == 1.2", ">=1,<2", "~=1.4", "===1.0", "==1.2+cpu"]),
    st.sampled_from(["", " ; python_version < '3'", ";os_name=='nt'", " ; sys_platform == 'linux' and os_name=='x'"]),
    st.sampled_from(["", " --hash=sha256:aa", " --hash=sha256:aa \\\n  --hash=sha256:bb", " \\\n --hash sha512:cc"]),
    st.sampled_from(["", " # comment", "\n\n", "\n# comment", "\n    # via x"]),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(texts=st.lists(_LINE, max_size=6), ending=st.sampled_from(["\n", "\r\n"]))
def test_generated_files(tmp_path: Path, texts: list[str], ending: str) -> None:
    path = tmp_path / "requirements.txt"
    path.write_bytes("\n".join(texts).replace("\n", ending).encode())
    assert ours(str(path)) == theirs(str(path))
