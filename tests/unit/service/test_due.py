"""When a look is due: event time, a horizon for what is late, and logs that fall silent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from stillwatch.errors import ConfigError
from stillwatch.service import Cadence, Standing, parse_span
from stillwatch.stats import alpha_at_look

HOUR = timedelta(hours=1)
START = datetime(2026, 3, 1, tzinfo=UTC)
CADENCE = Cadence(window=24 * HOUR, every=HOUR, late=6 * HOUR, idle=6 * HOUR)


def at(hours: float) -> datetime:
    return START + hours * HOUR


def held(newest: float, looked: float | None = None, arrived: float | None = None) -> Standing:
    return Standing(
        at(newest),
        at(newest if arrived is None else arrived),
        None if looked is None else at(looked),
    )


def test_a_look_ends_where_nothing_more_is_expected():
    assert CADENCE.due(held(10.5), now=at(10.6)) == at(4)


def test_nothing_is_due_before_anything_came():
    assert CADENCE.due(Standing(None, None, None), now=at(10)) is None


def test_a_window_is_looked_at_once():
    assert CADENCE.due(held(10.5, looked=4), now=at(10.6)) is None
    assert CADENCE.due(held(11.0, looked=4), now=at(11.1)) == at(5)


def test_of_looks_that_were_missed_only_the_last_is_made():
    assert CADENCE.due(held(50, looked=4), now=at(50)) == at(44)


def test_logs_that_fell_silent_are_looked_at_to_their_end():
    silent = held(10.5, looked=4)
    assert CADENCE.due(silent, now=at(16.4)) is None
    assert CADENCE.due(silent, now=at(16.5)) == at(11)
    assert CADENCE.due(held(10.5, looked=11), now=at(30)) is None


def test_an_exchange_on_the_full_hour_is_in_the_look_that_ends_the_logs():
    assert CADENCE.due(held(10), now=at(10), ended=True) == at(11)


def test_a_clock_that_is_ahead_closes_no_window():
    assert CADENCE.due(held(30, arrived=10), now=at(10)) == at(4)


@pytest.mark.parametrize("text", ["", "6", "h", "0h", "-6h", "6 h", "1.5h", "6y", "1234567h"])
def test_what_is_no_span_is_refused(text):
    with pytest.raises(ConfigError, match="not a span"):
        parse_span(text, where="--late")


def test_windows_leave_no_gaps():
    with pytest.raises(ConfigError, match="gaps"):
        Cadence(window=HOUR, every=2 * HOUR, late=HOUR, idle=HOUR)


def test_without_a_budget_of_its_own_every_look_shares_one():
    assert CADENCE.looks is None
    assert CADENCE.since(at(30)) == at(6)


@pytest.mark.parametrize(("window", "every", "budget"), [(24, 1, 48), (24, 24, 24), (7, 2, 8)])
def test_no_stretch_and_no_exchange_sees_more_than_one_alpha(window, every, budget):
    cadence = Cadence(window * HOUR, every * HOUR, HOUR, HOUR, budget=budget * HOUR)
    assert cadence.looks is not None
    level = alpha_at_look(0.01, 1, cadence.looks)
    ends, moment = [], START
    while moment <= at(400):  # every look that is ever due, as rounds an hour apart find it
        due = cadence.due(Standing(moment, moment, ends[-1] if ends else None), now=moment)
        ends += [] if due is None else [due]
        moment += HOUR
    assert len(ends) > 300 / every
    for hour in range(100, 300):  # whatever the hour a stretch begins
        looks = [e for e in ends if at(hour) <= e < at(hour + budget)]
        assert len(looks) * level <= 0.01 + 1e-12
        sees = [e for e in ends if cadence.since(e) <= at(hour) < e]
        assert 0 < len(sees) * level <= 0.01 + 1e-12
    assert max(len([e for e in ends if at(h) <= e < at(h + budget)]) * level
               for h in range(100, 300)) == pytest.approx(0.01), "and no less is spent"  # fmt: skip


def test_a_budget_that_would_spend_more_than_alpha_is_refused():
    with pytest.raises(ConfigError, match="multiple of --every"):
        Cadence(24 * HOUR, 2 * HOUR, HOUR, HOUR, budget=25 * HOUR)
    with pytest.raises(ConfigError, match="as much as --window"):
        Cadence(24 * HOUR, 2 * HOUR, HOUR, HOUR, budget=22 * HOUR)
