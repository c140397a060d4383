"""Lock files take a newer packaging than everything else does, which other tools in an environment often hold back."""

from __future__ import annotations

from envaudit.errors import MissingExtraError


def check_packaging() -> None:
    """Raises :class:`~envaudit.errors.MissingExtraError` before packaging 26.1, the first that knows ``pylock.toml``,
    contexts of markers, and specifiers that no version satisfies."""
    import packaging

    if tuple(int(part) for part in packaging.__version__.split(".")[:2]) < (26, 1):
        raise MissingExtraError("lockfile", "reading lock files")
