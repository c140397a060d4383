"""The comparison for people: the verdict first, then what is wrong by gravity, then what was not seen; 80 columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from envaudit.model import SEVERITIES, Comparison, Drift, Finding, Json, Severity, Snapshot, Verdict
from envaudit.reports import Probe, Report, Shown, View, all_seen, by_reason, failed, plain
from envaudit.reports._lines import WIDTH, Paint, clip, limited, place, wrap

IN_FULL = 3
"""Findings of one code and severity that are explained at length; the others of a long list get a line each."""
ROWS = 12
"""Lines of a long list; then the rest is counted."""


def render(comparison: Comparison, view: View) -> str:
    """The whole report, ending in a newline."""
    paint = Paint(view.color)
    lines = [_verdict(comparison, view, paint)]
    if not all_seen(comparison):
        lines.append("      (of what was seen; not all was: see the end)")
    lines.append("")
    if comparison.verdicts:
        lines += _models(comparison.verdicts, paint)
    lines += _side("train", comparison.train)
    lines += _side("serve", comparison.serve)
    for assumption in comparison.assumptions:
        lines += wrap(f"assumed: {assumption}", "  ", "    ")
    for severity in SEVERITIES:
        found = [item for item in comparison.findings if item.severity == severity]
        if found:
            lines += ["", *_section(severity, found, paint)]
    install = list(_install(comparison.findings))
    if len(install) > 1:
        lines += ["", "mend the packages in one step, in the serving environment:"]
        lines += _command("pip install", install)
    lines += _drift(comparison.drift, view)
    lines += _not_seen(comparison)
    return "\n".join(line.rstrip() for line in lines) + "\n"


def render_probe(probe: Probe, view: View) -> str:
    """The report on model files, ending in a newline."""
    from envaudit.reports import _probe_text  # comparing two environments has no use for it

    return _probe_text.render(probe, view)


def _models(verdicts: Iterable[Verdict], paint: Paint) -> list[str]:
    from envaudit.reports import _probe_text

    return [line for verdict in verdicts for line in _probe_text.brief(verdict, paint)]


def _verdict(comparison: Comparison, view: View, paint: Paint) -> str:
    counts = ", ".join(
        f"{count} {severity}{'s' if count > 1 else ''}"
        for severity in SEVERITIES
        if (count := sum(item.severity == severity for item in comparison.findings))
    )
    if failed(comparison, view.fail_on):
        return f"{paint('FAIL', 'error')}  {counts}: serving does not satisfy what training used"
    if counts:
        return f"{paint('PASS', 'ok')}  {counts}; nothing as grave as --fail-on {view.fail_on or 'never'}"
    if not all_seen(comparison):
        return f"{paint('PASS', 'ok')}  no difference that matters"
    return f"{paint('PASS', 'ok')}  serving has all that training used"


def _side(label: str, snapshot: Snapshot) -> list[str]:
    lines = wrap(f"{label}  {place(snapshot)}", "  ", "         ")
    environment = snapshot.target.environment
    if environment is not None and snapshot.target.kind not in ("here", "venv", "python"):
        lines += wrap(f"looked at {environment.python} (chosen by {environment.chosen_by})", " " * 9, " " * 11)
    if environment is not None and environment.others:
        lines += wrap(f"also there, not looked at: {', '.join(environment.others)}", " " * 9, " " * 11)
    return lines


def _section(severity: Severity, found: list[Finding], paint: Paint) -> list[str]:
    lines: list[str] = []
    rows: list[Finding] = []
    shown: dict[str, int] = {}
    for item in found:
        shown[item.code] = shown.get(item.code, 0) + 1
        if severity == "note" or shown[item.code] > IN_FULL:
            rows.append(item)
            continue
        if lines:
            lines.append("")
        head = wrap(f"{severity.upper()} {item.code}  {_change(item)}", "", "  ")
        lines += [head[0].replace(severity.upper(), paint(severity.upper(), severity), 1), *head[1:]]
        lines += wrap(item.consequence, "  ", "  ")
        lines += wrap(f"fix: {item.fix}", "  ", "       ")
        if item.reference:
            lines.append(plain(f"  see: {item.reference}"))
    if rows:
        if lines:
            lines.append("")
        more = "further " if lines else ""
        lines.append(paint(f"{more}{severity}s", severity) + " (envaudit explain CODE tells what each means)")
        for item in rows[:ROWS]:
            lines.append(clip(f"  {item.code}  {_change(item)}"))
            if item.lowered:
                lines += limited(item.lowered, " " * 9, " " * 11, 2)
        lines += _counted(rows[ROWS:])
    return lines


def _change(item: Finding) -> str:
    if item.train is None and item.serve is None:
        return plain(item.subject)
    return plain(f"{item.subject}  {item.train or 'absent'} -> {item.serve or 'absent'}")


def _counted(rest: list[Finding]) -> list[str]:
    if not rest:
        return []
    names = ", ".join(item.subject for item in rest)
    lines = wrap(f"... and {len(rest)} more: {names}", "  ", "    ")
    return lines if len(lines) <= 4 else [*lines[:4], "    ... (all of them with --format json)"]


def _install(findings: Iterable[Finding]) -> Iterator[str]:
    """The requirements of all plain ``pip install`` fixes of errors and warnings, each once."""
    seen = set()
    for item in findings:
        head, separator, requirement = item.fix.partition("pip install '")
        if item.severity != "note" and separator and not head and requirement.count("'") == 1:
            text = requirement.rstrip("'")
            if requirement.endswith("'") and text not in seen:
                seen.add(text)
                yield f"'{text}'"


def _command(head: str, words: list[str]) -> list[str]:
    """A command over several lines, to be pasted as it stands."""
    lines = [f"  {head}"]
    for word in words:
        if len(lines[-1]) + len(word) + 3 > WIDTH:
            lines[-1] += " \\"
            lines.append("     ")
        lines[-1] += " " + word
    return lines


def _drift(drift: tuple[Drift, ...], view: View) -> list[str]:
    if not drift:
        return []
    counts: dict[str, int] = {}
    for item in drift:
        counts[item.kind] = counts.get(item.kind, 0) + 1
    summary = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
    text = f"drift: {len(drift)} further difference{'s' if len(drift) > 1 else ''} that no rule judges: {summary}"
    if not view.drift:
        return ["", *wrap(f"{text} (--drift lists them)", "", "  ")]
    lines = ["", *wrap(text, "", "  ")]
    for item in drift:
        attribute = f" {item.attribute}" if item.attribute not in ("", "version") else ""
        lines.append(clip(f"  {item.kind} {item.name}{attribute}: {_short(item.train)} -> {_short(item.serve)}"))
    return lines


def _short(value: Json) -> str:
    if value is None:
        return "absent"
    if isinstance(value, list):
        return "[" + ", ".join(_short(item) for item in value) + "]"
    return str(value)


def _not_seen(comparison: Comparison) -> list[str]:
    lines: list[str] = []
    reasons: dict[str, list[str]] = {}
    for unknown in comparison.unknowns:
        reasons.setdefault(unknown.reason, []).append(f"{unknown.code} {unknown.subject}")
    for reason, subjects in reasons.items():
        lines += limited(f"not judged: {', '.join(subjects)}: {reason}")
    for label, snapshot in (("train", comparison.train), ("serve", comparison.serve)):
        for reason, what in by_reason(snapshot.gaps).items():
            lines += limited(f"not seen in {label}: {', '.join(what)}: {reason}")
    return ["", *lines] if lines else []


def render_shown(shown: Shown, view: View) -> str:
    """What is in a snapshot, ending in a newline."""
    from envaudit.reports import _show_text

    return _show_text.render(shown, view)


REPORT = Report(render, render_probe, render_shown)
