"""The page of each rule: its module's docstring. ``envaudit explain EA101`` prints it, docs/rules/ holds all of them.

python -m envaudit.explain docs/rules
"""

from __future__ import annotations

import os

from envaudit import registry, rules
from envaudit.errors import UsageError

SECTIONS = (
    "What it compares",
    "Why it breaks",
    "Example",
    "How to fix",
    "What it cannot see",
)
"""The headings of every page, in this order, after its one-line summary."""


def page(code: str) -> str:
    """The page of the rule with this code (``EA101``) or name (``python-minor-skew``), as Markdown."""
    wanted = code.strip().lower().replace("_", "-")
    for module in registry.module_names("rules"):
        if wanted in (rules.code_of(module).lower(), rules.name_of(module), module.replace("_", "-")):
            return _page(module)
    raise UsageError(f"there is no rule {code!r}; {_hint(wanted)}")


def all_pages() -> dict[str, str]:
    """Every page by code, in the order of the codes."""
    return {rules.code_of(module): _page(module) for module in registry.module_names("rules")}


def index() -> str:
    """The table of all rules."""
    lines = [
        "# Rules",
        "",
        "Generated from the docstrings of `envaudit/rules/` by `python -m envaudit.explain docs/rules`.",
        "",
        "| code | name | what it tells |",
        "|---|---|---|",
    ]
    for module in registry.module_names("rules"):
        code = rules.code_of(module)
        lines.append(f"| [{code}]({code}.md) | {rules.name_of(module)} | {summary(module)} |")
    return "\n".join(lines) + "\n"


def summary(module: str) -> str:
    """The first line of a rule's page."""
    return (registry.module("rules", module).__doc__ or "").partition("\n")[0]


def write_pages(folder: str) -> None:
    """Write all pages and the index, and take away pages of rules that no longer exist."""
    wanted = {f"{code}.md": text for code, text in all_pages().items()} | {"index.md": index()}
    os.makedirs(folder, exist_ok=True)
    for name in os.listdir(folder):
        if name.endswith(".md") and name not in wanted:
            os.remove(os.path.join(folder, name))
    for name, text in wanted.items():
        with open(os.path.join(folder, name), "w", encoding="utf-8", newline="\n") as file:
            file.write(text)


def _page(module: str) -> str:
    text = (registry.module("rules", module).__doc__ or "").strip()
    return f"# {rules.code_of(module)} {rules.name_of(module)}\n\n{text}\n"


def _hint(wanted: str) -> str:
    """Close codes and names, or all codes where nothing is close."""
    from difflib import get_close_matches

    names = {}
    for module in registry.module_names("rules"):
        names[rules.code_of(module).lower()] = names[rules.name_of(module)] = rules.code_of(module)
    close = list(dict.fromkeys(names[match] for match in get_close_matches(wanted, names, n=3, cutoff=0.5)))
    if close:
        return f"did you mean {' or '.join(close)}?"
    return f"the rules are {', '.join(sorted(set(names.values())))}"


if __name__ == "__main__":
    import sys

    write_pages(sys.argv[1] if len(sys.argv) > 1 else "docs/rules")
