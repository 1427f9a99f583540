"""Who belongs to a campaign, as core or periphery, how surely and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from stillwatch.campaigns.behaviour import log_likelihood_ratios, posteriors, signup_nats
from stillwatch.campaigns.topics import Crowd, topics_against
from stillwatch.schema import LINK_KINDS, Desk
from stillwatch.stats import least_repeated

__all__ = ["Belonging", "Member", "name_members", "read_belonging"]

_QUEUE_NATS = 0.2
_QUEUE_ALONE_NATS = 2.0
_REPEATING = 0.2
_LONG = 8
_STRANGER_NATS = -2.0
_MOVED_NATS = 2.0
_EXCLUSIVE = 0.3
_LEAST_FIT_NATS = 0.7
_DEVOTED = 1 / 3
_MOSTLY_DEVOTED = 0.5
_SAYS = {
    "frame": "sends the campaign's template around payloads of its own",
    "exit_prefix": "leaves through an address prefix that other members use",
    "client": "uses the same client as other members",
    "payment": "shares a payment instrument with another member",
    "device": "shares a device with another member",
    "phone": "shares a telephone number with another member",
    "email": "shares an e-mail address with another member",
    "signup_ip": "signed up from an address prefix that other members signed up from",
    "handoff": "conversations moved between it and other members",
    "blob_replay": "reasoning blobs moved between it and other members",
    "retry": "prompts refused elsewhere in the campaign were retried on it, or the reverse",
    "succession": "took up the campaign's template right after a member was banned",
    "signup_burst": "was created in a burst of the campaign's sign-ups",
    "queue": "its own prompts are drawn from the campaign's one queue of topics",
    "turns": "its own requests come once in every round of the campaign's",
}
_OWN = frozenset(
    {k for k, kind in LINK_KINDS.items() if not kind.others_can_create}
    | {"signup_burst", "queue", "turns"}
)
_CHANCE = frozenset(("signup_burst", "queue"))  # what one request and one day may show by chance
_ANYBODYS = frozenset(("frame", "client", "queue"))  # what users of a public template share
_SENT_AS_ONE = frozenset(("frame", "handoff", "blob_replay"))
_MAIN = 0.25


@dataclass(frozen=True)
class Member:
    """One subject of a campaign. ``proven``: point 5 holds, save the campaign's selection."""

    sid: int
    role: str
    confidence: float
    kinds: tuple[str, ...]
    proven: bool
    reasons: tuple[str, ...]


class Belonging(NamedTuple):
    """Who belongs to a cohort, in the order of sids, how, and what evidence each shows.

    ``repeating``: those of whose prompts a fifth and more are what others of the cohort run too
    (`_repeating`). ``share``: of whose requests how much speaks for the cohort; ``once``: who
    sent a single request for it, of no template or of one that is rare in the cohort.
    ``bursts``: of sign-ups, each from and to in seconds.
    """

    sids: np.ndarray
    how: list[str]
    shown: dict[int, set[str]]
    repeating: frozenset[int]
    share: dict[int, float]
    once: frozenset[int]
    bursts: Sequence[Sequence[float]]


def name_members(
    desk: Desk, crowd: Crowd, cohort: int, belonging: Belonging, trimmed: np.ndarray,
    *, acted: bool = True, by_topics: bool = True,
) -> list[Member]:  # fmt: skip
    """Return the members of a cohort, by sid, with the kinds of evidence that each shows.

    Core: its own behaviour fits the campaign (posterior at the setting's level), its topics do
    not stand apart, and it is not only associated. Topics veto because they are what a customer
    whose template was copied cannot help having. Everybody else is periphery. *Proven* needs two
    kinds of evidence, one of them out of other people's reach, and where that one is a day of
    sign-ups or a subject, more than a single request of a chance opening. Who runs what others run
    too (an evaluation whose words a campaign copied) does not draw on a queue that gives each item
    once; who sends no template of the campaign has to show by more that it does (2 nats, else 0.2).
    Of a core account a third of the requests and more speak for the cohort, and half of them where
    nothing but topics says that they act together (``acted`` False): an opening that chat users and
    a campaign have in common makes nobody a member. Where most of the core shows more than
    template, client and subject, all have to (`_most_show_more`). Where topics tell nobody apart
    (``by_topics`` False) they cannot clear a proxy's honest customers, who share its accounts'
    cards, exits and client: there only who sends the campaign's template, or goes on with
    other members' conversations and reasoning, is proven.
    """
    sids, how, shown, repeating, share, once, bursts = belonging
    least = _DEVOTED if acted else _MOSTLY_DEVOTED
    linked = np.array([h != "associated" for h in how])
    stands_apart = np.isin(sids, trimmed)
    speaks = linked & ~stands_apart
    core_sids = sids[speaks]
    others = crowd.trait_counts.outside(sids, np.unique(crowd.segment[core_sids]))
    topic = topics_against(crowd, cohort, sids, core_sids)
    fit = log_likelihood_ratios(crowd.traits[sids], speaks, others).sum(axis=1) + topic
    windows = np.array(bursts, dtype=np.float64).reshape(-1, 2) * 1e6
    fit += signup_nats(crowd.created_us, sids, speaks, windows)
    links = [len(shown.get(s, ())) + (h == "text") for s, h in zip(sids.tolist(), how, strict=True)]
    confidence = posteriors(fit, speaks, np.array(links))
    kinds_of, fits_of = [], []
    for k, sid in enumerate(sids.tolist()):
        kinds = set(shown.get(sid, ()))
        if how[k] == "text":
            kinds.add("frame")
        queue = _QUEUE_NATS if how[k] == "text" else _QUEUE_ALONE_NATS
        if topic[k] >= queue and sid not in repeating:
            kinds.add("queue")
        stranger = bool(stands_apart[k]) or topic[k] <= _STRANGER_NATS
        fits = bool(linked[k]) and not stranger and fit[k] >= _LEAST_FIT_NATS
        fits = fits and confidence[k] >= desk.settings.posterior and share.get(sid, 0.0) >= least
        kinds_of.append(kinds)
        fits_of.append(fits)
    borrowed = _ANYBODYS if _most_show_more(kinds_of, fits_of) else frozenset[str]()
    members = []
    for k, sid in enumerate(sids.tolist()):
        kinds, fits = kinds_of[k], fits_of[k]
        enough = sid not in once or bool(kinds & (_OWN - _CHANCE))
        enough = enough and (not kinds <= borrowed or topic[k] >= _QUEUE_ALONE_NATS)
        enough = enough and (by_topics or bool(kinds & _SENT_AS_ONE))
        proven = fits and enough and len(kinds) >= 2 and bool(kinds & _OWN)
        reasons = (
            *(_SAYS[kind] for kind in sorted(kinds)),
            f"behaves as the campaign does rather than as its segment "
            f"(probability {_shown(float(confidence[k]))})"
            if fits
            else "its own behaviour does not prove that it acts as the campaign does",
        )
        members.append(
            Member(
                sid,
                "core" if fits else "periphery",
                round(float(confidence[k]), 6) if linked[k] else 0.0,
                tuple(sorted(kinds)),
                proven,
                reasons
                if linked[k]
                else (
                    "shares something wider with members, such as an address prefix, and no more",
                ),
            )
        )
    return members


def _most_show_more(kinds: Sequence[set[str]], fits: Sequence[bool]) -> bool:
    """Return whether half of the core and more show what users of its template do not.

    Then who shows nothing but template, client and subject uses what the campaign uses: the prompt
    of an open-source agent, for instance, through which a relay sends its own users.
    """
    core = [kind for kind, fit in zip(kinds, fits, strict=True) if fit]
    return bool(core) and 2 * sum(not kind <= _ANYBODYS for kind in core) >= len(core)


def _shown(probability: float) -> str:
    return "above 0.9999" if probability > 0.9999 else f"{probability:.4f}"


def read_belonging(
    desk: Desk, bursts: Mapping[int, Sequence[Sequence[float]]],
    in_turn: Mapping[int, Sequence[int]],
) -> dict[int, Belonging]:  # fmt: skip
    """Return what is known of the members of each cohort, asked once for all cohorts.

    ``bursts``: by cohort, its bursts of sign-ups, each from and to in seconds. ``in_turn``: by
    cohort, who takes turns by itself (`signals.round_robin.members_in_turn`). A shared value
    counts where members are at least three tenths of all its carriers. Of acts between two
    accounts only the later one speaks: what others do after it, an account cannot help.
    """
    asked = pa.table({"cohort": pa.array(list(bursts), pa.int32())})
    belong = desk.query(
        "SELECT m.cohort, m.sid, m.how FROM cohort_members m SEMI JOIN asked a "
        "ON a.cohort = m.cohort ORDER BY m.cohort, m.sid",
        asked=asked,
    )
    shared = desk.query(
        f"""WITH mine AS (SELECT m.cohort, m.sid, s.org FROM cohort_members m
                         SEMI JOIN asked a ON a.cohort = m.cohort
                         JOIN subjects s ON s.sid = m.sid WHERE m.how <> 'associated'),
            held AS (SELECT m.cohort, o.kind, o.object, o.sid, m.org, o.carriers FROM objects o
                     JOIN mine m ON m.sid = o.sid
                     WHERE o.kind IN ('payment', 'device', 'phone', 'email', 'signup_ip',
                                      'exit_prefix', 'client')),
            together AS (SELECT cohort, kind, object FROM held GROUP BY cohort, kind, object
                         HAVING count(DISTINCT org) >= 2
                            AND count(DISTINCT sid) >= {_EXCLUSIVE} * any_value(carriers))
            SELECT DISTINCT h.cohort, h.sid, h.kind FROM held h
            JOIN together t ON t.cohort = h.cohort AND t.kind = h.kind AND t.object = h.object
            ORDER BY 1, 2, 3""",
        asked=asked,
    )
    shown: dict[int, dict[int, set[str]]] = {cohort: {} for cohort in bursts}
    for cohort, sid, kind in zip(*(c.to_pylist() for c in shared.columns), strict=True):
        shown[cohort].setdefault(sid, set()).add(kind)
    for cohort, sid, kind in _moved(desk, asked):
        shown[cohort].setdefault(sid, set()).add(kind)
    for cohort, sid in _fresh(desk, bursts):
        shown[cohort].setdefault(sid, set()).add("signup_burst")
    for cohort, dealt in in_turn.items():
        for sid in dealt:
            shown[cohort].setdefault(sid, set()).add("turns")
    of, sids, how = belong["cohort"].to_numpy(), belong["sid"].to_numpy(), belong["how"].to_pylist()
    known, repeating, (spoken, once) = {}, _repeating(desk, asked), _spoken(desk, asked)
    for cohort in bursts:
        low, high = np.searchsorted(of, [cohort, cohort + 1]).tolist()
        known[cohort] = Belonging(
            sids[low:high], how[low:high], shown[cohort],
            frozenset(repeating.get(cohort, ())),
            spoken.get(cohort, {}), frozenset(once.get(cohort, ())),
            bursts[cohort],
        )  # fmt: skip
    return known


def _moved(desk: Desk, asked: pa.Table) -> Iterator[tuple[int, int, str]]:
    """Yield cohort, sid and kind of direct evidence of the members that show it, in part B.

    People who ask the same thing and get the same answer go on alike, and seem to go on with each
    other's conversation. So a member shows what it shares with the cohort, not with chance: how
    many of all its exchanges follow another member's has to be likelier by 2 nats at the rate
    of the cohort than at that of everybody else (binomial). Where nobody else of many
    shows any, once mostly is enough; where the cohort is most of the log, nothing is.
    """
    rows = desk.query(
        """WITH mine AS (SELECT m.cohort, m.sid, s.exchanges FROM cohort_members m
                         SEMI JOIN asked a ON a.cohort = m.cohort
                         JOIN subjects s ON s.sid = m.sid WHERE m.how <> 'associated'),
             size AS (SELECT cohort, sum(exchanges) AS sent FROM mine GROUP BY cohort),
             log AS (SELECT sum(exchanges) AS sent FROM subjects),
             kinds AS (SELECT kind, count(*) AS n FROM direct GROUP BY kind),
             own AS (SELECT y.cohort, y.sid, d.kind, any_value(y.exchanges) AS sent,
                            count(*) AS n, count(*) FILTER (WHERE d.part = 'B') AS late
                     FROM direct d JOIN mine x ON x.sid = d.a
                     JOIN mine y ON y.sid = d.b AND y.cohort = x.cohort
                     GROUP BY y.cohort, y.sid, d.kind),
             of_all AS (SELECT cohort, kind, sum(n) AS n FROM own GROUP BY cohort, kind)
           SELECT o.cohort, o.sid, o.kind, o.n, o.sent, a.n AS inside, z.sent AS inside_of,
                  k.n - a.n AS outside, l.sent - z.sent AS outside_of
           FROM own o JOIN of_all a ON a.cohort = o.cohort AND a.kind = o.kind
           JOIN kinds k ON k.kind = o.kind JOIN size z ON z.cohort = o.cohort CROSS JOIN log l
           WHERE o.late > 0 ORDER BY o.cohort, o.sid, o.kind""",
        asked=asked,
    )
    of, sids, kinds = (rows[name].to_pylist() for name in ("cohort", "sid", "kind"))
    n, sent, inside, inside_of, outside, outside_of = (
        rows[name].to_numpy().astype(np.float64) for name in rows.column_names[3:]
    )
    mine = np.minimum((inside + 0.5) / (inside_of + 1), 0.99)
    plain = np.minimum((outside + 0.5) / (outside_of + 1), 0.99)
    rest = np.maximum(sent - n, 0)
    nats = n * np.log(mine / plain) + rest * np.log((1 - mine) / (1 - plain))
    for k in np.flatnonzero(nats >= _MOVED_NATS).tolist():
        yield of[k], sids[k], kinds[k]


# Who sent which prompt of a cohort, and how many organizations sent each.
_SENT = f"""told AS (
    SELECT k.cohort, k.sid, s.org, k.h_payload FROM spoken k
    SEMI JOIN asked a ON a.cohort = k.cohort JOIN subjects s ON s.sid = k.sid
    WHERE k.fresh AND k.answered AND k.user_tokens >= {_LONG} AND k.h_payload <> 0),
  carried AS (SELECT cohort, h_payload, count(DISTINCT org) AS orgs FROM told
              GROUP BY cohort, h_payload)"""


def _repeating(desk: Desk, asked: pa.Table) -> dict[int, set[int]]:
    """Return by cohort who runs what others of it run: a fifth of its prompts.

    These are sent by two organizations, or, where a template found the cohort, by more than a
    queue explains from which each draws anew (`stats.least_repeated`): stricter than what makes the
    whole an evaluation (`signals.traits`), because a single member is in question.
    """
    rows = desk.query(
        f"""WITH {_SENT},
              common AS (SELECT c.cohort, c.h_payload FROM carried c
                         JOIN least l ON l.cohort = c.cohort WHERE c.orgs >= l.least)
            SELECT t.cohort, t.sid FROM told t
            LEFT JOIN common c ON c.cohort = t.cohort AND c.h_payload = t.h_payload
            GROUP BY t.cohort, t.sid HAVING count(c.h_payload) >= {_REPEATING} * count(*)
            ORDER BY t.cohort, t.sid""",
        asked=asked,
        least=_least(desk, asked),
    )
    found: dict[int, set[int]] = {}
    for cohort, sid in zip(*(column.to_pylist() for column in rows.columns), strict=True):
        found.setdefault(cohort, set()).add(sid)
    return found


def _least(desk: Desk, asked: pa.Table) -> pa.Table:
    """Return by cohort from how many organizations on a prompt is what others run."""
    counted = desk.query(
        f"""WITH {_SENT},
              senders AS (SELECT cohort, count(DISTINCT org) AS senders FROM told GROUP BY cohort)
            SELECT c.cohort, any_value(s.senders) AS senders, any_value(o.by_text) AS by_text,
                   c.orgs, count(*) AS items
            FROM carried c JOIN senders s ON s.cohort = c.cohort
            JOIN cohorts o ON o.cohort = c.cohort
            GROUP BY c.cohort, c.orgs ORDER BY c.cohort, c.orgs""",
        asked=asked,
    )
    cohort, senders, by_text, orgs, items = (c.to_numpy() for c in counted.columns)
    named, first = np.unique(cohort, return_index=True)
    least = [
        least_repeated(np.bincount(orgs[k:to], items[k:to]), int(senders[k])) if by_text[k] else 2
        for k, to in pairwise([*first.tolist(), len(cohort)])
    ]
    return pa.table({"cohort": pa.array(named, pa.int32()), "least": pa.array(least, pa.int64())})


def _spoken(desk: Desk, asked: pa.Table) -> tuple[dict[int, dict[int, float]], dict[int, set[int]]]:
    """Return by cohort and subject how much of what it sent speaks for it, and who spoke once.

    Once: a single request, of no template or one that less than a quarter of the cohort's requests
    have.
    """
    rows = desk.query(
        f"""WITH mine AS (SELECT k.cohort, k.sid, k.template FROM spoken k
                          SEMI JOIN asked a ON a.cohort = k.cohort),
              main AS (SELECT cohort, template, count(*) AS n,
                              sum(count(*)) OVER (PARTITION BY cohort) AS of_all
                       FROM mine GROUP BY cohort, template
                       QUALIFY template <> 0 AND n >= {_MAIN} * of_all)
            SELECT m.cohort, m.sid, count(*) / any_value(s.exchanges) AS share,
                   count(*) = 1 AND count(c.template) = 0 AS once
            FROM mine m JOIN subjects s ON s.sid = m.sid
            LEFT JOIN main c ON c.cohort = m.cohort AND c.template = m.template
            GROUP BY m.cohort, m.sid ORDER BY m.cohort, m.sid""",
        asked=asked,
    )
    shares: dict[int, dict[int, float]] = {}
    once: dict[int, set[int]] = {}
    for cohort, sid, share, single in zip(*(c.to_pylist() for c in rows.columns), strict=True):
        shares.setdefault(cohort, {})[sid] = share
        if single:
            once.setdefault(cohort, set()).add(sid)
    return shares, once


def _fresh(
    desk: Desk, bursts: Mapping[int, Sequence[Sequence[float]]]
) -> Iterator[tuple[int, int]]:
    """Yield cohort and sid of the members created in a burst of sign-ups of their cohort."""
    seen = [(c, int(a * 1e6), int(b * 1e6)) for c, found in bursts.items() for a, b in found]
    if not seen:
        return
    cohorts, low, high = zip(*seen, strict=True)
    found = desk.query(
        """SELECT DISTINCT m.cohort, m.sid FROM cohort_members m
           JOIN windows w ON w.cohort = m.cohort JOIN subjects s ON s.sid = m.sid
           WHERE epoch_us(s.created_at) BETWEEN w.low AND w.high ORDER BY m.cohort, m.sid""",
        windows=pa.table({"cohort": pa.array(cohorts, pa.int32()), "low": low, "high": high}),
    )
    yield from zip(*(column.to_pylist() for column in found.columns), strict=True)
