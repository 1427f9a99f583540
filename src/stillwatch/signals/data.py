"""What a cohort test sees: the cohort's exchanges, its members, and the population."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from stillwatch.schema import BANNED_SQL, Desk, Settings, Step
from stillwatch.schema.arrow import packed
from stillwatch.stats import Founders, Holdings, unit_rows

__all__ = [
    "BACKGROUND_STEP",
    "Cohort",
    "Population",
    "Views",
    "codes_by_owner",
    "in_part",
    "joined",
    "load_population",
    "over_both",
]

STATIC_KINDS: Final = ("payment_hash", "device_hash", "phone_hash", "email_hash", "signup_ip")
_BACKGROUND: Final = 4_000


class Moved(NamedTuple):
    """Where organizations left from in part A, and where they went first in part B.

    ``org``, ``prefix``: one pair each of part A, codes; ``first_new``: by organization, the first
    prefix of part B that it had not used in part A, −1 where there is none or part A holds nothing
    of it.
    """

    org: np.ndarray
    prefix: np.ndarray
    first_new: np.ndarray


@dataclass(frozen=True)
class Sent:
    """Exchanges by subject and address prefix, in the order of both.

    ``own``: by sid, whether it is no end user: these leave through their channel's exits and have
    none of their own. ``number``: by part; ``late_us``: the first of part B, NaN without one.
    """

    own: np.ndarray
    sid: np.ndarray
    prefix: np.ndarray
    number: dict[str, np.ndarray]
    late_us: np.ndarray

    def traffic(self, part: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return exchanges by sid in a part, the code of the prefix that each used most, its share.

        Of two prefixes used alike the smaller hash counts. The share is of the sid's exchanges, 0
        where it has no prefix.
        """
        number, size = self.number[part], len(self.own)
        volume = np.zeros(size, dtype=np.int64)
        np.add.at(volume, self.sid, number)
        left = np.flatnonzero((number > 0) & (self.prefix != 0) & self.own[self.sid])
        left = left[np.lexsort((-number[left], self.sid[left]))]
        sid, first = np.unique(self.sid[left], return_index=True)
        exit_code = np.full(size, -1, dtype=np.int64)
        exit_code[sid] = _coded(pa.array(self.prefix[left[first]]))
        share = np.zeros(size)
        share[sid] = number[left[first]] / volume[sid]
        return volume, exit_code, share

    def moved(self, org: np.ndarray) -> Moved:
        """Return where organizations went. ``org``: codes by sid."""
        kept = np.flatnonzero((self.prefix != 0) & self.own[self.sid])
        owner = org[self.sid[kept]]
        _, prefix = np.unique(self.prefix[kept], return_inverse=True)
        early, late = self.number["A"][kept] > 0, self.late_us[kept]
        size = int(prefix.max(initial=0)) + 1
        pair = owner * size + prefix
        seen = np.unique(pair[early])
        new = np.flatnonzero(np.isfinite(late) & ~np.isin(pair, seen))
        new = new[np.isin(owner[new], owner[early])]
        first = new[np.lexsort((prefix[new], late[new], owner[new]))]
        first = first[np.unique(owner[first], return_index=True)[1]]
        first_new = np.full(int(org.max(initial=-1)) + 1, -1, dtype=np.int64)
        first_new[owner[first]] = prefix[first]
        return Moved(seen // size, seen % size, first_new)


@dataclass(frozen=True)
class Population:
    """Everybody, by sid: what members of a cohort are compared with.

    ``volume``: exchanges of each subject in the part looked at. ``created_us``: creation times,
    NaN where unknown and for end users. ``codes[kind]``: dense value codes, −1 for missing.
    ``exit_code``: the prefix that a subject used most in the part, ``exit_share`` how much of what
    it sent went through that one (None: all). ``background``: topic vectors (unit length) of one
    exchange each of random subjects. ``moved``: known where the part is B. ``sent``: what the
    parts are told apart by; None where nobody asks for another part. ``declared``: whether the log
    names its organization (None: never). ``banned_us``: when it was closed against the rules, NaN
    where it was not and for end users, whose account it was (None: nobody was).
    """

    sids: np.ndarray
    org: np.ndarray
    segment: np.ndarray
    created_us: np.ndarray
    codes: dict[str, np.ndarray]
    volume: np.ndarray
    exit_code: np.ndarray
    background: np.ndarray
    harvest_share: float
    span_us: tuple[int, int]
    moved: Moved | None = None
    sent: Sent | None = None
    exit_share: np.ndarray | None = None
    declared: np.ndarray | None = None
    banned_us: np.ndarray | None = None

    @cached_property
    def held(self) -> dict[str, Holdings]:
        """Return, by kind of value and for ``exit``, how many organizations hold each code.

        Summed up for a kind when it is first asked for.
        """
        return _Held(self)

    def organizations(self, kind: str) -> np.ndarray:
        """Return how many organizations hold each code of a kind of value, or of ``exit``."""
        codes = self.exit_code if kind == "exit" else self.codes[kind]
        known, size = codes >= 0, int(codes.max(initial=-1)) + 1
        pairs = np.sort(self.org[known] * max(size, 1) + codes[known])
        distinct = np.ones(len(pairs), dtype=bool)
        np.not_equal(pairs[1:], pairs[:-1], out=distinct[1:])
        return np.bincount(pairs[distinct] % max(size, 1), minlength=size)

    @cached_property
    def connected(self) -> np.ndarray:
        """Return by sid which organizations payment instruments connect, as a number each."""
        return np.asarray(joined(self.org, self.codes["payment_hash"])[self.org])

    @cached_property
    def strangers(self) -> float:
        """Return the variance of topics between strangers, NaN without two of them."""
        spread = self.background.astype(np.float64)
        return float(spread.var(axis=0, ddof=1).sum()) if len(spread) > 1 else float("nan")

    @cached_property
    def created_s(self) -> np.ndarray:
        """Return creation times in seconds, NaN where unknown."""
        return self.created_us / 1e6

    @cached_property
    def founders(self) -> Founders:
        """Return who stands for each organization in a scan of creation times."""
        return Founders(self.org, self.created_s)


class _Held(dict[str, Holdings]):
    """Holdings of a population by kind of value, each made once."""

    def __init__(self, population: Population) -> None:
        super().__init__()
        self._population = population

    def __missing__(self, kind: str) -> Holdings:
        self[kind] = Holdings(self._population.organizations(kind))
        return self[kind]


@dataclass(frozen=True)
class Cohort:
    """One hypothesis: its members and their exchanges of one part that speak for it, by time.

    ``topic``: unit rows less what the template itself says; ``raw_topic``: with it; both are
    read of both parts together and have no rows in a view of one part.
    ``answered``: not refused by a limit or a ban; ``opens``: no continuation of the subject's own
    conversation; ``fresh``: nor a prompt that it sent before; ``long``: eight tokens or more.
    ``variant``: which of several templates, −1 for none. ``trimmed``: members whose topics in
    part A are not the cohort's (a copied customer among its copiers); they stay members, and are
    left out of the tests. ``hours``: what says that they are people at one place (its hours in
    both parts), empty where nothing does (`signals.hours`).
    """

    number: int
    found_by: frozenset[str]
    by_text: bool
    members: np.ndarray
    associated: np.ndarray
    trimmed: np.ndarray
    rid: np.ndarray
    sid: np.ndarray
    ts_us: np.ndarray
    payload: np.ndarray
    topic: np.ndarray
    raw_topic: np.ndarray
    harvest: np.ndarray
    answered: np.ndarray
    fresh: np.ndarray
    opens: np.ndarray
    long: np.ndarray
    variant: np.ndarray
    direct: dict[str, int]
    direct_total: dict[str, int]
    hours: str = ""

    @cached_property
    def senders(self) -> np.ndarray:
        """Return the subjects that sent anything of the cohort in this part, sorted."""
        return np.unique(self.sid)


class Views(NamedTuple):
    """One hypothesis seen three times.

    ``screen``: part A, which decides how much the hypothesis counts; ``test``: part B, on which
    acting together is tested; ``whole``: both, whose topics say what is asked for (the references
    are measured in the same way, so nothing is tested on what chose it).
    """

    screen: Cohort
    test: Cohort
    whole: Cohort


def background_sql(settings: Settings) -> str:
    """Return a random exchange's topic of each of up to 4,000 random subjects, in part B.

    A table of its own: hashing identifiers and reading topics costs more than all else of a
    population, which is read for the findings and again for the spikes.
    """
    del settings
    return f"""
    WITH turns AS (
      SELECT sid, md5_number_lower(CAST(sid AS VARCHAR)) AS turn
      FROM exchanges WHERE part = 'B' AND user_tokens > 0 GROUP BY sid
      ORDER BY turn LIMIT {_BACKGROUND})
    SELECT t.turn, arg_min(e.topic, md5_number_lower(e.exchange_id)) AS topic
    FROM exchanges e JOIN turns t ON t.sid = e.sid
    WHERE e.part = 'B' AND e.user_tokens > 0 GROUP BY t.turn, e.sid
    """


BACKGROUND_STEP = Step(
    name="background",
    inputs=("exchanges",),
    output="background",
    sql=background_sql,
    order_by=("turn", "topic"),
    passing=True,
)


def codes_by_owner(owner: np.ndarray, codes: np.ndarray, sids: np.ndarray) -> np.ndarray:
    """Return one code per (owner, value) of these sids: sharing with oneself is no sharing.

    ``owner``, ``codes``: by sid; a code of −1 is no value.
    """
    held = sids[codes[sids] >= 0]
    if not len(held):
        return np.zeros(0, dtype=np.int64)
    size = int(codes[held].max()) + 1
    return np.asarray(np.unique(owner[held] * size + codes[held]) % size)


def joined(org: np.ndarray, card: np.ndarray) -> np.ndarray:
    """Return which group each organization is of, then each card: those that cards connect.

    ``org``, ``card``: codes, one each of an account; a card of −1 is none.
    """
    known, orgs = np.flatnonzero(card >= 0), int(org.max(initial=-1)) + 1
    size = orgs + int(card.max(initial=-1)) + 1
    links = coo_array((np.ones(len(known)), (org[known], orgs + card[known])), (size,) * 2)
    return np.asarray(connected_components(links, directed=False)[1])


def over_both(early: Population, late: Population) -> Population:
    """Return the population of part B with the volumes of both parts."""
    return replace(late, volume=early.volume + late.volume)


def load_population(desk: Desk) -> Population:
    """Read the population once for all cohorts, as it is in part B."""
    people = desk.query(
        "SELECT sid, org, segment, end_user_id IS NULL AS own, epoch_us(created_at) AS created, "
        "org_id IS NOT NULL AS declared, "
        f"CASE WHEN {BANNED_SQL} THEN epoch_us(closed_at) END AS banned, "
        + ", ".join(STATIC_KINDS)
        + " FROM subjects ORDER BY sid"
    )
    own = people["own"]
    nobody = pa.scalar(None, pa.string())
    codes = {}
    for kind in STATIC_KINDS:
        words = people[kind]
        if kind == "signup_ip":  # up to its last point: the address prefix
            words = pc.replace_substring_regex(words, r"\.[^.]*\z", "")
        codes[kind] = _coded(pc.if_else(own, words, nobody))
    sent = _read_sent(desk)
    volume, exit_code, exit_share = sent.traffic("B")
    sample = desk.query("SELECT topic FROM background ORDER BY turn, topic")
    totals = desk.query(
        """SELECT count(*) AS n, count(*) FILTER (method_hints <> 0) AS h,
                   epoch_us(min(ts)) AS low, epoch_us(max(ts)) AS high FROM exchanges"""
    ).to_pylist()[0]
    created = people["created"].to_numpy(zero_copy_only=False).astype(np.float64)
    banned = people["banned"].to_numpy(zero_copy_only=False).astype(np.float64)
    org = _coded(people["org"])
    return Population(
        sids=people["sid"].to_numpy(),
        org=org,
        segment=_coded(people["segment"]),
        created_us=np.where(sent.own, created, np.nan),
        codes=codes,
        volume=volume,
        exit_code=exit_code,
        exit_share=exit_share,
        background=unit_rows(packed(sample["topic"])),
        harvest_share=totals["h"] / max(totals["n"], 1),
        span_us=(int(totals["low"] or 0), int(totals["high"] or 0)),
        moved=sent.moved(org),
        sent=sent,
        banned_us=np.where(sent.own, banned, np.nan),
        declared=people["declared"].to_numpy(zero_copy_only=False),
    )


def in_part(desk: Desk, part: str, population: Population) -> Population:
    """Return the population with the volumes and exits of another part; all else stays."""
    volume, exits, share = (population.sent or _read_sent(desk)).traffic(part)
    return replace(population, volume=volume, exit_code=exits, exit_share=share, moved=None)


def _read_sent(desk: Desk) -> Sent:
    own = desk.query("SELECT end_user_id IS NULL AS own FROM subjects ORDER BY sid")["own"]
    rows = desk.query(
        """SELECT sid, h_prefix, count(*) FILTER (part = 'A') AS a,
                  count(*) FILTER (part = 'B') AS b,
                  min(epoch_us(ts)) FILTER (part = 'B') AS late
           FROM exchanges WHERE part IN ('A', 'B')
           GROUP BY sid, h_prefix ORDER BY sid, h_prefix"""
    )
    return Sent(
        own.to_numpy(zero_copy_only=False),
        rows["sid"].to_numpy(),
        rows["h_prefix"].to_numpy(),
        {"A": rows["a"].to_numpy(), "B": rows["b"].to_numpy()},
        rows["late"].cast(pa.float64()).to_numpy(zero_copy_only=False),
    )


def _coded(values: pa.ChunkedArray | pa.Array) -> np.ndarray:
    """Return codes in the order of first appearance, −1 for what is missing or empty."""
    whole = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    if pa.types.is_string(whole.type):
        whole = pc.if_else(pc.equal(whole, ""), pa.scalar(None, whole.type), whole)
    codes = pc.fill_null(whole.dictionary_encode().indices, -1)
    return np.asarray(codes.to_numpy(zero_copy_only=False), dtype=np.int64)
