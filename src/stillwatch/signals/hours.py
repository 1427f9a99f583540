"""Whether a cohort looks like people at one place: a class, a workshop, an office."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from stillwatch.schema import Finding
from stillwatch.signals.data import Cohort, Population
from stillwatch.stats import calibrate, turns_e

__all__ = [
    "NOTHING",
    "ORDINARY",
    "around_the_clock",
    "at_one_place",
    "explained",
    "hosted_turns",
    "hours_of_their_own",
    "on_a_clock",
    "one_host",
    "rotate",
    "time_by_the_day",
]

_HOUR_US: Final = 3_600_000_000
_DAY: Final = 24
_NIGHT: Final = 6
_QUIET: Final = 0.04
_LEAST_DAYS: Final = 2
_MEETING: Final = 12
_REST: Final = 8
_AWAKE: Final = 0.9
_LEAST_ASKED: Final = 200
_MOST: Final = 0.9
_SITE: Final = 0.5
_EVENT_US: Final = 3 * 24 * _HOUR_US
_LEAST_ACCOUNTS: Final = 4
_FIFTH: Final = 0.2
_TURNS_E: Final = 5.0
_TICK_US: Final = _HOUR_US // 4
_NEAR_US: Final = 90_000_000
_ON_THE_TICK: Final = 0.5
_LEAST_GAPS: Final = 12
_PAUSE_US: Final = _HOUR_US // 6
_LEAST_OF_ONE: Final = 3
_SAME_GAP: Final = 0.02
_UNEVEN: Final = 0.5
_LEAST_RESTING: Final = 8
_OWN_HOURS: Final = 0.2
NOTHING: Final = float(calibrate(1.0))
ORDINARY: Final = frozenset(("signup_ip", "device_hash"))


def at_one_place(cohort: Cohort, population: Population) -> str:
    """Return, for a sentence, what says that the cohort is people at one place; empty: nothing.

    Its hours (`people_hours`), or that half of the accounts and more leave through one address
    prefix, for three days at most (a venue, whose hackathon knows no night; who goes on for longer
    behind one address and never sleeps is no guest).
    """
    exits = population.exit_code[cohort.senders]
    known = exits[exits >= 0]
    if cohort.hours or len(known) < _LEAST_ACCOUNTS or np.ptp(cohort.ts_us) > _EVENT_US:
        return cohort.hours
    most = int(np.bincount(known).max())
    if most < _SITE * len(known):
        return ""
    return f"{most} of {len(known)} accounts leave through one address prefix, for three days"


def one_host(cohort: Cohort, population: Population) -> str:
    """Return, for a sentence, what says that the cohort is behind one host; empty: nothing.

    Half of the accounts and more leave through one address prefix, or nine tenths through two, each
    with half of what it sends and more: a service's servers, which send its customers' jobs in
    turn, or an office, whose people go on with each other's conversations.
    """
    exits, stays = _staying(cohort, population)
    known = int((exits >= 0).sum())
    if known < _LEAST_ACCOUNTS or not stays.any():
        return ""
    most = np.sort(np.bincount(exits[stays]))[::-1][:2]
    if most[0] >= _SITE * known:
        return f"{most[0]} of {known} accounts leave through one address prefix"
    if most.sum() >= _MOST * known:
        return f"{most.sum()} of {known} accounts leave through two address prefixes"
    return ""


def _staying(cohort: Cohort, population: Population) -> tuple[np.ndarray, np.ndarray]:
    """Return each sender's exit, and whether half of what it sends and more goes through it."""
    exits = population.exit_code[cohort.senders]
    stays = exits >= 0
    if population.exit_share is not None:
        stays = stays & (population.exit_share[cohort.senders] >= _SITE)
    return exits, stays


def hosted_turns(cohort: Cohort, population: Population) -> str:
    """Return, for a sentence, what says that one host among others takes all turns; empty: nothing.

    A fifth of the accounts and more stay behind one prefix, and the rest take no turns: a service's
    customers in a template that others use as well.
    """
    if population.exit_share is None:
        return ""
    sids = cohort.senders
    exits, stays = _staying(cohort, population)
    if not stays.any():
        return ""
    most = int(np.bincount(exits[stays]).argmax())
    host = sids[stays & (exits == most)]
    if len(host) < max(_LEAST_ACCOUNTS, _FIFTH * len(sids)):
        return ""
    rest = population.org[cohort.sid[~np.isin(cohort.sid, host)]]
    if len(np.unique(rest)) >= _LEAST_ACCOUNTS and turns_e(rest).e_value >= _TURNS_E:
        return ""
    return f"{len(host)} of {len(sids)} accounts leave through one prefix, the rest take no turns"


def rotate(cohort: Cohort, population: Population) -> bool:
    """Return whether most of the cohort's accounts send less than half through any one prefix.

    Of those with four requests and more in this part; False where there are fewer than four.
    """
    if population.exit_share is None:
        return False
    sids, often = np.unique(cohort.sid, return_counts=True)
    sids = sids[often >= _LEAST_ACCOUNTS]
    sids = sids[population.exit_code[sids] >= 0]
    if len(sids) < _LEAST_ACCOUNTS:
        return False
    return bool((population.exit_share[sids] < _SITE).mean() > _SITE)


def people_hours(ts_us: np.ndarray) -> str:
    """Return, for a sentence, how the cohort keeps people's hours; empty where it does not.

    Either nine tenths of its requests fall into twelve hours of the window at most (a class, a
    workshop), or, over a day and a quarter and more, six hours on end of the day have 4 % of them
    at most (a night, in one time zone; a clock that never sleeps has 25 %). Customers of all time
    zones together, and one dispatcher, keep neither.
    """
    if not len(ts_us):
        return ""
    hour = np.sort(ts_us // _HOUR_US)
    counts = np.sort(np.unique(hour, return_counts=True)[1])[::-1]
    most = int(np.searchsorted(np.cumsum(counts), _MOST * len(hour)) + 1)
    if most <= _MEETING:
        return f"{_MOST:.0%} of its requests fall into {most} hours"
    if hour[-1] - hour[0] < _DAY + _NIGHT:  # shorter, and no hour of a night came twice
        return ""
    start, share = _quietest(hour, _NIGHT)
    if share > _QUIET:
        return ""
    return f"{share:.1%} of its requests fall into the six hours from {start:02d} UTC"


def around_the_clock(ts_us: np.ndarray) -> bool:
    """Return whether requests know no night: the quietest eight hours of the day have their share.

    Nine tenths of a third of the requests and more, of 200 at least; what people ask for, also of a
    machine, rests, and what customers of one continent ask for has a quarter. ``ts_us``: in
    microseconds since 1970.
    """
    if len(ts_us) < _LEAST_ASKED:
        return False
    return _quietest(ts_us // _HOUR_US, _REST)[1] >= _AWAKE * _REST / _DAY


def _quietest(hour: np.ndarray, length: int) -> tuple[int, float]:
    """Return where the quietest hours of the day begin, and which share of all requests they have.

    ``hour``: of each request, since 1970; ``length``: of so many hours on end.
    """
    of_day = np.bincount(hour % _DAY, minlength=_DAY)
    around = np.concatenate([of_day, of_day[: length - 1]])
    requests = np.convolve(around, np.ones(length), "valid")
    start = int(requests.argmin())
    return start, float(requests[start] / len(hour))


def on_a_clock(labels: np.ndarray, ts_us: np.ndarray) -> str:
    """Return, for a sentence, what says that the requests follow clocks; empty: nothing.

    Of the gaps between requests of one organization, of ten minutes and more, half are whole
    quarters of an hour, give or take 90 seconds (one in five is by chance), or lie within 2 %
    of the organization's usual gap, while the gaps of all together are uneven (jobs that sleep
    an interval each; a dealer's even gaps are those of its one pool). ``labels``: of each
    request, by time.
    """
    order = np.lexsort((ts_us, labels))
    same = np.diff(labels[order]) == 0
    gap, owner = np.diff(ts_us[order])[same], labels[order][1:][same]
    owner, gap = owner[gap >= _PAUSE_US], gap[gap >= _PAUSE_US]
    if len(gap) < _LEAST_GAPS:
        return ""
    ticks = float((np.abs((gap + _TICK_US // 2) % _TICK_US - _TICK_US // 2) <= _NEAR_US).mean())
    if ticks >= _ON_THE_TICK:
        return f"{ticks:.0%} of the gaps between an organization's requests are whole quarter hours"
    cut = np.flatnonzero(np.diff(owner)) + 1
    usual = np.concatenate([np.full(len(one), np.median(one)) for one in np.split(gap, cut)])
    often = np.bincount(np.unique(owner, return_inverse=True)[1])
    several = np.repeat(often >= _LEAST_OF_ONE, often)
    if several.sum() < _LEAST_GAPS:
        return ""
    even = float((np.abs(gap - usual) <= _SAME_GAP * usual)[several].mean())
    between = np.diff(np.sort(ts_us)).astype(np.float64)
    if even < _ON_THE_TICK or between.std() < _UNEVEN * between.mean():
        return ""
    return f"{even:.0%} of an organization's gaps between requests are its usual one"


def hours_of_their_own(labels: np.ndarray, ts_us: np.ndarray) -> str:
    """Return, for a sentence, what says that each has hours of its own; empty where nothing does.

    An organization's hours on one day are like its hours on another, and not like the others': the
    mean cosine between the clock angles of two of its days, less that between two organizations, is
    0.2 and more (people whose hours spread by three hours: 0.5, by four: 0.3; one dispatcher: 0),
    of eight organizations at least that are seen on two days. ``labels``: of each request.
    """
    owners, owner = np.unique(labels, return_inverse=True)
    day = ts_us // (_DAY * _HOUR_US)
    days, of_day = np.unique(owner * (int(day.max(initial=0)) + 1) + day, return_inverse=True)
    turn = np.exp(2j * np.pi * (ts_us % (_DAY * _HOUR_US)) / (_DAY * _HOUR_US))
    mean = np.bincount(of_day, turn.real) + 1j * np.bincount(of_day, turn.imag)
    mean = mean / np.bincount(of_day)
    whose = days // (int(day.max(initial=0)) + 1)
    seen = np.bincount(whose, minlength=len(owners)).astype(np.float64)
    total = np.bincount(whose, mean.real, len(owners)) + 1j * np.bincount(
        whose, mean.imag, len(owners)
    )
    square = np.bincount(whose, np.abs(mean) ** 2, len(owners))
    kept = seen >= _LEAST_DAYS
    n = int(kept.sum())
    if n < _LEAST_RESTING:
        return ""
    total, square, seen = total[kept], square[kept], seen[kept]
    within = float(((np.abs(total) ** 2 - square) / (seen * (seen - 1))).mean())
    middle = total / seen
    among = float((np.abs(middle.sum()) ** 2 - (np.abs(middle) ** 2).sum()) / (n * (n - 1)))
    if within - among < _OWN_HOURS:
        return ""
    return f"the hours of an account on two days correlate by {within:.2f}, of two by {among:.2f}"


def time_by_the_day(ts_us: np.ndarray) -> np.ndarray:
    """Return the times as these requests' own hours of the day make them pass, in any unit."""
    low, high = int(ts_us.min()) // _HOUR_US, int(ts_us.max()) // _HOUR_US + 1
    pace = np.bincount(ts_us // _HOUR_US % _DAY, minlength=_DAY).astype(np.float64)
    passed = np.concatenate([[0.0], np.cumsum(pace[np.arange(low, high) % _DAY])])
    return np.asarray(np.interp(ts_us, np.arange(low, high + 1) * float(_HOUR_US), passed))


def explained(finding: Finding, excuse: str, why: str) -> Finding:
    """Return the finding of an act that honest people show too: as no evidence, and why.

    ``excuse``: the reason in a word or two, ``why``: a sentence. The e-value becomes that of p = 1,
    which is below 1 and never above what it was: whatever the reason depends on, a mean with it
    stays an e-value.
    """
    if not finding.evaluable or finding.e_value <= NOTHING:
        return finding
    return replace(
        finding, p_value=1.0, e_value=NOTHING, text=f"{finding.text} {why}", excuse=excuse,
        e_before=finding.e_value,
    )  # fmt: skip
