"""Suggestions become hypotheses: what is one campaign, and what only a phrase in common."""

from __future__ import annotations

from stillwatch.links.cohorts import Candidate, Sent, merge


def frame(number: int, subjects: range | list[int]) -> Candidate:
    return Candidate({"frame"}, set(subjects), {number})


def sent(often: dict[int, dict[int, int]], together: dict[tuple[int, int], int]) -> Sent:
    return Sent(often, together, population=5_000)


def groups(found: list[Candidate]) -> list[set[int]]:
    return sorted((c.frames for c in found), key=min)


def test_templates_of_one_campaign_join() -> None:
    one, two = range(40), range(20, 60)
    world = sent({1: dict.fromkeys(one, 4), 2: dict.fromkeys(two, 4)}, {(1, 2): 0})
    assert groups(merge([frame(1, one), frame(2, two)], world)) == [{1, 2}]


def test_a_phrase_that_others_send_by_the_hundred_stays_apart() -> None:
    campaign, others = range(50), range(1_000, 1_050)
    phrase = dict.fromkeys(range(50), 2) | dict.fromkeys(others, 10)
    world = sent({1: dict.fromkeys(campaign, 3), 2: phrase}, {(1, 2): 0})
    found = merge([frame(1, campaign), frame(2, [*campaign, *others])], world)
    assert groups(found) == [{1}, {2}]


def test_a_phrase_in_which_some_payloads_happen_to_end_stays_apart() -> None:
    campaign, phrase = range(40), [*range(14), *range(1_000, 1_080)]
    world = sent({1: dict.fromkeys(campaign, 50), 2: dict.fromkeys(phrase, 1)}, {(1, 2): 0})
    assert groups(merge([frame(1, campaign), frame(2, phrase)], world)) == [{1}, {2}]


def test_who_shares_an_opening_with_accounts_between_which_conversations_moved_stays_apart() -> (
    None
):
    relay, opening = set(range(36)), [*range(36), *range(1_000, 1_028)]
    world = sent({1: dict.fromkeys(opening, 3)}, {})
    found = merge([frame(1, opening), Candidate({"handoff"}, relay)], world)
    assert sorted(len(c.subjects) for c in found) == [36, 64]
    nearly = merge([frame(1, [*range(36), 1_000]), Candidate({"handoff"}, relay)], world)
    assert [c.kinds for c in nearly] == [{"frame", "handoff"}]
