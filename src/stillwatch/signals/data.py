"""What a cohort test sees: the cohort's exchanges, its members, and the population."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.schema import Desk
from stillwatch.schema.arrow import packed
from stillwatch.stats import Founders, Holdings, unit_rows

__all__ = [
    "Cohort",
    "Population",
    "Views",
    "in_part",
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
class Population:
    """Everybody, by sid: what members of a cohort are compared with.

    ``volume``: exchanges of each subject in the part looked at. ``created_us``: creation times,
    NaN where unknown. ``codes[kind]``: dense value codes, −1 for missing. ``exit_code``: the
    prefix that a subject used most in the part. ``background``: topic vectors (unit length) of
    one exchange each of random subjects. ``moved``: known where the part is B.
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

    @cached_property
    def held(self) -> dict[str, Holdings]:
        """Return, by kind of value and for ``exit``, how many organizations hold each code."""
        kinds = {**self.codes, "exit": self.exit_code}
        return {kind: Holdings(self._organizations(codes)) for kind, codes in kinds.items()}

    def _organizations(self, codes: np.ndarray) -> np.ndarray:
        known, size = codes >= 0, int(codes.max(initial=-1)) + 1
        pairs = np.unique(self.org[known] * max(size, 1) + codes[known])
        return np.bincount(pairs % max(size, 1), minlength=size)

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


def over_both(early: Population, late: Population) -> Population:
    """Return the population of part B with the volumes of both parts."""
    return replace(late, volume=early.volume + late.volume)


def load_population(desk: Desk) -> Population:
    """Read the population once for all cohorts, as it is in part B."""
    people = desk.query(
        "SELECT sid, org, segment, end_user_id IS NULL AS own, epoch_us(created_at) AS created, "
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
    volume, exit_code = _traffic(desk, "B", people.num_rows)
    sample = desk.query(
        f"""WITH turns AS (
              SELECT sid, md5_number_lower(CAST(sid AS VARCHAR)) AS turn
              FROM exchanges WHERE part = 'B' AND user_tokens > 0 GROUP BY sid
              ORDER BY turn LIMIT {_BACKGROUND})
            SELECT arg_min(e.topic, md5_number_lower(e.exchange_id)) AS topic
            FROM exchanges e JOIN turns t ON t.sid = e.sid
            WHERE e.part = 'B' AND e.user_tokens > 0 GROUP BY t.turn, e.sid
            ORDER BY t.turn, topic"""
    )
    totals = desk.query(
        """SELECT count(*) AS n, count(*) FILTER (method_hints <> 0) AS h,
                   epoch_us(min(ts)) AS low, epoch_us(max(ts)) AS high FROM exchanges"""
    ).to_pylist()[0]
    created = people["created"].to_numpy(zero_copy_only=False).astype(np.float64)
    org = _coded(people["org"])
    return Population(
        sids=people["sid"].to_numpy(),
        org=org,
        segment=_coded(people["segment"]),
        created_us=np.where(own.to_numpy(zero_copy_only=False), created, np.nan),
        codes=codes,
        volume=volume,
        exit_code=exit_code,
        background=unit_rows(packed(sample["topic"])),
        harvest_share=totals["h"] / max(totals["n"], 1),
        span_us=(int(totals["low"] or 0), int(totals["high"] or 0)),
        moved=_moved(desk, org),
    )


def in_part(desk: Desk, part: str, population: Population) -> Population:
    """Return the population with the volumes and exits of another part; all else stays."""
    volume, exit_code = _traffic(desk, part, len(population.sids))
    return replace(population, volume=volume, exit_code=exit_code, moved=None)


def _moved(desk: Desk, org: np.ndarray) -> Moved:
    """Read the address prefixes of everybody. ``org``: codes by sid."""
    rows = desk.query(
        """SELECT e.sid, e.h_prefix, bool_or(e.part = 'A') AS early,
                  min(epoch_us(e.ts)) FILTER (e.part = 'B') AS late
           FROM exchanges e JOIN subjects s ON s.sid = e.sid AND s.end_user_id IS NULL
           WHERE e.h_prefix <> 0 AND e.part IN ('A', 'B')
           GROUP BY e.sid, e.h_prefix ORDER BY e.sid, e.h_prefix"""
    )
    owner = org[rows["sid"].to_numpy()]
    _, prefix = np.unique(rows["h_prefix"].to_numpy(), return_inverse=True)
    early = rows["early"].to_numpy(zero_copy_only=False)
    late = rows["late"].cast(pa.float64()).to_numpy(zero_copy_only=False)
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


def _traffic(desk: Desk, part: str, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return exchanges by sid in a part, and the code of the prefix that each used most.

    An end user of a channel leaves through the channel's exits and has none of its own.
    """
    exits = desk.query(
        f"""SELECT sid, h_prefix FROM (
              SELECT e.sid, e.h_prefix, count(*) AS n FROM exchanges e
              JOIN subjects s ON s.sid = e.sid AND s.end_user_id IS NULL
              WHERE e.part = '{part}' AND e.h_prefix <> 0 GROUP BY e.sid, e.h_prefix)
            QUALIFY row_number() OVER (PARTITION BY sid ORDER BY n DESC, h_prefix) = 1
            ORDER BY sid"""
    )
    exit_code = np.full(size, -1, dtype=np.int64)
    exit_code[exits["sid"].to_numpy()] = _coded(exits["h_prefix"])
    sent = desk.query(
        f"SELECT sid, count(*) AS n FROM exchanges WHERE part = '{part}' GROUP BY sid"
    )
    volume = np.zeros(size, dtype=np.int64)
    volume[sent["sid"].to_numpy()] = sent["n"].to_numpy()
    return volume, exit_code


def _coded(values: pa.ChunkedArray) -> np.ndarray:
    """Return codes in the order of first appearance, −1 for what is missing or empty."""
    whole = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    if pa.types.is_string(whole.type):
        whole = pc.if_else(pc.equal(whole, ""), pa.scalar(None, whole.type), whole)
    codes = pc.fill_null(whole.dictionary_encode().indices, -1)
    return np.asarray(codes.to_numpy(zero_copy_only=False), dtype=np.int64)
