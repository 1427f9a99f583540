"""Rules aggregate-lane, no-differencing, purpose, legal-basis: what fails closed."""

from __future__ import annotations

import itertools
import random
from datetime import UTC, datetime, timedelta

import pytest

from stillwatch.errors import ConfigError, ShareRefused
from stillwatch.share import content as make
from stillwatch.share import refusals
from stillwatch.share.lanes import (
    Contribution,
    Publication,
    combine,
    difference_refusals,
    isolates,
)
from stillwatch.share.legal import acceptor, check_purpose, in_force, legal_bases

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
MARCH, JUNE = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)
ROW = {"name": "DOJ/FTC 2014", "source": "Antitrust policy statement", "since": "2026-01-01",
       "until": "2027-01-01", "reviewed_by": "outside counsel",
       "purposes": ["detection", "correction"]}  # fmt: skip


def parts(count=5, **changes):
    made = [Contribution(f"identity--{k}", 2, 100, 10_000, frozenset({"relay"}))
            for k in range(count)]  # fmt: skip
    return [Contribution(**{**made[0].__dict__, **changes}), *made[1:]]


def test_figures_of_five_pass_the_guard():
    figures, kept = combine(parts(), MARCH, JUNE, [], now=NOW)
    by = "identity--2c1f2e4a-9b7d-4e3f-8a65-1d0c9b8e7f6a"
    seen = make.campaign(
        {"standing": "accused", "campaign_id": "c-9f8e27b6a5d4", "methods": [], "accounts": 1,
         "exchanges": 9, "first_seen": "2026-05-01T00:00:00Z", "last_seen": "2026-05-01T00:00:00Z",
         "claims": {n: {"confidence": 1, "evidence": []} for n in ("coordinated", "extractive")}},
        by=by, modified=JUNE,
    )  # fmt: skip
    assert refusals(make.aggregate(figures, [seen["id"]], by=by, published=NOW), now=NOW) == ()
    assert figures["exchanges"] == "30000-100000"
    assert figures["largest_share_percent"] == 25, "the bound: the share itself would tell"
    assert kept.contributors == {f"identity--{k}" for k in range(5)}


@pytest.mark.parametrize(
    "made", [parts(4), [*parts(4), parts(4)[0]], parts(accounts=134), parts(exchanges=14_000)],
    ids=["four", "one twice", "over a quarter of accounts", "over a quarter of exchanges"],
)  # fmt: skip
def test_aggregate_lane_thin_or_lopsided_figures_are_refused(made):
    with pytest.raises(ShareRefused, match="aggregate-lane"):
        combine(made, MARCH, JUNE, [], now=NOW)


def test_aggregate_lane_young_or_broken_periods_are_refused():
    for first, last in (
        (MARCH, datetime(2026, 8, 1, tzinfo=UTC) + timedelta(days=31)),
        (MARCH + timedelta(days=1), JUNE), (JUNE, MARCH),
    ):  # fmt: skip
        with pytest.raises(ShareRefused, match="aggregate-lane"):
            combine(parts(), first, last, [], now=NOW)
    combine(parts(), MARCH, JUNE, [], now=datetime(2026, 9, 29, tzinfo=UTC))
    with pytest.raises(ShareRefused, match="90 days"):
        combine(parts(), MARCH, JUNE, [], now=datetime(2026, 9, 28, tzinfo=UTC))


def test_no_differencing():
    """Six published, then five of the six: the difference would be the sixth's own figures."""
    six = frozenset(f"identity--{k}" for k in range(6))
    old = Publication(MARCH, JUNE, six)
    for members, ok in (
        (six, True), (six - {"identity--0"}, False), (six | {"identity--9"}, False),
        (frozenset(f"identity--{k}" for k in range(20, 26)), True),
    ):  # fmt: skip
        assert (difference_refusals(Publication(MARCH, JUNE, members), [old]) == ()) is ok
    # half of the period: the other half would follow by subtraction
    assert difference_refusals(Publication(MARCH, datetime(2026, 4, 1, tzinfo=UTC), six), [old])
    july = datetime(2026, 7, 1, tzinfo=UTC)
    assert difference_refusals(Publication(july, july, six), [old]) == ()
    with pytest.raises(ShareRefused, match="no-differencing"):
        combine(parts(), MARCH, JUNE, [old], now=NOW)


def group(*numbers):
    return frozenset(f"identity--{k}" for k in numbers)


def published(*groups):
    return [Publication(MARCH, JUNE, one) for one in groups]


def test_no_differencing_of_several():
    """The eleventh alone = all - the first five - the next; no two differ by fewer than five."""
    first, rest, everyone = group(*range(5)), group(*range(5, 10)), group(*range(11))
    for a, b in ((first, rest), (first, everyone), (rest, everyone)):
        assert difference_refusals(*published(b)[:1], published(a)) == ()
    found = difference_refusals(*published(everyone), published(first, rest))
    assert found == ("no-differencing: with what was published it leaves fewer than five "
                     "contributors",)  # fmt: skip
    assert difference_refusals(*published(group(*range(15))), published(first, rest)) == ()
    # four of them: (A + B) - (C + D) is twice the one that stands on one side only
    four = [
        group(*range(10), 20), group(*range(10, 20), 20),
        group(*range(5), *range(10, 15)), group(*range(5, 10), *range(15, 20)),
    ]  # fmt: skip
    assert all(len(a ^ b) >= 5 for a in four for b in four if a != b)
    for last in range(4):
        others = [one for k, one in enumerate(four) if k != last]
        assert not isolates(others)
        assert difference_refusals(*published(four[last]), published(*others))
    # the same again tells nothing new; a fifth group is not judged, and not published
    assert difference_refusals(*published(first), published(first, rest)) == ()
    many = [group(*range(10 * k, 10 * k + 5)) for k in range(5)]
    assert difference_refusals(*published(many[3]), published(*many[:3])) == ()
    assert "4 groups" in difference_refusals(*published(many[4]), published(*many[:4]))[0]


def test_a_sum_of_publications_that_is_about_few_is_found_as_by_trying_all_factors():
    """Against an oracle: all factors from -3 to 3 for three groups of few members."""
    dice, seen = random.Random(4), set()
    for _ in range(100):
        groups = [frozenset(str(k) for k in range(9) if dice.random() < 0.6) for _ in range(3)]
        tried = False
        for factors in itertools.product(range(-3, 4), repeat=3):
            sums = [sum(f for f, g in zip(factors, groups, strict=True) if str(k) in g)
                    for k in range(9)]  # fmt: skip
            tried = tried or 0 < sum(map(bool, sums)) < 3
        assert isolates(groups, 3) is tried, groups
        seen.add(tried)
    assert seen == {True, False}


def test_a_contributor_that_adds_nothing_hides_no_difference():
    """Six, then five others that have nothing and the first five: the sixth would stand alone."""
    _, kept = combine(
        [*parts(6), Contribution("identity--idle", 0, 0, 0)], MARCH, JUNE, [], now=NOW
    )
    assert kept.contributors == group(*range(6))
    idle = [Contribution(f"identity--idle{k}", 0, 0, 0) for k in range(4)]
    with pytest.raises(ShareRefused, match="no-differencing"):
        combine([*parts(5), *idle], MARCH, JUNE, [kept], now=NOW)


def test_purpose():
    assert check_purpose("detection") == "detection"
    for other in ("marketing", "", "Detect", "pricing"):
        with pytest.raises(ShareRefused, match="purpose"):
            check_purpose(other)


def test_legal_basis_fails_closed():
    bases = legal_bases([ROW])
    assert in_force(bases, "detection", now=NOW).name == "DOJ/FTC 2014"
    for held, purpose, now in (
        ((), "detection", NOW), (bases, "audit", NOW),
        (bases, "detection", datetime(2027, 1, 1, tzinfo=UTC)),
        (bases, "detection", datetime(2025, 12, 31, tzinfo=UTC)),
    ):  # fmt: skip
        with pytest.raises(ShareRefused, match="legal-basis"):
            in_force(held, purpose, now=now)


@pytest.mark.parametrize(
    "change", [{"until": "2028-01-01"}, {"until": "2025-01-01"}, {"since": "soon"},
               {"reviewed_by": ""}, {"purposes": []}],
)  # fmt: skip
def test_a_legal_basis_that_is_not_dated_or_reviewed_is_refused(change):
    with pytest.raises(ConfigError):
        legal_bases([ROW | change])
    with pytest.raises(ShareRefused):
        legal_bases([ROW | {"purposes": ["marketing"]}])


def test_a_hub_whose_basis_lapses_accepts_nothing_more():
    moment = [NOW]
    accept = acceptor(legal_bases([ROW]), lambda: moment[0])
    note = make.note(
        "false_positive", ["campaign--2c1f2e4a-9b7d-5e3f-8a65-1d0c9b8e7f6a"],
        by="identity--2c1f2e4a-9b7d-4e3f-8a65-1d0c9b8e7f6a", created=NOW,
    )  # fmt: skip
    assert accept(note) == ()
    assert accept(note | {"content": "x"})
    moment[0] = datetime(2027, 1, 2, tzinfo=UTC)
    assert accept(note) == ("legal-basis: none is in force for this purpose",)
