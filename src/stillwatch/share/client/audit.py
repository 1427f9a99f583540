"""Evidence of conduct: the member's own ledger, counsel's export, and the hub's proofs off-line."""

from __future__ import annotations

import base64
import binascii
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from stillwatch.errors import EvidenceError
from stillwatch.seal import Checkpoint, Entry, open_checkpoint, verify_entry
from stillwatch.share.client.home import Home
from stillwatch.share.shape import read_time

__all__ = ["export", "summarize", "verify_own", "verify_receipt"]


def verify_own(home: Home) -> int:
    """Check the member's own ledger and return the number of entries.

    Raises:
        EvidenceError: names the first entry that was changed.
    """
    with home.ledger() as ledger:
        return ledger.verify()


def export(home: Home, since: datetime, until: datetime) -> Iterator[dict[str, Any]]:
    """Yield what was prepared, refused, released, sent and read in a period, with full objects.

    For counsel: an entry a line, with its number and commitment, so that it can be checked against
    the ledger; what was erased is named as erased.
    """
    said = {}
    for path in sorted(home.outbox.glob("*/objects.json")):
        for one in json.loads(path.read_bytes()):
            said[(path.parent.name, one["id"])] = one
    with home.ledger() as ledger:
        for entry in ledger.entries():
            event = entry.event
            moment = read_time(event.get("at")) if event else None
            if event is not None and (moment is None or not since <= moment < until):
                continue
            line: dict[str, Any] = {"entry": entry.number, "commitment": entry.commitment.hex()}
            line["event"] = dict(event) if event is not None else "erased"
            if event is not None and event.get("what") == "sent":
                name = str(event["package"]).removeprefix("sha256:")[:16]
                line["objects"] = [said[(name, one)] for one in event["objects"]
                                   if (name, one) in said]  # fmt: skip
            yield line


def summarize(home: Home, since: datetime, until: datetime) -> dict[str, int]:
    """Return how often each thing was done in a period, from the ledger: a transparency report."""
    counts: Counter[str] = Counter()
    for line in export(home, since, until):
        event = line["event"]
        counts["erased" if event == "erased" else str(event["what"])] += 1
        if event != "erased":
            for name in ("objects", "refused"):
                value = event.get(name)
                if value is not None:
                    size = len(value) if isinstance(value, list) else int(value)
                    counts[f"{event['what']} {name}"] += size
    return dict(sorted(counts.items()))


def verify_receipt(
    receipt: Mapping[str, Any], key: Ed25519PublicKey, *, origin: str,
    witnesses: Mapping[str, Ed25519PublicKey] | None = None, threshold: int = 0,
) -> Checkpoint:  # fmt: skip
    """Check off-line that an event is in the hub's ledger, and return the checkpoint.

    ``receipt``: ``number``, ``event``, ``salt`` (hex), ``proof`` (list of base64), ``checkpoint``.

    Raises:
        EvidenceError: a part is missing or malformed, or the proof does not hold.
    """
    try:
        salt = bytes.fromhex(receipt["salt"])
        proof = [base64.b64decode(step, validate=True) for step in receipt["proof"]]
        number, event, note = int(receipt["number"]), receipt["event"], str(receipt["checkpoint"])
    except (KeyError, TypeError, ValueError, binascii.Error) as error:
        raise EvidenceError("not a receipt", where=type(error).__name__) from error
    seen = open_checkpoint(note, key, origin=origin, witnesses=witnesses, threshold=threshold)
    verify_entry(Entry.of(number, salt, event), proof, seen)
    return seen
