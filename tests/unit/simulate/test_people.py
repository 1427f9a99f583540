"""Honest people: conversations grow, groups act as their docstrings say."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import datetime, timedelta


def test_conversations_grow(small):
    """Within a conversation each request begins with an earlier one, its answer added."""
    talks = defaultdict(list)
    for row in small.exchanges.select(
        ["conversation_id", "messages", "output_text", "account_id"]
    ).to_pylist():
        if row["conversation_id"]:
            talks[row["conversation_id"]].append(row)
    grown = 0
    for rows in talks.values():
        said, requests = set(), set()
        assert len({r["account_id"] for r in rows}) == 1
        for i, row in enumerate(rows):
            texts = tuple((m["role"], m["content"]) for m in row["messages"])
            if i and texts[:-1] not in said:
                # a repeat of a failed or a regenerated request, letter for letter
                assert texts in requests, row["conversation_id"]
            elif i:
                grown += 1
            requests.add(texts)
            if row["output_text"] is not None:
                said.add((*texts, ("assistant", row["output_text"])))
    assert grown > 1000


def test_agents_use_tools_and_grow(small):
    rows = small.rows("agents")
    assert all(r["tools"] and r["tool_schema"] for r in rows)
    assert max(len(r["messages"]) for r in rows) > 10
    assert {m["role"] for r in rows for m in r["messages"]} == {
        "system",
        "user",
        "assistant",
        "tool",
    }


def test_every_evaluator_runs_every_item(small):
    items = defaultdict(set)
    for r in small.rows("evals"):
        items[r["account_id"]].add(r["messages"][-1]["content"])
    counts = Counter(text for texts in items.values() for text in texts)
    assert len(items) >= 6
    suites = {frozenset(v) for v in items.values()}
    assert len(suites) == 2
    assert set(counts.values()) == {3}


def test_a_class_signs_up_together_behind_one_nat(small):
    ids = [a for a, t in small.truth.items() if t["family"] == "classroom"]
    created = [datetime.fromisoformat(small.accounts[a]["created_at"]) for a in ids]
    assert max(created) - min(created) < timedelta(hours=2)
    exits = Counter(r["ip"] for r in small.rows("classroom"))
    top = sum(n for _, n in exits.most_common(3))
    assert top > 0.6 * sum(exits.values())


def test_gateways_carry_many_end_users(small):
    users = defaultdict(set)
    for r in small.rows("gateway"):
        assert r["channel"] == "gateway"
        users[r["account_id"]].add(r["end_user_id"])
    assert all(len(u) > 40 for u in users.values())


def test_workflows_share_a_clock(small):
    rows = small.rows("workflow")
    on_mark = [r for r in rows if r["ts"].minute % 15 < 3]
    assert len(on_mark) > 0.9 * len(rows)
    assert len({r["ip"] for r in rows}) <= 6


def test_strangers_share_a_frame_but_no_topics(small):
    heads = defaultdict(set)
    for r in small.rows("plugin"):
        heads[r["messages"][-1]["content"][:25]].add(r["account_id"])
    big = [h for h, who in heads.items() if len(who) > 25]
    assert len(big) == 2


def test_failover_moves_talks_within_one_organization(small):
    said = {}
    moved = 0
    for r in small.rows("failover"):
        before = said.get(tuple(m["content"] for m in r["messages"][:-1]))
        if before is not None and before["account_id"] != r["account_id"]:
            assert before["org_id"] == r["org_id"]
            moved += 1
        if r["output_text"]:
            said[(*(m["content"] for m in r["messages"]), r["output_text"])] = r
    assert moved > 0


def test_applications_stay_narrow_and_name_their_users(small):
    users = defaultdict(set)
    for r in small.rows("applications"):
        if r["end_user_id"]:
            users[r["account_id"]].add(r["end_user_id"])
    assert len(users) > 30


def test_many_honest_scripts_have_one_turn_and_no_system_prompt(small):
    plain = {
        r["account_id"]
        for r in small.rows("scripts")
        if [m["role"] for m in r["messages"]] == ["user"]
    }
    assert len(plain) > 40


def test_the_vendor_looks_like_a_campaign_and_has_permits(small):
    rows = small.rows("vendor")
    assert {small.truth[r["account_id"]]["role"] for r in rows} == {"permitted"}
    assert len({r["org_id"] for r in rows}) >= 2
