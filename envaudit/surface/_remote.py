"""Trees in a live target: each question is a round of the inspector, so a round brings whole packages."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from envaudit.evidence import Evidence, FileRequest, FolderContent, FolderRequest, Request
from envaudit.surface.tree import ModuleFile

SOURCES: Final = (".py", ".pyx", ".pxd", ".pxi", ".pyx.tp", ".pyx.in", ".pxd.tp", ".pxi.in")
UNREAD: Final = ("tests", "test", "__pycache__", "site-packages", "dist-packages")
"""Folders that are not fetched along with a package; what is wanted of them is asked for alone."""

FIRST: Final = Request(
    names=("{site}/*", "{site}/*.dist-info/*", "{site}/*.egg-info/*"),
    files=(
        FileRequest("{site}/*.dist-info/METADATA", headers=True),
        FileRequest("{site}/*.dist-info/top_level.txt"),
        FileRequest("{site}/*.egg-info", headers=True),
        FileRequest("{site}/*.egg-info/PKG-INFO", headers=True),
        FileRequest("{site}/*.egg-info/top_level.txt"),
    ),
)
"""What is asked when a surface is opened: what there is on sys.path, and the versions."""

Ask = Callable[[Request], Evidence]


class RemoteTree:
    """One entry of ``sys.path``; everything that was brought is kept."""

    def __init__(self, root: str, fetch: Callable[[Sequence[FolderRequest]], Sequence[FolderContent]]) -> None:
        self.root = root
        self._fetch = fetch
        self._folders: dict[str, frozenset[str] | None] = {}
        self._files: dict[str, bytes | None] = {}

    def names(self, folder: str) -> frozenset[str] | None:
        """The entries of a folder; an unknown one brings its whole top-level package."""
        if folder not in self._folders:
            parent, _, name = folder.rpartition("/")
            if not folder or "." in name or name not in (self.names(parent) or ()):
                self._folders[folder] = None
            else:
                self._bring(self.request(folder))
                self._folders.setdefault(folder, None)
        return self._folders[folder]

    def read(self, path: str) -> bytes | None:
        """The contents of a file; an unknown one in the folder of the standard library brings all beside it."""
        if path not in self._files:
            folder, name = posixpath.split(path)
            if name not in (self.names(folder) or ()):
                self._files[path] = None
            else:
                together = not folder and name.endswith(".py") and "os.py" in (self.names("") or ())
                self._bring(FolderRequest(self.root, (".py",)) if together else FolderRequest(f"{self.root}/{path}"))
                self._files.setdefault(path, None)
        return self._files[path]

    def request(self, path: str) -> FolderRequest:
        """How to ask for a folder with all sources in it."""
        return FolderRequest(f"{self.root}/{path}", SOURCES, deep=True, skip=UNREAD)

    def unknown(self, name: str) -> FolderRequest | None:
        """How to ask for a top-level package, if there is one here and it was not brought yet."""
        if name in (self.names("") or ()) and name not in self._folders:
            return self.request(name)
        return None

    def has(self, path: str) -> bool:
        """Whether a file was brought already."""
        return path in self._files

    def keep(self, request: FolderRequest, content: FolderContent) -> None:
        """Take in what a request brought."""
        start = request.path[len(self.root) :].strip("/")
        for inside, names in content.listings.items():
            self._folders.setdefault(posixpath.join(start, inside).rstrip("/"), frozenset(names))
        for inside, data in content.files.items():
            self._files[posixpath.join(start, inside).rstrip("/")] = data

    def know(self, folders: dict[str, set[str]], files: dict[str, bytes]) -> None:
        """Take in listings and contents that came otherwise."""
        self._folders.update((folder, frozenset(names)) for folder, names in folders.items())
        self._files.update(files)

    def _bring(self, request: FolderRequest) -> None:
        for content in self._fetch([request]):
            self.keep(request, content)

    def __repr__(self) -> str:
        return f"<remote folder {self.root}>"


class Remote:
    """All entries of ``sys.path`` of a live target, and the way to ask it."""

    def __init__(self, first: Evidence, ask: Ask) -> None:
        """``first`` is the answer to :data:`FIRST`."""
        self._ask = ask
        roots = [entry.rstrip("/") for entry in dict.fromkeys(first.interpreter["path"]) if entry.startswith("/")]
        self.trees = [RemoteTree(root, self._fetch) for root in roots]
        for tree in self.trees:
            tree.know(*_within(tree.root, first))

    def prefetch(self, packages: Sequence[str]) -> None:
        """Bring the sources of top-level packages in one round."""
        self._bring_all((tree, tree.unknown(name)) for name in packages for tree in self.trees)

    def read_ahead(self, modules: Sequence[ModuleFile]) -> None:
        """Bring the files of modules in one round."""
        self._bring_all(
            (tree, FolderRequest(f"{tree.root}/{item.path}"))
            for item in modules
            for tree in self.trees
            if tree is item.tree and not tree.has(item.path)
        )

    def _bring_all(self, wanted: Iterable[tuple[RemoteTree, FolderRequest | None]]) -> None:
        requests = [(tree, request) for tree, request in wanted if request is not None]
        if requests:
            contents = self._fetch([request for _, request in requests])
            for (tree, request), content in zip(requests, contents, strict=False):
                tree.keep(request, content)

    def _fetch(self, requests: Sequence[FolderRequest]) -> Sequence[FolderContent]:
        return self._ask(Request(folders=tuple(requests))).folders


def _within(root: str, evidence: Evidence) -> tuple[dict[str, set[str]], dict[str, bytes]]:
    """The listings and files below a root among what the first round brought."""
    folders: dict[str, set[str]] = {}
    for path in evidence.names:
        if path.startswith(root + "/"):
            folder, name = posixpath.split(path[len(root) + 1 :])
            if not name or folder.count("/"):
                continue
            if folder and folder not in folders.get("", ()):
                continue  # of another entry of sys.path that lies below this one
            folders.setdefault(folder, set()).add(name)
    files = {
        path[len(root) + 1 :]: file.text.encode()
        for path, file in evidence.files.items()
        if path.startswith(root + "/") and posixpath.dirname(path[len(root) + 1 :]) in folders
    }
    return folders, files
