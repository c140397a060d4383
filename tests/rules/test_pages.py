"""A rule's docstring is its page: all sections are there, and docs/rules/ is what they generate."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from envaudit import explain, registry, rules
from envaudit.errors import UsageError

DOCS = Path(__file__).parents[2] / "docs" / "rules"
MODULES = registry.module_names("rules")


@pytest.mark.parametrize("module", MODULES)
def test_a_page_has_all_sections(module: str) -> None:
    text = registry.module("rules", module).__doc__ or ""
    first, blank, rest = text.partition("\n\n")
    assert blank
    assert first.endswith(".")
    assert "\n" not in first
    assert tuple(re.findall(r"^## (.+)$", rest, re.MULTILINE)) == explain.SECTIONS
    for part in re.split(r"^## .+$", rest, flags=re.MULTILINE)[1:]:
        assert part.strip()


@pytest.mark.parametrize("module", MODULES)
def test_explain_finds_a_page_by_code_and_by_name(module: str) -> None:
    code, name = rules.code_of(module), rules.name_of(module)
    text = explain.page(code)
    assert text.startswith(f"# {code} {name}\n\n")
    assert text == explain.page(code.lower()) == explain.page(name) == explain.all_pages()[code]


def test_an_unknown_code_is_told_with_close_ones() -> None:
    with pytest.raises(UsageError, match=r"no rule 'EA1O1'; did you mean .*EA101"):
        explain.page("EA1O1")
    with pytest.raises(UsageError, match=r"did you mean EA101"):
        explain.page("python-minor")
    with pytest.raises(UsageError, match=r"the rules are EA101, EA102"):
        explain.page("???")


def test_the_generated_pages_are_up_to_date(tmp_path: Path) -> None:
    """If this fails: python -m envaudit.explain docs/rules."""
    (tmp_path / "EA000.md").write_text("a rule that is no more", "utf-8")
    explain.write_pages(str(tmp_path))
    generated = {path.name: path.read_text("utf-8") for path in tmp_path.iterdir()}
    assert "EA000.md" not in generated
    assert generated == {path.name: path.read_text("utf-8") for path in DOCS.iterdir()}
