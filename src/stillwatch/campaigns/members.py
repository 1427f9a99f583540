"""Who belongs to a campaign, as core or periphery, how surely and why."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from stillwatch.campaigns.behaviour import (
    binned_traits,
    log_likelihood_ratios,
    posteriors,
    reference_rows,
)
from stillwatch.campaigns.topics import Crowd, topics_against
from stillwatch.schema import LINK_KINDS, Desk

__all__ = ["Member", "name_members"]

_QUEUE_NATS = 0.2
_STRANGER_NATS = -2.0
_EXCLUSIVE = 0.3
_LEAST_FIT_NATS = 0.7
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
    "signup_burst": "was created in the campaign's burst of sign-ups",
    "queue": "its own prompts are drawn from the campaign's one queue of topics",
}
_OWN = frozenset(
    {k for k, kind in LINK_KINDS.items() if not kind.others_can_create} | {"signup_burst", "queue"}
)


@dataclass(frozen=True)
class Member:
    """One subject of a campaign. ``proven``: point 5 holds, save the campaign's selection."""

    sid: int
    role: str
    confidence: float
    kinds: tuple[str, ...]
    proven: bool
    reasons: tuple[str, ...]


def name_members(
    desk: Desk, crowd: Crowd, cohort: int, trimmed: np.ndarray, burst: tuple[float, float] | None
) -> list[Member]:
    """Return the members of a cohort, by sid, with the kinds of evidence that each shows.

    Core: its own behaviour fits the campaign (posterior at the setting's level), its topics do
    not stand apart, and it is not only associated. Topics veto because they are what a customer
    whose template was copied cannot help having. Everybody else is periphery. *Proven* needs two
    kinds of evidence, one of them out of other people's reach.
    """
    rows = desk.query(f"SELECT sid, how FROM cohort_members WHERE cohort = {cohort} ORDER BY sid")
    sids = rows["sid"].to_numpy()
    how = rows["how"].to_pylist()
    linked = np.array([h != "associated" for h in how])
    speaks = linked & ~np.isin(sids, trimmed)
    core_sids = sids[speaks]
    size = crowd.subjects.num_rows
    inside = np.zeros(size, dtype=bool)
    inside[sids] = True
    others = reference_rows(crowd.segment, inside, np.unique(crowd.segment[core_sids]))
    mine = binned_traits(crowd.subjects.take(pa.array(sids)))
    theirs = binned_traits(crowd.subjects.take(pa.array(others)))
    topic = topics_against(crowd, cohort, sids, core_sids)
    fit = log_likelihood_ratios(mine, speaks, theirs).sum(axis=1) + topic
    shown = _evidence(desk, cohort, burst)
    links = [len(shown.get(s, ())) + (h == "text") for s, h in zip(sids.tolist(), how, strict=True)]
    confidence = posteriors(fit, speaks, np.array(links))
    members = []
    for k, sid in enumerate(sids.tolist()):
        kinds = set(shown.get(sid, ()))
        if how[k] == "text":
            kinds.add("frame")
        if topic[k] >= _QUEUE_NATS:
            kinds.add("queue")
        stranger = bool(np.isin(sid, trimmed)) or topic[k] <= _STRANGER_NATS
        fits = bool(linked[k]) and not stranger and fit[k] >= _LEAST_FIT_NATS
        fits = fits and confidence[k] >= desk.settings.posterior
        proven = fits and len(kinds) >= 2 and bool(kinds & _OWN)
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


def _shown(probability: float) -> str:
    return "above 0.9999" if probability > 0.9999 else f"{probability:.4f}"


def _evidence(desk: Desk, cohort: int, burst: tuple[float, float] | None) -> dict[int, set[str]]:
    """Return the kinds of evidence by sid: values shared with members, and what it did itself.

    A shared value counts where members are at least three tenths of all its carriers. Of acts
    between two accounts only the later one speaks: what others do after it, an account cannot help.
    """
    shared = desk.query(
        f"""WITH mine AS (SELECT m.sid, s.org FROM cohort_members m JOIN subjects s ON s.sid = m.sid
                         WHERE m.cohort = {cohort} AND m.how <> 'associated'),
            held AS (SELECT o.kind, o.object, o.sid, m.org, o.carriers FROM objects o
                     JOIN mine m ON m.sid = o.sid
                     WHERE o.kind IN ('payment', 'device', 'phone', 'email', 'signup_ip',
                                      'exit_prefix', 'client')),
            together AS (SELECT kind, object FROM held GROUP BY kind, object
                         HAVING count(DISTINCT org) >= 2
                            AND count(DISTINCT sid) >= {_EXCLUSIVE} * any_value(carriers))
            SELECT DISTINCT h.sid, h.kind FROM held h
            JOIN together t ON t.kind = h.kind AND t.object = h.object
            UNION
            SELECT d.b, d.kind FROM direct d JOIN mine x ON x.sid = d.a JOIN mine y ON y.sid = d.b
            WHERE d.part = 'B'
            ORDER BY 1, 2"""
    )
    found: dict[int, set[str]] = {}
    for sid, kind in zip(shared["sid"].to_pylist(), shared["kind"].to_pylist(), strict=True):
        found.setdefault(sid, set()).add(kind)
    if burst is not None:
        low, high = (int(edge * 1e6) for edge in burst)
        fresh = desk.query(
            f"""SELECT m.sid FROM cohort_members m JOIN subjects s ON s.sid = m.sid
                WHERE m.cohort = {cohort} AND epoch_us(s.created_at) BETWEEN {low} AND {high}"""
        )
        for sid in fresh["sid"].to_pylist():
            found.setdefault(sid, set()).add("signup_burst")
    return found
