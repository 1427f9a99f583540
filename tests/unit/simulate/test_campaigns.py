"""The mechanics of each campaign, as published or as its docstring says."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import fmean


def prefix(ip: str) -> str:
    return ":".join(ip.split(":")[:3]) if ":" in ip else ip.rpartition(".")[0]


def by_account(rows):
    groups = defaultdict(list)
    for row in rows:
        groups[row["account_id"]].append(row)
    return groups


def user_text(row) -> str:
    return "\n".join(m["content"] for m in row["messages"] if m["role"] == "user")


def first_text(row) -> str:
    return next(m["content"] for m in row["messages"] if m["role"] == "user")


def common_tail(texts: list[str]) -> int:
    n = 0
    while all(len(t) > n and t[-1 - n] == texts[0][-1 - n] for t in texts):
        n += 1
    return n


def common_head(texts: list[str]) -> int:
    return common_tail([t[::-1] for t in texts])


def test_proxy_pool_shares_its_exits_with_honest_customers(small):
    campaign = small.rows("proxy_pool")
    customers = {prefix(r["ip"]) for r in small.rows("proxy_customers")}
    assert len({prefix(r["ip"]) for r in campaign} & customers) >= 5
    roles = {t["role"] for t in small.truth.values() if t["family"] == "proxy_customers"}
    assert roles == {"periphery"}


def test_proxy_pool_is_thin_short_and_framed(small):
    groups = by_account(small.rows("proxy_pool"))
    assert len(groups) >= 50
    assert 3.0 <= fmean(len(g) for g in groups.values()) <= 6.0
    assert all(g[-1]["ts"] - g[0]["ts"] <= timedelta(days=5.1) for g in groups.values())
    texts = [first_text(r) for g in groups.values() for r in g]
    assert common_head(texts) >= 12
    assert len(set(texts)) > 0.75 * len(texts)  # the rest are second turns and retries


def test_queues_are_drawn_without_replacement(small):
    for family in ("proxy_pool", "load_balanced"):
        firsts = defaultdict(set)
        for r in small.rows(family):
            if len(user_text(r)) > 80:
                firsts[first_text(r)].add(r["account_id"])
        assert len(firsts) > 100
        assert all(len(a) == 1 for a in firsts.values())


def test_load_balancer_goes_round(small):
    rows = [r for r in small.rows("load_balanced") if len(r["messages"]) <= 2]
    order = [r["account_id"] for r in rows]
    repeats = fmean(a == b for a, b in pairwise(order))
    shares = [n / len(order) for n in Counter(order).values()]
    assert repeats < 0.5 * sum(s * s for s in shares)
    heads = Counter((r["messages"][0]["content"] + first_text(r))[:18] for r in rows)
    frames = [h for h, n in heads.items() if n > 0.05 * len(rows)]
    assert 2 <= len(frames) <= 6


def test_bans_are_followed_by_denials_retries_and_successors(small):
    ids = [a for a, t in small.truth.items() if t["family"] == "replaced"]
    closed = {
        a: datetime.fromisoformat(small.accounts[a]["closed_at"])
        for a in ids
        if small.accounts[a]["closed_at"]
    }
    assert len(closed) >= 8
    assert {small.accounts[a]["closed_reason"] for a in closed} == {"policy"}
    created = [datetime.fromisoformat(small.accounts[a]["created_at"]) for a in ids]
    late = [c for c in created if c > small.result.start]
    assert late
    assert all(
        any(timedelta(0) < c - at < timedelta(hours=10) for at in closed.values()) for c in late
    )
    rows = small.rows("replaced")
    denied = [r for r in rows if r["status"] == "denied"]
    assert len(denied) >= 5
    assert {r["http_status"] for r in denied} == {403}
    assert fmean(len([r for r in denied if r["account_id"] == a]) for a in closed) <= 4
    retried = [
        d
        for d in denied
        if any(
            r["account_id"] != d["account_id"]
            and first_text(r) == first_text(d)
            and timedelta(0) < r["ts"] - d["ts"] < timedelta(minutes=10)
            for r in rows
        )
    ]
    assert len(retried) >= 3


def test_relayed_talks_go_on_at_accounts_of_other_organizations(small):
    rows = small.rows("relay", "core")
    said = {}
    for r in rows:
        if r["status"] == "ok":
            users = (*(m["content"] for m in r["messages"]), r["output_text"])
            said[users] = r
    handed = elsewhere = 0
    for r in rows:
        before = said.get(tuple(m["content"] for m in r["messages"][:-1]))
        if before is not None:
            handed += 1
            elsewhere += before["org_id"] != r["org_id"]
    assert handed > 100
    assert elsewhere > 0.8 * handed


def test_some_relayed_prompts_carry_the_operators_sentence(small):
    firsts = [first_text(r) for r in small.rows("relay")]
    tails = Counter(t[-20:] for t in firsts)
    assert 0.05 < tails.most_common(1)[0][1] / len(firsts) < 0.5


def test_framing_copies_its_victims(small):
    victims = [r for r in small.rows("applications", "victim")]
    framers = small.rows("framing")
    theirs = {prefix(r["ip"]) for r in victims}
    assert {prefix(r["ip"]) for r in framers} == theirs
    assert not {r["account_id"] for r in victims} & {r["account_id"] for r in framers}
    sizes = Counter(
        small.accounts[a]["org_id"] for a, t in small.truth.items() if t["role"] == "victim"
    )
    assert sorted(sizes.values()) == [1, 2, 3]
    for where in theirs:
        mine = [r for r in victims if prefix(r["ip"]) == where]
        copies = [r for r in framers if prefix(r["ip"]) == where]
        system = {r["messages"][0]["content"] for r in mine if r["messages"][0]["role"] == "system"}
        copied = {
            r["messages"][0]["content"] for r in copies if r["messages"][0]["role"] == "system"
        }
        assert system == copied
        head = common_head([first_text(r) for r in mine])
        assert common_head([first_text(r) for r in mine + copies]) >= min(head, 10)


def test_victims_are_old_and_narrow(small):
    for account, t in small.truth.items():
        if t["role"] == "victim":
            created = datetime.fromisoformat(small.accounts[account]["created_at"])
            assert created < small.result.end - timedelta(days=190)


def test_stealth_shares_no_identity(small):
    ids = [a for a, t in small.truth.items() if t["family"] == "stealth"]
    for column in ("payment_hash", "device_hash", "phone_hash", "email_hash"):
        values = [small.accounts[a][column] for a in ids if small.accounts[a][column]]
        assert len(values) == len(set(values))
    holders = defaultdict(set)
    for r in small.rows("stealth"):
        holders[r["ip"]].add(r["account_id"])
    shared = [ip for ip, who in holders.items() if len(who) > 1]
    assert len(shared) <= 0.02 * len(holders)  # clouds and carriers may coincide
    assert {small.truth[a]["rung"] for a in ids} == {3}


def test_stealth_paraphrases(small):
    starts = Counter(first_text(r)[:25] for r in small.rows("stealth"))
    assert starts.most_common(1)[0][1] < 0.06 * sum(starts.values())


def test_campaign_frames_are_not_honest_frames(small):
    """The first 80 characters of a campaign's frames occur in no honest prompt."""
    core = Counter(
        first_text(r)[:80]
        for f in ("load_balanced", "replaced", "proxy_pool")
        for r in small.rows(f)
    )
    frames = {h for h, n in core.items() if n >= 15}
    honest = {
        m["content"][:80]
        for row in small.exchanges.select(["account_id", "messages"]).to_pylist()
        if small.truth[row["account_id"]]["role"] != "core"
        for m in row["messages"][:2]
    }
    assert frames
    assert not frames & honest
