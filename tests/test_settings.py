"""The allow-list of environment variables."""

from __future__ import annotations

from envaudit import knowledge
from envaudit.collectors.settings import COLLECTOR, NAMES
from envaudit.evidence import Evidence


def test_the_allow_list_is_the_knowledge() -> None:
    assert set(NAMES) == set(knowledge.load("settings"))


def test_only_allowed_variables_become_settings_and_credentials_are_redacted() -> None:
    environ = {"OMP_NUM_THREADS": "4", "SECRET": "x", "LD_PRELOAD": "https://user:pw@example.org/lib"}
    found = {item.name: item.version for item in COLLECTOR.collect(Evidence(environ=environ))}  # type: ignore[attr-defined]
    assert found.pop("LD_PRELOAD", "pw") is not None
    assert found == {"OMP_NUM_THREADS": "4"}


def test_no_name_on_the_list_smells_of_a_secret() -> None:
    assert not [name for name in NAMES if any(word in name for word in ("TOKEN", "SECRET", "PASSWORD", "KEY", "PROXY"))]


def test_what_the_entry_point_exported_may_be_out_of_sight() -> None:
    items = list(COLLECTOR.collect(Evidence(errors=(("/proc/1/environ", "Permission denied"),))))
    assert [(item.kind, item.name) for item in items] == [("setting", None)]  # type: ignore[attr-defined]
