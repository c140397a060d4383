"""Reading a lock file of the user, within bounds."""

from __future__ import annotations

from envaudit.errors import LockfileError
from envaudit.evidence import MIB


def read(path: str, cap: int, included_from: str = "") -> bytes:
    """The bytes of a file of at most ``cap`` bytes.

    Raises :class:`~envaudit.errors.LockfileError` where it cannot be read or is longer; FileNotFoundError is left to
    the caller, who knows what the file should have been.
    """
    try:
        with open(path, "rb") as stream:
            data = stream.read(cap + 1)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise LockfileError(f"{included_from}{path}: cannot be read: {error.strerror or error}") from None
    if len(data) > cap:
        raise LockfileError(f"{path}: is larger than {cap // MIB} MiB")
    return data
