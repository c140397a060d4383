"""What the rules on images share: what a target's reference names, and which image a snapshot was taken of."""

from __future__ import annotations

from typing import NamedTuple

from envaudit.model import Component, Snapshot

KINDS = ("image", "registry")
"""The kinds of target that are named as people name images."""
_HUB = ("index.docker.io/", "docker.io/", "library/")
"""What Docker Hub's names may be written with, and are not shown with."""


class Reference(NamedTuple):
    """``[HOST/]NAME[:TAG][@DIGEST]`` (github.com/distribution/reference)."""

    name: str
    tag: str | None
    """``latest`` where neither tag nor digest is given."""
    digest: str | None

    @property
    def tagged(self) -> str:
        """``NAME:TAG``."""
        return f"{self.name}:{self.tag}"


def named(snapshot: Snapshot) -> Reference | None:
    """What the target's reference names; None where the target is no image, or is named by its id."""
    target = snapshot.target
    identity = str(config(snapshot).attributes.get("id", "")).partition(":")[2]
    if target.kind not in KINDS or target.reference.startswith("sha256:") or identity.startswith(target.reference):
        return None
    return reference(target.reference)


def reference(text: str) -> Reference:
    """A reference that was understood before, taken apart."""
    rest, _, digest = text.partition("@")
    folder, slash, last = rest.rpartition("/")
    last, _, tag = last.partition(":")
    name = folder + slash + last
    for prefix in _HUB:
        name = name.removeprefix(prefix)
    return Reference(name, tag or (None if digest else "latest"), digest or None)


def config(snapshot: Snapshot) -> Component:
    """The image's configuration, an empty one where the target has none."""
    return snapshot.of("image").get("config") or Component("image", "config")


def digests(image: Component) -> set[str]:
    """The digests under which registries know the image; snapshots once held only one of them, without its name."""
    known = [*image.attributes.get("digests", ()), image.attributes.get("digest", "")]
    return {text.rpartition("@")[2] for text in known if text}


def pinned(name: str, image: Component) -> str | None:
    """``NAME@DIGEST`` of the image in that repository, its index's where it has one; None without a digest there."""
    found = [text for text in image.attributes.get("digests", ()) if reference(text).name == name]
    of_tag = f"{name}@{image.attributes.get('digest')}"
    return of_tag if of_tag in found else min(found, default=None)


def same(ours: Component, theirs: Component) -> bool | None:
    """Whether two configurations are of one image, or of one index of platforms; None where that cannot be told."""
    before, after = digests(ours), digests(theirs)
    one, two = ours.attributes.get("id"), theirs.attributes.get("id")
    # An engine with containerd's image store says the digest where others say the configuration's (the id).
    if ({*before, one} & {*after, two}) - {None}:
        return True
    return False if (before and after) or (one and two) else None
