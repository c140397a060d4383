"""The comparison for machines; the schema is docs/comparison.schema.json."""

from __future__ import annotations

import json

from envaudit.model import SEVERITIES, Comparison, Json, Snapshot
from envaudit.reports import Probe, Report, Shown, View, failed

SCHEMA = 1


def render(comparison: Comparison, view: View) -> str:
    """One JSON document. Keys are only ever added within a schema number."""
    findings = comparison.findings
    document: dict[str, Json] = {
        "envaudit_comparison": SCHEMA,
        "failed": failed(comparison, view.fail_on),
        "fail_on": view.fail_on,
        "counts": {severity: sum(item.severity == severity for item in findings) for severity in SEVERITIES},
        "train": _side(comparison.train),
        "serve": _side(comparison.serve),
        "assumptions": list(comparison.assumptions),
        "findings": [
            {
                "code": item.code,
                "severity": item.severity,
                "subject": item.subject,
                "train": item.train,
                "serve": item.serve,
                "consequence": item.consequence,
                "fix": item.fix,
                "reference": item.reference,
            }
            for item in findings
        ],
        "unknowns": [
            {"code": item.code, "subject": item.subject, "reason": item.reason} for item in comparison.unknowns
        ],
        "drift": [item._asdict() for item in comparison.drift],
    }
    if comparison.verdicts:
        from envaudit.reports import _probe_json

        document["verdicts"] = [_probe_json.verdict(verdict) for verdict in comparison.verdicts]
    return json.dumps(document, indent=2) + "\n"


def render_probe(probe: Probe, view: View) -> str:
    """The JSON document on model files."""
    from envaudit.reports import _probe_json  # comparing two environments has no use for it

    return _probe_json.render(probe, view)


def _side(snapshot: Snapshot) -> dict[str, Json]:
    environment = snapshot.target.environment
    return {
        "kind": snapshot.target.kind,
        "reference": snapshot.target.reference,
        "environment": None if environment is None else {**environment._asdict(), "others": list(environment.others)},
        "components": {kind: len(names) for kind, names in sorted(snapshot.components.items())},
        "gaps": [gap._asdict() for gap in snapshot.gaps],
    }


def render_shown(shown: Shown, view: View) -> str:
    """The JSON document on a snapshot: what it rides in, and its components and gaps as in a snapshot file."""
    snapshot = shown.snapshot
    document: dict[str, Json] = {
        "envaudit_shown": SCHEMA,
        "file": shown.file,
        "written_by": shown.written_by,
        "carried": None,
        "target": {key: value for key, value in _side(snapshot).items() if key in ("kind", "reference", "environment")},
        "components": {
            kind: {name: {"version": item.version, **item.attributes} for name, item in sorted(names.items())}
            for kind, names in sorted(snapshot.components.items())
        },
        "gaps": [gap._asdict() for gap in snapshot.gaps],
    }
    if shown.where:
        document["carried"] = {
            "where": shown.where,
            "model": shown.model,
            "bound": shown.bound,
            "error": shown.error or None,
            "digest": shown.digest,
            "size": shown.size,
            "sample": shown.sample or None,
        }
    return json.dumps(document, indent=2) + "\n"


REPORT = Report(render, render_probe, render_shown)
