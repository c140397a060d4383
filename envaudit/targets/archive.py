"""``archive://PATH`` or just ``PATH``: an image in a file or folder, without an engine and without running it.

What ``docker save`` and ``docker export`` write, OCI archives and OCI layouts (``skopeo copy``, ``buildah push``,
``docker buildx build --output type=oci``). Of several images in one ``PATH#NAME:TAG`` names one.
"""

from __future__ import annotations

from envaudit.evidence import Evidence, Options, Request, Target
from envaudit.images import layout
from envaudit.targets import _static


def gather(reference: str, request: Request, options: Options) -> Evidence:
    """Read the image's layers."""
    path, name = layout.split(reference)
    return _static.of_image(layout.open_path(path, options.platform, name), request, options, reference)


def claims(text: str) -> bool:
    """An OCI layout, or an archive that holds an image or a root file system."""
    return layout.looks_like_image(layout.split(text)[0])


TARGET = Target(
    kind="archive",
    schemes=("archive", "docker-archive", "oci-archive", "oci-dir"),
    gather=gather,
    claims_path=claims,
)
