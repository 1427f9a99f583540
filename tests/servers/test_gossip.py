"""What nodes tell each other through a Redis that really runs; the guards are in this process."""

from __future__ import annotations

import asyncio
import signal
import time
from dataclasses import replace

import pytest

from stillwatch.guard import Capacity, Guard, Orders, Request
from stillwatch.guard.gossip import Gossip
from stillwatch.schema.snapshot import keyed_permit

from .conftest import SALT, US, running, snapshot
from .test_faults import redis

__all__ = ["redis"]  # the fixture
SMALL = Capacity(30_000, 1_000, 1_000, 30_000)
PERMIT = {"permit_id": "p", "account_id": "bad-1", "org_id": None, "plan": None, "methods": (),
          "models": ("m-1",), "max_output_tokens_per_day": 1_000, "valid_from_us": None,
          "valid_until_us": None}  # fmt: skip


def now_us() -> int:
    return time.time_ns() // 1000


def nodes(port: int, *names: str, verdict: str = "throttle", permits=()) -> list[tuple]:
    made = replace(snapshot(verdict), permits=permits)
    found = []
    for name in names:
        guard = Guard(made, Orders(), capacity=SMALL)
        gossip = Gossip(f"redis://127.0.0.1:{port}", name, guard, timeout_s=10)
        guard.on_record = gossip.note
        found.append((guard, gossip))
    return found


def exchanged(*gossips: Gossip, times: int = 2) -> None:
    async def run() -> None:
        for _ in range(times):
            for gossip in gossips:
                assert await gossip.exchange()
        for gossip in gossips:
            await gossip.close()

    asyncio.run(run())


@pytest.mark.parametrize("names", [("n1", "n2", "n3"), ("node-0", "node-0", "node-0")])
def test_a_budget_is_one_for_all_nodes_also_where_they_have_one_name(redis, names):
    """Of two of the same name each overwrote the other, and each had a budget of its own."""
    made = nodes(redis[1], *names)
    at = now_us()
    for guard, _ in made:
        for k in range(2):
            assert guard.decide(Request(at + k, "bad-1")).verdict == "watch"
    exchanged(*(gossip for _, gossip in made), times=4)
    for guard, _ in made:
        assert guard.budgets[0].spent(at) == 6
        assert guard.decide(Request(at + 3, "bad-2")).verdict == "throttle"
    twins = [gossip.twin for _, gossip in made]
    assert twins.count(True) == (2 if len(set(names)) == 1 else 0)


def test_nodes_that_cannot_hear_each_other_share_one_budget(redis, tmp_path):
    """Each would have had the whole limit as soon as what it had heard was out of the window."""
    process, port, command = redis
    made = nodes(port, "n1", "n2", "n3")
    (_, gone) = nodes(port, "n4")[0]

    async def each(answers: bool) -> None:
        for _, gossip in made:
            assert await gossip.exchange() is answers

    async def run() -> list[int]:
        assert await gone.exchange()  # and is never heard of again
        for _ in range(13):
            await each(answers=True)
        process.send_signal(signal.SIGKILL)
        process.wait()
        await each(answers=False)
        assert {g.budgets[0].nodes for g, _ in made} == {3}  # the one that is gone takes no share
        at = now_us()
        passed = [
            sum(g.decide(Request(at + k, "bad-1")).verdict == "watch" for k in range(9))
            for g, _ in made
        ]
        with running(command, port, tmp_path):
            for _ in range(2):
                await each(answers=True)
            assert {g.budgets[0].nodes for g, _ in made} == {1}
            assert {g.decide(Request(at + 9, "bad-1")).verdict for g, _ in made} == {"throttle"}
            for gossip in (gone, *(gossip for _, gossip in made)):
                await gossip.close()
        return passed

    assert asyncio.run(run()) == [2, 2, 2]


def test_what_other_nodes_spent_ends_with_the_window(redis):
    (one, first), (two, second) = nodes(redis[1], "n1", "n2")
    at = now_us()
    for k in range(6):
        one.decide(Request(at + k, "bad-1"))
    exchanged(first, second)
    assert two.decide(Request(at + 9, "bad-1")).verdict == "throttle"
    assert two.decide(Request(at + 7 * 3_600 * US, "bad-1")).verdict == "watch"


def test_who_has_passed_verification_has_passed_it_at_every_node(redis):
    (one, first), (two, second) = nodes(redis[1], "n1", "n2", verdict="step_up")
    at = now_us()
    assert two.decide(Request(at, "bad-1")).verdict == "step_up"
    one.verify("bad-1", None, at)
    exchanged(first, second)
    assert two.verified == one.verified
    assert two.decide(Request(at + 1, "bad-1")).verdict == "watch"


def test_a_permits_tokens_are_those_of_all_nodes_once(redis):
    permit = keyed_permit(SALT, PERMIT)
    (one, first), (two, second) = nodes(redis[1], "n1", "n2", verdict="deny", permits=(permit,))
    asked = Request(now_us(), "bad-1", model="m-1")
    for guard in (one, two):
        guard.observe(asked, output_tokens=499)
    exchanged(first, second, times=3)
    for guard in (one, two):
        assert guard.decide(asked).verdict == "allow"
    one.observe(asked, output_tokens=2)
    exchanged(first, second)
    for guard in (one, two):
        assert guard.decide(asked).verdict == "deny"


def test_records_are_heard_once_and_again_after_a_restart_or_an_emptied_redis(redis):
    (one, first), (two, second) = nodes(redis[1], "n1", "n2")
    heard: list = []
    two.apply = heard.append
    at = now_us()

    def refused(payload: int) -> None:
        asked = Request(at, "bad-1", h_payload=payload, user_tokens=9)
        one.observe(asked, status="denied")

    async def run() -> None:
        refused(1)
        for _ in range(3):
            await first.exchange()
            await second.exchange()
        assert [r.key for r in heard] == [1]
        refused(2)
        await first.exchange()
        await second.exchange()
        assert [r.key for r in heard] == [1, 2]
        await first._redis.flushall()
        refused(3)
        for _ in range(2):
            await first.exchange()
            await second.exchange()
        assert [r.key for r in heard] == [1, 2, 3]
        await first.close()
        ((_, again),) = nodes(redis[1], "n1")
        for k in range(2):
            again.note(first_record._replace(key=10 + k))
        await again.exchange()
        await second.exchange()
        assert [r.key for r in heard] == [1, 2, 3, 10, 11]
        await again.close()
        await second.close()

    records: list = []
    one.on_record = lambda r: (records.append(r), first.note(r))
    one.observe(Request(at, "bad-1", h_payload=99, user_tokens=9), status="denied")
    (first_record,) = records
    first._waiting.clear()
    first._serial = 0
    asyncio.run(run())


def test_news_of_nothing_cost_nearly_nothing(redis):
    """Twenty thousand records used to be written and read anew by every node each second."""
    (one, first), (two, second) = nodes(redis[1], "n1", "n2")
    for k in range(1, 20_001):
        one.observe(Request(now_us(), "bad-1"), prefix_full=k)

    async def run() -> tuple[float, float]:
        spent = []
        for _ in range(4):
            began = time.process_time()
            await first.exchange()
            await second.exchange()
            spent.append(time.process_time() - began)
        await first.close()
        await second.close()
        return spent[0], min(spent[1:])

    news, nothing = asyncio.run(run())
    assert len(two.conversations) == 20_000
    assert nothing < news / 5
