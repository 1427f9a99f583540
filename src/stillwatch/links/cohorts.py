"""Candidate cohorts: overlapping suggestions become one hypothesis each, before any test."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.links.communities import communities, components
from stillwatch.schema import Desk, Step

__all__ = ["COHORTS_STEP", "MEMBERS_STEP", "Candidate", "merge"]

_HUB_KINDS: Final = ("exit_prefix", "payment", "device", "phone", "signup_ip", "tool_schema")
_HUB_MAX_SHARE: Final = 0.2
_JACCARD: Final = 0.5
_PURE: Final = 0.8
_CONTAINED: Final = 0.6
_MAX_GROWTH: Final = 3
_MIN_SHARED: Final = 4
_OVERLAP: Final = 0.35
_LIFT: Final = 8
_APART: Final = 0.1
_OFTEN: Final = 0.05
_THEIRS: Final = 0.75
_DIRECT: Final = ("handoff", "blob_replay")
_STRONG: Final = frozenset(("payment", "device", "phone", "email", *_DIRECT, "retry", "succession"))


@dataclass
class Candidate:
    """A set of subjects and what suggested it.

    ``frames``: its templates, if any. ``first``: of a leader, its subjects before anything joined.
    """

    kinds: set[str]
    subjects: set[int]
    frames: set[int] = field(default_factory=set)
    associated: set[int] = field(default_factory=set)
    first: frozenset[int] = frozenset()

    @property
    def rank(self) -> int:
        """Text first, then direct evidence, then communities and hubs."""
        if self.frames:
            return 0
        return 1 if self.kinds & set(_DIRECT) else 2


@dataclass(frozen=True)
class Sent:
    """How frames were sent in part A: ``often[frame]``: by subject; ``together[frame, frame]``.

    ``population``: how many subjects there are.
    """

    often: dict[int, dict[int, int]]
    together: dict[tuple[int, int], int]
    population: int

    def apart(self, one: set[int], host: set[int], shared: set[int]) -> bool:
        """Return whether the shared subjects send the frames in requests of their own."""
        sent = sum(self.often[f].get(sid, 0) for f in one for sid in shared)
        both = sum(self.together.get((min(f, g), max(f, g)), 0) for f in one for g in host)
        return both < _APART * sent

    def alike(self, one: set[int], host: set[int], shared: set[int]) -> bool:
        """Return whether the shared subjects send both often, none below a twentieth of the other.

        What is sent more rarely is a closing phrase that some of the payloads happen to end in.
        """
        less, more = sorted(
            sum(self.often[f].get(sid, 0) for f in frames for sid in shared)
            for frames in (one, host)
        )
        return less >= _OFTEN * more

    def theirs(self, frames: set[int], carriers: set[int], shared: set[int]) -> bool:
        """Return whether the shared subjects send the frames as often as its other carriers do.

        An opening or closing phrase that others send by the hundred is not a campaign's own.
        """
        by = {sid: sum(self.often[f].get(sid, 0) for f in frames) for sid in carriers}
        of_shared = sum(by[sid] for sid in shared)
        return of_shared * len(carriers) >= _THEIRS * len(shared) * sum(by.values())


def merge(candidates: list[Candidate], sent: Sent) -> list[Candidate]:
    """Return one hypothesis per group of candidates that speak of the same subjects.

    Candidates are visited by rank, then size; one joins the first leader with which it has a
    Jaccard index of at least 0.5, and of at least 0.8 where one of the two rests on direct evidence
    and the other does not: who only shares an opening with them stays apart from accounts between
    which conversations moved. A campaign with several templates shows fewer carriers of each:
    a frame joins a leader also when a third of the smaller one's carriers are the other's (as it
    was before anything joined: chains join strangers), eight times what strangers share, and they
    send the two apart and about as often (at least a twentieth). In either case they send what the
    larger one consists of as often as its other carriers do. What is sent *with* the leader's
    frames and by others too is a common closing phrase, no template of the campaign.

    A wider object that holds most of a leader (a proxy's exits) joins too, its further carriers
    *associated*: periphery, never part of the tests.
    """
    order = sorted(
        candidates, key=lambda c: (c.rank, -len(c.subjects), sorted(c.frames), min(c.subjects))
    )
    leaders: list[Candidate] = []
    led: dict[int, list[int]] = {}  # a leader can only be one that shares a subject
    for one in order:
        near = sorted({place for sid in one.subjects for place in led.get(sid, ())})
        host = next((leaders[k] for k in near if _joins(one, leaders[k], sent)), None)
        if host is None:
            for sid in one.subjects:
                led.setdefault(sid, []).append(len(leaders))
            leaders.append(
                Candidate(
                    set(one.kinds), set(one.subjects), set(one.frames), set(),
                    frozenset(one.subjects),
                )
            )  # fmt: skip
            continue
        host.kinds |= one.kinds
        host.frames |= one.frames
        extra = one.subjects - host.subjects
        if one.frames or one.rank == host.rank:
            host.subjects |= extra
            place = next(k for k in near if leaders[k] is host)
            for sid in extra:
                led.setdefault(sid, []).append(place)
        else:
            host.associated |= extra
    return leaders


def _joins(one: Candidate, host: Candidate, sent: Sent) -> bool:
    common = one.subjects & host.subjects
    shared = len(common)
    if not shared:
        return False
    if one.frames and host.frames:
        wider = max(one, host, key=lambda side: len(side.subjects))
        if not sent.theirs(wider.frames, wider.subjects, common):
            return False
    direct = [bool(side.kinds & set(_DIRECT)) for side in (one, host)]
    alike = _JACCARD if direct[0] == direct[1] else _PURE
    if shared / (len(one.subjects) + len(host.subjects) - shared) >= alike:
        return True
    if one.frames and host.frames:
        both = one.subjects & host.first
        smaller, larger = sorted((len(one.subjects), len(host.first)))
        return (
            len(both) >= max(_MIN_SHARED, _OVERLAP * smaller)
            and len(both) * sent.population >= _LIFT * smaller * larger
            and sent.apart(one.frames, host.frames, both)
            and sent.alike(one.frames, host.frames, both)
        )
    return (
        one.rank > host.rank
        and not direct[0]
        and shared >= _CONTAINED * len(host.subjects)
        and len(one.subjects) <= _MAX_GROWTH * len(host.subjects)
    )


def _candidates(desk: Desk) -> list[Candidate]:
    settings = desk.settings
    people = desk.query("SELECT sid, org FROM subjects ORDER BY sid")
    org = dict(zip(people["sid"].to_pylist(), people["org"].to_pylist(), strict=True))
    frames = desk.query(
        "SELECT frame, list(DISTINCT sid ORDER BY sid) AS sids FROM carried WHERE part = 'A' "
        "GROUP BY frame ORDER BY frame"
    )
    found = [Candidate({"frame"}, set(row["sids"]), {row["frame"]}) for row in frames.to_pylist()]
    hubs = desk.query(
        f"""SELECT kind, object, list(sid ORDER BY sid) AS sids FROM objects
            WHERE kind IN {_HUB_KINDS} AND carriers > {settings.hub_cap}
              AND carriers <= {max(_HUB_MAX_SHARE * len(org), settings.hub_cap)}
            GROUP BY kind, object ORDER BY kind, object"""
    )
    found.extend(Candidate({row["kind"]}, set(row["sids"])) for row in hubs.to_pylist())
    pairs = desk.query(
        f"SELECT a, b FROM direct WHERE part = 'A' AND kind IN {_DIRECT} ORDER BY a, b"
    )
    edges = list(zip(pairs["a"].to_pylist(), pairs["b"].to_pylist(), strict=True))
    found.extend(Candidate({"handoff"}, set(part)) for part in components(edges))
    found.extend(_linked(desk))
    pools = desk.query("SELECT subjects FROM pools ORDER BY pool")
    found.extend(Candidate({"exit_prefix"}, set(sids)) for sids in pools["subjects"].to_pylist())
    return [
        c
        for c in found
        if len(c.subjects) >= settings.min_subjects
        and len({org[s] for s in c.subjects}) >= settings.min_organizations
    ]


def _sent(desk: Desk) -> Sent:
    rows = desk.query(
        "SELECT frame, sid, count(*) AS n FROM carried WHERE part = 'A' GROUP BY frame, sid"
    )
    often: dict[int, dict[int, int]] = {}
    for frame, sid, n in zip(*(rows[c].to_pylist() for c in ("frame", "sid", "n")), strict=True):
        often.setdefault(frame, {})[sid] = n
    pairs = desk.query(
        """SELECT a.frame AS f, b.frame AS g, count(*) AS n FROM carried a
           JOIN carried b ON b.rid = a.rid AND a.frame < b.frame
           WHERE a.part = 'A' GROUP BY a.frame, b.frame"""
    )
    together = {
        (f, g): n for f, g, n in zip(*(pairs[c].to_pylist() for c in ("f", "g", "n")), strict=True)
    }
    population = desk.query("SELECT count(*) AS n FROM subjects")["n"][0].as_py()
    return Sent(often, together, population)


def _linked(desk: Desk) -> list[Candidate]:
    """Return communities of the bipartite graph of objects and subjects.

    Neighbours behind one address are ordinary: a community counts when what only partners share
    (payment, device, a conversation …) holds at least half of it.
    """
    rows = desk.query(
        "SELECT kind, coalesce(object, 0) AS object, a, b, llr FROM weights "
        "WHERE kind NOT IN ('near_text', 'client', 'frame', 'system_prompt') "
        "ORDER BY kind, object, a, b"
    )
    if not rows.num_rows:
        return []
    subjects, kind, strong = rows["b"].to_numpy(), rows["kind"], pa.array(sorted(_STRONG))
    partner = rows["a"].fill_null(-1).to_numpy()  # −1: an object stands there
    base = 1 + max(int(subjects.max()), int(partner.max()))
    names = kind.combine_chunks().dictionary_encode()
    values = np.unique(rows["object"].to_numpy(), return_inverse=True)[1]
    width = int(values.max()) + 1
    place = names.indices.to_numpy().astype(np.int64) * width + values
    of_object = partner < 0
    _, first, code = np.unique(place[of_object], return_index=True, return_inverse=True)
    turn = np.empty(len(first), dtype=np.int64)  # objects are numbered as they come
    turn[np.argsort(first)] = np.arange(len(first))
    a = partner.astype(np.int64)
    a[of_object] = base + turn[code]
    word_of = np.empty(len(first), dtype=np.int64)
    word_of[turn] = (place[of_object] // width)[first]
    words = names.dictionary.to_pylist()
    is_strong = np.zeros(base, dtype=bool)
    surely = pc.is_in(kind, value_set=strong).to_numpy()
    is_strong[subjects[surely]] = True
    is_strong[partner[surely & ~of_object]] = True
    least = desk.settings.min_subjects

    def worth(nodes: np.ndarray) -> bool:
        members = nodes[: np.searchsorted(nodes, base)]
        return len(members) >= least and bool(is_strong[members].any())

    found = []
    for group in communities(a, subjects, rows["llr"].to_numpy(), worth=worth):
        nodes = np.array(group)
        members, objects = nodes[nodes < base], nodes[nodes >= base] - base
        if len(members) and 2 * int(is_strong[members].sum()) >= len(members):
            used = {words[k] for k in np.unique(word_of[objects]).tolist()}
            found.append(Candidate(used or {"handoff"}, set(members.tolist())))
    return found


def _cohorts(desk: Desk) -> pa.Table:
    merged = merge(_candidates(desk), _sent(desk))
    merged.sort(key=lambda c: (-len(c.subjects), sorted(c.subjects)))
    return pa.table(
        {
            "cohort": pa.array(range(len(merged)), pa.int32()),
            "found_by": pa.array([sorted(c.kinds) for c in merged], pa.list_(pa.string())),
            "frames": pa.array([sorted(c.frames) for c in merged], pa.list_(pa.int32())),
            "by_text": pa.array(
                [bool(c.frames) and not c.kinds & set(_DIRECT) for c in merged], pa.bool_()
            ),
            "subjects": pa.array([sorted(c.subjects) for c in merged], pa.list_(pa.int32())),
            "associated": pa.array(
                [sorted(c.associated - c.subjects) for c in merged], pa.list_(pa.int32())
            ),
        }
    )


COHORTS_STEP = Step(
    name="cohorts",
    inputs=("subjects", "carried", "objects", "direct", "weights", "pools"),
    output="cohorts",
    function=_cohorts,
)


def members_sql(settings: object) -> str:
    """Return everybody who belongs to a hypothesis over the whole window, and how.

    `text`: carries one of its templates, at least twice and in a tenth of its requests, or in
    half of them; `found`: was in the suggestion itself;
    `direct`: did to, or had done by, one of those what only a partner could do; `associated`:
    shares a wider object with them only.
    """
    del settings
    return """
    WITH listed AS (
      SELECT cohort, unnest(subjects) AS sid, 1 AS how FROM cohorts WHERE NOT by_text
      UNION ALL
      SELECT c.cohort, k.sid, 0
        FROM (SELECT cohort, unnest(frames) AS frame FROM cohorts WHERE by_text) c
        JOIN carried k ON k.frame = c.frame JOIN subjects s ON s.sid = k.sid
        GROUP BY c.cohort, k.sid, s.exchanges
        HAVING count(DISTINCT k.rid) >= 2 AND count(DISTINCT k.rid) * 10 >= s.exchanges
            OR count(DISTINCT k.rid) * 2 >= s.exchanges
      UNION ALL
      SELECT cohort, unnest(associated), 3 FROM cohorts),
    partners AS (
      SELECT l.cohort, l.sid FROM listed l JOIN cohorts c ON c.cohort = l.cohort
      WHERE l.how = 1 AND list_has_any(c.found_by, ['handoff', 'blob_replay'])),
    joined AS (
      SELECT p.cohort, d.b AS sid, 2 AS how FROM partners p
        JOIN direct d ON d.a = p.sid AND d.part = 'A' AND d.kind IN ('handoff', 'blob_replay')
      UNION ALL
      SELECT p.cohort, d.a, 2 FROM partners p
        JOIN direct d ON d.b = p.sid AND d.part = 'A' AND d.kind IN ('handoff', 'blob_replay'))
    SELECT cohort, sid, ['text', 'found', 'direct', 'associated'][min(how) + 1] AS how
    FROM (SELECT * FROM listed UNION ALL SELECT * FROM joined)
    GROUP BY cohort, sid
    """


MEMBERS_STEP = Step(
    name="cohort_members",
    inputs=("cohorts", "carried", "direct"),
    output="cohort_members",
    sql=members_sql,
    order_by=("cohort", "sid"),
)
