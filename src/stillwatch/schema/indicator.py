"""An indicator as it comes back from the exchange: a line of the file for `scan --indicators`."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from stillwatch.errors import SchemaError
from stillwatch.schema.times import parse_time

__all__ = ["INDICATOR_FIELDS", "Indicator", "indicator_of"]

INDICATOR_FIELDS: Final = {
    "indicator_id": "id of the STIX indicator",
    "kind": "what kind of value: `system_prompt`, `tool_schema`, `near_text`, `frame_head_8` …, or "
    "`token_payment` … for values that travel as tokens",
    "value": "16 hex digits of a fingerprint, or 64 of a token",
    "epoch": "the keys' epoch of a token, null for a fingerprint",
    "campaign_id": "id of the STIX campaign that it indicates",
    "contributor": "the pseudonym of whoever shared it",
    "weight": "the contributor's record, from 0 to 0.8; a link that alone accuses nobody",
    "valid_from": "from when it may be used",
    "valid_until": "until when; a line that has run out is not used",
}


@dataclass(frozen=True)
class Indicator:
    """One line. Times in UTC; ``weight`` in [0, 1]."""

    indicator_id: str
    kind: str
    value: str
    epoch: str | None
    campaign_id: str
    contributor: str
    weight: float
    valid_from: datetime
    valid_until: datetime

    def as_dict(self) -> dict[str, Any]:
        """Return the line as JSON types."""
        plain = asdict(self)
        for name in ("valid_from", "valid_until"):
            plain[name] = plain[name].isoformat().replace("+00:00", "Z")
        return plain


def indicator_of(row: dict[str, Any], *, where: str = "") -> Indicator:
    """Return the indicator of a parsed line.

    Raises:
        SchemaError: a field is missing, unknown or of another type; the field is named, its value
            is not.
    """
    unknown = set(row) ^ set(INDICATOR_FIELDS)
    if unknown:
        named = sorted(name for name in unknown if name in INDICATOR_FIELDS)
        raise SchemaError(f"missing {named or 'nothing, but has unknown fields'}", where=where)
    weight = row["weight"]
    texts = ("indicator_id", "kind", "value", "campaign_id", "contributor", "valid_from",
             "valid_until")  # fmt: skip
    for name in texts:
        if not isinstance(row[name], str):
            raise SchemaError("is no text", where=f"{where}.{name}")
    if not isinstance(weight, int | float) or isinstance(weight, bool) or not 0 <= weight <= 1:
        raise SchemaError("is no number from 0 to 1", where=f"{where}.weight")
    times = {name: parse_time(row[name], where=where) for name in ("valid_from", "valid_until")}
    return Indicator(**{**row, **times, "weight": float(weight)})
