"""What a Python of a file tree would say of itself, from its files: its version, its ABI, its ``sys.path``.

The way to ``sys.path`` is that of CPython: Modules/getpath.py (the search for ``os.py``, pyvenv.cfg) and Lib/site.py
(site directories, .pth files), with Debian's change to site.py (dist-packages). What only running code would tell, a
line of code in a .pth file say, is no part of it and is named.
"""

from __future__ import annotations

import posixpath
import re
from typing import Final, NamedTuple

from envaudit.errors import InspectorError
from envaudit.evidence import FileRequest, Request
from envaudit.images.tree import Tree
from envaudit.model import Json

REQUEST: Final = Request(
    files=(
        FileRequest("{prefix}/pyvenv.cfg", cap=65536),
        FileRequest("{site}/*.pth", cap=65536),
        FileRequest("/*/python3.*/site.py"),
        FileRequest("/*/python3.*/_sysconfigdata_*.py"),
        FileRequest("{site}/sitecustomize.py", cap=65536),
        FileRequest("{site}/usercustomize.py", cap=65536),
        FileRequest("{site}/*.dist-info/top_level.txt"),
        FileRequest("{site}/*.egg-info/top_level.txt"),
        FileRequest("/etc/passwd"),
    )
)
"""The files that are read here, and by who looks for the packages of a model: worth keeping when layers are gone
through."""

DEFAULT_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""What engines set where an image says nothing (moby, oci/defaults.go)."""
_STDLIB: Final = re.compile(r"python3\.(\d+)t?")
_MINOR: Final = re.compile(r"3\.(\d+)\.")
_NAMED: Final = re.compile(r"python3?(?:\.(\d+))?t?d?")
_VARIABLE: Final = re.compile(r"[ {]'(EXT_SUFFIX|ABIFLAGS|MODBUILT_NAMES|MODSHARED_NAMES)': ((?:'[^'\n]*'\s*)+)")
"""In _sysconfigdata, which pprint writes: a long text is several in a row."""
_CORE: Final = frozenset({"_ast", "_imp", "_string", "_warnings", "builtins", "gc", "marshal", "sys"})
"""Modules that are part of every build (Modules/config.c.in), beside ``_tokenize`` since 3.11."""
_HIDES: Final = re.compile(r"""endswith\("\.pth"\) and not name\.startswith""")
"""In site.py: .pth files that begin with a dot are passed over (since 3.8.19, 3.9.19, 3.10.14, 3.11.8 and 3.12.2)."""
_HARMLESS: Final = re.compile(
    r"import (?:os; var = 'SETUPTOOLS_USE_DISTUTILS'|_virtualenv$|__editable__|_distutils_hack"
    r"|sys, types, os;\s*(?:has_mfs|p = os\.path\.join))"
)
"""Lines of code in .pth files that leave sys.path alone: setuptools' and virtualenv's switches, setuptools' finders of
editable installs (their tables are read by :mod:`envaudit.surface.tree`), and its namespace packages."""


class Python(NamedTuple):
    """An interpreter in a tree, and the installation that it belongs to."""

    executable: str
    prefix: str
    base_prefix: str
    stdlib: str
    """The folder with ``os.py``."""
    binary: Json
    config: dict[str, str]
    """pyvenv.cfg; empty outside of a virtual environment."""


def find(tree: Tree, name: str, env: dict[str, str], workdir: str) -> str | None:
    """The absolute path of a program: its own where it has a slash, else the first on PATH; None without one."""
    if "/" in name:
        path = posixpath.join(workdir or "/", name)
        return path if tree.is_file(path) else None
    for folder in (env.get("PATH") or DEFAULT_PATH).split(":"):
        path = posixpath.join(workdir or "/", folder, name)
        if tree.is_file(path):
            return path
    return None


def look(tree: Tree, executable: str, where: str, home: str = "") -> Python:
    """The installation of an interpreter; ``home`` is the value of PYTHONHOME.

    Raises :class:`~envaudit.errors.InspectorError` where its files do not tell: a script that starts another one (as
    pyenv's), or no standard library.
    """
    real = _followed(tree, executable)
    binary = tree.contents.binary(tree.file(real))
    if binary is None:
        raise InspectorError(
            f"{where}: {executable} is a script or no CPython for Linux; only a run tells which Python it starts"
            " (--python PATH names one)"
        )
    config, prefix = _venv(tree, executable)
    named = _NAMED.fullmatch(posixpath.basename(real))
    exact = bool(named and named[1])
    said = [config.get("version", ""), *binary.get("versions", ())]
    minors = [named[1]] if named and named[1] else [found[1] for found in map(_MINOR.match, said) if found]
    starts = [home.partition(":")[0]] if home else [config.get("home", ""), posixpath.dirname(real)]
    stdlib = next(filter(None, (_stdlib(tree, start, minors, exact=exact) for start in starts if start)), None)
    if stdlib is None:
        raise InspectorError(f"{where}: {executable} has no standard library (looked for lib/python3.*/os.py)")
    base = posixpath.dirname(posixpath.dirname(stdlib))
    return Python(executable, prefix or base, base, stdlib, binary, config)


def facts(tree: Tree, python: Python, env: dict[str, str], user: str, workdir: str, where: str) -> dict[str, Json]:
    """The answers that the inspector gives in a live target, as far as files tell them (docs/evidence.md); the others
    are None. ``errors``: folders of sys.path of which not everything is known.

    Raises :class:`~envaudit.errors.InspectorError` where the version cannot be told.
    """
    minor = _STDLIB.fullmatch(posixpath.basename(python.stdlib))
    assert minor is not None  # _stdlib() chose it so
    own = f"3.{minor[1]}."
    version, build = _version(tree, python, own)
    if version is None:
        raise InspectorError(f"{where}: {python.executable} does not tell its version; it may be no CPython")
    built = _sysconfig(tree, python.stdlib)
    suffix = built.get("EXT_SUFFIX") or f".cpython-3{minor[1]}-{python.binary['machine']}-linux-gnu.so"
    flags = built.get("ABIFLAGS", "")
    builtins = {*built.get("MODBUILT_NAMES", "").split()} - {*built.get("MODSHARED_NAMES", "").split()}
    if builtins:  # 3.6 does not note them
        builtins |= _CORE | ({"_tokenize"} if int(minor[1]) >= 11 else set())
    libc = _libc(tree, python.binary)
    path, errors = _sys_path(tree, python, env, user, workdir)
    return {
        "version": version,
        "implementation": "cpython",
        "implementation_version": re.split(r"[a-z+]", version)[0],
        "cache_tag": f"cpython-3{minor[1]}",
        "extension_suffix": suffix,
        "abiflags": flags,
        "free_threaded": "t" in flags,
        "debug": "d" in flags,
        "pointer_bits": python.binary["bits"],
        "byteorder": python.binary["byteorder"],
        "build": build,
        "executable": python.executable,
        "prefix": python.prefix,
        "base_prefix": python.base_prefix,
        "path": path,
        "builtin_modules": sorted(builtins) or None,
        "os_name": "posix",
        "sys_platform": "linux",
        "sysname": "Linux",
        "release": "",
        "kernel_version": "",
        "machine": python.binary["machine"],
        "libc": libc and f"glibc {libc}",
        "errors": errors,
    }


def _followed(tree: Tree, path: str) -> str:
    """The program that a link names, as getpath looks for it: links in its folders are left alone."""
    for _ in range(40):
        entry = tree.entry(path, follow=False)
        if not isinstance(entry, str):
            break
        path = posixpath.normpath(posixpath.join(posixpath.dirname(path), entry))
    return path


def _venv(tree: Tree, executable: str) -> tuple[dict[str, str], str | None]:
    """pyvenv.cfg beside the interpreter or one folder above, and the folder of the environment."""
    folder = posixpath.dirname(executable)
    for place in (folder, posixpath.dirname(folder)):
        text = tree.text(posixpath.join(place, "pyvenv.cfg"))
        if text is not None:
            lines = (line.partition("=") for line in text.splitlines())
            config = {key.strip().lower(): value.strip() for key, separator, value in lines if separator}
            return config, posixpath.dirname(folder)
    return {}, None


def _stdlib(tree: Tree, folder: str, minors: list[str], *, exact: bool) -> str | None:
    """The standard library next to a folder or above it: of the first minor version that is there, or else, where that
    is not known for sure (``exact``), the only one."""
    while True:
        for lib in ("lib", "lib64"):
            place = posixpath.join(folder, lib)
            if not tree.is_folder(place):
                continue
            found = [name for name in sorted(tree.listdir(place)) if _STDLIB.fullmatch(name)]
            found = [name for name in found if tree.is_file(f"{place}/{name}/os.py")]
            own = [name for minor in minors for name in found if name.rstrip("t") == f"python3.{minor}"]
            if own or (len(found) == 1 and not exact):
                return f"{place}/{(own or found)[0]}"
        if folder in ("/", ""):
            return None
        folder = posixpath.dirname(folder)


def _version(tree: Tree, python: Python, own: str) -> tuple[str | None, str]:
    """The version and the compiler, of the program or of the libpython that it loads."""
    lib = posixpath.dirname(python.stdlib)
    binaries = [python.binary]
    for folder in (lib, f"{lib}/{python.binary['machine']}-linux-gnu", posixpath.join(python.base_prefix, "lib64")):
        if not tree.is_folder(folder):
            continue
        for name in sorted(tree.listdir(folder)):
            if name.startswith(f"libpython{own[:-1]}"):
                try:
                    binaries.append(tree.contents.binary(tree.file(f"{folder}/{name}")) or {})
                except OSError:  # a link that leads nowhere
                    continue
    for binary in sorted(binaries, key=lambda binary: "compiler" not in binary):  # it stands beside the version
        for version in binary.get("versions", ()):
            if version.startswith(own):
                return version, binary.get("compiler", "")
    return None, ""


def _sysconfig(tree: Tree, stdlib: str) -> dict[str, str]:
    """The variables of the build (Lib/sysconfig.py) that are texts."""
    names = [name for name in tree.listdir(stdlib) if re.fullmatch(r"_sysconfigdata_\w*_.*\.py", name)]
    for name in sorted(names, key=lambda name: ("_linux_" not in name, name)):
        text = tree.text(f"{stdlib}/{name}")
        if text:
            found = _VARIABLE.findall(text)
            return {name: "".join(re.findall(r"'([^']*)'", parts)) for name, parts in found}
    return {}


def _libc(tree: Tree, binary: Json) -> str | None:
    """The version of glibc that the program is loaded with: it lies beside the program interpreter."""
    try:
        loader = tree.real(binary.get("loader") or "")
        facts = tree.contents.binary(tree.file(posixpath.join(posixpath.dirname(loader), "libc.so.6")))
    except OSError:
        return None
    return (facts or {}).get("glibc")


def _sys_path(
    tree: Tree, python: Python, env: dict[str, str], user: str, workdir: str
) -> tuple[list[str], list[tuple[str, str]]]:
    """``sys.path`` without the script's folder, and what of it could not be settled."""
    lib, name = posixpath.split(python.stdlib)
    minor = name.removeprefix("python3.").rstrip("t")
    named = env.get("PYTHONPATH")
    path = [posixpath.join(workdir or "/", entry) for entry in named.split(":")] if named else []
    path += [f"{lib}/python3{minor}.zip", python.stdlib, f"{python.stdlib}/lib-dynload"]
    path = list(dict.fromkeys(posixpath.normpath(entry) for entry in path))
    own = python.prefix != python.base_prefix
    shared = not own or python.config.get("include-system-site-packages", "true").lower() == "true"
    site = tree.text(f"{python.stdlib}/site.py") or ""
    debian = "dist-packages" in site
    hidden = _HIDES.search(site) is None
    user_site = shared and not env.get("PYTHONNOUSERSITE")
    folders: list[str] = []
    if own:
        folders += _site_folders(python.prefix, lib, name, debian=debian, venv=True)
    if shared:
        if user_site:
            base = env.get("PYTHONUSERBASE") or posixpath.join(_home(tree, env, user), ".local")
            folders.append(f"{base}/lib/{name}/site-packages")
        folders += _site_folders(python.base_prefix, lib, name, debian=debian, venv=own)
    errors: list[tuple[str, str]] = []
    for folder in folders:
        if tree.is_folder(folder):
            if folder not in path:
                path.append(folder)
            _add_pth(tree, folder, path, errors, hidden=hidden)
    for name in ("sitecustomize.py", "usercustomize.py")[: 1 + user_site]:
        texts = ((folder, tree.text(f"{folder}/{name}")) for folder in path)
        folder, text = next(((folder, text) for folder, text in texts if text is not None), ("", ""))
        if "path" in text or "addsitedir" in text:
            errors.append((folder, f"its {name} may change sys.path"))
    return path, errors


def _site_folders(prefix: str, lib: str, name: str, *, debian: bool, venv: bool) -> list[str]:
    """``site.getsitepackages()`` for one prefix."""
    libraries = list(dict.fromkeys((posixpath.basename(lib), "lib")))
    if not debian:
        return [posixpath.join(prefix, folder, name, "site-packages") for folder in libraries]
    folders = [posixpath.join(prefix, "lib", name, "site-packages")] if venv else []
    folders.append(posixpath.join(prefix, "local/lib", name, "dist-packages"))
    folders.append(posixpath.join(prefix, "lib/python3/dist-packages"))
    return [*folders, *(posixpath.join(prefix, folder, name, "dist-packages") for folder in libraries)]


def _home(tree: Tree, env: dict[str, str], user: str) -> str:
    """The home of the user that the image names, by name or number; root's where it names none. Engines send one who is
    not in passwd to ``/``."""
    if env.get("HOME"):
        return env["HOME"]
    wanted = user.partition(":")[0] or "0"
    for line in (tree.text("/etc/passwd") or "").splitlines():
        fields = line.split(":")
        if len(fields) > 5 and wanted in (fields[0], fields[2]):
            return fields[5]
    return "/"


def _add_pth(tree: Tree, folder: str, path: list[str], errors: list[tuple[str, str]], *, hidden: bool) -> None:
    """What the .pth files of a site directory add to ``sys.path``; ``hidden``: also those that begin with a dot."""
    for name in sorted(tree.listdir(folder)):
        if name.endswith(".pth") and (hidden or not name.startswith(".")):
            for line in (tree.text(f"{folder}/{name}") or "").lstrip("\ufeff").splitlines():
                if line.startswith(("import ", "import\t")):
                    if not _HARMLESS.match(line):
                        errors.append((folder, f"{name} runs code, which may change sys.path"))
                elif line.strip() and not line.startswith("#"):
                    entry = posixpath.normpath(posixpath.join(folder, line.rstrip()))
                    if entry not in path and (tree.is_folder(entry) or tree.is_file(entry)):
                        path.append(entry)
