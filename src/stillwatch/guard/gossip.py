"""What nodes tell each other through Redis: summaries once a second, never a call per request.

Each node keeps one key, ``stillwatch:guard:node:ID``: what it spent of each campaign's budget by
bucket, the newest evidence about accounts, the newest conversations, blobs and prompts of accused
accounts. It is the node's whole state of the window, so that a lost message loses nothing and
reading one twice changes nothing. Honest conversations are not told: route an account to one node
where handoffs must be exact.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import deque
from typing import Any, Final

from stillwatch.errors import ConfigError
from stillwatch.guard.decide import Guard, Record

__all__ = ["Gossip"]

PREFIX: Final = "stillwatch:guard:node:"
_MOST: Final = 20_000
_LIVES_S: Final = 7_200
_SHARED: Final = frozenset({"handoff", "blob_replay", "retry", "evidence", "verified"})
_log = logging.getLogger("stillwatch.guard")


class Gossip:
    """One node's side. ``note`` is called on each change, ``exchange`` about once a second."""

    def __init__(self, url: str, node: str, guard: Guard, timeout_s: float = 0.5) -> None:
        try:
            from redis import asyncio as aioredis
        except ImportError as error:
            raise ConfigError(
                "gossip needs the package redis", hint="pip install 'stillwatch[guard]'"
            ) from error
        self._redis: Any = aioredis.Redis.from_url(
            url, socket_timeout=timeout_s, socket_connect_timeout=timeout_s
        )
        self._node = node
        self._guard = guard
        self._recent: deque[tuple[int, Record]] = deque(maxlen=_MOST)
        self._taken: dict[str, int] = {}
        self._serial = 0
        self.connected: bool | None = None

    def note(self, record: Record) -> None:
        """Keep a change that other nodes should hear of."""
        if record.kind in _SHARED and (record.campaign >= 0 or record.kind == "verified"):
            self._serial += 1
            self._recent.append((self._serial, record))

    async def exchange(self) -> bool:
        """Tell and hear once; return whether Redis answered. Deciding goes on either way."""
        try:
            async with asyncio.timeout(2):
                await self._redis.set(PREFIX + self._node, self._told(), ex=_LIVES_S)
                keys = [k async for k in self._redis.scan_iter(match=PREFIX + "*", count=500)]
                others = sorted(k for k in keys if k.decode() != PREFIX + self._node)
                values = await self._redis.mget(others) if others else []
        except Exception as error:  # noqa: BLE001 – any failure of Redis means: alone
            if self.connected is not False:
                what = {"event": "Redis lost: deciding alone", "error": type(error).__name__}
                _log.warning(json.dumps(what))
            self.connected = False
            return False
        if self.connected is False:
            _log.info(json.dumps({"event": "Redis is back"}))
        self.connected = True
        self._hear({k.decode(): v for k, v in zip(others, values, strict=True) if v})
        return True

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    def _told(self) -> bytes:
        names = {number: name for name, number in self._guard.numbers.items()}
        return json.dumps(
            {
                "spent": {
                    names[number]: budget.own()
                    for number, budget in self._guard.budgets.items()
                    if number in names
                },
                "records": [
                    [serial, r.kind, r.key, r.org, names.get(r.campaign), r.value]
                    for serial, r in self._recent
                ],
            }
        ).encode()

    def _hear(self, told: dict[str, bytes]) -> None:
        spent: dict[int, dict[int, int]] = {}
        for key, data in told.items():
            try:
                value = json.loads(data)
                self._hear_one(key, value, spent)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                what = {"event": "unreadable gossip", "error": type(error).__name__}
                _log.warning(json.dumps(what))
        for number, budget in self._guard.budgets.items():
            budget.others = spent.get(number, {})

    def _hear_one(self, key: str, value: dict[str, Any], spent: dict[int, dict[int, int]]) -> None:
        numbers = self._guard.numbers
        for name, buckets in value["spent"].items():
            if name in numbers:
                mine = spent.setdefault(numbers[name], {})
                for bucket, count in buckets.items():
                    mine[int(bucket)] = mine.get(int(bucket), 0) + int(count)
        newest = self._taken.get(key, 0)
        records = value["records"]
        if records and records[-1][0] < newest:
            newest = 0  # the node began anew
        for serial, kind, who, org, name, moment in records:
            if serial > newest and (name in numbers or kind == "verified"):
                self._guard.apply(Record(kind, who, org, numbers.get(name, -1), moment))
        self._taken[key] = records[-1][0] if records else newest
