"""Prevalence in three numbers: detected, corrected, not excluded; by unit, week, model, segment and
method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.campaigns.judge import Judgement
from stillwatch.schema import DAY_US, Desk
from stillwatch.stats import clopper_pearson

__all__ = ["UNITS", "measure_prevalence"]

UNITS: Final = ("requests", "output_tokens", "accounts")
_DRAWS: Final = 1_000
_DRAWN_AT_ONCE: Final = 1_000_000
_WORST_RECALL: Final = 0.5
_LEAST_RECALL: Final = 0.05
_UNKNOWN: Final[dict[str, float | None]] = {"value": None, "low": None, "high": None}
_SEGMENTS: Final = 50  # with most output tokens; a side table may name one for each account
_OVER_TIME: Final = 8  # models, segments and methods that have their prevalence by week too
# What was sent, by week, model and subject; and the members of what was tested.
_SENT: Final = f"""
    SELECT date_trunc('week', make_timestamptz(day * {DAY_US})) AS week, model, sid,
           CAST(sum(n) AS BIGINT) AS requests, CAST(sum(tokens) AS BIGINT) AS output_tokens
    FROM (SELECT epoch_us(ts) // {DAY_US} AS day, model, sid, count(*) AS n,
                 sum(coalesce(output_tokens, 0)) AS tokens
          FROM exchanges GROUP BY ALL)
    GROUP BY ALL ORDER BY week, model, sid"""
_TESTED: Final = """
    SELECT m.cohort, m.sid FROM cohort_members m JOIN cohort_scores c ON c.cohort = m.cohort
    WHERE c.tested AND m.how <> 'associated' ORDER BY m.cohort, m.sid"""


class _Recall(NamedTuple):
    """How many spikes of rungs 1 and 2 were found, of how many."""

    found: int
    made: int

    @property
    def share(self) -> float:
        return max(self.found / self.made, _LEAST_RECALL)


def _shares(
    detected: np.ndarray, tested: np.ndarray, total: int, recall: _Recall | None, worst: float,
    rng: np.random.Generator,
) -> dict[str, Any]:  # fmt: skip
    """Return the three numbers from the size of each accused campaign.

    *detected* is a floor, its interval by resampling campaigns. *corrected* divides by the
    recall measured on spikes, and never falls below what was detected; null without spikes. Its
    interval draws the recall (Jeffreys), how many campaigns were missed given how many were found
    (negative binomial, every number as likely beforehand), and the size of each missed one among
    those found; where none was found, among the cohorts ``tested``.
    *not_excluded*: were each campaign found with the stated worst recall, more than
    ln 0.05 / ln(1 − recall) missed ones would be refuted at 95 %; that many, each as large as the
    ``largest`` cohort that was tested, are added, or the upper end is divided by the worst recall
    where that is more. It bounds campaigns no larger than that.
    """
    if total <= 0:
        return {"total": 0, "detected": _UNKNOWN, "corrected": _UNKNOWN, "not_excluded": _UNKNOWN}
    value = float(detected.sum()) / total
    if len(detected):
        draws = rng.choice(detected, (_DRAWS, len(detected))).sum(axis=1) / total
        low, high = (float(q) for q in np.quantile(draws, (0.025, 0.975)))
    else:
        low = high = 0.0
    high = max(high, value)
    missed = float(np.log(0.05) / np.log(1 - worst))
    largest = float(tested.max(initial=0.0))
    top = min(1.0, max(high / worst, value + missed * largest / total))
    corrected = _UNKNOWN
    if recall is not None:
        least, most = _with_missed(detected, tested, recall, rng)
        point = min(1.0, value / recall.share)
        least, most = (min(1.0, end / total) for end in (least, most))
        corrected = _numbers(point, max(min(least, point), value), max(most, point))
        top = max(top, most, point)
    return {
        "total": int(total),
        "detected": _numbers(value, low, high),
        "corrected": corrected,
        "not_excluded": _numbers(top, value, top),
    }


def _with_missed(
    detected: np.ndarray, tested: np.ndarray, recall: _Recall, rng: np.random.Generator
) -> tuple[float, float]:
    """Return the 2.5 % and 97.5 % quantiles of what was found and missed together."""
    rates = rng.beta(recall.found + 0.5, recall.made - recall.found + 0.5, _DRAWS)
    rates = np.maximum(rates, _LEAST_RECALL)
    # how likely any number is to be found sums up to 1 / rate
    rates = rng.choice(rates, _DRAWS, p=(1 / rates) / (1 / rates).sum())
    missed = rng.negative_binomial(len(detected) + 1, rates)
    sizes = detected if len(detected) else tested
    if not len(sizes):
        return 0.0, 0.0
    low, high = np.quantile(float(detected.sum()) + _sums(sizes, missed, rng), (0.025, 0.975))
    return float(low), float(high)


def _sums(sizes: np.ndarray, number: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return sums of so many of the sizes each, drawn with replacement; whole numbers, so exact.

    The draws are those that one call a sum would take, some million of them at once.
    """
    sums = np.zeros(len(number))
    block = np.cumsum(number) // _DRAWN_AT_ONCE
    for part in np.split(np.arange(len(number)), np.flatnonzero(np.diff(block)) + 1):
        which = np.repeat(np.arange(len(part)), number[part])
        drawn = rng.choice(sizes, len(which))
        sums[part] = np.bincount(which, weights=drawn, minlength=len(part))
    return sums


def _numbers(value: float, low: float, high: float) -> dict[str, float | None]:
    return {"value": round(value, 9), "low": round(low, 9), "high": round(high, 9)}


def _recall(spikes: pa.Table, needed: float, texts: dict[int, str]) -> list[dict[str, Any]]:
    rows = []
    for rung, text in texts.items():
        mine = [r for r in spikes.to_pylist() if r["rung"] == rung]
        hits = sum(min(r["e_coordinated"], r["e_extractive"]) >= needed for r in mine)
        if not mine:
            rows.append({"rung": rung, "text": text, "recall": None, "low": None, "high": None,
                         "spikes": 0})  # fmt: skip
            continue
        interval = clopper_pearson(hits, len(mine))
        rows.append(
            {
                "rung": rung, "text": text, "recall": round(hits / len(mine), 6),
                "low": round(float(interval.low), 6), "high": round(float(interval.high), 6),
                "spikes": len(mine),
            }
        )  # fmt: skip
    return rows


class _Cohorts(NamedTuple):
    """The members of all tested cohorts, one a row, cohort by cohort; cohorts from 0."""

    of: np.ndarray
    member: np.ndarray


class _Log(NamedTuple):
    """What was sent, a row for each subject, week and model. ``campaign``: the place of the accused
    one that the subject is in, −1 of none; ``account`` and ``values`` of UNITS are of the row."""

    sid: np.ndarray
    account: np.ndarray
    campaign: np.ndarray
    values: dict[str, np.ndarray]


@dataclass(frozen=True)
class _Measure:
    """Measures parts of a log, each with the same recall and the same random numbers.

    ``account``: the account of each subject, by code. ``able``: whether a campaign could have been
    accused at all.
    """

    log: _Log
    cohorts: _Cohorts
    account: np.ndarray
    accused: int
    recall: _Recall | None
    worst: float
    able: bool

    def of(
        self, rows: np.ndarray, rng: np.random.Generator, units: Sequence[str] = UNITS,
        among: np.ndarray | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        """Return the three numbers of these rows by unit.

        ``among``: which of the accused campaigns are detected here, all where it is None. Where no
        cohort that was tested sent anything, or none could have been accused, only what was
        detected is known: there, nothing found says nothing of what was missed.
        """
        result = {}
        sid, of, account = (c[rows] for c in (self.log.sid, self.log.campaign, self.log.account))
        for unit in units:
            values = None if unit == "accounts" else self.log.values[unit][rows]
            if values is None:
                total = len(np.unique(account))
                pairs = np.unique(of[of >= 0] * len(self.account) + account[of >= 0])
                sizes = np.bincount(pairs // len(self.account), minlength=self.accused)
            else:
                total = int(values.sum())
                sizes = np.bincount(of[of >= 0], weights=values[of >= 0], minlength=self.accused)
            if among is not None:
                sizes = np.where(among, sizes, 0)
            tested = _sizes(self.cohorts, sid, values, self.account)
            told = _shares(sizes[sizes > 0], tested, total, self.recall, self.worst, rng)
            if not sizes.any() and not (self.able and len(tested)):
                told |= {"corrected": _UNKNOWN, "not_excluded": _UNKNOWN}
            result[unit] = told
        return result


def measure_prevalence(
    desk: Desk, judgement: Judgement, needed: float, rungs: dict[int, str],
    rng: np.random.Generator, methods: Mapping[str, Sequence[str]] | None = None,
    *, able: bool = True,
) -> dict[str, Any]:  # fmt: skip
    """Return the prevalence section of summary.json.

    ``needed``: the e-value that selection asked for; spikes are judged by the same level. The
    worst recall is one half, or the lower limit of the recall on a rung that is seen at all where
    that is lower; rungs that are never seen are named, since no number bounds them. ``methods``: of
    each campaign, by id, in words; those that its exchanges hint at where it is None. ``able``:
    whether any campaign could have been accused. Where not, or where no cohort was tested, what was
    missed is not known: no assumed recall holds, and *corrected* and *not_excluded* are null.

    By model and segment it is the share of what was sent to that model, or by accounts of that
    segment, of the 50 segments with most output tokens. By method it is the share of all that was
    sent that campaigns of that method sent: one of two methods counts in both. The largest eight of
    each have it by week too, in output tokens.
    """
    recalls = _recall(desk.query("SELECT * FROM spikes ORDER BY rung, spike"), needed, rungs)
    recall, worst, blind = _bounds(recalls)
    accused = [c for c in judgement.campaigns if c.standing == "accused"]
    owner = np.full(judgement.crowd.subjects.num_rows, -1, dtype=np.int64)
    for k, one in enumerate(accused):
        owner[one.accused] = k
    table = desk.query(_SENT)
    sid = table["sid"].to_numpy()
    account = _codes(judgement.crowd.subjects["account_id"])[1]
    tokens = table["output_tokens"].to_numpy()
    members = desk.query(_TESTED)
    member_of, member = members["cohort"].to_numpy(), members["sid"].to_numpy()
    measure = _Measure(
        _Log(sid, account[sid], owner[sid],
             {"requests": table["requests"].to_numpy(), "output_tokens": tokens}),
        _Cohorts(np.unique(member_of, return_inverse=True)[1], member),
        account, len(accused), recall, worst, able,
    )  # fmt: skip
    weeks, week = _codes(pc.strftime(table["week"], "%Y-%m-%dT00:00:00Z"))
    models, model = _codes(table["model"])
    segments, segment = _codes(judgement.crowd.subjects["segment"])
    everything = np.arange(len(sid))
    begun = deepcopy(rng)  # every part is drawn alike: a log of one week has that week's interval

    def by_week(mine: np.ndarray, among: np.ndarray | None = None) -> list[dict[str, Any]]:
        rows = [(name, mine[week[mine] == code]) for code, name in enumerate(weeks)]
        return [
            {"week_start": name,
             **measure.of(part, deepcopy(begun), ("output_tokens",), among)}
            for name, part in sorted(rows, key=lambda row: row[0]) if len(part)
        ]  # fmt: skip

    def parts(
        word: str, names: list[str], code: np.ndarray, most: int | None = None
    ) -> list[dict[str, Any]]:
        sums = np.bincount(code, weights=tokens, minlength=len(names))
        largest = sorted(np.unique(code).tolist(), key=lambda k: (-sums[k], names[k]))[:most]
        rows = {k: np.flatnonzero(code == k) for k in largest}
        return [
            {word: names[k], **measure.of(rows[k], deepcopy(begun)),
             "by_week": by_week(rows[k]) if k in largest[:_OVER_TIME] else []}
            for k in sorted(largest, key=names.__getitem__)
        ]  # fmt: skip

    def method_parts() -> list[dict[str, Any]]:
        words = [list((methods or {}).get(c.campaign_id, c.methods)) for c in accused]
        sent = np.bincount(
            owner[sid][owner[sid] >= 0], weights=tokens[owner[sid] >= 0], minlength=len(accused)
        )
        among = {name: np.array([name in mine for mine in words])
                 for name in sorted({name for mine in words for name in mine})}  # fmt: skip
        large = sorted(among, key=lambda name: (-sent[among[name]].sum(), name))[:_OVER_TIME]
        return [
            {"method": name, **measure.of(everything, deepcopy(begun), among=mine),
             "by_week": by_week(everything, mine) if name in large else []}
            for name, mine in among.items()
        ]  # fmt: skip

    return {
        **measure.of(everything, rng),
        "by_week": [
            {"week_start": weeks[k], **measure.of(np.flatnonzero(week == k), deepcopy(begun))}
            for k in sorted(range(len(weeks)), key=weeks.__getitem__)
        ],
        "by_model": parts("model", models, model),
        "by_segment": parts("segment", segments, segment[sid], _SEGMENTS),
        "segments": len(np.unique(segment[sid])),
        "by_method": method_parts(),
        "recall": recalls,
        "worst_recall": round(worst, 6),
        "text": _text(blind) + _unknown(able, len(member)),
    }


def _bounds(recalls: Sequence[Mapping[str, Any]]) -> tuple[_Recall | None, float, list[str]]:
    """Return the recall on rungs 1 and 2, the worst that is assumed, and the rungs never seen.

    ``recalls``: of `_recall`. Without a spike of rungs 1 and 2 their recall is None.
    """
    known = [r for r in recalls if r["recall"] is not None]
    plain = [r for r in known if r["rung"] in (1, 2)]
    made = sum(r["spikes"] for r in plain)
    found = round(sum(r["recall"] * r["spikes"] for r in plain))
    recall = _Recall(found, made) if made else None
    usual = recall.share if recall else 1.0
    lows = [r["low"] for r in known if r["recall"] > 0]
    worst = max(min([_WORST_RECALL, usual, *lows]), _LEAST_RECALL)
    return recall, worst, [str(r["rung"]) for r in known if r["recall"] == 0]


def _text(blind: Sequence[str]) -> str:
    """Return what the three numbers assume. ``blind``: rungs that were never seen."""
    return (
        "Detected is a floor. Corrected divides by the recall of the tests on made-up campaigns of "
        "rungs 1 and 2 among this log's accounts, given that their accounts were put together; it "
        "is unknown where none could be made. Its interval allows for how many were made and how "
        "many campaigns may be missed, as large as those found, and not for campaigns that hide "
        "otherwise. Not excluded assumes the worst recall stated, and campaigns no larger than the "
        "largest cohort tested"
    ) + (
        f"; campaigns hidden as on rung {', '.join(blind)} were not seen at all, and nothing here "
        "bounds them."
        if blind
        else "."
    )


def _unknown(able: bool, tested: int) -> str:
    """Return, for the text, why what was missed is not known of the whole log; empty: it is."""
    if tested and able:
        return ""
    why = "no campaign could have been accused" if tested else "no cohort was tested"
    return f" Where nothing was detected neither is known here: {why}."


def _sizes(
    cohorts: _Cohorts, sid: np.ndarray, values: np.ndarray | None, account: np.ndarray
) -> np.ndarray:
    """Return the size of each tested cohort among these rows, in the unit of the values.

    Without values, how many accounts of its members have any.
    """
    of_sid = np.bincount(sid, weights=values, minlength=len(account))[cohorts.member]
    if values is None:
        mine = of_sid > 0
        pairs = np.unique(cohorts.of[mine] * len(account) + account[cohorts.member[mine]])
        of_sid, of = np.ones(len(pairs)), pairs // max(len(account), 1)
    else:
        of = cohorts.of
    found = np.bincount(of, weights=of_sid)
    return found[found > 0]


def _codes(words: pa.ChunkedArray) -> tuple[list[str], np.ndarray]:
    """Return the distinct words, and of each row the place of its word among them."""
    found = words.combine_chunks().dictionary_encode()
    return found.dictionary.to_pylist(), np.asarray(found.indices.to_numpy(), dtype=np.int64)
