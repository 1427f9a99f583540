"""The operator's duties to the ledger: sign it, have it cosigned, and report from it.

A checkpoint fixes the ledger at one size: whoever holds it notices every later change of what it
covers. A witness that cosigned it vouches that all members are shown the same ledger.
"""

from __future__ import annotations

import asyncio
import base64
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
from sqlalchemy.ext.asyncio import AsyncConnection

from stillwatch.errors import ConfigError, EvidenceError, InputError
from stillwatch.seal import open_checkpoint, public_key
from stillwatch.share.hub.conduct import HUB, read_events
from stillwatch.share.hub.database import Database
from stillwatch.share.hub.ledger import (
    consistency,
    keep_note,
    latest_note,
    new_checkpoint,
    verify_tree,
)
from stillwatch.share.hub.schema import demand_current
from stillwatch.share.hub.settings import read_settings, read_signer
from stillwatch.share.hub.times import micros, timestamp
from stillwatch.share.words import band

__all__ = ["Signed", "checkpoint", "transparency", "verify"]

_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_TIMEOUT_S: Final = 30.0


class Signed(dict[str, Any]):
    """A checkpoint with ``note``, ``ledger`` (its name), ``key`` (Base64) and ``size``."""


def checkpoint(home: Path, *, witnesses: Sequence[str] = ()) -> Signed:
    """Sign the ledger as it is, ask witnesses (their addresses) to cosign, and keep the note.

    Raises:
        ConfigError: an address that is not https and not on this machine.
        InputError: a witness cannot be reached; the note without its cosignature is kept.
        EvidenceError: a witness refuses: it has seen another ledger under this name.
    """
    settings = read_settings(home)
    signer = read_signer(home, settings.role)
    for url in witnesses:
        if urlsplit(url).scheme != "https" and urlsplit(url).hostname not in _LOOPBACK:
            raise ConfigError("must be https", where=url)

    async def work() -> Signed:
        database = Database(settings.database)
        try:
            await demand_current(database)
            async with database.writing() as connection:
                note = await new_checkpoint(connection, signer.origin, signer.key)
            own = public_key(signer.key)
            seen = open_checkpoint(note, own, origin=signer.origin)
            async with httpx.AsyncClient(timeout=_TIMEOUT_S) as http:
                for url in witnesses:
                    async with database.reading() as connection:
                        line = await _cosigned(http, url, connection, seen.size, note)
                    note += "" if line in note else line
                    async with database.writing() as connection:
                        await keep_note(connection, seen.size, note)
            key = base64.b64encode(own.public_bytes_raw()).decode()
            return Signed(note=note, ledger=signer.origin, key=key, size=seen.size)
        finally:
            await database.close()

    return asyncio.run(work())


async def _cosigned(
    http: httpx.AsyncClient, url: str, connection: AsyncConnection, size: int, note: str
) -> str:
    """Return the cosignature of a witness (C2SP tlog-witness, add-checkpoint)."""
    old, address = 0, url.rstrip("/") + "/add-checkpoint"
    for _ in range(3):
        if old > size:
            raise EvidenceError(f"has seen {old} entries, the ledger has {size}", where=url)
        proof = await consistency(connection, old, size)
        steps = "".join(f"{base64.b64encode(step).decode()}\n" for step in proof)
        try:
            told = await http.post(address, content=f"old {old}\n{steps}\n{note}")
        except httpx.HTTPError as error:
            raise InputError(f"cannot be reached: {type(error).__name__}", where=url) from error
        if told.status_code == 200:
            return str(told.text)
        if told.status_code != 409 or not told.text.strip().isdigit():
            raise EvidenceError(f"refuses the checkpoint ({told.status_code})", where=url)
        old = int(told.text)
    raise InputError("changes its mind about what it has seen", where=url)


def verify(home: Path) -> tuple[int, str]:
    """Rebuild the tree from the events; return the number of entries and the root, in Base64.

    Raises:
        EvidenceError: an entry or a checkpoint that was kept does not hold.
    """
    settings = read_settings(home)
    signer = read_signer(home, settings.role)

    async def work() -> tuple[int, bytes]:
        database = Database(settings.database)
        try:
            async with database.reading() as connection:
                return await verify_tree(connection, signer.origin, signer.key)
        finally:
            await database.close()

    count, root = asyncio.run(work())
    return count, base64.b64encode(root).decode()


def transparency(home: Path, since: datetime | None, until: datetime | None) -> dict[str, Any]:
    """Return the report on a period: what was done, from entries that were checked, in log bands.

    It names no member and no exact volume: those of a few competitors would be told apart by them.

    Raises:
        EvidenceError: the ledger does not hold: then nothing is reported from it.
    """
    verify(home)
    low = "" if since is None else timestamp(micros(since))
    high = "~" if until is None else timestamp(micros(until))
    settings = read_settings(home)

    async def work() -> dict[str, Any]:
        database = Database(settings.database)
        try:
            async with database.reading() as connection:
                found = await latest_note(connection)
                events = [
                    link.value
                    async for link in read_events(connection)
                    if low <= link.value["time"] < high
                ]
        finally:
            await database.close()
        return {
            "since": None if since is None else timestamp(micros(since)),
            "until": None if until is None else timestamp(micros(until)),
            "checkpoint": None if found is None else found[1],
            **_counted(events),
        }

    return asyncio.run(work())


def _counted(events: Sequence[Any]) -> dict[str, Any]:
    done = Counter(str(e["action"]) for e in events)
    objects: Counter[str] = Counter()
    purposes: Counter[str] = Counter()
    denied: Counter[str] = Counter()
    for one in events:
        objects[str(one["action"])] += int(one.get("count", 0))
        if one["purpose"]:
            purposes[str(one["purpose"])] += 1
        if one["action"] == "deny":
            denied[str(one["status"])] += 1
    told = sum(int(e.get("recipients", 0)) for e in events)
    return {
        "members_active": band(len({e["member"] for e in events} - {"", HUB})),
        "actions": {name: band(n) for name, n in sorted(done.items())},
        "objects": {name: band(n) for name, n in sorted(objects.items()) if n},
        "purposes": {name: band(n) for name, n in sorted(purposes.items())},
        "denied_by_status": {name: band(n) for name, n in sorted(denied.items())},
        "corrections_told": band(told),
        "keys_made": sorted(str(e["epoch"]) for e in events if e["action"] == "key"),
    }
