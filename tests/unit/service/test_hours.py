"""Quiet hours and digests, also where clocks are set."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from stillwatch.errors import ConfigError
from stillwatch.service import parse_hours


def hours(quiet: str | None = None, digest: str | None = None, zone: str = "UTC"):
    return parse_hours(quiet=quiet, digest=digest, zone=zone, where="webhook 1")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "now, opens",
    [
        ("2026-03-01T12:00", "2026-03-01T12:00"),
        ("2026-03-01T22:00", "2026-03-02T07:00"),
        ("2026-03-02T06:59", "2026-03-02T07:00"),
        ("2026-03-02T07:00", "2026-03-02T07:00"),
    ],
)
def test_quiet_hours_go_over_midnight(now, opens):
    assert hours("22:00-07:00").opens(utc(now)) == utc(opens)


def test_quiet_hours_within_a_day():
    assert hours("12:00-13:30").opens(utc("2026-03-01T12:10")) == utc("2026-03-01T13:30")


@pytest.mark.parametrize(
    "now, opens",
    [
        ("2026-03-27T22:00", "2026-03-28T06:00"),  # winter: seven o'clock is 06:00 UTC
        ("2026-03-28T22:00", "2026-03-29T05:00"),  # the clocks are set forward in this night
        ("2026-10-24T21:00", "2026-10-25T06:00"),  # and back in this one
    ],
)
def test_the_zone_decides_when_it_is_seven(now, opens):
    assert hours("22:00-07:00", zone="Europe/Berlin").opens(utc(now)) == utc(opens)


def test_a_digest_waits_for_its_time_of_day():
    assert hours(digest="08:00").opens(utc("2026-03-01T08:00")) == utc("2026-03-02T08:00")
    assert hours(digest="08:00").opens(utc("2026-03-01T07:59")) == utc("2026-03-01T08:00")


def test_a_digest_in_the_quiet_hours_waits_for_their_end():
    assert hours("22:00-09:00", "08:00").opens(utc("2026-03-01T10:00")) == utc("2026-03-02T09:00")


@pytest.mark.parametrize(
    "given, named",
    [
        ({"quiet": "22:00"}, "quiet"),
        ({"quiet": "22:00-25:00"}, "quiet"),
        ({"digest": "eight"}, "digest"),
        ({"zone": "Mars/Olympus"}, "zone"),
        ({"zone": "../etc/passwd"}, "zone"),
    ],
)
def test_what_is_no_time_is_named(given, named):
    with pytest.raises(ConfigError) as told:
        hours(**given)
    assert told.value.where == f"webhook 1.{named}"
