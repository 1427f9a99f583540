"""Accounts are banned in waves, and new ones on the same cards or devices follow."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from stillwatch.schema import CohortTest, Finding
from stillwatch.signals import direct_evidence
from stillwatch.signals.data import Cohort, Population
from stillwatch.signals.direct_evidence import Coincidences
from stillwatch.signals.verdicts import evaluated, not_enough

__all__ = ["TEST", "find"]

TEST = CohortTest(
    name="ban_waves",
    title="Bans in waves, each followed by new accounts on the same cards or devices",
    claim="coordinated",
    null="accounts are taken over from banned ones at the rate measured outside the cohort, or "
    "their bans come in fewer than three waves, or newcomers are strangers to the banned",
    needs=direct_evidence.TESTS["succession"].needs,
    own=True,
)
_SUCCESSION: Final = direct_evidence.TESTS["succession"].name
_LEAST_BANS: Final = 4
_LEAST_WAVES: Final = 2
_IN_A_WAVE: Final = 3
_BANNED: Final = 1 / 4
_TIED: Final = 1 / 3
_FLEET: Final = 4
_DAY_US: Final = 86_400_000_000
_FOLLOWS_US: Final = 2 * _DAY_US
_TIES: Final = ("payment_hash", "device_hash", "phone_hash", "email_hash")


def find(cohort: Cohort, population: Population, base: Coincidences) -> Finding:
    """Ask whether the cohort comes back after each of several waves of bans.

    An application in fashion loses some users to bans and gains others every day, some come back
    on a card of their own, and a class with one banned pupil has successors as well. Who evades
    bans with a fleet loses many accounts at a time, again and again, and the new ones are on the
    cards or devices of the old. So it is asked for two days at least on which three members or more
    were closed against the rules (`schema.BANNED_RE`) and three or more were created within two
    days; for a quarter of the members closed; and for a third of those who came within two days of a
    ban to share a card, device, phone or e-mail address that four members have with one of another
    organization that was closed before: exits do not count, for all users of a host have its own.
    The p-value is then that of *succession* (part B, `direct_evidence`), else 1.

    It has one honest reason still, a reseller that is closed again and again, so it accuses nobody
    without cards shared beyond chance (`claims.e_of_acts`).
    """
    members = cohort.members
    banned = (
        np.full(len(members), np.nan)
        if population.banned_us is None
        else population.banned_us[members]
    )
    bans = int(np.isfinite(banned).sum())
    if bans < _LEAST_BANS:
        return not_enough(TEST, bans, "fewer than four accounts were closed against the rules")
    taken = direct_evidence.find(_SUCCESSION, cohort, population, base)
    if not taken.evaluable:
        return replace(taken, signal=TEST.name)
    created = population.created_us[members]
    waves = _waves(banned, created)
    new = _newcomers(banned, created)
    tied = int(_tied(members, banned, population)[new].sum())
    enough = (
        waves >= _LEAST_WAVES
        and bans >= _BANNED * len(members)
        and tied >= _TIED * max(int(new.sum()), 1)
    )
    return evaluated(
        TEST, taken.statistic, taken.p_value if enough else 1.0, taken.n, taken.null,
        f"{bans} of {len(members)} accounts were closed against the rules, {waves} waves of them "
        f"were followed by new accounts within two days, and {tied} of {int(new.sum())} newcomers "
        f"share a card or device of four and more with an account closed before; {taken.text}"
        + (
            ""
            if enough
            else f"; {_LEAST_WAVES} waves, {_BANNED:.0%} of the accounts and {_TIED:.0%} of the "
            "newcomers are asked for"
        ),
    )  # fmt: skip


def _waves(banned: np.ndarray, created: np.ndarray) -> int:
    """Return on how many days three members or more were closed, and three came within two days.

    Times in microseconds, NaN where there is none.
    """
    times = np.sort(banned[np.isfinite(banned)])
    found = 0
    for day in np.unique(times // _DAY_US):
        closed = times[times // _DAY_US == day]
        came = (created >= closed[0]) & (created <= closed[-1] + _FOLLOWS_US)
        found += len(closed) >= _IN_A_WAVE and int(came.sum()) >= _IN_A_WAVE
    return found


def _newcomers(banned: np.ndarray, created: np.ndarray) -> np.ndarray:
    """Return whether each member was created within two days of another's ban."""
    times = np.sort(banned[np.isfinite(banned)])
    last = np.searchsorted(times, created, side="right") - 1
    before = np.where(last >= 0, times[np.maximum(last, 0)], -np.inf)
    return np.asarray(created - before <= _FOLLOWS_US)


def _tied(members: np.ndarray, banned: np.ndarray, population: Population) -> np.ndarray:
    """Return whether each member shares a value with another organization's, closed before."""
    created, org = population.created_us[members], population.org[members]
    tied = np.zeros(len(members), dtype=bool)
    closed = np.flatnonzero(np.isfinite(banned))
    closed = closed[np.argsort(banned[closed], kind="stable")]
    for kind in _TIES:
        code = _of_four(population.codes[kind][members])
        held = closed[code[closed] >= 0]
        known, first = np.unique(code[held], return_index=True)
        if not len(known):
            continue
        place = np.minimum(np.searchsorted(known, code), len(known) - 1)
        earliest = held[first][place]
        tied |= (known[place] == code) & (banned[earliest] <= created) & (org[earliest] != org)
    return tied


def _of_four(code: np.ndarray) -> np.ndarray:
    """Return the codes, −1 for those that fewer than four members have: one person's own."""
    held = np.bincount(code[code >= 0], minlength=1)
    return np.where((code >= 0) & (held[np.maximum(code, 0)] >= _FLEET), code, -1)
