"""What the hub proves: receipts, checkpoints and consistency, fetched once and checked off-line.

Kept under ``hub-ledger/``: the newest checkpoint that was verified, the consistency proofs that led
to it one from another, and the receipts. `check` needs none of the hub's help: keys are pinned in
share.toml, and everything is verified anew.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from stillwatch.errors import ConfigError, EvidenceError, InputError
from stillwatch.schema import write_whole
from stillwatch.seal import Checkpoint, canonical, open_checkpoint, verify_consistency
from stillwatch.share.client.audit import verify_receipt
from stillwatch.share.client.holders import PINS
from stillwatch.share.client.home import Home

__all__ = ["Proven", "check", "fetch_proofs"]

_FOLDER: Final = "hub-ledger"
_NOTES: Final = "checkpoints.json"
_RECEIPTS: Final = "receipts.jsonl"
_NONSENSE: Final = "answers what is no proof"


@dataclass(frozen=True)
class Proven:
    """What holds: the newest checkpoint, who cosigned it, own entries by action."""

    size: int
    witnesses: tuple[str, ...]
    entries: Mapping[str, int]


@dataclass(frozen=True)
class _Trust:
    origin: str
    key: Ed25519PublicKey
    witnesses: Mapping[str, Ed25519PublicKey]

    def open(self, note: str) -> Checkpoint:
        return open_checkpoint(note, self.key, origin=self.origin, witnesses=self.witnesses,
                               threshold=min(1, len(self.witnesses)))  # fmt: skip


def _key(text: object, where: str) -> Ed25519PublicKey:
    try:
        return Ed25519PublicKey.from_public_bytes(base64.b64decode(str(text), validate=True))
    except (ValueError, binascii.Error) as error:
        raise ConfigError("a key is no Base64 of 32 bytes", where=where) from error


def _trust(home: Home) -> _Trust:
    """Return whom share.toml trusts: ``ledger``, ``ledger_key`` of [hub], the same of [witness].

    Raises:
        ConfigError: the hub's ledger or key is not named.
    """
    origin, key = home.hub.get("ledger", ""), home.hub.get("ledger_key", "")
    if not origin or not key:
        raise ConfigError(
            "the hub's ledger is not pinned", where="share.toml [hub]",
            hint="enter ledger and ledger_key, as `stillwatch hub checkpoint` prints them",
        )  # fmt: skip
    witness = home.witness.get("ledger", "")
    known = {witness: _key(home.witness.get("ledger_key"), "witness.ledger_key")} if witness else {}
    return _Trust(origin, _key(key, "hub.ledger_key"), known)


def fetch_proofs(home: Home, http: httpx.Client) -> int:
    """Fetch the newest checkpoint, its consistency with the last one, and new receipts.

    All is verified before it is kept. Returns the number of new receipts.

    Raises:
        EvidenceError: a signature or proof does not hold: the ledger was rewritten, or this
            member is shown another one than the witness.
        InputError: the hub cannot be reached.
    """
    trust, folder = _trust(home), home.path / _FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    notes, kept = _notes(folder), _receipts(folder)
    note = str(_ask(http, "ledger/checkpoint/")["checkpoint"])
    seen = trust.open(note)
    if notes:
        last = trust.open(notes[-1]["note"])
        if seen.size > last.size:
            told = _ask(http, f"ledger/consistency/?first={last.size}&second={seen.size}")
            notes.append({"note": note, "proof": list(map(str, told["proof"]))})
        elif seen != last:
            notes.append({"note": note, "proof": []})
    else:
        notes.append({"note": note, "proof": []})
    _consistent(trust, notes)
    new, after = [], 1 + max((int(r["number"]) for r in kept), default=-1)
    more = True
    while more:
        told = _ask(http, f"ledger/receipts/?after={after}")
        rows = told["receipts"]
        for row in rows:
            one = {**row, "checkpoint": str(told["checkpoint"])}
            verify_receipt(one, trust.key, origin=trust.origin)
            new.append(one)
            after = int(one["number"]) + 1
        more = bool(told["more"]) and bool(rows)
    write_whole(folder / _NOTES, canonical(notes))
    lines = b"".join(canonical(one) + b"\n" for one in (*kept, *new))
    write_whole(folder / _RECEIPTS, lines)
    return len(new)


def check(home: Home) -> Proven:
    """Verify off-line all that was fetched, against the keys in share.toml.

    Raises:
        EvidenceError: names what does not hold.
        ConfigError: nothing was fetched, or the hub's ledger is not pinned.
    """
    trust, folder = _trust(home), home.path / _FOLDER
    notes = _notes(folder)
    if not notes:
        raise ConfigError("nothing was fetched", where=str(folder), hint="share audit --fetch")
    newest = _consistent(trust, notes)
    entries: Counter[str] = Counter()
    for one in _receipts(folder):
        seen = verify_receipt(one, trust.key, origin=trust.origin)
        if seen.size > newest.size:
            raise EvidenceError("is of a ledger that was cut", where=f"entry {one['number']}")
        entries[str(one["event"]["action"])] += 1
        if one["event"]["action"] == "key":
            _same_key(home, one["event"])
    return Proven(newest.size, tuple(sorted(newest.cosigned)), dict(sorted(entries.items())))


def _same_key(home: Home, event: Mapping[str, Any]) -> None:
    """Raise EvidenceError where the hub told all members another key than this member pinned."""
    file = home.path / PINS
    pins = json.loads(file.read_bytes()) if file.exists() else {}
    mine = pins.get(str(event["epoch"]), {}).get("hub")
    if mine is not None and mine != event["public_key"]:
        raise EvidenceError("the key in the ledger is not the one shown to you", where="hub")


def _consistent(trust: _Trust, notes: list[dict[str, Any]]) -> Checkpoint:
    """Return the newest checkpoint, once each continues the one before it."""
    last: Checkpoint | None = None
    for row in notes:
        seen = trust.open(str(row["note"]))
        if last is not None:
            proof = [base64.b64decode(step) for step in row["proof"]]
            verify_consistency(last.size, seen.size, last.root, seen.root, proof)
        last = seen
    if last is None:
        raise EvidenceError("there is no checkpoint", where=_FOLDER)
    return last


def _notes(folder: Path) -> list[dict[str, Any]]:
    file = folder / _NOTES
    return json.loads(file.read_bytes()) if file.exists() else []


def _receipts(folder: Path) -> list[dict[str, Any]]:
    file = folder / _RECEIPTS
    return [json.loads(line) for line in file.read_bytes().splitlines()] if file.exists() else []


def _ask(http: httpx.Client, path: str) -> dict[str, Any]:
    try:
        answer = http.get(path)
    except httpx.HTTPError as error:
        raise InputError(f"cannot be reached: {type(error).__name__}", where="hub") from error
    if answer.status_code == 404:
        raise InputError("has no checkpoint yet", where="hub")
    if answer.status_code != 200:
        raise InputError(f"answers {answer.status_code}", where="hub")
    try:
        told = answer.json()
    except ValueError as error:
        raise InputError(_NONSENSE, where="hub") from error
    wanted = path.split("/")[1]
    name = {"checkpoint": "checkpoint", "consistency": "proof", "receipts": "receipts"}[wanted]
    if not isinstance(told, dict) or name not in told:
        raise InputError(_NONSENSE, where="hub")
    return told
