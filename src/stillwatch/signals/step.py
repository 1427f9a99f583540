"""Every test on every cohort, as two tables."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa

from stillwatch.schema import CohortTest, Desk, Finding, Step
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
from stillwatch.signals.claims import (
    SCREEN_E,
    SPEAKS_E,
    WATCHED,
    acts_speak,
    dealt,
    e_of_acts,
    e_of_claim,
    e_of_screen,
    e_of_source,
    mean_of,
    weights,
)
from stillwatch.signals.data import (
    Cohort,
    Population,
    Views,
    in_part,
    load_population,
    over_both,
)
from stillwatch.signals.direct_evidence import Coincidences
from stillwatch.signals.distinct import own_share
from stillwatch.signals.excuses import ONE_HOST, Reasons, counted_as, excused, lifted
from stillwatch.signals.one_fleet import Dealt, dealt_cards
from stillwatch.signals.overlaps import parts_of_one
from stillwatch.signals.payers import MAX_ONE_PAYER, MIN_PAYERS, Payers, one_payer
from stillwatch.signals.reference import shipped_references
from stillwatch.signals.traits import MIN_EVENTS, TRAITS, Traits, traits
from stillwatch.signals.verdicts import missing, not_enough, switched_off
from stillwatch.signals.views import load_cohorts
from stillwatch.signals.watching import asked_to_watch, to_watch
from stillwatch.stats import round9

__all__ = ["FINDINGS_STEP", "SCORES_STEP", "as_row", "coordination", "lacking"]

# Sign-ups, bans and account values are the same in both parts: what reads them cannot screen.
_WITHOUT_PARTS: Final = frozenset(
    (
        signup_burst.TEST.name,
        shared_values.ACCOUNT_TEST.name,
        crossed_cards.TEST.name,
        ban_waves.TEST.name,
    )
)
# Tests that can be made with any one of these columns.
_ANY_OF: Final = {
    shared_values.ACCOUNT_TEST.name: frozenset(shared_values.ACCOUNT_TEST.needs),
    ban_waves.TEST.name: frozenset(ban_waves.TIES),
}
_LAUNCH: Final = (
    "No other act goes with it: a launch or a tutorial brings strangers on one day, and this "
    "counts as nothing."
)
_HOLDING: Final = (
    "Their cards connect many organizations, as a holding's do, and this counts as nothing."
)
_COORDINATION = (
    (signup_burst.TEST, signup_burst.find),
    (shared_values.ACCOUNT_TEST, shared_values.find_account_values),
    (shared_values.EXIT_TEST, shared_values.find_exits),
    (crossed_cards.TEST, crossed_cards.find),
    (rotating_exits.TEST, rotating_exits.find),
    (round_robin.TEST, round_robin.find),
    (even_volumes.TEST, even_volumes.find),
    (dealt_evenly.TEST, dealt_evenly.find),
    (shared_mix.TEST, shared_mix.find),
)


def lacking(test: CohortTest, columns: frozenset[str]) -> tuple[str, ...]:
    """Return the needed columns that no input fills; alternatives within one side table count.

    A test over several account values can be made with any one of them.
    """
    any_of = _ANY_OF.get(test.name, frozenset())
    enough = any_of if any_of & columns else frozenset()
    return tuple(c for c in test.needs if c not in columns and c not in enough)


def _unmade(test: CohortTest, columns: frozenset[str], without: Sequence[str]) -> Finding | None:
    """Return the finding of a test that is switched off or lacks a column, None of any other."""
    if test.name in without:
        return switched_off(test)
    absent = lacking(test, columns)
    return missing(test, absent) if absent else None


def coordination(
    cohort: Cohort, population: Population, base: Coincidences, columns: frozenset[str],
    without: Sequence[str] = (), *, holding: bool = False,
) -> list[Finding]:  # fmt: skip
    """Return the findings of the claim *coordinated* that read acts, for one cohort.

    A test named in ``without`` is not made, and its finding says so. ``holding``: the cards may be
    a holding's, which goes round among many organizations, and count as nothing.
    """
    seen = Reasons(cohort, population)
    finders: list[tuple[CohortTest, Callable[[], Finding]]] = [
        (test, partial(find, cohort, population)) for test, find in _COORDINATION
    ]
    finders += [
        (test, partial(direct_evidence.find, kind, cohort, population, base))
        for kind, test in direct_evidence.TESTS.items()
    ]
    finders.append((ban_waves.TEST, partial(ban_waves.find, cohort, population, base)))
    made = [_unmade(test, columns, without) or find() for test, find in finders]
    found = [excused(finding, seen) for finding in made]
    if holding:
        found = counted_as(found, shared_values.ACCOUNT_TEST, "a holding", _HOLDING)
        if not crossed_cards.none_pays_for_most(cohort, population):
            found = counted_as(found, crossed_cards.TEST, "a holding", _HOLDING)
    return lifted(made, found)


def _base(desk: Desk, part: str, population: Population) -> Coincidences:
    totals = desk.query(
        f"SELECT kind, count(*) AS n FROM direct WHERE part = '{part}' GROUP BY kind ORDER BY kind"
    )
    return Coincidences(
        dict(zip(totals["kind"].to_pylist(), totals["n"].to_pylist(), strict=True)),
        int(population.volume.sum()),
    )


class _Judged(NamedTuple):
    """What is told of one hypothesis before it is known what is usual here."""

    columns: dict[str, Any]
    exchanges: int
    by_text: bool
    seen: Traits | None
    screen: float
    any_act: float
    acts: list[Finding]
    dealt: Dealt

    @property
    def strangers(self) -> Traits | None:
        """Return the traits where a template's carriers do nothing together, of any kind."""
        return self.seen if self.by_text and not self.any_act >= SCREEN_E else None


def _of_topics(desk: Desk, one: _Judged, usual_own: float, distinct: float) -> list[Finding]:
    """Return what the topics say of acting together, and of what is asked for."""
    known = shipped_references()
    found = []
    for test, find, reference in (
        (one_source.TEST, one_source.find, known.apart),
        (harvest.TEST, harvest.find, known.together),
    ):
        if unmade := _unmade(test, desk.columns, desk.settings.without):
            found.append(unmade)
        elif one.seen is None:
            found.append(not_enough(test, one.exchanges, f"fewer than {MIN_EVENTS} exchanges"))
        elif test is one_source.TEST and not distinct >= one_source.LEAST_DISTINCT:
            found.append(not_enough(test, one.exchanges, one_source.too_alike(distinct)))
        else:
            found.append(find(one.seen, one.exchanges, reference, usual_own))
    return found


def _fleet(desk: Desk, one: _Judged, distinct: float) -> Finding:
    """Return what cards, sign-ups and exits say together, where topics tell."""
    test = one_fleet.TEST
    if unmade := _unmade(test, desk.columns, desk.settings.without):
        return unmade
    return one_fleet.find(one.acts, one.dealt, one.exchanges, distinct)


def _of_acts(desk: Desk, one: _Judged, usual_own: float) -> Finding:
    """Return what the acts say of what is asked for, where topics tell nothing."""
    test = two_reasons.TEST
    if unmade := _unmade(test, desk.columns, desk.settings.without):
        return unmade
    if one.seen is None:
        return not_enough(test, one.exchanges, f"fewer than {MIN_EVENTS} exchanges")
    acts = [(f.signal, f.e_value) for f in one.acts if f.evaluable]
    return two_reasons.find(e_of_acts(acts), one.seen, one.exchanges, usual_own)


class _Bench(NamedTuple):
    """What every cohort is judged against, in part A, in part B and in both."""

    early: Population
    late: Population
    both: Population
    base_early: Coincidences
    base: Coincidences
    desk: Desk

    def judge(self, views: Views) -> _Judged:
        """Make the tests of one hypothesis, all but those that need to know what is usual."""
        columns, without = self.desk.columns, self.desk.settings.without
        screened = coordination(
            views.screen, self.early, self.base_early, columns,
            (*without, *WATCHED, *_WITHOUT_PARTS),
        )  # fmt: skip
        acted = [(f.signal, f.e_value) for f in screened if f.evaluable]
        screen = e_of_screen(acted)
        seen = traits(views.whole, self.both, views.test)
        paid = one_payer(views.test, self.late)
        described = _described(views.test, self.late, seen, screen, paid)
        acts = _no_launch(
            coordination(views.test, self.late, self.base, columns, without, holding=paid.apart),
            views.test.found_by,
            screen,
        )
        return _Judged(
            described | {"early": dealt(acted), "in_turn": _in_turn(views, acts)},
            len(views.whole.rid),
            views.whole.by_text,
            seen,
            screen,
            float("inf")
            if any(f.excuse == ONE_HOST for f in screened)
            else mean_of([e for _, e in acted]),
            acts,
            dealt_cards(views, self.late),
        )


def _findings(desk: Desk) -> pa.Table:
    late = load_population(desk)
    early = in_part(desk, "A", late)
    bench = _Bench(
        early, late, over_both(early, late), _base(desk, "A", early), _base(desk, "B", late), desk
    )
    judged = [bench.judge(views) for views in load_cohorts(desk, late)]
    usual_own = harvest.usual([seen for one in judged if (seen := one.strangers) is not None])
    distinct = own_share(desk, _together(desk, judged))
    rows = [row for one in judged for row in _rows(desk, one, usual_own, distinct)]
    table = pa.Table.from_pylist(rows, schema=_FINDINGS)
    for name in ("e_screen", "usual_own", "statistic", "p_value", "e_value", "e_before"):
        place = table.schema.get_field_index(name)
        table = table.set_column(place, name, pa.array(round9(table[name].to_numpy())))
    return table


def _rows(desk: Desk, one: _Judged, usual_own: float, distinct: float) -> list[dict[str, Any]]:
    """Return the rows of one hypothesis, one per test.

    ``by_topics``: whether topics tell its members from others, as they do everywhere but where
    acts had to stand in for them (`two_reasons`).
    """
    one = one._replace(acts=[*one.acts, _fleet(desk, one, distinct)])
    instead = _of_acts(desk, one, usual_own)
    known = {"usual_own": usual_own, "by_topics": not instead.evaluable}
    found = (*one.acts, *_of_topics(desk, one, usual_own, distinct), instead)
    return [one.columns | known | as_row(finding) for finding in found]


def _in_turn(views: Views, acts: list[Finding]) -> list[int]:
    """Return the members that take turns by themselves, where all together do."""
    turns = [f.e_value for f in acts if f.evaluable and f.signal == round_robin.TEST.name]
    if not turns or turns[0] < SPEAKS_E:
        return []
    return [int(sid) for sid in round_robin.members_in_turn(views.whole)]


def _no_launch(found: list[Finding], found_by: frozenset[str], screen: float) -> list[Finding]:
    """Return the findings; a burst of sign-ups that no other act goes with counts as nothing.

    ``screen``: e-value of part A. A launch or a tutorial brings strangers with one template on one
    day; who was found by more than a template, such as an exit of their own, is no stranger.
    """
    apart = {signup_burst.TEST.name, *WATCHED}
    others = mean_of([f.e_value for f in found if f.evaluable and f.signal not in apart])
    if screen >= SPEAKS_E or others >= SPEAKS_E or not found_by <= {"frame"}:
        return found
    return counted_as(found, signup_burst.TEST, "a launch", _LAUNCH)


def _together(desk: Desk, judged: list[_Judged]) -> np.ndarray:
    """Return the subjects of all cohorts whose members did anything together in part A."""
    acted = [one.columns["cohort"] for one in judged if one.any_act >= SCREEN_E]
    found = desk.query(
        "SELECT DISTINCT m.sid FROM cohort_members m SEMI JOIN acted a ON a.cohort = m.cohort "
        "WHERE m.how <> 'associated' ORDER BY m.sid",
        acted=pa.table({"cohort": pa.array(acted, pa.int32())}),
    )
    return np.asarray(found["sid"].to_numpy())


def _described(
    cohort: Cohort, population: Population, seen: Traits | None, screen: float, paid: Payers
) -> dict[str, Any]:
    """Return the columns that all findings of a cohort have in common."""
    bursts = signup_burst.burst_windows(cohort, population)
    described = {} if seen is None else {k: float(v) for k, v in seen._asdict().items()}
    return {
        "cohort": cohort.number,
        "events": len(cohort.rid),
        "e_screen": screen,
        "trimmed": cohort.trimmed.tolist(),
        "one_payer": paid.largest,
        "payers": paid.number,
        "bursts": [list(window) for window in bursts],
        "traits": json.dumps(described, sort_keys=True),
    }


def as_row(finding: Finding) -> dict[str, Any]:
    """Return the columns of the table that are the finding's own, not yet rounded."""
    return {
        "signal": finding.signal,
        "claim": finding.claim,
        "statistic": finding.statistic,
        "p_value": finding.p_value,
        "e_value": finding.e_value,
        "n": finding.n,
        "null": None if finding.null is None else json.dumps(finding.null.as_dict()),
        "text": finding.text,
        "excuse": finding.excuse or None,
        "e_before": finding.e_before,
        "evaluable": finding.evaluable,
        "missing": list(finding.missing),
    }


_FINDINGS = pa.schema(
    [
        ("cohort", pa.int32()),
        ("events", pa.int64()),
        ("e_screen", pa.float64()),
        ("usual_own", pa.float64()),
        ("by_topics", pa.bool_()),
        ("trimmed", pa.list_(pa.int32())),
        ("early", pa.list_(pa.string())),
        ("in_turn", pa.list_(pa.int32())),
        ("one_payer", pa.float64()),
        ("payers", pa.int64()),
        ("bursts", pa.list_(pa.list_(pa.float64()))),
        ("traits", pa.string()),
        ("signal", pa.string()),
        ("claim", pa.string()),
        ("statistic", pa.float64()),
        ("p_value", pa.float64()),
        ("e_value", pa.float64()),
        ("n", pa.int64()),
        ("null", pa.string()),
        ("text", pa.string()),
        ("excuse", pa.string()),
        ("e_before", pa.float64()),
        ("evaluable", pa.bool_()),
        ("missing", pa.list_(pa.string())),
    ]
)

FINDINGS_STEP = Step(
    name="findings",
    inputs=(
        "background",
        "cohorts",
        "cohort_members",
        "spoken",
        "exchanges",
        "subjects",
        "direct",
        "frames",
        "follow_ups",
    ),
    output="findings",
    function=_findings,
)


def _scores(desk: Desk) -> pa.Table:
    """Return one row per cohort: its traits and the e-values of its two claims.

    Not tested, and not counted among the hypotheses, is a cohort whose claims could not both be
    read, and one that is one payer's.
    """
    rows = desk.query("SELECT * FROM findings ORDER BY cohort, claim, signal").to_pylist()
    by_cohort: dict[int, list[dict[str, Any]]] = {}
    for row in rows:
        by_cohort.setdefault(row["cohort"], []).append(row)
    scored, acted = [], []
    for cohort, findings in by_cohort.items():
        made = [f for f in findings if f["evaluable"]]
        together = [(f["signal"], f["e_value"]) for f in made if f["claim"] == "coordinated"]
        asked = [(f["signal"], f["e_value"]) for f in made if f["claim"] == "extractive"]
        harvests = [f for f in made if f["signal"] == harvest.TEST.name]
        described = json.loads(findings[0]["traits"])
        screen, early = findings[0]["e_screen"], findings[0]["early"]
        acts = e_of_claim(together, screen, early)
        acted.append(acts_speak(together, early))
        scored.append(
            {
                "cohort": cohort,
                "events": findings[0]["events"],
                "tested": bool(asked) and not np.isnan(acts) and _several_payers(findings[0]),
                "e_screen": screen,
                "e_acts": e_of_acts(together),
                "e_source": e_of_source(together, early),
                "usual_own": findings[0]["usual_own"],
                "one_payer": findings[0]["one_payer"],
                "e_coordinated": acts,
                "e_extractive": e_of_claim(asked, screen) if asked else float("nan"),
                "e_acts_watch": (watched := e_of_acts(to_watch(made), watch=True)),
                "e_extractive_watch": asked_to_watch(
                    watched, together, asked, described, findings[0]["usual_own"]
                ),
                "score": harvests[0]["statistic"] if harvests else float("nan"),
                **{name: described.get(name, float("nan")) for name in TRAITS},
            }
        )
    spoke, tested = np.array(acted, dtype=bool), np.array([r["tested"] for r in scored], dtype=bool)
    weighed = weights(
        np.array([row["e_screen"] for row in scored], dtype=np.float64),
        spoke,
        tested,
        _parts(desk, [row["cohort"] for row in scored], spoke & tested),
    )
    for row, one, other in zip(scored, *weighed, strict=True):
        row["w_coordinated"], row["w_extractive"] = float(one), float(other)
    schema = pa.schema(
        [
            ("cohort", pa.int32()), ("events", pa.int64()), ("tested", pa.bool_()),
            ("w_coordinated", pa.float64()), ("w_extractive", pa.float64()),
            ("e_screen", pa.float64()), ("e_acts", pa.float64()), ("e_source", pa.float64()),
            ("usual_own", pa.float64()),
            ("one_payer", pa.float64()),
            ("e_coordinated", pa.float64()), ("e_extractive", pa.float64()),
            ("e_acts_watch", pa.float64()), ("e_extractive_watch", pa.float64()),
            ("score", pa.float64()), *((name, pa.float64()) for name in TRAITS),
        ]
    )  # fmt: skip
    return pa.Table.from_pylist(scored, schema=schema)


def _parts(desk: Desk, cohorts: list[int], asked: np.ndarray) -> np.ndarray:
    """Return which part of one weight each cohort has, 1 for those that are not asked."""
    part = np.ones(len(cohorts))
    chosen = [cohort for cohort, one in zip(cohorts, asked.tolist(), strict=True) if one]
    rows = desk.query(
        "SELECT m.cohort, m.sid FROM cohort_members m SEMI JOIN chosen c ON c.cohort = m.cohort "
        "WHERE m.how <> 'associated' ORDER BY m.cohort, m.sid",
        chosen=pa.table({"cohort": pa.array(chosen, pa.int32())}),
    )
    of, sid = rows["cohort"].to_numpy(), rows["sid"].to_numpy()
    starts, ends = (np.searchsorted(of, [c + k for c in chosen]).tolist() for k in (0, 1))
    part[asked] = parts_of_one([sid[low:high] for low, high in zip(starts, ends, strict=True)])
    return part


def _several_payers(row: dict[str, Any]) -> bool:
    return bool(row["payers"] >= MIN_PAYERS and row["one_payer"] < MAX_ONE_PAYER)


SCORES_STEP = Step(
    name="cohort_scores",
    inputs=("findings", "cohort_members"),
    output="cohort_scores",
    function=_scores,
)
