"""What earlier runs say about this one: local scores, drift, and what a level achieved there."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from scipy import stats as sps

from stillwatch.campaigns import Choice, stamp
from stillwatch.errors import ConfigError
from stillwatch.runners import LocalRunner
from stillwatch.scanner.labels import Labelled, labelled_cohorts, widened
from stillwatch.scanner.warninglist import honest_values
from stillwatch.schema import STAGES
from stillwatch.signals import Reference, References, e_of_halves
from stillwatch.store import open_run

__all__ = ["Baseline", "promised", "read_baseline"]

_MIN_LOCAL: Final = 50
_LEVELS: Final = (0.05, 0.01, 0.001)
_TRIM: Final = 0.05
_DRIFT_P: Final = 1e-3
_MIN_DRIFT: Final = 10
_DRIFT_DISTANCE: Final = 0.3
_MIN_EXPECTED: Final = 20
_TOGETHER_E: Final = 10.0
_IN_COMMON: Final = 0.2


@dataclass(frozen=True)
class Local:
    """Scores of earlier runs' cohorts of one kind that were not selected, sorted.

    ``scores``: the top 5 % trimmed; ``untrimmed``: all of them.
    """

    untrimmed: np.ndarray

    @property
    def scores(self) -> np.ndarray:
        return self.untrimmed[: int(len(self.untrimmed) * (1 - _TRIM))]

    @property
    def calibrates(self) -> bool:
        """Return whether there are enough local cohorts to speak of calibration."""
        return len(self.scores) >= _MIN_LOCAL

    def bounded(
        self, e_value: float, score: float, shipped: Reference, honest: np.ndarray
    ) -> float:
        """Return the smallest of an e-value and those that local references give.

        With 50 local cohorts and more, what is claimed must hold against them too; their tail is
        fitted as the shipped one is. Where people found cohorts of earlier runs ``honest``
        (scores), it must hold against each reference with these added as well, so that no label
        can raise an e-value.
        """
        against: list[Reference] = []
        if self.calibrates:
            start, share, scale = _tail(self.scores)
            against.append(replace(
                shipped, scores=self.scores, tail_start=start, tail_share=share, tail_scale=scale
            ))  # fmt: skip
        if len(honest):
            against += [widened(one, honest) for one in (shipped, *against)]
        if np.isnan(e_value):
            return e_value
        return min([e_value, *(one.e_value(score) for one in against)])


_NO_LABELS: Final = Labelled(np.zeros(0), 0)


@dataclass(frozen=True)
class Baseline:
    """What earlier runs say: how often was looked, and how local cohorts score.

    ``together``: cohorts whose members act together; ``apart``: whose members do not.
    ``labelled``: what people found out about their cohorts; it is in none of the others.
    ``values``: shared values of cohorts that they found honest (see `scanner.warninglist`).
    """

    look: int
    together: Local
    apart: Local
    names: tuple[str, ...]
    until: str = ""
    labelled: Labelled = _NO_LABELS
    values: frozenset[str] = frozenset()

    @property
    def digest(self) -> str:
        """Return a digest of everything that earlier runs change here."""
        state = hashlib.blake2b(digest_size=16)
        for local in (self.together, self.apart):
            state.update(local.untrimmed.tobytes() + b"/")
        state.update(repr(self.names).encode() + self.labelled.honest.tobytes())
        state.update("\n".join(sorted(self.values)).encode())
        return f"{state.hexdigest()} {self.look} {self.until}"

    @property
    def calibrates(self) -> bool:
        """Return whether there are enough local cohorts that act together."""
        return self.together.calibrates

    def refuse_overlap(self, runner: LocalRunner) -> None:
        """Raise ConfigError when an earlier run reaches into the window being judged."""
        first = stamp(runner.query("SELECT min(ts) AS ts FROM exchanges")["ts"][0].as_py())
        if self.until and first is not None and self.until > first:
            raise ConfigError(
                f"an earlier run reaches to {self.until}, the window begins at {first}",
                where="--baseline", hint="give runs of earlier windows, or a later --since",
            )  # fmt: skip

    @property
    def corrects(self) -> bool:
        """Return whether people's labels change anything."""
        return bool(len(self.labelled.honest) or self.values)

    def uncorrected(self) -> Baseline:
        """Return the same runs as they are without what people found out."""
        return replace(self, labelled=_NO_LABELS, values=frozenset())

    def calibrated(self, scores: pa.Table, references: References) -> pa.Table:
        """Return the cohort scores with e-values that hold against the local references too.

        The smaller e-value counts, of labelled cohorts too: they may be of either kind.
        """
        rows, honest = scores.to_pylist(), self.labelled.honest
        for row in rows:
            if row["tested"]:
                score = row["score"]
                source = self.apart.bounded(row["e_source"], score, references.apart, honest)
                row["e_source"] = source
                row["e_coordinated"] = e_of_halves(row["e_acts"], source, row["e_screen"])
                row["e_extractive"] = self.together.bounded(
                    row["e_extractive"], score, references.together, honest
                )
        return pa.Table.from_pylist(rows, schema=scores.schema)

    def drift(self, runner: LocalRunner, choice: Choice, references: References) -> dict[str, Any]:
        """Compare unselected cohorts that act together with what is expected of them.

        Cohorts a fifth of whose members belong to a selected one are left out, and so are those a
        fifth of whose members belong to a larger one that counts already (one campaign in many
        wordings makes dozens of cohorts, and is no drift), and the upper third
        on both sides: a drift moves all cohorts, campaigns that were missed only the highest.
        A one-sided Kolmogorov–Smirnov test at 1e-3 raises the alarm when the distributions also lie
        0.3 apart (with very many cohorts any small difference would reject): then nothing is
        accused. Independent cohorts need no such test: their scores are lowered by how much less
        distinct this log's customers are (`signals.harvest.usual`).
        """
        chosen = ", ".join(map(str, sorted(choice.selected))) or "-1"
        rows = runner.query(
            f"""WITH taken AS (SELECT DISTINCT sid FROM cohort_members WHERE cohort IN ({chosen})),
                mixed AS (SELECT m.cohort, count(t.sid) / count(*) AS share FROM cohort_members m
                          LEFT JOIN taken t ON t.sid = m.sid GROUP BY m.cohort)
                SELECT c.cohort, c.score, m.sid FROM cohort_scores c
                JOIN mixed x ON x.cohort = c.cohort JOIN cohort_members m ON m.cohort = c.cohort
                WHERE c.tested AND c.e_acts >= {_TOGETHER_E} AND x.share < {_IN_COMMON}
                ORDER BY c.cohort, m.sid"""
        )
        here = _one_view_each(*(rows[c].to_numpy() for c in ("cohort", "score", "sid")))
        expected = self.together.scores if self.calibrates else references.together.scores
        if len(here) < _MIN_DRIFT or len(expected) < _MIN_EXPECTED:
            return {"alarm": False, "text": _too_few(len(here), len(expected))}
        seen = len(here)
        here, expected = (np.sort(v)[: max(2 * len(v) // 3, 1)] for v in (here, expected))
        compared = sps.ks_2samp(here, expected, alternative="less")
        p_value = float(compared.pvalue)
        alarm = p_value < _DRIFT_P and float(compared.statistic) >= _DRIFT_DISTANCE
        return {
            "alarm": alarm,
            "text": f"the lower two thirds of {seen} benign cohorts of this window score "
            f"{'higher than' if alarm else 'as'} the reference expects (p = {p_value:.2g})"
            + ("; nothing is accused" if alarm else ""),
        }

    def achieved(self, reference: Reference) -> list[dict[str, Any]]:
        """Return how often the earlier runs' benign cohorts pass each claimed level."""
        p = np.array([reference.p_value(float(v)) for v in self.together.scores])
        return [
            _achieved("your baseline's cohorts that act together, top 5 % trimmed", level,
                      int((p <= level).sum()), len(p), len(self.names))
            for level in _LEVELS
            if len(p)
        ]  # fmt: skip

    def sensitivity(self, score: float) -> list[dict[str, float]]:
        """Return the local p-value of a score under 0–5 % contamination of the baseline."""
        found = []
        for percent in range(6):
            known = self.together.untrimmed
            kept = known[: max(int(len(known) * (1 - percent / 100)), 1)]
            found.append(
                {
                    "trimmed_percent": float(percent),
                    "p_value": float((1 + (kept >= score).sum()) / (len(kept) + 1)),
                }
            )
        return found


def _one_view_each(cohort: np.ndarray, score: np.ndarray, sid: np.ndarray) -> np.ndarray:
    """Return the scores of cohorts of which hardly two have members in common, larger ones first.

    One row for each cohort and member, by cohort.
    """
    _, first, size = np.unique(cohort, return_index=True, return_counts=True)
    counted: set[int] = set()
    kept = []
    for k in np.argsort(-size, kind="stable").tolist():
        members = set(sid[first[k] : first[k] + size[k]].tolist())
        if len(members & counted) < _IN_COMMON * len(members):
            counted |= members
            kept.append(float(score[first[k]]))
    return np.array(kept)


def _too_few(here: int, expected: int) -> str:
    """Return why drift cannot be told, with the numbers needed and found."""
    if here < _MIN_DRIFT:
        return (
            f"not known: {here} benign cohort{'s' * (here != 1)} acting together in this window, "
            f"and a comparison needs {_MIN_DRIFT}"
        )
    return (
        f"not known: the reference has {expected} cohorts to compare with, "
        f"{_MIN_EXPECTED} are needed"
    )


def promised(reference: Reference) -> list[dict[str, Any]]:
    """Return how often further benign worlds pass each level that the reference was checked at."""
    check = reference.check
    cohorts, worlds = int(check.get("cohorts", 0)), int(check.get("worlds", 0))
    return [
        _achieved("simulated benign cohorts that the fit has not seen", level,
                  round(check[f"share_at_{level:g}"] * cohorts), cohorts, worlds)
        for level in _LEVELS
        if cohorts and f"share_at_{level:g}" in check
    ]  # fmt: skip


def _achieved(what: str, level: float, hits: int, cohorts: int, runs: int) -> dict[str, Any]:
    exact = sps.binomtest(hits, cohorts).proportion_ci(0.95, method="exact")
    return {
        "what": what, "claimed": level, "passed": hits, "cohorts": cohorts, "runs": runs,
        "value": hits / cohorts, "low": float(exact.low), "high": float(exact.high),
    }  # fmt: skip


def read_baseline(runs: Sequence[Path], labels: Mapping[str, str] | None = None) -> Baseline:
    """Return what earlier run directories hold. Raises ConfigError naming one that is not a run.

    ``labels``: account → true, false or unsure, as people found out since.
    """
    look, names, until = 0, [], ""
    together, apart = [np.zeros(0)], [np.zeros(0)]
    for path in runs:
        run = open_run(path)
        look = max(look, int(run.summary["look"]))
        until = max(until, run.summary["until"] or "")
        table = path / STAGES / "cohort_scores.parquet"
        if not table.is_file():
            raise ConfigError(
                "an earlier run without cohort scores", where=f"--baseline {path.name}"
            )
        needed = run.summary["needed_e"] or np.inf
        found = pq.read_table(table)
        if "e_acts_watch" not in found.column_names:
            raise ConfigError(
                "an earlier run of another version", where=f"--baseline {path.name}",
                hint="scan that window again with this version",
            )  # fmt: skip
        tested = [r for r in found.to_pylist() if r["tested"]]
        needed *= max((r["w_extractive"] for r in tested), default=0.0) or 1.0
        benign = [
            r for r in tested
            if min(r["w_coordinated"] * r["e_coordinated"], r["w_extractive"] * r["e_extractive"])
            < needed
        ]  # fmt: skip
        together.append(np.array([r["score"] for r in benign if r["e_acts"] >= _TOGETHER_E]))
        apart.append(np.array([r["score"] for r in benign if not r["e_acts"] >= _TOGETHER_E]))
        names.append(path.name)
    local = [Local(np.sort(np.concatenate(kind))) for kind in (together, apart)]
    labelled = labelled_cohorts(list(runs), labels or {})
    values = honest_values(list(runs), labels or {})
    return Baseline(look, local[0], local[1], tuple(names), until, labelled, values)


def _tail(scores: np.ndarray) -> tuple[float, float, float]:
    """Return start, share and scale of the tail over the upper fifth, at the upper 95 % limit."""
    start = float(np.quantile(scores, 0.8))
    excess = scores[scores > start] - start
    if not len(excess):
        return start, 0.2, 1.0
    scale = float(excess.mean() * (1 + 1.645 / np.sqrt(len(excess))))
    return start, len(excess) / len(scores), scale
