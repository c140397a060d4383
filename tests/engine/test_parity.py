"""An image that is read from its bytes says what it says when it runs.

Each case is one way in which a Python comes into an image; the same image is looked at by the inspector in a container
and, saved, by its layers alone. What may differ is named in :data:`UNSEEN`, everywhere, and in :attr:`Case.differs`.
"""

from __future__ import annotations

import functools
import io
import os
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from envaudit.evidence import Options, Request
from envaudit.images import layout
from envaudit.images.open import open_tree
from envaudit.model import Snapshot
from envaudit.take import take
from tests.engine.conftest import BASES, LABEL, Build, alone, pip_settings
from tests.engine.parity_cases import BOOKWORM, CASES
from tests.images.conftest import Skopeo, skopeo
from tests.images.layers import listed

pytestmark = [pytest.mark.engine, pytest.mark.together, pytest.mark.xdist_group("parity")]

UNSEEN = ("kernel",)
"""Kinds that only a running system has; the static snapshot has a gap in their place."""
__all__ = ["skopeo"]

VERSIONS = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"


CHANGING = """\
RUN mkdir -p /t/stay /t/gone /t/emptied /t/file /t/link /srv/target \\
 && touch /t/stay/1 /t/gone/1 /t/emptied/1 /t/file/1 \\
 && touch /t/link/1 /t/a /t/b /srv/target/1 && ln /t/a /t/hard && ln -s /srv/target /t/tofolder && ln -s a /t/tofile \\
 && echo long > "/t/$(head -c 120 /dev/zero | tr '\\0' n)" && mkdir "/t/$(head -c 250 /dev/zero | tr '\\0' d)" \\
 && touch "/t/ with space" "/t/..dots" "/t/.w" "/t/wh.x" \\
 "$(printf '/t/new\\nline')" "$(printf '/t/\\377')" && mkfifo /t/pipe
RUN rm -r /t/gone /t/a && rm -r /t/emptied && mkdir /t/emptied && touch /t/emptied/2 \\
 && rm -r /t/file && echo 1 > /t/file && rm -r /t/link && ln -s stay /t/link && ln /t/b /t/hard2
RUN touch /t/link/through /t/tofolder/through && rm /t/tofile && mkdir /t/tofile && touch /t/tofile/1 && rm /t/file \\
 && mkdir -p /t/file/again && ln -sf b /t/tolink && ln /t/hard /t/a && mv /t/stay /t/moved && truncate -s 100M /t/sparse
RUN python3 -m venv --without-pip /opt/venv
ENV PATH=/opt/venv/bin:$PATH OMP_NUM_THREADS=2
CMD ["python"]
RUN rm /t/link && mkdir /t/link && rm /t/tofolder/1 && rm "/t/ with space" && cd / && ln -s t u && echo 22 > /u/b
"""
"""Layers that replace and remove one another's."""
OF_THE_ENGINE = ("/dev/", "/proc/", "/sys/", "/.dockerenv", "/etc/host", "/etc/resolv.conf", "/etc/mtab")
FORMS: dict[str, list[str]] = {
    "oci": [],
    "oci gzip": ["--dest-compress", "--dest-compress-format", "gzip"],
    "oci zstd": ["--dest-compress", "--dest-compress-format", "zstd"],
    "oci-archive": [],
    "docker-archive": [],
}
"""How skopeo is asked to write an image."""


@pytest.fixture(scope="module")
def python_tar() -> Callable[[str], bytes]:
    """``python_tar(minor)``: a pyenv Python with its shared library, as a tar archive that is always the same."""

    def python_tar(minor: str) -> bytes:
        found = sorted(VERSIONS.glob(f"{minor}.*"))
        if not found:
            pytest.skip(f"pyenv has no Python {minor}")
        written = io.BytesIO()
        with tarfile.open(fileobj=written, mode="w") as archive:
            for folder, inner, names in os.walk(found[-1]):
                inner[:] = sorted({*inner} - {"test", "tests", "idlelib", "__pycache__", "share", "include"})
                if folder.endswith("/site-packages"):  # no more than what comes with it
                    inner[:], names = [name for name in inner if name.startswith(("pip", "setuptools", "pkg_"))], []
                for name in sorted(name for name in names if not name.endswith(".a")):
                    path = Path(folder, name)
                    archive.add(path, arcname=str(path.relative_to(found[-1])))
        return written.getvalue()

    return functools.cache(python_tar)


@pytest.fixture(scope="module")
def with_pip(build: Build) -> dict[str, str]:
    """The bases with a pip that reaches the index, tag by tag."""
    settings = "PIP_CONFIG_FILE=/build/pip.conf PIP_NO_CACHE_DIR=1 SSL_CERT_FILE=/build/ca.pem"
    lines = f"COPY pip.conf ca.pem /build/\nENV {settings}"
    return {base: build("parity-base", f"FROM {base}\n{lines}\n", pip_settings()) for base in BASES}


@pytest.fixture
def saved(tmp_path: Path) -> Callable[[str], str]:
    """``saved(tag)``: the image as ``docker save`` writes it."""

    def saved(tag: str) -> str:
        path = tmp_path / "image.tar"
        subprocess.run(["docker", "save", "-o", path, tag], check=True)
        return str(path)

    return saved


@pytest.mark.parametrize("name", CASES)
def test_the_image_says_what_its_container_says(
    name: str,
    build: Build,
    with_pip: dict[str, str],
    python_tar: Callable[[str], bytes],
    saved: Callable[[str], str],
) -> None:
    case = CASES[name]
    files = {**case.files, **({"python.tar": python_tar(case.python)} if case.python else {})}
    tag = build("parity", f"FROM {with_pip[case.base]}\n{case.lines}\n", files)
    with alone():
        live = take(f"image://{tag}")
    static = take(f"archive://{saved(tag)}")
    found = [item for item in differences(live, static) if not item.startswith(case.differs or "\0")]
    assert not found, "\n".join(found)


def differences(live: Snapshot, static: Snapshot) -> list[str]:
    """What one of two snapshots says and the other does not, a line each."""
    return [*_components(live, static), *_gaps(live, static), *_environments(live, static)]


def _components(live: Snapshot, static: Snapshot) -> Iterator[str]:
    for kind in sorted({*live.components, *static.components} - {*UNSEEN}):
        if (kind in live.components) != (kind in static.components):
            yield f"{kind}: seen only {'live' if kind in live.components else 'static'}"
        for name in sorted({*live.of(kind), *static.of(kind)}):
            before, after = live.of(kind).get(name), static.of(kind).get(name)
            if before is None or after is None:
                yield f"{kind} {name}: only {'static' if before is None else 'live'}"
            elif before != after:
                left, right = ({"version": item.version, **item.attributes} for item in (before, after))
                for key in sorted({*left, *right}):
                    if left.get(key) != right.get(key):
                        yield f"{kind} {name}, {key}: live {left.get(key)!r}, static {right.get(key)!r}"


def _gaps(live: Snapshot, static: Snapshot) -> Iterator[str]:
    for word, these, those in (("live", live.gaps, static.gaps), ("static", static.gaps, live.gaps)):
        for gap in these:
            if gap not in those and gap.kind not in UNSEEN:
                yield f"gap only {word}: {gap.kind} {gap.name or ''}{(gap.name and ': ') or ''}{gap.reason}"


def _environments(live: Snapshot, static: Snapshot) -> Iterator[str]:
    if live.target.environment != static.target.environment:
        yield f"environment: live {live.target.environment}, static {static.target.environment}"


@pytest.fixture
def exported(engine: Any, tmp_path: Path) -> Callable[[str], str]:
    """``exported(tag)``: a container of the image as ``docker export`` writes it."""

    def exported(tag: str) -> str:
        path = tmp_path / "exported.tar"
        if not path.exists():
            name = engine.create_container(tag, labels={LABEL: "1"})["Id"]
            try:
                subprocess.run(["docker", "export", "-o", path, name], check=True)
            finally:
                engine.remove_container(name, force=True, v=True)
        return str(path)

    return exported


@pytest.fixture
def changing(build: Build) -> str:
    """An image whose layers replace and remove what lies in those below, with a venv."""
    return build("changing", f"FROM {BOOKWORM}\n{CHANGING}")


def test_the_union_is_what_the_engine_exports(
    changing: str, saved: Callable[[str], str], exported: Callable[[str], str]
) -> None:
    with tarfile.open(exported(changing)) as archive:
        members = {f"/{member.name}": member for member in archive}
    expected = {}
    for path, member in members.items():
        kind = "folder" if member.isdir() else "link" if member.issym() else "special"
        expected[path] = (kind, member.linkname if member.issym() else 0)
        if member.isfile() or member.islnk():
            expected[path] = ("file", (members[f"/{member.linkname}"] if member.islnk() else member).size)
    tree = open_tree(layout.open_path(saved(changing), None), Request())
    found = {path: (kind, detail) for path, kind, detail in listed(tree)}
    for names in (found, expected):
        for path in list(names):
            if path.startswith(OF_THE_ENGINE) or "/__pycache__/" in path:
                del names[path]
    assert len(expected) > 5000
    assert {path: (found.get(path), what) for path, what in expected.items() if found.get(path) != what} == {}
    assert found.keys() - expected.keys() == set()


def test_other_forms_of_one_image_say_the_same(
    changing: str, saved: Callable[[str], str], exported: Callable[[str], str], tmp_path: Path, skopeo: Skopeo
) -> None:
    archive = saved(changing)
    expected = take(f"archive://{archive}")
    assert expected.target.environment is not None
    assert expected.target.environment.prefix == "/opt/venv"
    for form, settings in FORMS.items():
        skopeo(f"docker-archive:{archive}", f"{form.partition(' ')[0]}:{tmp_path / form}:a/b:1", *settings)
        found = differences(expected, take(f"archive://{tmp_path / form}"))
        # skopeo writes the configuration anew, and only a manifest has a digest
        assert [item for item in found if not item.startswith(("image config, id", "image config, digest"))] == [], form
    root = tmp_path / "root"
    root.mkdir()
    subprocess.run(["tar", "-C", root, "--exclude=dev/*", "-xf", exported(changing)], check=True)
    options = Options(python="/opt/venv/bin/python")  # what chose it stands in the configuration
    for text in (f"archive://{exported(changing)}", f"root://{root}"):
        bare = take(text, options)
        assert bare.components.keys() == expected.components.keys() - {"image", "setting"}, text
        assert [item for item in _components(expected, bare) if not item.startswith(("image", "setting"))] == [], text


@pytest.mark.parametrize("tag", ["old", "new"])
def test_a_running_container_says_the_same(
    tag: str, request: pytest.FixtureRequest, start: Callable[..., str], saved: Callable[[str], str]
) -> None:
    name = request.getfixturevalue(tag)
    live, static = take(f"container://{start(name)}"), take(f"archive://{saved(name)}")
    assert "scikit-learn" in live.of("distribution")
    ran = ("driver: seen only live", "gpu: seen only live", "gap only static: driver", "gap only static: gpu")
    pushed = ("image config, digest",)  # only the engine knows which registries have it
    found = [item for item in differences(live, static) if not item.startswith((*ran, *pushed))]
    assert not found, "\n".join(found)
