"""pip's own view of a local environment: a cross-check of the metadata that envaudit reads itself.

It is asked through pip-api, and only on demand: importing pip-api starts pip.
"""

from __future__ import annotations

import os
import subprocess

from envaudit.errors import InspectorError, MissingExtraError


def installed(python: str, timeout: float) -> dict[str, str]:
    """Name -> version of what ``pip list`` shows in the environment of an interpreter.

    Raises :class:`~envaudit.errors.InspectorError` where that environment has no working pip, and
    :class:`~envaudit.errors.MissingExtraError` without pip-api.
    """
    # pip-api lets pip's complaint through to standard error; ask first, so that it becomes one line.
    try:
        probe = subprocess.run([python, "-m", "pip", "--version"], capture_output=True, timeout=timeout, check=False)
    except subprocess.TimeoutExpired:
        raise InspectorError(f"{python}: pip did not answer within {timeout:g} seconds") from None
    if probe.returncode != 0:
        raise InspectorError(f"{python}: --pip asks for pip's view, but there is no working pip in that environment")
    before = os.environ.get("PIPAPI_PYTHON_LOCATION")
    os.environ["PIPAPI_PYTHON_LOCATION"] = python
    try:
        try:
            import pip_api
        except ImportError:
            raise MissingExtraError("pip", "--pip") from None
        found = pip_api.installed_distributions()  # type: ignore[attr-defined]
    except (subprocess.CalledProcessError, ValueError) as error:
        raise InspectorError(f"{python}: pip list failed: {error}") from None
    finally:
        if before is None:
            del os.environ["PIPAPI_PYTHON_LOCATION"]
        else:
            os.environ["PIPAPI_PYTHON_LOCATION"] = before
    return {name: str(distribution.version) for name, distribution in found.items()}
