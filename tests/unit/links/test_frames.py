"""Templates that strangers carry are found wherever they stand; common openings are not."""

from __future__ import annotations

from datetime import timedelta

import pytest

from stillwatch.schema import TEMPLATE_COLUMNS, TEMPLATE_LENGTHS

HEAD = (
    "Work through the following problem with great care and write every step of the "
    "derivation down before the result: "
)
TAIL = (
    " Now return the complete derivation first and the final answer last, in the same "
    "language as the question above."
)
SYSTEM = "You are a meticulous solver who always writes the whole derivation before the answer."
POOL = [f"pool-{k}" for k in range(6)]


def send(log, texts, each=4, **more):
    """Let every account of the pool send ``each`` texts, spread over part A."""
    for k, account in enumerate(POOL):
        for n in range(each):
            log.say(account, texts(account, n), at=timedelta(hours=1 + n, minutes=k), **more)


@pytest.mark.parametrize("position", ["head", "tail", "system"])
def test_a_template_that_strangers_carry_is_found(log, linked, frames_of, position):
    log.chatter()
    head, tail = HEAD if position == "head" else "", TAIL if position == "tail" else ""
    send(
        log,
        lambda *_: head + log.words(20) + tail,
        system=SYSTEM if position == "system" else None,
    )
    runner = linked(log)
    assert frames_of(runner) == {frozenset(POOL): 1}
    (cohort,) = runner.query("SELECT * FROM cohorts").to_pylist()
    assert cohort["found_by"] == ["frame"]
    assert cohort["by_text"]
    positions = runner.query("SELECT DISTINCT pos FROM frames")["pos"].to_pylist()
    assert positions == [("head", "tail", "system").index(position)]


def test_a_common_short_opening_is_no_template(log, linked, frames_of):
    log.chatter()
    send(log, lambda *_: "Please help me with " + log.words(20))
    assert frames_of(linked(log)) == {}


def test_a_template_of_one_organization_is_no_template(log, linked, frames_of):
    log.chatter()
    for account in POOL:
        log.account(account, org="org-one")
    send(log, lambda *_: HEAD + log.words(20))
    assert frames_of(linked(log)) == {}


def test_the_same_item_sent_by_everybody_is_no_template(log, linked, frames_of):
    log.chatter()
    items = [HEAD + log.words(20) for _ in range(2)]
    send(log, lambda _, n: items[n % 2], each=8)
    assert frames_of(linked(log)) == {}


def test_what_is_seen_in_part_b_alone_suggests_nothing(log, linked, frames_of):
    log.chatter()
    for k, account in enumerate(POOL):
        for n in range(4):
            log.say(account, HEAD + log.words(20), at=timedelta(hours=9 + n, minutes=k))
    assert frames_of(linked(log)) == {}


def test_later_turns_of_a_conversation_do_not_make_its_beginning_a_template(log, linked, frames_of):
    log.chatter()
    for k, account in enumerate(POOL):
        for n in range(4):
            before = [("user", HEAD + "one"), ("assistant", log.words(30))]
            log.say(account, log.words(20), at=timedelta(hours=1 + n, minutes=k), before=before)
    assert frames_of(linked(log)) == {}


OPENING = "Please read the text below and then carefully think about it before you "
ENDS = (
    "translate every line into plain words: ",
    "summarize its claims for a reader: ",
    "grade its style on a scale: ",
)


@pytest.mark.parametrize(
    "sides",
    [
        "ab",
        "abc",
    ],
)
def test_templates_with_the_same_first_dozen_words_are_kept_apart(log, linked, frames_of, sides):
    assert len(OPENING.split()) >= 12
    log.chatter()
    for account in POOL[:4]:
        for side, end in zip(sides, ENDS, strict=False):
            for n in range(4):
                text = OPENING + end + log.words(20)
                log.say(f"{side}-{account}", text, at=timedelta(hours=1 + n))
    apart = {frozenset(f"{side}-{a}" for a in POOL[:4]) for side in sides}
    assert set(frames_of(linked(log))) == apart


FIRST = ("What is", "Give three", "Write a", "Find the", "Explain why", "Describe how")


@pytest.mark.parametrize("side", ["head", "tail"])
def test_first_words_of_payloads_are_no_templates(log, linked, frames_of, side):
    """A template of twelve words, most of whose payloads begin (or end) with common ones."""
    log.chatter(people=40)
    crew = [f"pool-{k}" for k in range(12)]
    for k, account in enumerate(crew):
        for n in range(12):
            common = FIRST[(7 * k + 5 * n) % 6] if (k + n) % 5 else log.words(2)
            text = (
                f"{OPENING[: OPENING.index(' ', 60)]} {common} {log.words(20)}"
                if side == "head"
                else f"{log.words(20)} {common}{TAIL}"
            )
            log.say(account, text, at=timedelta(hours=1 + n // 2, minutes=k + 20 * (n % 2)))
    runner = linked(log)
    assert frames_of(runner) == {frozenset(crew): 1}
    carried = runner.query(
        """SELECT count(DISTINCT rid) AS n, count(DISTINCT template) AS variants FROM carried c
           JOIN subjects s ON s.sid = c.sid WHERE s.account_id LIKE 'pool-%'"""
    ).to_pylist()
    assert carried == [{"n": 144, "variants": 1}]


def test_a_few_among_many_who_open_alike_keep_their_template(log, linked, frames_of):
    """Thirty strangers send the opening with words of their own, six a longer one always."""
    log.chatter(people=10)
    for k in range(30):
        for n in range(2):
            log.say(f"stranger-{k}", OPENING + log.words(20), at=timedelta(hours=1 + n, minutes=k))
    send(log, lambda *_: OPENING + ENDS[0] + log.words(20), each=8)
    assert frozenset(POOL) in frames_of(linked(log))


def test_templates_mixed_by_the_same_accounts_are_all_found(log, linked, frames_of):
    log.chatter()
    templates = [
        HEAD,
        "Grade the answer below from one to ten against the rubric and say why in one line: ",
        "Rewrite this instruction so that it becomes harder but keeps its subject and its form: ",
    ]
    send(log, lambda _, n: templates[n % 3] + log.words(20), each=9)
    runner = linked(log)
    assert set(frames_of(runner)) == {frozenset(POOL)}
    carried = runner.query(
        """SELECT count(DISTINCT rid) AS n FROM carried c JOIN subjects s ON s.sid = c.sid
           WHERE s.account_id LIKE 'pool-%'"""
    )
    assert carried["n"].to_pylist() == [9 * len(POOL)]  # no exchange of any template is missed
    assert runner.query("SELECT count(*) AS n FROM cohorts")["n"].to_pylist() == [1]


def test_a_second_template_of_most_of_the_same_senders_is_not_silenced(log, linked):
    """Its carriers are near enough to the first's to join them, and not the same."""
    log.chatter(people=40)
    second = "Grade the answer below from one to ten against the rubric and say why in one line: "
    senders = [f"pool-{k}" for k in range(12)]
    for k, account in enumerate(senders):
        for n in range(6):
            if k < 10:
                log.say(account, HEAD + log.words(20), at=timedelta(hours=1 + n, minutes=k))
            if k >= 2:
                log.say(account, second + log.words(20), at=timedelta(hours=1 + n, minutes=30 + k))
    runner = linked(log)
    found = runner.query(
        """SELECT count(DISTINCT k.rid) AS n, count(DISTINCT k.frame) AS frames FROM carried k
           JOIN subjects s ON s.sid = k.sid WHERE s.account_id LIKE 'pool-%'"""
    ).to_pylist()
    assert found == [{"n": 120, "frames": 2}]
    assert runner.query("SELECT len(subjects) AS n FROM cohorts")["n"].to_pylist() == [12]


def test_cjk_characters_are_words_of_a_template(log, linked, frames_of):
    log.chatter()
    send(log, lambda *_: "请仔细解答下面的问题并写出完整的推导过程:" + log.words(20))
    assert set(frames_of(linked(log))) == {frozenset(POOL)}


def test_what_carries_a_kept_node_is_listed_with_what_comes_after_it(log, linked):
    log.chatter()
    send(log, lambda *_: HEAD + log.words(20) + TAIL, system=SYSTEM)
    send(log, lambda *_: HEAD + log.words(6))  # shorter prompts lack the longest hashes
    runner = linked(log)
    keys = runner.query("SELECT pos, len, h FROM frame_nodes").to_pylist()
    nodes = {(k["pos"], k["len"], k["h"]) for k in keys}
    places = [*((pos, n) for pos in (0, 1) for n in TEMPLATE_LENGTHS), (2, 0)]
    after = dict(zip(TEMPLATE_LENGTHS, [*TEMPLATE_LENGTHS[1:], 0], strict=True))
    wanted = set()
    for row in runner.query("SELECT * FROM exchanges").to_pylist():
        sent = {place: row[name] for place, name in zip(places, TEMPLATE_COLUMNS, strict=True)}
        opens = row["prefix_before_last_user"] == 0
        for (pos, n), h in sent.items():
            if (pos, n, h) in nodes:
                to = after.get(n, 0)
                rest = (pos, n, h, to, sent[pos, to] if to else 0)
                wanted.add((row["rid"], row["sid"], row["part"], opens, *rest))
    found = runner.query(
        "SELECT rid, sid, part, opens, pos, len, h, to_len, to_h FROM node_hits"
    ).to_pylist()
    assert len(found) == len(wanted)
    assert {tuple(row.values()) for row in found} == wanted
    assert {pos for pos, *_ in nodes} == {0, 1, 2}


def test_rows_in_another_order_give_the_same_tables(log, linked):
    log.chatter()
    send(log, lambda *_: HEAD + log.words(20))
    forth = linked(log)
    log.rows.reverse()
    back = linked(log)
    for table in ("frames", "carried", "objects", "weights", "cohorts", "cohort_members"):
        select = f"SELECT * FROM {table}"
        assert forth.query(select).equals(back.query(select)), table
