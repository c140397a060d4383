"""``registry://HOST/NAME:TAG[@DIGEST]``: an image in a registry, without an engine and without running it.

Read is what ``docker pull`` would read, with the credentials that it would use, and of the layers only those that are
not known yet.
"""

from __future__ import annotations

from envaudit.evidence import Evidence, Options, Request, Target


def gather(reference: str, request: Request, options: Options) -> Evidence:
    """Read the image's layers as they come."""
    from envaudit.images.registry import open_registry
    from envaudit.targets import _static

    source = open_registry(reference, options.platform, options.timeout, options.progress)
    return _static.of_image(source, request, options, reference)


TARGET = Target(kind="registry", schemes=("registry",), gather=gather)
