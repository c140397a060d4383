"""What names an image: ``[HOST[:PORT]/]NAME[:TAG][@DIGEST]``.

Grammar and defaults: github.com/distribution/reference (``regexp.go``, ``normalize.go``). A first component is a host
if it holds a dot, a colon or an upper-case letter, or is ``localhost``; without a host the name is one of Docker Hub.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from envaudit.errors import TargetError

HUB: Final = "docker.io"
_OFFICIAL: Final = "library/"
_LATEST: Final = "latest"
_LONGEST: Final = 255
"""Characters of a repository's path (``RepositoryNameTotalLengthMax``)."""

_LABEL: Final = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_HOST: Final = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[a-fA-F0-9:]+\])(?::[0-9]{{1,5}})?", re.ASCII)
_COMPONENT: Final = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_PATH: Final = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_TAG: Final = re.compile(r"\w[\w.-]{0,127}", re.ASCII)
_IDENTIFIER: Final = re.compile(r"[a-f0-9]{64}")
_DIGEST: Final = re.compile(r"sha256:[a-f0-9]{64}|sha512:[a-f0-9]{128}")


class Reference(NamedTuple):
    """A reference with every default filled in."""

    host: str
    """``HOST[:PORT]``; that of Docker Hub is ``docker.io``."""
    path: str
    """The repository on that host."""
    tag: str | None = None
    digest: str | None = None
    """Says alone what is meant where there is a tag as well."""

    @property
    def name(self) -> str:
        """The repository as Docker shows it: Docker Hub and its ``library`` left out."""
        if self.host != HUB:
            return f"{self.host}/{self.path}"
        short = self.path.removeprefix(_OFFICIAL)
        return self.path if "/" in short else short

    @property
    def tagged(self) -> str | None:
        """``NAME:TAG``, as in ``RepoTags``."""
        return f"{self.name}:{self.tag}" if self.tag else None

    def digested(self, digest: str) -> str:
        """``NAME@DIGEST``, as in ``RepoDigests``."""
        return f"{self.name}@{digest}"


def is_digest(text: object) -> bool:
    """Whether it is a digest of an algorithm that is checked: SHA-256 or SHA-512 (descriptor.md, "Digests")."""
    return isinstance(text, str) and _DIGEST.fullmatch(text) is not None


def parse(text: str) -> Reference:
    """Take a reference apart.

    Raises :class:`~envaudit.errors.TargetError` where it is none.
    """
    rest, at, digest = text.rpartition("@") if "@" in text else (text, "", "")
    if at and not is_digest(digest):
        # What stands before the @ may be a password that somebody wrote as in a URL.
        raise _wrong(f"...@{digest}", "no digest follows the @ (sha256: and 64, or sha512: and 128 hexadecimal digits)")
    head, slash, tail = rest.partition("/")
    if slash and (head == "localhost" or re.search(r"[.:A-Z]", head)):
        host, rest = head, tail
        if not _HOST.fullmatch(host):
            raise _wrong(text, "what stands before the first slash is no host")
    else:
        host = HUB
    path, colon, tag = rest.partition(":")
    if colon and not _TAG.fullmatch(tag):
        raise _wrong(text, "the tag is none (letters, digits, _ . - and 128 of them at most)")
    if not path:
        raise _wrong(text, "the name is missing")
    if path != path.lower():
        raise _wrong(text, "the name must be lower case")
    if not _PATH.fullmatch(path):
        raise _wrong(text, "the name has other characters than a-z, 0-9, and . _ - between them")
    if host == HUB and _IDENTIFIER.fullmatch(path):
        raise _wrong(text, "64 hexadecimal digits are the id of an image, which no registry knows")
    if host in (HUB, f"index.{HUB}"):
        host, path = HUB, path if "/" in path else _OFFICIAL + path
    if len(path) > _LONGEST:
        raise _wrong(text, f"the name is longer than {_LONGEST} characters")
    return Reference(host, path, tag or (None if digest else _LATEST), digest or None)


def _wrong(text: str, why: str) -> TargetError:
    shown = text if len(text) <= 2 * _LONGEST else f"{text[:_LONGEST]}..."
    return TargetError(f"{shown!a} is no image reference: {why}; write HOST/NAME:TAG")
