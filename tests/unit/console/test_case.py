"""What a case's page says of the evidence: for, against, and what decided."""

from __future__ import annotations

import copy

from stillwatch.console.case import chapter_of

AGAINST = "Looked for and not found, which speaks against it"


def test_what_speaks_for_a_claim_and_what_against_it_stand_apart(desk, inside, big_case):
    page = inside("Ana").get(f"/cases/{big_case}").text
    claim = page.partition('id="coordinated-h"')[2].partition('id="extractive-h"')[0]
    speaks, told, against = claim.partition(AGAINST)
    assert told
    against = against.partition("</ul>")[0]
    assert "Volumes of these accounts differ" in against
    assert "Volumes of these accounts differ" not in speaks
    for sentence in ("Consecutive requests of this pool", "The clock of this pool",
                     "41 accounts signed up", "Two reasoning blobs"):  # fmt: skip
        assert sentence in speaks, sentence
        assert sentence not in against, sentence
    assert AGAINST not in page.partition('id="extractive-h"')[2], "nothing speaks against it"


def test_what_decided_how_a_campaign_stands_has_its_place(desk_of, inside):
    desk = desk_of("full")
    seen = set()
    for line in desk.lines():
        standing = chapter_of(desk, line).campaign.standing
        page = inside("Vi", desk).get(f"/cases/{line.case_id}").text
        (told,) = page.split('id="why-stands">')[1:]
        seen.add((standing, told.partition("</p>")[0].partition("</b> ")[2]))
    assert seen == {
        ("accused", "Both claims hold together, and no honest explanation survives."),
        ("watch", "An honest explanation survives: A reseller."),
    }


def test_a_claim_whose_tests_do_not_count_says_why(desk, inside, monkeypatch):
    line = desk.lines()[0]
    head = copy.deepcopy(desk.index.heads[line.campaign_id])
    head["claims"]["extractive"]["note"] = "Their topics are those of one vendor."
    monkeypatch.setitem(desk.index.heads, line.campaign_id, head)
    page = inside("Ana").get(f"/cases/{line.case_id}").text
    claim = page.partition('id="extractive-h"')[2].partition('id="actor-h"')[0]
    assert "Why this does not count:</b> Their topics are those of one vendor." in claim
    assert page.count("Why this does not count") == 1
