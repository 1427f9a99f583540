"""Pictures against their facts: what is counted adds up, and nobody is drawn as another."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from stillwatch.report.facts import Budget, read_facts
from stillwatch.report.pictures import (
    graph_figure,
    prevalence_figure,
    raster_figure,
    waterfall_figure,
)
from stillwatch.report.web import read_web
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
    groups, things = svg.count('class="account"'), svg.count('class="thing ')
    assert groups + things <= nodes
    drawn = groups - len(re.findall(r"onacc", svg))
    drawn += sum(int(n) for n in re.findall(r'onacc">(\d+)<', svg))
    hidden = re.search(r"Not shown: ([\d,]+)", figure.caption)
    lonely = re.search(r"; ([\d,]+)\u00a0accounts? without", figure.caption)
    assert drawn + int(hidden[1]) + int(lonely[1]) == len(web.accounts)


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
    strongest = [float(r[4]) for r in figure.table.rows if r[0] == "Strongest pair"]
    assert strongest == sorted(strongest, reverse=True)
    assert f"{sum(strongest):.0f} nats" in figure.title.replace("\u00a0", " ")


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
