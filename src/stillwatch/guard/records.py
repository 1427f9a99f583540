"""Decisions as lines: the guard's own log, and OCSF events for a SIEM. No text, no identifier.

Whoever asks is named by its 64-bit key, which the snapshot's salt makes of an account.

*Source*: OCSF 1.8.0, class Detection Finding (2004) with the profile *security_control*; tests
validate every event against the published schema of that version.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from stillwatch import __version__
from stillwatch.guard.decision import Decision
from stillwatch.schema.ocsf import DETECTION_FINDING, EXTRACTION, frame
from stillwatch.schema.snapshot import Snapshot

__all__ = ["Noted", "decision_line", "ocsf_event", "ocsf_line"]

# verdict → (action, disposition) as OCSF numbers and names them
_DONE: Final[Mapping[str, tuple[int, str, int, str]]] = {
    "allow": (1, "Allowed", 1, "Allowed"),
    "watch": (3, "Observed", 17, "Logged"),
    "throttle": (2, "Denied", 14, "Delayed"),
    "step_up": (2, "Denied", 23, "Challenge"),
    # Whoever answers does it; what was done is told later (stillwatch_guard_summaries_total).
    "summarize": (99, "Other", 7, "Custom Action"),
    "deny": (2, "Denied", 2, "Blocked"),
}
_SEVERITY: Final[Mapping[str, tuple[int, str]]] = {
    "watch": (1, "Informational"),
    "throttle": (2, "Low"),
    "step_up": (3, "Medium"),
    "summarize": (3, "Medium"),
    "deny": (3, "Medium"),
}


class Noted(NamedTuple):
    """One decision with what it was taken by and when."""

    ts_us: int
    decision: Decision
    route: str
    snapshot: Snapshot


def decision_line(noted: Noted) -> str:
    """Return a line of the decision log."""
    decision, snapshot = noted.decision, noted.snapshot
    line = {
        "ts_us": noted.ts_us, "decision_id": decision.decision_id, "route": noted.route,
        "subject": f"{decision.subject:016x}", "campaign_id": decision.campaign_id,
        "verdict": decision.verdict, "would": decision.would, "mode": decision.mode,
        "level": decision.level, "reasons": decision.reasons, "citation": decision.citation,
        "proof": _proof(decision, snapshot), "snapshot_version": snapshot.version,
        "snapshot_source": snapshot.source[:16],
    }  # fmt: skip
    return json.dumps(line) + "\n"


def _proof(decision: Decision, snapshot: Snapshot) -> str:
    """Return the digest of what an ownership answer follows from; an appeal judges that."""
    ground = snapshot.ground_of(decision.subject) if decision.level == "access" else None
    return ground.proof if ground else ""


def ocsf_line(noted: Noted) -> str:
    """Return a decision as one line of OCSF."""
    return json.dumps(ocsf_event(noted)) + "\n"


def ocsf_event(noted: Noted) -> dict[str, Any]:
    """Return a decision other than *allow* as a Detection Finding.

    ``severity`` is that of what it would do, ``action`` and ``disposition`` are what was done, so
    that a guard in shadow shows findings that were only logged.
    """
    decision, snapshot = noted.decision, noted.snapshot
    action_id, action, disposition_id, disposition = _DONE[decision.verdict]
    severity_id, severity = _SEVERITY.get(decision.would, (1, "Informational"))
    by_access = decision.level == "access"
    event: dict[str, Any] = {
        **frame(
            DETECTION_FINDING, uid=decision.decision_id, time_ms=noted.ts_us // 1000,
            feature="guard", version=__version__, severity=(severity_id, severity),
            profiles=("security_control",),
        ),
        "status_id": 1, "status": "New",
        "action_id": action_id, "action": action,
        "disposition_id": disposition_id, "disposition": disposition,
        "is_alert": decision.verdict not in ("allow", "watch"),
        "message": "; ".join(decision.reasons),
        "finding_info": {
            "uid": decision.decision_id,
            "title": "Ownership policy" if by_access else "Adversarial distillation",
            "types": [f"verdict:{decision.verdict}", f"would:{decision.would}",
                      f"mode:{decision.mode}", f"level:{decision.level or 'none'}"],
            "analytic": {"type_id": 1, "type": "Rule", "name": decision.level or "none"},
        },
        "policy": {"name": "guard snapshot", "version": str(snapshot.version),
                   "uid": snapshot.source[:16]},
        "evidences": [{"actor": {"user": {"uid": f"{decision.subject:016x}"}},
                       "api": {"operation": noted.route}}],
    }  # fmt: skip
    related = []
    if decision.citation:
        what = {"uid": decision.citation, "type": "citation", "title": "what access rests on"}
        related.append(what)
    if decision.campaign_id is not None:
        what = {"uid": decision.campaign_id, "type": "campaign", "title": "accused campaign"}
        related.append(what)
        if not by_access:
            event["finding_info"]["attacks"] = [EXTRACTION]
    if related:
        event["finding_info"]["related_events"] = related
    return event
