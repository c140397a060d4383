"""Which files are kept before it is known which Python counts: by the ends of their paths."""

from __future__ import annotations

import pytest

from envaudit.evidence import FileRequest, Request
from envaudit.images._wanted import LARGEST, Kept, Wanted

CASES = [
    ("/etc/os-release", "etc/os-release", True),
    ("/etc/os-release", "usr/lib/os-release", False),
    ("/etc/os-release", "var/etc/os-release", True),  # a link of another layer may lead there
    ("{site}/*.dist-info/METADATA", "opt/venv/lib/python3.11/site-packages/numpy-2.2.6.dist-info/METADATA", True),
    ("{site}/*.dist-info/METADATA", "METADATA", False),
    ("{site}/*.dist-info/METADATA", "a.dist-info/more/METADATA", False),
    ("{site}/*.pth", "usr/lib/python3/dist-packages/a.pth", True),
    ("{site}/*.pth", "a.pth", True),
    ("{site}/*.pth", "a.pthx", False),
    ("{site}/*.pth", "a.pth/b", False),
    ("/*/python3.*/_sysconfigdata_*.py", "usr/lib/python3.11/_sysconfigdata__x86_64-linux-gnu.py", True),
    ("/*/python3.*/_sysconfigdata_*.py", "usr/lib/python2.7/_sysconfigdata__x86_64-linux-gnu.py", False),
    ("/*/python3.*/_sysconfigdata_*.py", "usr/lib/python3.11/a_sysconfigdata_.py", False),
    ("/*/python3.*/_sysconfigdata_*.py", "usr/lib/python3.11/_sysconfigdata.py", False),
    ("/*/lib*/[ab]?.[!x]", "usr/lib/a1.y", True),
    ("/*/lib*/[ab]?.[!x]", "usr/lib64/b2.y", True),
    ("/*/lib*/[ab]?.[!x]", "usr/lib/c1.y", False),
    ("/*/lib*/[ab]?.[!x]", "usr/lib/a1.x", False),
    ("/*/lib*/a*a", "usr/lib/a", False),  # the fixed ends of a name may not share a letter
    ("/*/lib*/a*a", "usr/lib/aa", True),
    ("/*/lib*/[ab", "usr/lib/[ab", True),
    ("/*/status.d/*", "var/lib/dpkg/status.d/base", True),
    ("/*/status.d/*", "var/lib/dpkg/other/base", False),
]


@pytest.mark.parametrize(("pattern", "path", "wanted"), CASES)
def test_a_file_is_wanted_by_the_end_of_its_path(pattern: str, path: str, wanted: bool) -> None:
    folder, _, name = path.rpartition("/")
    kept = Wanted(Request(files=(FileRequest(pattern, 100, headers=True),))).of(folder, name)
    assert kept == (Kept(100, True) if wanted else None)


def test_of_a_file_that_several_want_as_much_as_suffices_for_all() -> None:
    files = (FileRequest("{site}/*.egg-info", 10, headers=True), FileRequest("{site}/a*", 20, headers=True))
    wanted = Wanted(Request(files=files, records=("{site}/*.egg-info",)))
    assert wanted.of("x", "a.egg-info") == Kept(LARGEST, False)
    assert wanted.of("x", "a.py") == Kept(20, True)
    assert wanted.of("x", "b.py") is None
