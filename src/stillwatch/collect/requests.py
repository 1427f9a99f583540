"""A body becomes lines for the write-ahead file, and what its sender is told."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, NamedTuple

from stillwatch.collect.bodies import Refused
from stillwatch.collect.wal import LITELLM, OTLP
from stillwatch.sources import (
    PART,
    WHOLE,
    BadJson,
    Ledger,
    OtlpLine,
    litellm_lines,
    otlp_lines,
    otlp_value,
    read_otlp_lines,
)

__all__ = ["Taken", "take_litellm", "take_otlp"]

_NO_OWNER: Final = (
    "records lack what an exchange must have (an account, a model, a time): set user.id or "
    "stillwatch.account_id"
)


class Taken(NamedTuple):
    """What of a request is kept: kind and payload of its frame, and its records by fate.

    ``refused``: those that no reading can turn into a row. ``ignored``: those of other things than
    model requests. ``warning``: for the sender, about what is kept.
    """

    kind: int
    payload: bytes
    kept: int
    refused: int
    ignored: int
    warning: str = ""


def take_litellm(body: bytes, most: int) -> Taken:
    """Return the payloads of a POST of LiteLLM's logger. Raises Refused."""
    ledger = Ledger()
    try:
        lines = litellm_lines(body, ledger)
    except (BadJson, RecursionError):
        raise Refused(400, "no JSON object, array of objects, or one object a line") from None
    _bounded(len(lines) + ledger.rows_rejected, most)
    return Taken(LITELLM, b"\n".join(lines), len(lines), ledger.rows_rejected, 0)


def take_otlp(
    body: bytes, decode: Callable[[bytes], dict[str, Any]] | None, most: int, now: datetime
) -> Taken:
    """Return the records of an OTLP export that belong to model requests.

    ``decode``: of the protobuf encoding, None for JSON. Refused records are those of the wrong
    shape, and spans with their content that the source refuses: nothing could complete them. Raises
    Refused.
    """
    ledger = Ledger(now=now)
    try:
        lines = otlp_lines(otlp_value(body) if decode is None else decode(body), ledger)
    except (BadJson, RecursionError) as error:
        reason = str(error) if isinstance(error, BadJson) else "nested too deeply"
        raise Refused(400, reason) from None
    ignored = sum(ledger.notes.values())
    _bounded(len(lines) + ledger.rows_rejected + ignored, most)
    kept, unfit, incomplete = _fit(lines, now)
    payload = b"\n".join(b"%s%s %s" % (x.state, _word(x.key), x.text) for x in kept)
    refused = ledger.rows_rejected + unfit
    warning = f"{unfit + incomplete} {_NO_OWNER}" if unfit + incomplete else ""
    if ledger.rows_rejected:
        warning = "; ".join(filter(None, (f"{ledger.rows_rejected} are malformed", warning)))
    return Taken(OTLP, payload, len(kept), refused, ignored, warning)


def _word(key: str) -> bytes:
    """Return a key as one word of a line: ids are hexadecimal unless a client made them up."""
    if not key or (key.isascii() and key.replace("-", "").isalnum()):
        return key.encode()
    return hashlib.blake2b(key.encode("utf-8", "surrogatepass")).hexdigest().encode()


def _fit(lines: list[OtlpLine], now: datetime) -> tuple[list[OtlpLine], int, int]:
    """Return the lines that are kept, how many are not, and how many another must complete.

    The source itself is asked, so that nothing is acknowledged that it is known to refuse.
    """
    asked = [line for line in lines if line.state != PART]
    places = {
        "now.traces": [line for line in asked if not line.log],
        "now.logs": [line for line in asked if line.log],
    }
    ledger = Ledger(now=now)
    traces, logs = ([x.text for x in found] for found in places.values())
    read_otlp_lines(traces, logs, "now", ledger)
    unfit: set[int] = set()
    incomplete = 0
    for row in ledger.rejected:
        line = places[row.source][row.line - 1]
        if line.state == WHOLE:
            unfit.add(id(line))
        else:
            incomplete += 1
    return [line for line in lines if id(line) not in unfit], len(unfit), incomplete


def _bounded(count: int, most: int) -> None:
    if count > most:
        raise Refused(413, f"more than {most} records in one request")
