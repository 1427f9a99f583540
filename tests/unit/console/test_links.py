"""The graph of links: its numbers for a program that draws it, and what stands behind a node."""

from __future__ import annotations

import json
from html.parser import HTMLParser

import pytest

from stillwatch.errors import InputError


class Graph(HTMLParser):
    """Reads the numbers that the page hands to the script, as a browser would."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.held: dict = {}
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        if "data-graph" in dict(attrs):
            self.held = dict(attrs)


@pytest.fixture
def links(inside, big_case):
    who = inside("Ana")
    return who, f"/cases/{big_case}/links", Graph(who.get(f"/cases/{big_case}/links").text).held


def test_the_numbers_of_the_graph_are_on_the_page_and_what_draws_it_is_there(links):
    who, _, held = links
    graph = json.loads(held["data-graph"])
    assert 2 < len(graph["nodes"]) <= 300
    assert all(0 <= end < len(graph["nodes"]) for edge in graph["edges"] for end in edge[:2])
    assert "hidden" in held, "without scripts nobody sees it"
    for address in (held["data-able"], *held["data-needs"].split()):
        assert who.get(address).headers["content-type"].startswith("text/javascript")


def test_a_thing_tells_its_holders_and_a_circle_its_accounts(links):
    who, path, held = links
    nodes = json.loads(held["data-graph"])["nodes"]
    for place, node in enumerate(nodes, start=1):
        page = who.get(f"{path}?node={place}").text
        assert page.startswith('<div class="holders">')
        listed = page.count("<li>")
        if "kind" in node:
            told = node["said"].rpartition(": ")[2].replace("\u00a0", " ").split()[0]
            assert f"{told}\u00a0members have it" in page
            assert listed == min(int(told.replace(",", "")), 100)
        else:
            assert listed == min(int(node["mark"] or 1), 100)


def test_a_node_that_is_not_there_is_the_last_one_and_none_shows_the_graph(links):
    who, path, held = links
    last = len(json.loads(held["data-graph"])["nodes"])
    assert who.get(f"{path}?node={last + 9}").text == who.get(f"{path}?node={last}").text
    for nothing in ("0", "-3", "x", ""):
        assert "data-graph" in who.get(f"{path}?node={nothing}").text


def test_who_may_not_see_accounts_sees_no_node(inside, big_case):
    answer = inside("Vi").get(f"/cases/{big_case}/links?node=1")
    assert answer.status_code == 403
    assert "acct-" not in answer.text


def test_an_object_that_a_campaign_does_not_hold_is_refused(desk, big_case):
    with pytest.raises(InputError, match="no such object"):
        desk.index.thing(desk.line(big_case).campaign_id, "payment:nobody")
