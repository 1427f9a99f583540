"""A member's side of matching: blind, let both holders evaluate, check their proofs, unblind."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from voprf import ristretto

from stillwatch.errors import EvidenceError, ShareRefused
from stillwatch.share.match.holder import LARGEST_BATCH
from stillwatch.share.words import MATCHABLE

__all__ = ["Pinned", "Send", "tokens"]

Send = Callable[[bytes], bytes]
_LONGEST: Final = 4096
_UNPROVEN: Final = "its proof does not hold under the key that is pinned"


class Pinned(NamedTuple):
    """A holder and its public key of the epoch, as every member has it.

    Pinned, because a holder that used another key for one member could recognise its tokens.
    """

    send: Send
    public_key: bytes


def tokens(
    kind: str, values: Sequence[str], epoch: str, *, hub: Pinned, witness: Pinned
) -> list[str]:
    """Return the tokens of canonical values, 64 hex digits each, in their order.

    Equal values of one kind and epoch have equal tokens, whoever asks.

    Raises:
        ShareRefused: a kind that is not matchable; an empty or overlong value.
        EvidenceError: a holder's proof does not hold, or its answer is malformed.
    """
    if kind not in MATCHABLE:
        raise ShareRefused("is not matchable", where=f"kind {kind}", hint=", ".join(MATCHABLE))
    if any(not value or len(value.encode()) > _LONGEST for value in values):
        raise ShareRefused("a value is empty or too long", where=f"kind {kind}")
    found: list[str] = []
    for start in range(0, len(values), LARGEST_BATCH):
        part = [f"{kind}\0{value}".encode() for value in values[start : start + LARGEST_BATCH]]
        inner = _evaluated(part, epoch, hub, "hub")
        outer = _evaluated(inner, epoch, witness, "witness")
        found += [hashlib.sha256(one).hexdigest() for one in outer]
    return found


def _evaluated(inputs: Sequence[bytes], epoch: str, holder: Pinned, name: str) -> list[bytes]:
    pairs = [ristretto.Client.blind(one) for one in inputs]
    message = {
        "epoch": epoch,
        "blinded": [base64.b64encode(blinded.serialize()).decode() for _, blinded in pairs],
    }
    answer = holder.send(json.dumps(message).encode())
    try:
        told = json.loads(answer)
        output = ristretto.VerifiableBatchOutput.deserialize(
            base64.b64decode(told["output"], validate=True)
        )
        key = ristretto.PublicKey.deserialize(holder.public_key)
        return ristretto.Client.finalize_batch([client for client, _ in pairs], output, key)
    except (ValueError, KeyError, TypeError, binascii.Error) as error:
        raise EvidenceError(_UNPROVEN, where=name) from error
    except BaseException as error:
        # voprf 0.2.0 panics where a batch's proof does not hold; its PanicException has no name
        # that can be imported and is no Exception
        if type(error).__name__ != "PanicException":
            raise
        raise EvidenceError(_UNPROVEN, where=name) from error
