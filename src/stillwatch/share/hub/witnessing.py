"""The witness: cosigns a ledger's checkpoints, and refuses one that does not continue the last.

*Source*: C2SP tlog-witness, `add-checkpoint`: a body of `old` and a size, the consistency proof, an
empty line and the signed checkpoint; 200 with cosignatures, 400 malformed, 403 not signed by its
ledger, 404 another ledger, 409 with the size that the witness has, 422 a proof that does not hold.
"""

from __future__ import annotations

import base64
import binascii
import re
from datetime import UTC, datetime
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from starlette.responses import Response

from stillwatch.errors import ConfigError, EvidenceError
from stillwatch.seal import EMPTY, cosign, open_checkpoint, verify_consistency
from stillwatch.share.hub.calls import FIXED_HEADERS, Call, Handler, read_body
from stillwatch.share.hub.conduct import append_events, event
from stillwatch.share.hub.database import lock_chain
from stillwatch.share.hub.settings import Settings, Signer
from stillwatch.share.hub.tables import WITNESSED

__all__ = ["add_checkpoint", "ledgers_of"]

_LARGEST: Final = 20_000
_OLD: Final = re.compile(r"old (0|[1-9][0-9]{0,17})")


def ledgers_of(settings: Settings) -> dict[str, Ed25519PublicKey]:
    """Return the ledgers that this witness knows, by name.

    Raises:
        ConfigError: a key that is none.
    """
    try:
        return {
            name: Ed25519PublicKey.from_public_bytes(base64.b64decode(key, validate=True))
            for name, key in settings.ledgers.items()
        }
    except (ValueError, binascii.Error) as error:
        raise ConfigError("a key is no Base64 of 32 bytes", where="ledgers") from error


def _plain(text: str, status: int, media: str = "text/plain; charset=utf-8") -> Response:
    return Response(text, status, {**FIXED_HEADERS, "Content-Type": media})


def _read(body: bytes) -> tuple[int, list[bytes], str] | None:
    """Return the old size, the proof and the note; None where the body is malformed."""
    try:
        head, _, note = body.decode().partition("\n\n")
        first, *steps = head.split("\n")
        proof = [base64.b64decode(step, validate=True) for step in steps]
    except (UnicodeDecodeError, binascii.Error, ValueError):
        return None
    found = _OLD.fullmatch(first)
    if found is None or not note or len(proof) > 63 or any(len(step) != 32 for step in proof):
        return None
    return int(found[1]), proof, note


def add_checkpoint(signer: Signer, ledgers: dict[str, Ed25519PublicKey]) -> Handler:
    """Return the endpoint. It takes no member's token: a checkpoint shows by whom it is."""

    async def add(call: Call) -> Response:
        told = _read(await read_body(call.request, _LARGEST))
        if told is None:
            return _plain("malformed\n", 400)
        old, proof, note = told
        origin = note.split("\n", 1)[0]
        if origin not in ledgers:
            return _plain("another ledger\n", 404)
        try:
            seen = open_checkpoint(note, ledgers[origin], origin=origin)
        except EvidenceError:
            return _plain("not signed by its ledger\n", 403)
        if old > seen.size:
            return _plain("old is larger than the checkpoint\n", 400)
        async with call.hub.database.writing() as connection:
            await lock_chain(connection)
            query = select(WITNESSED).where(WITNESSED.c.origin == origin)
            last = (await connection.execute(query)).first()
            size, root = (last.size, bytes(last.root)) if last else (0, EMPTY)
            if old != size:
                return _plain(f"{size}\n", 409, "text/x.tlog.size")
            try:
                verify_consistency(size, seen.size, root, seen.root, proof)
            except EvidenceError:
                return _plain("the proof does not hold\n", 422)
            make: Any = (postgresql if connection.dialect.name == "postgresql" else sqlite).insert
            new = make(WITNESSED).values(origin=origin, size=seen.size, root=seen.root)
            kept = {"size": seen.size, "root": seen.root}
            await connection.execute(
                new.on_conflict_do_update(index_elements=[WITNESSED.c.origin], set_=kept)
            )
            made = event(
                "cosign", key=call.hub.key, member="", at=call.at, ledger=origin, size=seen.size
            )
            await append_events(connection, [made], call.hub.record)
        now = datetime.fromtimestamp(call.at // 1_000_000, UTC)
        signed = cosign(note, signer.origin, signer.key, now=now)
        return _plain(signed.removeprefix(note), 200)

    return add
