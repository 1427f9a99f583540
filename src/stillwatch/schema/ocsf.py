"""What every OCSF event of stillwatch has in common; events hold no text of a prompt.

*Source*: OCSF 1.8.0; tests validate every event against the published schema of that version.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

__all__ = ["API_ACTIVITY", "DETECTION_FINDING", "EXTRACTION", "OCSF_VERSION", "EventClass", "frame"]

OCSF_VERSION: Final = "1.8.0"

EventClass = tuple[int, str, int, str]
"""Number and name of a class, number and name of its category."""
DETECTION_FINDING: Final[EventClass] = (2004, "Detection Finding", 2, "Findings")
API_ACTIVITY: Final[EventClass] = (6003, "API Activity", 6, "Application Activity")

# MITRE ATLAS; an ownership answer is no attack.
EXTRACTION: Final[Mapping[str, Any]] = {
    "tactic": {"uid": "AML.TA0010", "name": "Exfiltration"},
    "technique": {"uid": "AML.T0024.002", "name": "Extract AI Model"},
}


def frame(
    kind: EventClass, *, uid: str, time_ms: int, feature: str, version: str,
    severity: tuple[int, str], profiles: Sequence[str] = (),
) -> dict[str, Any]:  # fmt: skip
    """Return the fields that any event has: its class, its time (ms since 1970), who made it.

    ``uid``: the event's own id. ``version``: of stillwatch. The activity is *Create*.
    """
    number, name, category, category_name = kind
    return {
        "activity_id": 1, "activity_name": "Create", "category_uid": category,
        "category_name": category_name, "class_uid": number, "class_name": name,
        "type_uid": number * 100 + 1, "type_name": f"{name}: Create",
        "time": time_ms, "severity_id": severity[0], "severity": severity[1],
        "metadata": {
            "version": OCSF_VERSION, "uid": uid, "log_name": f"stillwatch {feature}",
            **({"profiles": list(profiles)} if profiles else {}),
            "product": {"name": "stillwatch", "vendor_name": "stillwatch", "version": version,
                        "feature": {"name": feature}},
        },
    }  # fmt: skip
