"""Pictures against their facts: what is counted adds up, and nobody is drawn as another."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest

from stillwatch.report.appendix import recall_table, value_table
from stillwatch.report.chapter import write_chapter
from stillwatch.report.facts import Budget, read_facts
from stillwatch.report.numbers import NB, parse
from stillwatch.report.pictures import (
    collateral_figure,
    coverage_figure,
    glance_rows,
    graph_figure,
    models_figure,
    prevalence_figure,
    raster_figure,
    waterfall_figure,
)
from stillwatch.report.pictures.graph import _title
from stillwatch.report.pictures.waterfall import Pair, _draw, _merged
from stillwatch.report.web import Web, read_web
from stillwatch.schema import to_micros
from stillwatch.store import open_run


@pytest.fixture(scope="module")
def facts(run_of):
    return read_facts(open_run(run_of("full")))


@pytest.mark.parametrize("nodes", [300, 60, 12])
def test_graph_counts_add_up(facts, nodes):
    facts = replace(facts, budget=replace(Budget(), graph_nodes=nodes))
    campaign = facts.shown[0]
    web = read_web(facts, campaign)
    figure = graph_figure(facts, campaign, web)
    svg = str(figure.drawings[0])
    groups, things = svg.count('class="account '), svg.count('class="thing ')
    assert groups + things <= nodes
    drawn = groups - len(re.findall(r"onacc", svg))
    drawn += sum(int(n) for n in re.findall(r'onacc \w+">(\d+)<', svg))
    hidden = re.search(r"Not shown: ([\d,]+)", figure.caption)
    lonely = re.search(r"; ([\d,]+)\u00a0accounts? without", figure.caption)
    assert drawn + int(hidden[1]) + int(lonely[1]) == len(web.accounts)


def test_graph_in_numbers_is_the_graph_drawn(facts):
    campaign = facts.shown[0]
    figure = graph_figure(facts, campaign, read_web(facts, campaign))
    svg, nodes, edges = str(figure.drawings[0]), figure.extra["nodes"], figure.extra["edges"]
    assert len(nodes) == svg.count('class="account ') + svg.count('class="thing ')
    lines = "".join(re.findall(r'<path d="([^"]+)" class="edge-', svg))
    assert sorted(re.findall(r"M(\d+) (\d+)L(\d+) (\d+)", lines)) == sorted(
        tuple(str(nodes[i][xy]) for i in edge[:2] for xy in "xy") for edge in edges
    )
    for node, behind in zip(nodes, figure.extra["behind"], strict=True):
        assert isinstance(behind, str) is ("kind" in node)
        if "role" in node:
            assert node["mark"] == ("" if len(behind) == 1 else str(len(behind)))


def test_graph_tells_core_from_periphery_and_hides_their_lines_with_them(facts):
    campaign = facts.shown[0]
    figure = graph_figure(facts, campaign, read_web(facts, campaign))
    core = {m["account_id"] for m in campaign.data["members"] if m["role"] == "core"}
    circles = 0
    for node, behind in zip(figure.extra["nodes"], figure.extra["behind"], strict=True):
        if "role" in node:
            circles += 1
            assert {a in core for a in behind} == {node["role"] == "core"}
    counts = {r["role"]: r["count"] for r in figure.extra["roles"]}
    assert set(counts) == {"core", "rim"}
    svg = str(figure.drawings[0])
    assert len(re.findall(r'class="account (?:core|rim)"', svg)) == circles
    rims = {(n["x"], n["y"]) for n in figure.extra["nodes"] if n.get("role") == "rim"}
    for d, roles in re.findall(r'<path d="([^"]+)" class="edge-\d link k\d+ d\d+ ([a-z ]+)"', svg):
        for x, y, u, v in re.findall(r"M(\d+) (\d+)L(\d+) (\d+)", d):
            leads = {(int(x), int(y)), (int(u), int(v))} & rims
            assert bool(leads) is ("rim" in roles.split())


def test_raster_counts_add_up(facts):
    campaign = facts.shown[0]
    for lines in (80, 20):
        small = replace(facts, budget=replace(Budget(), raster_lines=lines))
        figure = raster_figure(small, campaign)
        drawn, hidden = re.findall(r"([\d,]+)\u00a0accounts", figure.caption)[:2]
        assert int(drawn) == lines
        assert int(drawn) + int(hidden) == 250


def test_raster_says_the_common_silence(facts):
    figure = raster_figure(facts, facts.shown[0])
    assert "fall silent together for 37\u00a0h" in figure.title


def test_waterfall_adds_up(facts):
    campaign = facts.shown[0]
    figure = waterfall_figure(campaign, read_web(facts, campaign))
    rows = [r for r in figure.table.rows if r[0] == "Strongest pair"]
    strongest = [float(r[4]) for r in rows]
    assert len({r[3] for r in rows}) == len(rows)
    assert strongest == sorted(strongest, reverse=True)
    assert f"{sum(strongest):.0f} nats" in figure.title.replace("\u00a0", " ")


def test_links_of_one_kind_are_one_bar_with_their_number():
    pair = Pair("a", "b", (*(("near_text", f"o{k}", 6.5) for k in range(8)), ("client", "c", 3.0)))
    assert _merged(pair) == [("near_text", 8, 52.0), ("client", 1, 3.0)]
    drawn = str(_draw("x", "Strongest pair", pair, [0.0, 60.0]))
    assert drawn.count("near-duplicate prompts") == 1
    assert "near-duplicate prompts × 8" in drawn
    assert "+52" in drawn


def test_prevalence_without_volume_blames_no_single_campaign(facts):
    bare = replace(facts, volume=replace(facts.volume, days=[], tokens={}, requests={}))
    svg = "".join(map(str, prevalence_figure(bare).drawings))
    assert "url(#h" not in svg
    assert 'class="other"' in svg


def test_peak_in_the_title_is_the_highest_bar(facts):
    figure = prevalence_figure(facts)
    own = {c.campaign_id for c in facts.of("accused")}
    days = {}
    for (day, _, campaign), tokens in facts.volume.tokens.items():
        hit, total = days.get(day, (0, 0))
        days[day] = (hit + tokens * (campaign in own), total + tokens)
    peak = max(hit / total for hit, total in days.values())
    assert f"{peak * 100:.1f}\u00a0%" in figure.title


def test_every_release_and_ban_is_said_in_words_in_the_wide_picture_and_under_the_slim_one(facts):
    hours = (57, 58, 90, 100, 145)  # five in a week, the last two too close for labels on one line
    events = [
        {"ts": f"2026-03-{3 + h // 24:02d}T{h % 24:02d}:00:00Z", "kind": "ban",
         "label": f"{h} accounts banned"} for h in hours
    ]  # fmt: skip
    since = parse("2026-03-03T00:00:00Z")
    week = replace(
        facts, since=to_micros(since), until=to_micros(since + timedelta(days=7)),
        summary=facts.summary | {"events": events},
    )  # fmt: skip
    figure = prevalence_figure(week)
    for n, h in enumerate(hours, 1):
        assert f">{n} ban: {h} accounts<" in str(figure.drawings[0])
        assert f"{n} = " in figure.caption
        assert f"ban: {h} accounts" in figure.caption
    many = replace(week, summary=week.summary | {"events": events * 2})
    assert "Marks" not in prevalence_figure(many).caption
    assert "10 = " in prevalence_figure(many).table.note


def test_coverage_says_where_the_campaign_stands_against_its_segment(facts):
    campaign = facts.shown[0]
    figure = coverage_figure(facts, campaign)
    assert figure.title == (
        "600 of its requests touch 360 distinct topics, more than as many requests of random "
        "accounts of its segment do (228–252)"
    )
    name = campaign.campaign_id
    curve = facts.coverage[name]
    unseen = campaign.data["exchanges"] - 600
    assert f"{unseen:,} not;" in figure.caption
    assert figure.table.rows[-1] == ("600", "360", "240", "228–252")
    inside = [r | {"segment_low": 100.0, "segment_high": 400.0} for r in curve]
    same = coverage_figure(replace(facts, coverage={name: inside}), campaign)
    assert ", as do so many requests" in same.title
    few = [r | {"segment_low": 380.0, "segment_high": 400.0} for r in curve]
    assert "fewer than" in coverage_figure(replace(facts, coverage={name: few}), campaign).title
    alone = [r | dict.fromkeys(r.keys() - {"campaign_id", "requests", "campaign_topics"})
             for r in curve]  # fmt: skip
    lonely = coverage_figure(replace(facts, coverage={name: alone}), campaign)
    assert "its segment is too small to compare with" in lonely.title
    assert "band clear" not in str(lonely.drawings[0])


def test_coverage_without_a_curve_is_no_picture(facts):
    assert coverage_figure(replace(facts, coverage={}), facts.shown[0]) is None


def test_collateral_marks_the_recommended_rung_and_counts_every_rung(facts):
    campaign = facts.shown[0]  # 14 of its accounts are periphery
    figure = collateral_figure(campaign)
    assert figure.title == (
        "“throttle”, recommended, touches 5\u00a0other accounts; “step up” would touch 14"
    )
    rows = {r[0]: r for r in figure.table.rows}
    assert list(rows) == ["watch", "throttle (recommended)", "step up", "summarize", "deny"]
    assert rows["watch"][2:] == ("0", "0", "0", "0", "0", "$0", "0")
    assert rows["deny"][2:4] == ("14", "42")
    drawn = str(figure.drawings[0])
    assert drawn.count("▸") == 1
    assert drawn.count("<rect") == 4 * 3  # four rungs with bars; nothing permitted, so no bar


def test_collateral_of_an_older_run_has_the_one_rung_that_it_counted(facts):
    campaign = facts.shown[0]
    old = {k: v for k, v in campaign.data["recommended"].items() if k != "rungs"}
    figure = collateral_figure(replace(campaign, data=campaign.data | {"recommended": old}))
    assert [r[0] for r in figure.table.rows] == ["throttle (recommended)"]
    assert collateral_figure(replace(campaign, data={})) is None


def test_nothing_is_recommended_against_a_permitted_campaign(facts):
    campaign = next(c for c in facts.shown if c.standing == "permitted")
    assert campaign.data["recommended"]["verdict"] != "nothing"
    figure = collateral_figure(campaign)
    assert "recommended" not in figure.title
    assert not any("recommended" in row[0] for row in figure.table.rows)
    assert [row.verdict for row in glance_rows(facts, [campaign])] == ["nothing"]
    assert ("Recommended", "nothing") in write_chapter(facts, campaign).facts


def test_value_says_what_was_not_entered_and_lists_no_assumption_that_moves_nothing(facts):
    value = facts.summary["value_at_risk"] | {
        "most_sensitive": [
            {"assumption": "paid_share", "effect_usd": 3.31},
            {"assumption": "displaced_share", "effect_usd": 0.0},
        ],
        "assumptions": {"exposed_usd_per_year": [0.0, 0.0, 0.0]},
        "text": "unknown until `prove` has measured",
    }
    table, _ = value_table(replace(facts, summary=facts.summary | {"value_at_risk": value}))
    rows = {row[0]: row[1:] for row in table.rows}
    assert rows["Revenue a year that an imitation could displace"] == ("not entered",) * 2
    moved = [name for name in rows if name.startswith("Moved by")]
    assert moved == ["Moved by: share of the harvest that was paid for"]
    assert rows[moved[0]] == ("$3.31 from end to end", "—")
    assert table.note == "unknown until prove has measured"


def test_each_model_has_every_release_and_ban_of_the_window(facts):
    figure = models_figure(facts)
    marks = prevalence_figure(facts).extra["events"]
    assert {e["kind"] for e in marks} == {"ban", "release"}
    for drawn in map(str, figure.drawings):
        assert drawn.count('class="ban"') == sum(e["kind"] == "ban" for e in marks)
        assert drawn.count('class="release"') == sum(e["kind"] == "release" for e in marks)


def web_of(*holders):
    """Return a web whose things are held by so many of the first accounts each, of two kinds."""
    most = max(holders)
    names = [f"{'frame' if k % 2 else 'exit_prefix'}:{k}" for k in range(len(holders))]
    return Web(
        accounts=[f"a{k}" for k in range(most)],
        holders={o: {f"a{k}": 1.0 for k in range(n)} for o, n in zip(names, holders, strict=True)},
        kinds={o: o.partition(":")[0] for o in names},
        direct=[],
        alone=0,
    )


@pytest.mark.parametrize(
    ("holders", "said"),
    [
        ((4,), "4 of 4 accounts are linked by one thing (left from the same address prefix)"),
        ((4, 2), "prefix), and 1\u00a0other thing links fewer"),
        ((4, 4, 4, 2, 2),
         "4 of 4 accounts are linked by 3\u00a0things (left from the same address prefix × 2, same "
         "prompt template around other payloads), and 2\u00a0other things link fewer"),
    ],
)  # fmt: skip
def test_the_links_title_counts_what_all_carry_apart(holders, said):
    web = web_of(*holders)
    assert _title(web, list(web.holders)).endswith(said)


def test_the_links_title_says_so_where_things_are_held_by_as_many_but_not_the_same():
    web = web_of(4, 4)
    others = dict.fromkeys(("b0", "b1", "b2", "b3"), 1.0)
    web = replace(web, accounts=[*web.accounts, *others], holders=web.holders | {"frame:1": others})
    assert _title(web, list(web.holders)) == (
        "2\u00a0things (left from the same address prefix, same prompt template around other "
        "payloads) link 4 of 8 accounts each"
    )


def test_the_recall_title_says_of_each_rung_what_its_row_says(facts):
    rungs = [
        {"rung": 1, "text": "plain", "recall": 0.5, "low": 0.211, "high": 0.789, "spikes": 12},
        {"rung": 3, "text": "hidden", "recall": 0.0, "low": 0.0, "high": 0.265, "spikes": 12},
        {"rung": 4, "text": "not made", "recall": None, "low": None, "high": None, "spikes": 0},
    ]
    summary = facts.summary | {"prevalence": {"recall": rungs, "worst_recall": 0.211}}
    table, title = recall_table(replace(facts, summary=summary))
    assert title.endswith(f"were found 50{NB}% on rung 1, 0{NB}% on rung 3")
    assert table.note == f"The worst recall stated, for not excluded: 21.1{NB}%."
