"""Cases as OCSF events for a SIEM: no text of a prompt, no identifier of a customer.

*Source*: OCSF 1.8.0, class Incident Finding (2005); tests validate every event against the
published schema of that version.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any, Final

from stillwatch import __version__
from stillwatch.cases import Line
from stillwatch.report.facts import at, listed
from stillwatch.report.numbers import number, parse

__all__ = ["OCSF_VERSION", "incident_of"]

OCSF_VERSION: Final = "1.8.0"
_INCIDENT: Final = 2005
# MITRE ATLAS
_EXTRACTION: Final = {
    "tactic": {"uid": "AML.TA0010", "name": "Exfiltration"},
    "technique": {"uid": "AML.T0024.002", "name": "Extract AI Model"},
}
# state, is it acted upon → (status, activity) as OCSF numbers and names them
_OPEN, _ACTED, _OVER = (1, "New"), (2, "In Progress"), (5, "Closed")


def incident_of(
    line: Line, head: dict[str, Any], labels: Counter[str], *, now: datetime
) -> dict[str, Any]:
    """Return a case as an Incident Finding.

    ``labels``: of how many of its accounts people found what. The verdict is theirs and is given
    only where all that were looked at agree; what the scan claims is the confidence.
    """
    status_id, status = (
        _OVER if line.state != "open" else _ACTED if line.verdict else _OPEN
    )  # fmt: skip
    activity_id, activity = (3, "Close") if line.state != "open" else (
        (1, "Create") if line.why == "new" else (2, "Update")
    )  # fmt: skip
    accused = head.get("standing") == "accused"
    severity_id, severity = (3, "Medium") if accused else (1, "Informational")
    verdict_id, verdict = _verdict(labels)
    extractive = number(at(head, "claims", "extractive", "confidence"))
    event: dict[str, Any] = {
        "activity_id": activity_id, "activity_name": activity, "category_uid": 2,
        "category_name": "Findings", "class_uid": _INCIDENT, "class_name": "Incident Finding",
        "type_uid": _INCIDENT * 100 + activity_id,
        "type_name": f"Incident Finding: {activity}",
        "time": _ms(now), "severity_id": severity_id, "severity": severity,
        "status_id": status_id, "status": status, "verdict_id": verdict_id, "verdict": verdict,
        "count": line.accused,
        "desc": f"{line.accused:,} accused of {line.accounts:,} accounts; "
                f"at the last scan: {line.change}",
        "metadata": {
            "version": OCSF_VERSION, "uid": line.case_id, "log_name": "stillwatch console",
            "product": {"name": "stillwatch", "vendor_name": "stillwatch", "version": __version__,
                        "feature": {"name": "cases"}},
        },
        "finding_info_list": [_finding(line, head)],
        "unmapped": {
            "why": line.why, "verdict_in_force": line.verdict or "none",
            "open_appeals": line.appeals, "waiting_for_approval": line.pending,
        },
    }  # fmt: skip
    # The class asks for a person or a group.
    if line.assigned_to:
        event["assignee"] = {"name": line.assigned_to}
    else:
        event["assignee_group"] = {"name": "nobody yet"}
    if extractive is not None:
        event["confidence_score"] = round(extractive * 100)
    if accused:
        event["attacks"] = [_EXTRACTION]
    if began := parse(head.get("first_seen")):
        event["start_time"] = _ms(began)
    if seen := parse(head.get("last_seen")):
        event["end_time"] = _ms(seen)
    return event


def _finding(line: Line, head: dict[str, Any]) -> dict[str, Any]:
    methods = [f"method:{m}" for m in listed(head.get("methods"))]
    found = {
        "uid": line.campaign_id, "title": "Adversarial distillation",
        "types": [f"standing:{head.get('standing', 'not in this run')}", *methods],
        "created_time": _ms(line.opened), "modified_time": _ms(line.seen),
        "analytic": {"type_id": 99, "type": "Other", "name": "campaign of linked accounts"},
    }  # fmt: skip
    if began := parse(head.get("first_seen")):
        found["first_seen_time"] = _ms(began)
    if seen := parse(head.get("last_seen")):
        found["last_seen_time"] = _ms(seen)
    return found


def _verdict(labels: Counter[str]) -> tuple[int, str]:
    if labels["true"] and labels["false"]:
        return 99, "Other"
    if labels["true"]:
        return 2, "True Positive"
    if labels["false"]:
        return 1, "False Positive"
    return (7, "Insufficient Data") if labels["unsure"] else (0, "Unknown")


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
