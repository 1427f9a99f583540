"""What nodes tell each other through Redis: summaries once a second, never a call per request.

Each node keeps two keys. ``stillwatch:guard:node:ID`` says what it spent of each campaign's budget
by bucket and of each permit by day, and the number of its newest record.
``stillwatch:guard:told:ID`` holds the records, a line each: the newest evidence about accounts, the
newest conversations, blobs and prompts of accused accounts; who has not heard that number yet reads
it. Together they are the node's whole state of the window, so that a lost message loses nothing and
reading one twice changes nothing. Honest conversations are not told: route an account to one node
where handoffs must be exact.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from collections import deque
from itertools import islice
from typing import Any, Final

import orjson

from stillwatch.errors import ConfigError
from stillwatch.guard.decide import Guard
from stillwatch.guard.seen import Record

__all__ = ["Gossip"]

PREFIX: Final = "stillwatch:guard:node:"
_TOLD: Final = "stillwatch:guard:told:"
_OWNER: Final = "stillwatch:guard:owner:"
_MOST: Final = 20_000
_MOST_PERMITS: Final = 5_000
_LIVES_S: Final = 7_200
_SILENT: Final = 10  # exchanges after which a node that says nothing new is taken for gone
_SHARED: Final = frozenset({"handoff", "blob_replay", "retry", "evidence", "verified"})
_log = logging.getLogger("stillwatch.guard")


class Gossip:
    """One node's side. ``note`` is called on each change, ``exchange`` about once a second.

    ``twin``: another process says it is this node. Each would overwrite what the other tells, and
    neither would hear it; so that the one that notices goes on under a name of its own.
    """

    def __init__(self, url: str, node: str, guard: Guard, timeout_s: float = 0.5) -> None:
        try:
            from redis import asyncio as aioredis
        except ImportError as error:
            raise ConfigError(
                "gossip needs the package redis", hint="pip install 'stillwatch[guard]'"
            ) from error
        try:
            self._redis: Any = aioredis.Redis.from_url(
                url, socket_timeout=timeout_s, socket_connect_timeout=timeout_s
            )
        except ValueError as error:
            raise ConfigError(
                "not an address of Redis", where="--redis", hint="give redis://host:6379/0"
            ) from error
        self._node = self._id = node
        self._run = secrets.token_hex(8)
        self._marked = False
        self._guard = guard
        self._waiting: deque[tuple[int, Record]] = deque(maxlen=_MOST)
        self._lines: deque[bytes] = deque(maxlen=_MOST)
        self._taken: dict[str, tuple[str, int]] = {}
        self._serial = self._written = self._tick = 0
        self._ticks: dict[str, tuple[Any, int]] = {}
        self.twin = False
        self.connected: bool | None = None

    def note(self, record: Record) -> None:
        """Keep a change that other nodes should hear of."""
        if record.kind in _SHARED and (record.campaign >= 0 or record.kind == "verified"):
            self._serial += 1
            self._waiting.append((self._serial, record))

    async def exchange(self) -> bool:
        """Tell and hear once; return whether Redis answered. Deciding goes on either way."""
        try:
            async with asyncio.timeout(2):
                await self._look_for_twin()
                await self._tell()
                heads = await self._heads()
                fresh = [name for name, head in heads.items() if self._is_news(name, head)]
                told = await self._redis.mget([_TOLD + name for name in fresh]) if fresh else []
        except Exception as error:  # noqa: BLE001 – any failure of Redis means: alone
            if self.connected is not False:
                what = {"event": "Redis lost: deciding alone", "error": type(error).__name__}
                _log.warning(json.dumps(what))
            self.connected = False
            self._share(1 + sum(silent <= _SILENT for _, silent in self._ticks.values()))
            return False
        if self.connected is False:
            _log.info(json.dumps({"event": "Redis is back"}))
        self.connected = True
        self._note_living(heads)
        self._share(1)
        self._hear(heads)
        for name, data in zip(fresh, told, strict=True):
            self._hear_records(name, heads[name], data or b"")
        return True

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    def _note_living(self, heads: dict[str, dict[str, Any]]) -> None:
        """Note of each node for how many exchanges it has said nothing new."""
        before, self._ticks = self._ticks, {}
        for name, head in heads.items():
            tick = (head.get("run"), head.get("tick"))
            old, silent = before.get(name, (None, 0))
            self._ticks[name] = (tick, silent + 1 if tick == old else 0)

    def _share(self, nodes: int) -> None:
        """Let each budget be shared among nodes that cannot hear each other; 1 where they do.

        Each would have the whole limit once what it has heard is out of the window, and a campaign
        as many budgets as there are nodes.
        """
        for budget in self._guard.budgets.values():
            budget.nodes = nodes

    async def _look_for_twin(self) -> None:
        if self.twin:
            return
        owner = await self._redis.get(_OWNER + self._node)
        if self._marked and owner is not None and owner.decode() != self._run:
            self.twin, self._id, self._written = True, f"{self._node}~{self._run}", 0
            _log.error(json.dumps({"event": "another node has this name", "node": self._node}))
            await self._redis.delete(PREFIX + self._node, _TOLD + self._node)
            return
        await self._redis.set(_OWNER + self._node, self._run, ex=_LIVES_S)
        self._marked = True

    async def _tell(self) -> None:
        self._encode()
        head = orjson.dumps(self._head())
        pipe = self._redis.pipeline(transaction=True)
        # What a node spent counts for the whole window, also where the node is gone by then.
        longest = max((b.window_s for b in self._guard.budgets.values()), default=0)
        pipe.set(PREFIX + self._id, head, ex=max(_LIVES_S, longest))
        if self._serial != self._written:
            pipe.set(_TOLD + self._id, b"\n".join(self._lines), ex=_LIVES_S)
        else:
            pipe.expire(_TOLD + self._id, _LIVES_S)
        *_, kept = await pipe.execute()
        # A Redis that was emptied has lost the records: they are told anew the next time.
        self._written = self._serial if kept else 0

    def _encode(self) -> None:
        if not self._waiting:
            return
        names = {number: name for name, number in self._guard.numbers.items()}
        for serial, r in self._waiting:
            line = [serial, r.kind, r.key, r.org, names.get(r.campaign), r.value]
            self._lines.append(orjson.dumps(line))
        self._waiting.clear()

    def _head(self) -> dict[str, Any]:
        guard = self._guard
        pursuits = guard.table.pursuits
        self._tick += 1
        permits = list(islice(reversed(guard.permit_tokens.items()), _MOST_PERMITS))
        return {
            "run": self._run,
            "newest": self._serial,
            "tick": self._tick,
            "spent": {
                pursuits[number].campaign_id: {str(b): n for b, n in budget.own().items()}
                for number, budget in guard.budgets.items()
                if number in pursuits
            },
            "permits": [[key, day, tokens] for (key, day), tokens in permits],
        }

    async def _heads(self) -> dict[str, dict[str, Any]]:
        keys = [k async for k in self._redis.scan_iter(match=PREFIX + "*", count=500)]
        names = sorted(k.decode().removeprefix(PREFIX) for k in keys)
        others = [name for name in names if name != self._id]
        values = await self._redis.mget([PREFIX + n for n in others]) if others else []
        found = {}
        for name, data in zip(others, values, strict=True):
            head = _read(data) if data else None
            if isinstance(head, dict) and type(head.get("newest")) is int:
                found[name] = head
        return found

    def _is_news(self, name: str, head: dict[str, Any]) -> bool:
        run, taken = self._taken.get(name, ("", 0))
        return bool(head["newest"] > (taken if run == head.get("run") else 0))

    def _hear(self, heads: dict[str, dict[str, Any]]) -> None:
        spent: dict[int, dict[int, int]] = {}
        permits: dict[tuple[int, int], int] = {}
        numbers = self._guard.numbers
        for head in heads.values():
            try:
                for name, buckets in head["spent"].items():
                    mine = spent.setdefault(numbers[name], {}) if name in numbers else {}
                    for bucket, count in buckets.items():
                        mine[int(bucket)] = mine.get(int(bucket), 0) + int(count)
                for key, day, tokens in head["permits"]:
                    permits[key, day] = permits.get((key, day), 0) + int(tokens)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                _unreadable(error)
        for number, budget in self._guard.budgets.items():
            budget.others = spent.get(number, {})
        self._guard.permit_tokens_elsewhere = permits

    def _hear_records(self, name: str, head: dict[str, Any], data: bytes) -> None:
        """Apply the records that are newer than those heard; oldest first."""
        run, taken = self._taken.get(name, ("", 0))
        if run != head.get("run"):
            taken = 0  # the node began anew
        numbers, news = self._guard.numbers, []
        try:
            for line in reversed(data.split(b"\n") if data else []):
                serial, kind, key, org, campaign, value = orjson.loads(line)
                if serial <= taken:
                    break
                news.append((serial, kind, key, org, campaign, value))
            for serial, kind, key, org, campaign, value in reversed(news):
                if campaign in numbers or kind == "verified":
                    self._guard.apply(Record(kind, key, org, numbers.get(campaign, -1), value))
                taken = serial
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            _unreadable(error)
        self._taken[name] = (str(head.get("run")), taken)


def _read(data: bytes) -> Any:
    try:
        return orjson.loads(data)
    except ValueError as error:
        _unreadable(error)
        return None


def _unreadable(error: Exception) -> None:
    _log.warning(json.dumps({"event": "unreadable gossip", "error": type(error).__name__}))
