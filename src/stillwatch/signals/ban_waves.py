"""Accounts are banned in waves, and new ones on the same cards follow."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Final

import numpy as np

from stillwatch.schema import CohortTest, Finding
from stillwatch.signals import direct_evidence
from stillwatch.signals.data import Cohort, Population, codes_by_owner
from stillwatch.signals.direct_evidence import Coincidences
from stillwatch.signals.verdicts import evaluated, not_enough

__all__ = ["TEST", "TIES", "find"]

_KINDS: Final = ("payment_hash", "phone_hash", "email_hash")  # devices are a class's as well
TIES: Final = tuple(f"accounts.{kind}" for kind in _KINDS)
TEST = CohortTest(
    name="ban_waves",
    title="Bans in waves, each followed by new accounts on the same cards",
    claim="coordinated",
    null="accounts are taken over from banned ones at the rate measured outside the cohort, or "
    "their bans come in fewer than two waves, or newcomers are strangers to the banned",
    needs=(*direct_evidence.TESTS["succession"].needs, *TIES),
    own=True,
)
_SUCCESSION: Final = direct_evidence.TESTS["succession"].name
_LEAST_BANS: Final = 4
_LEAST_WAVES: Final = 2
_IN_A_WAVE: Final = 3
_BANNED: Final = 1 / 4
_TIED: Final = 1 / 2
_FLEET: Final = 4
_DAY_US: Final = 86_400_000_000
_FOLLOWS_US: Final = 2 * _DAY_US


def find(cohort: Cohort, population: Population, base: Coincidences) -> Finding:
    """Ask whether the cohort comes back after each of several waves of bans.

    An application in fashion loses some users to bans and gains others every day, some come back
    on a card of their own, and a class with one banned pupil has successors as well. Who evades
    bans with a fleet loses many accounts at a time, again and again, and the new ones are on the
    cards of the old. So it is asked for two waves at least: within a day accounts of three
    organizations or more were closed against the rules (`schema.BANNED_RE`), and those of three or
    more were created within two days, before the next wave; for a quarter of the members closed;
    and for half of those who came within two days of a ban to share a card, phone or e-mail address
    (any that the log has) that four organizations have with one of another organization that was
    closed before. Exits do not count, for all users of a host have its own, nor do devices, which a
    class shares.
    Who is an end user was neither created nor closed. The p-value is then that of *succession*
    (part B, `direct_evidence`), and 1 otherwise.

    It has one honest reason still, a reseller that is closed again and again, so it accuses nobody
    without cards shared beyond chance (`claims.e_of_acts`).
    """
    members = np.setdiff1d(cohort.members, cohort.trimmed)
    banned = (
        np.full(len(members), np.nan)
        if population.banned_us is None
        else population.banned_us[members]
    )
    bans = int(np.isfinite(banned).sum())
    if bans < _LEAST_BANS:
        return not_enough(TEST, bans, "fewer than four accounts were closed against the rules")
    created = population.created_us[members]
    if np.isfinite(created).sum() < _IN_A_WAVE:
        return not_enough(TEST, bans, "fewer than three creation times are known")
    held = np.any([population.codes[kind][members] >= 0 for kind in _KINDS], axis=0)
    if held.sum() < _FLEET:
        return not_enough(TEST, bans, "fewer than four have a known card, phone or address")
    taken = direct_evidence.find(_SUCCESSION, cohort, population, base)
    if not taken.evaluable or taken.null is None:
        return replace(taken, signal=TEST.name)
    waves = _waves(banned, created, population.org[members])
    new = _newcomers(banned, created)
    tied = int(_tied(members, banned, population)[new].sum())
    enough = (
        waves >= _LEAST_WAVES
        and bans >= _BANNED * len(members)
        and tied >= _TIED * max(int(new.sum()), 1)
    )
    return evaluated(
        TEST, taken.statistic, taken.p_value if enough else 1.0, taken.n, taken.null,
        f"{bans} of {len(members)} accounts were closed against the rules; waves of bans that new "
        f"accounts followed within two days: {waves}; {tied} of {int(new.sum())} newcomers share a "
        f"card or number of four and more with an account closed before; {taken.statistic:.0f} new "
        "accounts took up a template of one banned up to two days before, and coincidence would "
        f"give {taken.null.expected:.2g}"
        + (
            ""
            if enough
            else f"; {_LEAST_WAVES} waves, {_BANNED:.0%} of the accounts and {_TIED:.0%} of the "
            "newcomers are asked for"
        ),
    )  # fmt: skip


def _waves(banned: np.ndarray, created: np.ndarray, org: np.ndarray) -> int:
    """Return in how many waves three organizations or more lost accounts, and three came after.

    A wave is a day long from its first ban on, wherever midnight falls, and who comes after two of
    them follows the later one. By member: times in microseconds, NaN where there is none.
    """
    closed = np.flatnonzero(np.isfinite(banned))
    closed = closed[np.argsort(banned[closed], kind="stable")]
    times, waves, low = banned[closed], [], 0
    while low < len(times):
        high = int(np.searchsorted(times, times[low] + _DAY_US))
        if len(np.unique(org[closed[low:high]])) >= _IN_A_WAVE:
            waves.append((times[low], times[high - 1] + _FOLLOWS_US))
        low = high
    found = 0
    for (start, end), (later, _) in pairwise([*waves, (np.inf, np.inf)]):
        came = (created >= start) & (created <= end) & (created < later)
        found += len(np.unique(org[came])) >= _IN_A_WAVE
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
    for kind in _KINDS:
        code = _of_four(population.org, population.codes[kind], members)
        held = closed[code[closed] >= 0]
        known, first = np.unique(code[held], return_index=True)
        if not len(known):
            continue
        lead, earliest = org[held[first]], banned[held[first]]
        others = held[org[held] != lead[np.searchsorted(known, code[held])]]
        elsewhere = np.full(len(known), np.inf)  # the first of another organization than the lead
        value, at = np.unique(code[others], return_index=True)
        elsewhere[np.searchsorted(known, value)] = banned[others[at]]
        place = np.minimum(np.searchsorted(known, code), len(known) - 1)
        before = np.where(lead[place] != org, earliest[place], elsewhere[place])
        tied |= (known[place] == code) & (before <= created)
    return tied


def _of_four(org: np.ndarray, codes: np.ndarray, members: np.ndarray) -> np.ndarray:
    """Return the members' codes, −1 for those of fewer than four organizations: a person's own."""
    value, number = np.unique(codes_by_owner(org, codes, members), return_counts=True)
    code = codes[members]
    return np.where(np.isin(code, value[number >= _FLEET]), code, -1)
