"""When a look is due: event time, a horizon for what is late, and logs that fall silent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from stillwatch.errors import ConfigError
from stillwatch.service import Cadence, Standing, parse_span

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
    assert CADENCE.stretch(at(1)) == CADENCE.stretch(at(90_000))
    assert CADENCE.since(at(30)) == at(6)


def test_no_window_reaches_over_the_cut_between_two_budgets():
    cadence = Cadence(24 * HOUR, HOUR, HOUR, HOUR, budget=48 * HOUR)
    cut = cadence.stretch(at(30))
    assert (cut - datetime(1970, 1, 1, tzinfo=UTC)) % (48 * HOUR) == timedelta(0)
    for hours in range(1, 49):
        until = cut + hours * HOUR
        assert cadence.stretch(until) == cut
        assert cadence.since(until) == max(until - 24 * HOUR, cut)
    assert cadence.since(cut + 49 * HOUR) == cut + 48 * HOUR


def test_a_stretch_ends_where_a_look_ends():
    with pytest.raises(ConfigError, match="multiple of --every"):
        Cadence(24 * HOUR, 2 * HOUR, HOUR, HOUR, budget=25 * HOUR)
