"""Who belongs to a campaign, as core or periphery, how surely and why."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from stillwatch.campaigns.behaviour import (
    TOPIC,
    TRAIT_NAMES,
    binned_traits,
    log_likelihood_ratios,
    posteriors,
    reference_rows,
)
from stillwatch.schema import LINK_KINDS, Desk
from stillwatch.stats import centred_by, unit_rows

__all__ = ["Crowd", "Member", "load_crowd", "name_members"]

_QUEUE_NATS = 0.2
_STRANGER_NATS = -0.5
_STRANGER_RATIO = 5.0
_PER_SUBJECT = 24
_EXCLUSIVE = 0.3
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
    """One subject of a campaign. ``proven``: all of point 5 holds, save the campaign's selection."""

    sid: int
    role: str
    confidence: float
    kinds: tuple[str, ...]
    proven: bool
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Crowd:
    """All subjects, and the thinned topics by which anybody can be compared with anybody."""

    subjects: pa.Table
    org: np.ndarray
    segment: np.ndarray
    topic_sid: np.ndarray
    topic_rid: np.ndarray
    topics: np.ndarray
    usual_ratio: np.ndarray


def load_crowd(desk: Desk) -> Crowd:
    """Read all subjects, and at most two dozen exchanges of each, spread over the window."""
    subjects = desk.query("SELECT * FROM subjects ORDER BY sid")
    thinned = desk.query(
        f"""SELECT sid, rid, topic FROM (
              SELECT e.sid, e.rid, e.topic, s.exchanges,
                     row_number() OVER (PARTITION BY e.sid ORDER BY e.rid) AS nth
              FROM exchanges e JOIN subjects s ON s.sid = e.sid
              WHERE e.user_tokens > 0 AND e.rid NOT IN (SELECT rid FROM follow_ups))
            WHERE exchanges <= {_PER_SUBJECT} OR nth % (exchanges // {_PER_SUBJECT} + 1) = 0
            ORDER BY rid"""
    )
    topic_sid = thinned["sid"].to_numpy()
    topics = unit_rows(thinned["topic"].to_pylist())
    _, org = np.unique(_words(subjects["org"]), return_inverse=True)
    _, segment = np.unique(_words(subjects["segment"]), return_inverse=True)
    usual = _ratios(topics, topic_sid, np.ones(len(topics), dtype=bool), subjects.num_rows)
    return Crowd(subjects, org, segment, topic_sid, thinned["rid"].to_numpy(), topics, usual)


def _words(column: pa.ChunkedArray) -> np.ndarray:
    return np.array(column.to_pylist(), dtype=str)


def _ratios(vectors: np.ndarray, sid: np.ndarray, core: np.ndarray, size: int) -> np.ndarray:
    """Return each subject's topic distance from the core rows' mean, per its expectation."""
    ratios = np.full(size, np.nan)
    if core.sum() < 8:
        return ratios
    count = np.bincount(sid, minlength=size)
    sums = np.zeros((size, vectors.shape[1]))
    np.add.at(sums, sid, vectors)
    inside = np.bincount(sid[core], minlength=size)
    core_sums = np.zeros_like(sums)
    np.add.at(core_sums, sid[core], vectors[core])
    rest = (core_sums.sum(axis=0) - core_sums) / np.maximum(core.sum() - inside, 1)[:, None]
    mean = sums / np.maximum(count, 1)[:, None]
    squares = np.bincount(sid, weights=((vectors - mean[sid]) ** 2).sum(axis=1), minlength=size)
    among = np.unique(sid[core])
    many = among[count[among] >= 2]
    if not len(many):
        return ratios
    scale = float(np.median(squares[many] / (count[many] - 1)))
    seen = count >= 2
    expected = scale * (1 / count[seen] + 1 / max(core.sum(), 1))
    ratios[seen] = ((mean[seen] - rest[seen]) ** 2).sum(axis=1) / expected
    return ratios


def _centred(desk: Desk, crowd: Crowd, cohort: int, spoken: np.ndarray) -> np.ndarray:
    """Return the crowd's topic rows, those of the cohort without what its templates say."""
    found = desk.query(
        f"""SELECT k.rid, bit_xor(k.template) AS template
            FROM (SELECT unnest(frames) AS frame FROM cohorts WHERE cohort = {cohort}) c
            JOIN carried k ON k.frame = c.frame GROUP BY k.rid ORDER BY k.rid"""
    )
    rid, template = found["rid"].to_numpy(), found["template"].to_numpy()
    label = np.zeros(len(crowd.topic_rid), dtype=np.uint64)
    if len(rid):
        place = np.minimum(np.searchsorted(rid, crowd.topic_rid), len(rid) - 1)
        carries = rid[place] == crowd.topic_rid
        label[carries] = template[place[carries]]
    rows = np.array(crowd.topics, dtype=np.float32)
    rows[spoken] = centred_by(rows[spoken], label[spoken], crowd.org[crowd.topic_sid[spoken]])
    if spoken.any():
        rows[~spoken] -= crowd.topics[spoken].mean(axis=0)
    return rows


def _near(crowd: Crowd, sids: np.ndarray) -> Crowd:
    """Return the crowd with the topics of these subjects only: nobody else's are compared."""
    rows = np.flatnonzero(np.isin(crowd.topic_sid, sids))
    return replace(
        crowd, topic_sid=crowd.topic_sid[rows], topic_rid=crowd.topic_rid[rows],
        topics=crowd.topics[rows],
    )  # fmt: skip


def name_members(
    desk: Desk, crowd: Crowd, cohort: int, trimmed: np.ndarray, burst: tuple[float, float] | None
) -> list[Member]:
    """Return the members of a cohort, by sid, with the kinds of evidence that each shows.

    Core: its own behaviour fits the campaign (posterior at the setting's level), its topics do
    not stand apart, and it is not only associated. Topics veto because they are what a customer
    whose template was copied cannot help having. Everybody else is periphery. *Proven* needs two kinds of evidence, one of
    them out of other people's reach.
    """
    rows = desk.query(f"SELECT sid, how FROM cohort_members WHERE cohort = {cohort} ORDER BY sid")
    sids = rows["sid"].to_numpy()
    how = rows["how"].to_pylist()
    linked = np.array([h != "associated" for h in how])
    speaks = linked & ~np.isin(sids, trimmed)
    core_sids = sids[speaks]
    size = crowd.subjects.num_rows
    near = _near(crowd, sids)
    spoken = np.isin(near.topic_sid, core_sids)
    ratio = _ratios(
        _centred(desk, near, cohort, spoken), np.searchsorted(sids, near.topic_sid), spoken,
        len(sids),
    )  # fmt: skip
    inside = np.zeros(size, dtype=bool)
    inside[sids] = True
    others = reference_rows(crowd.segment, inside, np.unique(crowd.segment[core_sids]))
    mine = binned_traits(crowd.subjects.take(pa.array(sids)), ratio)
    theirs = binned_traits(crowd.subjects.take(pa.array(others)), crowd.usual_ratio[others])
    ratios = log_likelihood_ratios(mine, speaks, theirs)
    shown = _evidence(desk, cohort, burst)
    links = [len(shown.get(s, ())) + (h == "text") for s, h in zip(sids.tolist(), how, strict=True)]
    confidence = posteriors(ratios.sum(axis=1), linked, np.array(links))
    topic = TRAIT_NAMES.index(TOPIC)
    members = []
    for k, sid in enumerate(sids.tolist()):
        kinds = set(shown.get(sid, ()))
        if how[k] == "text":
            kinds.add("frame")
        if ratios[k, topic] >= _QUEUE_NATS:
            kinds.add("queue")
        stranger = bool(np.isin(sid, trimmed)) or (
            ratios[k, topic] <= _STRANGER_NATS and ratio[k] >= _STRANGER_RATIO
        )
        fits = bool(linked[k]) and not stranger and confidence[k] >= desk.settings.posterior
        proven = fits and len(kinds) >= 2 and bool(kinds & _OWN)
        reasons = tuple(_SAYS[kind] for kind in sorted(kinds)) + (
            f"behaves as the campaign does rather than as its segment "
            f"(probability {_shown(float(confidence[k]))})",
        )
        members.append(
            Member(
                sid,
                "core" if fits else "periphery",
                round(float(confidence[k]), 6) if linked[k] else 0.0,
                tuple(sorted(kinds)),
                proven,
                reasons if linked[k] else (_SAYS["exit_prefix"],),
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
