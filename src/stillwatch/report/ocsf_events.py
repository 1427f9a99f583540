"""A run as OCSF events for a SIEM: campaigns as findings, the requests of the accused as activity.

Of a request it holds who, when, which model and how many tokens; no text was kept to tell. Where
the request came from a run knows by the hash of its address prefix alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pyarrow.compute as pc

from stillwatch import __version__
from stillwatch.schema import parse_time, to_micros
from stillwatch.schema.ocsf import API_ACTIVITY, DETECTION_FINDING, EXTRACTION, frame
from stillwatch.store import Run

__all__ = ["activity_events", "finding_events"]

_INFORMATIONAL: Final = (1, "Informational")
_SEVERITY: Final = {"accused": (4, "High")}
_STATUS: Final = {True: (1, "Success"), False: (2, "Failure")}
_FINE: Final = frozenset({"ok", "refused", "filtered", None})
_COLUMNS: Final = ("exchange_id", "ts", "account_id", "end_user_id", "model", "status",
                   "http_status", "channel", "input_tokens", "output_tokens",
                   "h_prefix")  # fmt: skip
_UNKNOWN: Final = "unknown"


def finding_events(run: Run) -> Iterator[dict[str, Any]]:
    """Yield a Detection Finding (2004) for each campaign, in the run's order.

    ``confidence_score`` is the smaller of the claims *coordinated* and *extractive*, in percent.
    What is not accused is informational and no alert. Tests that speak against a claim (e < 1) are
    no part of it; one that can only put accounts on watch says so, in its sentence and as the
    ``category`` of its analytic.
    """
    for line in run.campaigns:
        standing = str(line["standing"])
        claims = line["claims"]
        sure = min(claims[claim]["confidence"] or 0.0 for claim in ("coordinated", "extractive"))
        event = frame(
            DETECTION_FINDING, uid=f"{line['campaign_id']}:{line['last_seen']}",
            time_ms=_ms(line["last_seen"]), feature="scan", version=__version__,
            severity=_SEVERITY.get(standing, _INFORMATIONAL),
        )  # fmt: skip
        evidence = [one for claim in ("coordinated", "extractive")
                    for one in claims[claim]["evidence"]
                    if (one["e_value"] or 0.0) >= 1]  # fmt: skip
        yield event | {
            "status_id": 1, "status": "New", "is_alert": standing == "accused",
            "confidence_score": int(100 * sure),
            "message": f"{line['accounts']} accounts, {line['exchanges']} exchanges: {standing}",
            "finding_info": {
                "uid": line["campaign_id"], "title": "Adversarial distillation",
                "desc": " ".join(_sentence(one) for one in evidence),
                "types": [f"standing:{standing}", *(f"method:{m}" for m in line["methods"])],
                "first_seen_time": _ms(line["first_seen"]),
                "last_seen_time": _ms(line["last_seen"]),
                "analytic": {"type_id": 3, "type": "Statistical", "name": "stillwatch scan",
                             "version": __version__},
                "related_analytics": [
                    {"type_id": 3, "type": "Statistical", "name": name}
                    | ({"category": counts_for} if counts_for else {})
                    for name, counts_for in sorted(
                        {str(one["signal"]): one.get("counts_for", "") for one in evidence}.items()
                    )
                ],
                "attacks": [EXTRACTION],
            },
            "evidences": [_member(member) for member in line["members"]],
        }  # fmt: skip


def _sentence(test: dict[str, Any]) -> str:
    text = str(test["text"])
    return f"{text} (counts for watching alone)" if test.get("counts_for") == "watch" else text


def _member(member: dict[str, Any]) -> dict[str, Any]:
    return {
        "actor": {"user": _user(member["account_id"], member["end_user_id"])},
        "data": {"role": member["role"], "standing": member["standing"],
                 "confidence": member["confidence"], "reasons": member["reasons"]},
    }  # fmt: skip


def activity_events(run: Run, *, provider: str = _UNKNOWN) -> Iterator[dict[str, Any]]:
    """Yield an API Activity (6003, profile *ai_operation*) for each request of accused accounts.

    ``provider``: whose models they are; a run does not say. Memory is that of one batch.
    """
    accounts = run.table("accounts", ["account_id", "standing", "campaign_id"])
    accused = accounts.filter(pc.equal(accounts["standing"], "accused"))
    campaign = dict(
        zip(accused["account_id"].to_pylist(), accused["campaign_id"].to_pylist(), strict=True)
    )
    for batch in run.batches("exchanges", _COLUMNS):
        theirs = batch.filter(pc.is_in(batch["account_id"], accused["account_id"].combine_chunks()))
        for row in theirs.to_pylist():
            yield _activity(row, campaign[row["account_id"]], provider)


def _activity(row: dict[str, Any], campaign: str | None, provider: str) -> dict[str, Any]:
    status_id, status = _STATUS[row["status"] in _FINE]
    prefix = f"{row['h_prefix']:016x}" if row["h_prefix"] else _UNKNOWN
    event = frame(
        API_ACTIVITY, uid=row["exchange_id"], time_ms=to_micros(row["ts"]) // 1000,
        feature="scan", version=__version__, severity=_INFORMATIONAL, profiles=("ai_operation",),
    )  # fmt: skip
    if campaign is not None:
        event["metadata"]["correlation_uid"] = campaign
    tokens = (row["input_tokens"], row["output_tokens"])
    counted = {
        "prompt_tokens": tokens[0],
        "completion_tokens": tokens[1],
        "total_tokens": None if None in tokens else sum(tokens),
    }
    code = row["http_status"]
    return event | {
        "status_id": status_id, "status": status,
        "actor": {"user": _user(row["account_id"], row["end_user_id"])},
        "api": {"operation": "inference", "service": {"name": row["channel"] or _UNKNOWN}},
        "src_endpoint": {"uid": prefix, "name": "hash of the address prefix"},
        "ai_model": {"name": row["model"], "ai_provider": provider},
        "message_context": {
            "uid": row["exchange_id"], "service": {"name": row["channel"] or _UNKNOWN},
            **{name: n for name, n in counted.items() if n is not None},
        },
        **({"http_response": {"code": code}, "status_code": str(code)} if code else {}),
    }  # fmt: skip


def _user(account: str, end_user: str | None) -> dict[str, Any]:
    """Return who asked: the end user of a channel account, with the account that is billed."""
    if end_user is None:
        return {"uid": account}
    return {"uid": end_user, "account": {"uid": account}}


def _ms(text: str) -> int:
    return to_micros(parse_time(text)) // 1000
