"""A snapshot for people: where it was taken, what is there by kind, and what was not seen."""

from __future__ import annotations

from typing import Final

from envaudit.model import Component
from envaudit.reports import Shown, View, by_reason, of_artifact, plain
from envaudit.reports._lines import Paint, limited, place, wrap

_NAMED: Final = ("distribution",)
"""Kinds of which every component has a line of its own; of the others the first come in a paragraph."""
_TITLES: Final = {
    "distribution": "packages",
    "os": "operating system",
    "libc": "C library",
    "os-package": "OS packages",
    "machine": "machine",
    "python": "Python",
    "setting": "settings",
}


def render(shown: Shown, view: View) -> str:
    """The whole text, ending in a newline."""
    paint = Paint(view.color)
    snapshot = shown.snapshot
    lines = _head(shown, paint)
    lines += wrap(f"train  {place(snapshot)}", "  ", "         ")
    for artifact in snapshot.artifacts:
        lines += limited(f"model  {of_artifact(artifact)}", "  ", "         ")
    if shown.sample:
        lines += wrap(f"sample  {shown.sample} rides along: envaudit verify --run {shown.file}", "  ", "          ")
    for kind, names in snapshot.components.items():
        if not names:
            continue
        items = [_one(component) for component in names.values()]
        lines.append("")
        lines.append(f"{_TITLES.get(kind, kind)} ({len(items)})")
        if kind in _NAMED:
            width = max(len(name) for name in names)
            lines += [
                plain(f"  {component.name:<{width}}  {component.version or ''}{_more(component)}").rstrip()
                for component in names.values()
            ]
        else:
            lines += limited(", ".join(items), "  ", "  ", 6)
    gaps = by_reason(snapshot.gaps)
    if gaps:
        lines.append("")
    for reason, what in gaps.items():
        lines += limited(f"not seen: {', '.join(what)}: {reason}")
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _head(shown: Shown, paint: Paint) -> list[str]:
    by = f", written by {shown.written_by}" if shown.written_by else ""
    if not shown.where:
        return [*wrap(f"{shown.file}: a snapshot", "", "  "), ""]
    lines = wrap(f"{shown.file} carries a snapshot {shown.where}{by}", "", "  ")
    lines += limited(shown.model, "  ", "  ")
    if shown.error:
        lines += wrap(f"{paint('WARNING', 'warning')} {shown.error.removeprefix(f'{shown.file}: ')}", "  ", "  ")
    elif shown.bound:
        lines += wrap(f"it belongs to this very model: {shown.size} bytes, {shown.digest}", "  ", "  ")
    else:
        lines += wrap("it was written before the model's files, and is not tied to their bytes", "  ", "  ")
    return [*lines, ""]


def _one(component: Component) -> str:
    return component.name if component.version is None else f"{component.name} {component.version}"


def _more(component: Component) -> str:
    """What makes a build another one than its version says."""
    source = component.attributes.get("source")
    told = []
    if isinstance(source, dict) and source.get("url"):
        told.append(f"from {source['url']}")
    if component.attributes.get("modified"):
        told.append("changed after it was installed")
    return f"  ({', '.join(told)})" if told else ""
