"""What a member asks of the ledger: the last checkpoint, proofs, and receipts of its own entries.

No part of TAXII. With what these endpoints answer a member proves off-line, against keys that it
pinned, that what it did is in the ledger and that the ledger only grew (`share audit`).
"""

from __future__ import annotations

import base64
from collections.abc import Sequence

from starlette.responses import Response

from stillwatch.errors import EvidenceError
from stillwatch.share.hub.calls import Call, answer
from stillwatch.share.hub.conduct import Note
from stillwatch.share.hub.ledger import consistency, latest_note, receipts
from stillwatch.share.hub.refusals import Refusal, not_found

__all__ = ["read_checkpoint", "read_consistency", "read_receipts"]

_MOST = 500


def _whole(call: Call, name: str, usual: int | None = None) -> int:
    told = call.request.query_params.get(name)
    if told is None and usual is not None:
        return usual
    if told is None or not told.isascii() or not told.isdigit() or len(told) > 18:
        raise Refusal(400, f"{name} must be a whole number.")
    return int(told)


def _coded(proof: Sequence[bytes]) -> list[str]:
    return [base64.b64encode(step).decode() for step in proof]


async def read_checkpoint(call: Call) -> Response:
    """Answer with the newest checkpoint; 404 before the first."""
    async with call.hub.database.reading() as connection:
        await call.enter(connection)
        found = await latest_note(connection)
    if found is None:
        raise not_found()
    return answer({"checkpoint": found[1]})


async def read_consistency(call: Call) -> Response:
    """Answer with the proof that the tree of size ``first`` is a beginning of ``second``'s."""
    async with call.hub.database.reading() as connection:
        await call.enter(connection)
        first, second = _whole(call, "first"), _whole(call, "second")
        try:
            proof = await consistency(connection, first, second)
        except EvidenceError:
            raise Refusal(400, "There are no trees of these sizes.") from None
    return answer({"proof": _coded(proof)})


async def read_receipts(call: Call) -> Response:
    """Answer with the member's entries and everybody's that the newest checkpoint covers.

    ``after``: the first number that is wanted. That they were read is an entry too.
    """
    async with call.hub.database.reading() as connection:
        member = await call.enter(connection)
        call.says_why()
        after = _whole(call, "after", 0)
        found = await latest_note(connection)
        if found is None:
            raise not_found()
        size, note = found
        held = await receipts(connection, member.pseudonym, after=after, size=size, most=_MOST + 1)
    more, held = len(held) > _MOST, held[:_MOST]
    told = call.told("read", endpoint="receipts", count=len(held))
    await call.hub.recorder.note(Note(told), call.at)
    rows = [
        {"number": one.number, "event": one.event, "salt": one.salt.hex(),
         "proof": _coded(one.proof)}
        for one in held
    ]  # fmt: skip
    return answer({"checkpoint": note, "more": more, "receipts": rows})
