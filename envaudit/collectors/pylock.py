"""What a ``pylock.toml`` installs (PEP 751): every package with its version, and the Python that it is for.

packaging validates the document. A lock file is complete: a package that is not in it is observed absent.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from envaudit.collectors._locks import check_packaging
from envaudit.collectors._redact import redact, redact_url
from envaudit.errors import LockfileError
from envaudit.evidence import Collector, Evidence, Request
from envaudit.model import Component, Gap

if TYPE_CHECKING:
    from packaging.pylock import Package, PackageSdist, PackageWheel, Pylock

    from envaudit.collectors._narrow import Part


def collect(evidence: Evidence) -> Iterator[Component | Gap]:
    """Components ``distribution`` and ``python`` (attributes: docs/snapshot.md)."""
    lock = _validated(evidence)
    if lock.requires_python is not None:
        yield Component("python", "python", None, {"requires": str(lock.requires_python)})
    else:
        yield Gap("python", None, "the lock file does not say for which Python it is")
    by_name: dict[str, list[tuple[int, Package]]] = {}
    for index, package in enumerate(lock.packages):
        by_name.setdefault(package.name, []).append((index, package))
    for name, packages in sorted(by_name.items()):
        unconditional = [index for index, package in packages if package.marker is None]
        if len(unconditional) > 1:
            first, second = (f"packages[{index}]" for index in unconditional[:2])
            raise LockfileError(f"pylock.toml: {second}: {name} stands in {first} too, and no marker chooses")
        if unconditional and len(packages) == 1:
            part = _part(packages[0][1])
            yield Component("distribution", name, part.pop("version", None), part)
        else:
            candidates = [_candidate(package, lock.default_groups or ()) for _, package in packages]
            yield Component("distribution", name, None, {"candidates": sorted(candidates, key=repr)})


def _validated(evidence: Evidence) -> Pylock:
    import logging

    check_packaging()
    from packaging.pylock import Pylock, PylockValidationError

    # packaging warns through logging of a newer minor lock-version, which PEP 751 lets a reader accept.
    logger = logging.getLogger("packaging.pylock")
    disabled, logger.disabled = logger.disabled, True
    try:
        return Pylock.from_dict(evidence.pylock)
    except PylockValidationError as error:
        place = f"{error.context}: " if error.context else ""
        reason = redact(error.message.partition("\n")[0])
        raise LockfileError(f"pylock.toml: {place}{reason}") from None
    except RecursionError:
        raise LockfileError("pylock.toml: is nested too deeply") from None
    finally:
        logger.disabled = disabled


def _candidate(package: Package, groups: Sequence[str]) -> Part:
    """An entry under its marker, and the dependency groups that are installed unless others are chosen."""
    marker = str(package.marker or "")
    candidate: Part = {"marker": marker} if marker else {}
    if groups and "dependency_groups" in marker:
        candidate["groups"] = sorted(groups)
    return {**candidate, **_part(package)}


def _part(package: Package) -> Part:
    from envaudit.collectors._narrow import versioned

    part: Part = versioned(str(package.version)) if package.version is not None else {}
    archives: list[PackageWheel | PackageSdist] = [*(package.wheels or ())]
    if package.sdist is not None:
        archives.append(package.sdist)
    hashes = {f"{kind}:{digest}".lower() for archive in archives for kind, digest in archive.hashes.items()}
    if hashes:
        part["hashes"] = sorted(hashes)
    source = {key: value for key, value in _source(package).items() if value}
    if source:
        part["source"] = source
    return part


def _source(package: Package) -> Part:
    """Where it comes from if not from an index, as for direct_url.json (PEP 610)."""
    if package.vcs is not None:
        vcs = package.vcs
        return {
            "kind": "vcs",
            "url": redact_url(vcs.url or vcs.path or ""),
            "commit": vcs.commit_id,
            "requested": vcs.requested_revision,
            "subdirectory": vcs.subdirectory,
        }
    if package.directory is not None:
        folder = package.directory
        return {
            "kind": "directory",
            "where": folder.path,
            "editable": folder.editable,
            "subdirectory": folder.subdirectory,
        }
    if package.archive is not None:
        archive = package.archive
        digests = sorted(f"{kind}:{digest}".lower() for kind, digest in archive.hashes.items())
        return {
            "kind": "archive",
            "url": redact_url(archive.url or archive.path or ""),
            "hash": next((digest for digest in digests if digest.startswith("sha256:")), digests[0]),
            "subdirectory": archive.subdirectory,
        }
    return {}


COLLECTOR = Collector(kinds=("distribution", "python"), needs=frozenset({"pylock"}), request=Request(), collect=collect)
