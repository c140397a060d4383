"""What environment markers may read of a Python, and how each of it follows from what is known.

Format: PEP 508, "Environment Markers" (PyPA "Dependency specifiers").
"""

from __future__ import annotations

_IMPLEMENTATIONS = {"cpython": "CPython", "pypy": "PyPy", "graalpy": "GraalVM"}
"""``sys.implementation.name`` -> ``platform.python_implementation()``."""
_SYSTEMS = {"linux": "Linux", "darwin": "Darwin", "win32": "Windows", "cygwin": "CYGWIN"}
"""``sys.platform`` -> ``platform.system()``."""


def marker_facts(
    version: str,
    implementation: str | None,
    platform: str | None,
    machine: str | None,
    *,
    implementation_version: str | None = None,
    system: str | None = None,
) -> dict[str, str]:
    """The variables whose values are known.

    ``version`` is Python's, with all its parts; ``implementation`` and ``platform`` are as ``sys.implementation.name``
    and ``sys.platform`` spell them, ``machine`` and ``system`` as the kernel does. ``implementation_version`` is
    Python's own where it is not given, and ``system`` follows from the platform.
    """
    known = {
        "python_full_version": version,
        "python_version": ".".join(version.split(".")[:2]),
        "implementation_name": implementation,
        "implementation_version": implementation and (implementation_version or version),
        "platform_python_implementation": implementation and _IMPLEMENTATIONS.get(implementation, implementation),
        "sys_platform": platform,
        "os_name": platform and ("nt" if platform == "win32" else "posix"),
        "platform_system": system or _SYSTEMS.get(platform or ""),
        "platform_machine": machine,
    }
    return {name: value for name, value in known.items() if value}
