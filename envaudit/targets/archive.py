"""``archive://PATH`` or just ``PATH``: an image in a file or folder, without an engine and without running it.

What ``docker save`` and ``docker export`` write, OCI archives and OCI layouts (``skopeo copy``, ``buildah push``,
``docker buildx build --output type=oci``). Of several images in one ``PATH#NAME:TAG`` names one.
"""

from __future__ import annotations

import os

from envaudit.evidence import Evidence, Options, Request, Target


def gather(reference: str, request: Request, options: Options) -> Evidence:
    """Read the image's layers."""
    from envaudit.images import layout
    from envaudit.targets import _static

    path, name = layout.split(reference)
    source = layout.open_path(path, options.platform, name, options.progress)
    return _static.of_image(source, request, options, reference)


def claims(text: str) -> bool:
    """An OCI layout, or an archive that holds an image or a root file system."""
    path = text if os.path.lexists(text) else text.rpartition("#")[0]
    if os.path.isfile(path):
        try:
            with open(path, "rb") as stream:
                head = stream.read(512)
        except OSError:
            return False
        if head.isascii() and b"\0" not in head:  # a snapshot or a lock file: no need to import what reads archives
            return False
    elif not os.path.exists(os.path.join(path, "oci-layout")):
        return False
    from envaudit.images import layout

    return layout.looks_like_image(path)


TARGET = Target(
    kind="archive",
    schemes=("archive", "docker-archive", "oci-archive", "oci-dir"),
    gather=gather,
    claims_path=claims,
)
