"""What the tests of one claim say together, as one e-value, and how much a hypothesis counts."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Final

import numpy as np

from stillwatch.signals import (
    ban_waves,
    crossed_cards,
    dealt_evenly,
    direct_evidence,
    even_volumes,
    harvest,
    one_fleet,
    one_source,
    rotating_exits,
    round_robin,
    shared_mix,
    shared_values,
    signup_burst,
    two_reasons,
)
from stillwatch.stats import E_CEILING, mean_e

__all__ = [
    "ACTED_E",
    "ALONE",
    "ALONE_ASKED",
    "BESIDE",
    "KINDS",
    "SCREEN_E",
    "SPEAKS_E",
    "WATCHED",
    "acts_speak",
    "dealt",
    "e_of_acts",
    "e_of_claim",
    "e_of_closer",
    "e_of_dealing",
    "e_of_halves",
    "e_of_screen",
    "e_of_source",
    "mean_of",
    "weights",
]

SCREEN_E: Final = 1.0
SPEAKS_E: Final = 5.0
ACTED_E: Final = 20.0
_LIKELY: Final = 5.0
_SHARE: Final = 0.25
ALONE_ASKED: Final = 1 - _SHARE
_LEAN: Final = (0.5, 0.25)
# Each kind of act has an honest reason of its own: one vendor, course, offer or agency sets
# accounts up alike; one service serves its customers in turn, from a cloud's changing addresses; a
# spare account takes over. Equal volumes go with the first two, and so do shared exits, unless
# each account stays on its own: one dispatcher's customers leave through any.
_TURNS: Final = frozenset((round_robin.TEST.name,))
# What a service that spreads its customers' jobs, or branches of one size, do as well.
WATCHED: Final = frozenset((dealt_evenly.TEST.name,))
_HANDED: Final = frozenset(direct_evidence.TESTS[kind].name for kind in ("handoff", "blob_replay"))
_MOVES: Final = _HANDED | {direct_evidence.TESTS["retry"].name}
_POOL: Final = frozenset((rotating_exits.TEST.name,))
_PAYS: Final = frozenset((shared_values.ACCOUNT_TEST.name,))
_EXITS: Final = frozenset((shared_values.EXIT_TEST.name,))
BESIDE: Final = frozenset((even_volumes.TEST.name,))
KINDS: Final = {
    "set up alike": _PAYS | _EXITS | {
        signup_burst.TEST.name, shared_mix.TEST.name, direct_evidence.TESTS["succession"].name,
    },
    "served by one": _TURNS | _POOL,
    "hand-overs": _MOVES,
}  # fmt: skip
_DEALING: Final = {"turns": _TURNS, "hand-overs": _MOVES, "shared payment": _PAYS}
_CROSSED: Final = frozenset((crossed_cards.TEST.name,))
_FLEET: Final = frozenset((one_fleet.TEST.name,))
_BACK: Final = frozenset((ban_waves.TEST.name,))
_DAY: Final = frozenset((signup_burst.TEST.name,))
_ASKED_FOR: Final = frozenset(
    (harvest.TEST.name, two_reasons.TEST.name)
)  # of the claim *extractive*
ALONE: Final = _HANDED
# A pool and its exits are one fact: each stands beside the other kinds in one of two lists.
_LISTS: Final = (
    (KINDS["set up alike"], _TURNS, _MOVES),
    (KINDS["set up alike"] - _EXITS, KINDS["served by one"], _MOVES),
)
# Who comes after a ban signed up on that day and took over, and who deals evenly has equal volumes:
# one act each.
_SAME: Final = (
    _DAY | _BACK | {direct_evidence.TESTS["succession"].name},
    frozenset((even_volumes.TEST.name, dealt_evenly.TEST.name)),
)
_EACH: Final = (
    frozenset((one_source.TEST.name,)),
    *_SAME,
    *(
        frozenset((name,))
        for name in sorted(BESIDE.union(*KINDS.values()) - frozenset().union(*_SAME))
    ),
)


def mean_of(made: list[float]) -> float:
    """Return the mean e-value of the tests that could be made, NaN without any."""
    return float(mean_e(made)) if made else float("nan")


def _kind(made: Iterable[tuple[str, float]], kind: frozenset[str]) -> float:
    """Return the mean e-value of the tests of one kind, NaN where none could be made."""
    return mean_of([e for name, e in made if name in kind])


def _two(made: Sequence[tuple[str, float]], kinds: Iterable[frozenset[str]]) -> float:
    """Return the mean e-value of all kinds but the largest: 0 with one, NaN without any."""
    each = sorted(e for e in (_kind(made, kind) for kind in kinds) if not np.isnan(e))
    if not each:
        return float("nan")
    return mean_of(each[:-1]) if len(each) > 1 else 0.0


def _weaker(made: Sequence[tuple[str, float]], one: frozenset[str], other: frozenset[str]) -> float:
    """Return the smaller e-value of two kinds that have to speak both, NaN without either."""
    each = _kind(made, one), _kind(made, other)
    return float("nan") if np.isnan(sum(each)) else min(each)


def e_of_acts(made: Iterable[tuple[str, float]], *, watch: bool = False) -> float:
    """Return the e-value that two kinds of acts speak, or one that may alone; NaN without any act.

    ``made``: name and e-value of each test of the claim *coordinated* that could be made. The kinds
    are: set up alike, served by one (turns, a rotating pool), hand over; a kind's e-value is the
    mean of its tests. One kind alone has an honest reason, so the null is that at most one of them
    speaks, whichever it is, and that nobody hands conversations or reasoning over among many
    organizations, which has none. The mean over all kinds but the largest is at most the mean over
    those that are null, 0 where only one kind could be read. Half of that stake is on the kinds
    without the pool, half on those with it and without shared exits, which any pool makes.
    Hand-overs have half of the whole stake by themselves, where they could be read. Equal volumes
    (`BESIDE`) accuse nobody: whoever serves or sets up others makes them. All three facts of being
    set up alike at once have as much of the stake as hand-overs: cards, exits across cards
    (`crossed_cards`) and the day of sign-ups, of which the weakest counts. Any two of them have an
    honest reason, so the null there is that one of them does not hold. So have new accounts after
    each of several waves of bans (`ban_waves`) with shared cards, where there were any, and a fleet
    on several cards in turn (`one_fleet`), where topics tell.
    ``watch``: what is enough to be looked at, that any two tests speak, be they of one kind, of
    `WATCHED`, `BESIDE` or topics (`_SAME` are one), or a pool, hand-overs or crossed cards alone.
    *Source*: Benjamini & Heller 2008, Biometrics 64 (partial conjunctions), with means of e-values.
    """
    made = list(made)
    two = [_two(made, kinds) for kinds in ((_EACH,) if watch else _LISTS)]
    two = [e for e in two if not np.isnan(e)]
    if not two:
        return float("nan")
    alone = (
        [_kind(made, kind) for kind in (_POOL, _HANDED, _CROSSED)]
        if watch
        else [
            _kind(made, _HANDED),
            _weaker(made, _CROSSED, _DAY),
            _weaker(made, _BACK, _PAYS),
            _kind(made, _FLEET),
        ]
    )
    return mean_of([mean_of(two), *(e for e in alone if not np.isnan(e))])


def e_of_dealing(made: Iterable[tuple[str, float]]) -> dict[str, float]:
    """Return how strongly each kind of acts speaks that no vendor, course or offer has, if read.

    Turns, hand-overs and shared payment. With topics of one source any of them makes two kinds of
    evidence. A pool is not among them: bots of one cloud talk about anything. ``made``: as for
    `e_of_acts`.
    """
    made = list(made)
    kinds = {name: _kind(made, kind) for name, kind in _DEALING.items()}
    return {name: e for name, e in kinds.items() if not np.isnan(e)}


def e_of_closer(made: Iterable[tuple[str, float]]) -> float:
    """Return how strongly what strangers at one place do not do speaks, NaN without any.

    Hand-overs, shared payment, exits across cards, and bans in waves: a class or a hackathon shares
    the day of its sign-ups and its exits alone, a host's queue takes turns, and users of a host who
    were banned have successors. ``made``: as for `e_of_acts`.
    """
    made = list(made)
    read = [_kind(made, kind) for kind in (_MOVES, _PAYS, _CROSSED, _BACK)]
    read = [e for e in read if not np.isnan(e)]
    return max(read) if read else float("nan")


def dealt(made: Iterable[tuple[str, float]]) -> list[str]:
    """Return the kinds of `e_of_dealing` that speak (5 and more)."""
    return [name for name, e in e_of_dealing(made).items() if e >= SPEAKS_E]


def _spoken(made: Sequence[tuple[str, float]], early: Collection[str]) -> bool:
    """Return whether an act that no vendor has speaks: in part B, or in part A and not unseen in B.

    ``early``: the kinds that speak in part A (`dealt`), where payment is not read. Seen in part B
    is any act of these kinds with e ≥ 1, however weakly.
    """
    if dealt(made):
        return True
    seen = frozenset().union(*(_DEALING[kind] for kind in early))
    return any(e >= SCREEN_E for name, e in made if name in seen)


def e_of_screen(made: Iterable[tuple[str, float]]) -> float:
    """Return what part A says of acting together, NaN where nothing there could be read."""
    made = list(made)
    acts = e_of_acts(made)
    return acts if np.isnan(acts) else max(acts, *e_of_dealing(made).values(), 0.0)


def e_of_source(made: Iterable[tuple[str, float]], early: Collection[str]) -> float:
    """Return the e-value of the test that reads topics, NaN without it; as `e_of_acts`.

    Topics alone accuse nobody, nor do topics of accounts that are only set up alike (one vendor's
    customers with one subject): they count where some other act speaks (5 and more), in part A
    (``early``, unless part B shows nothing of it or an honest reason) or in part B, else as none,
    which only makes the e-value smaller
    (docs/adr/0018-topics-alone.md, 0021-two-kinds-of-acts.md).
    """
    made = list(made)
    read = mean_of([e for name, e in made if name == one_source.TEST.name])
    return read if np.isnan(read) or _spoken(made, early) else 0.0


def e_of_halves(acts: float, source: float, screen: float) -> float:
    """Return the e-value of the claim *coordinated*: acts and topics, evenly or one to three.

    Acts weigh more where the members acted together in part A already (``screen``). The weights are
    fixed by other data, so the sum is an e-value whatever its parts depend on. Topics that are NaN
    (not evaluable) leave the acts; acts that are NaN count as none; NaN without any.
    """
    if np.isnan(source):
        return acts
    acts = 0.0 if np.isnan(acts) else acts
    lean = _LEAN[0] if screen >= SCREEN_E else _LEAN[1]
    return float(lean * min(acts, E_CEILING) + (1 - lean) * source)


def e_of_claim(
    made: Iterable[tuple[str, float]], screen: float, early: Collection[str] = ()
) -> float:
    """Return the e-value of a claim by its tests: of *extractive* their mean. As `e_of_acts`."""
    made = list(made)
    if all(name in _ASKED_FOR for name, _ in made):
        return mean_of([e for _, e in made])
    return e_of_halves(e_of_acts(made), e_of_source(made, early), screen)


def acts_speak(made: Iterable[tuple[str, float]], early: Collection[str]) -> bool:
    """Return whether acts, not topics, let the members be taken to act together.

    ``made`` as for `e_of_acts`. Part B does (20 and more), or, where topics could be read, what
    lets them count: something that no vendor has speaks in part A or B (5 and more). Without it
    nothing could be selected, whatever is asked for.
    """
    made = list(made)
    read = any(name == one_source.TEST.name for name, _ in made)
    return (read and _spoken(made, early)) or e_of_acts(made) >= ACTED_E


def weights(
    screen: np.ndarray, acted: np.ndarray, tested: np.ndarray, part: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return how much *coordinated* and *extractive* of each hypothesis count.

    All weights of those tested add up to their number. A quarter of them is for *coordinated*,
    five times as much where part A showed acts (``screen``), apart from what part B tests. The
    rest is for *extractive*, evenly for those whose acts speak (``acted``, `acts_speak`) and 0 for
    the others: it is read against benign cohorts that act together, so it is asked of those that
    do, and of them alone. Views of one another share what one has (``part``,
    `overlaps.parts_of_one` of those that are tested and acted). The weights are free as far as no
    weight is chosen by the e-value that it multiplies, which is assumed and not shown: see ADR 22
    for where it is not exact.

    *Source*: Genovese, Roeder & Wasserman 2006 (weights); Wang & Ramdas 2022 (e-BH); Wang et al.
    2022, Annals of Statistics 50(4) (filtering for partial conjunctions), here with e-values.
    """
    n = max(int(tested.sum()), 1)
    likely = np.where(np.nan_to_num(screen, nan=0.0) >= SCREEN_E, _LIKELY, 1.0)
    asked = np.where(acted, part, 0.0)
    return (
        _SHARE * n * likely / max(float(likely[tested].sum()), 1.0),
        ALONE_ASKED * n * asked / max(float(asked[tested].sum()), 1.0),
    )
