"""How much would we find? Made-up campaigns of each rung of hiding, judged by the same tests.

A spike is built from the log's own exchanges: its topics are those of random requests of random
subjects, dealt out to accounts that do not exist. It is put into the provider's own population,
never into the results.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import numpy as np
import pyarrow as pa

from stillwatch.schema import Desk, Step
from stillwatch.signals import harvest, one_source
from stillwatch.signals.claims import (
    ALONE_ASKED,
    SPEAKS_E,
    WATCHED,
    acts_speak,
    e_of_claim,
)
from stillwatch.signals.data import Cohort, Population, load_population
from stillwatch.signals.direct_evidence import Coincidences
from stillwatch.signals.reference import shipped_references
from stillwatch.signals.traits import traits

__all__ = ["RUNGS", "SPIKES_STEP"]

RUNGS: Final = {
    1: "published shapes: fresh accounts, five exits; half of them dealt in turn, half at random",
    2: "aged accounts, uneven volumes; exits and dealing as on rung 1",
    3: "own network, payment and human clock for each account; one template",
}
_PER_RUNG: Final = 12
_ACCOUNTS: Final = 40
_PER_ACCOUNT: Final = 8


def _spike(
    rung: int, in_turn: bool, population: Population, topics: np.ndarray, rng: np.random.Generator
) -> tuple[Cohort, Population]:
    """Return a cohort of the rung and the population that holds it.

    ``in_turn``: whether a dispatcher goes round on rungs 1 and 2, or takes anybody.
    """
    size = len(population.sids)
    accounts = np.arange(size, size + _ACCOUNTS)
    mean = _PER_ACCOUNT
    volume = (
        np.full(_ACCOUNTS, mean)
        if rung == 1
        else np.maximum(rng.negative_binomial(2, 2 / (2 + mean), _ACCOUNTS), 2)
    )
    turns = np.repeat(accounts, volume)
    low, high = population.span_us
    if rung <= 2:
        labels = np.concatenate(
            [rng.permutation(accounts[volume > k]) for k in range(int(volume.max()))]
        )
        labels = labels if in_turn else rng.permutation(labels)
        times = np.sort(rng.integers(low, max(high, low + 1), len(labels)))
    else:
        labels = turns
        sitting = rng.integers(low, max(high - 7_200_000_000, low + 1), _ACCOUNTS)
        times = sitting[labels - size] + rng.integers(0, 7_200_000_000, len(labels))
        order = np.argsort(times, kind="stable")
        labels, times = labels[order], times[order]
    known = population.created_us[np.isfinite(population.created_us)]
    if rung == 1 or not len(known):
        created = low - 86_400e6 * rng.random(_ACCOUNTS)
    else:
        created = rng.choice(known, _ACCOUNTS)
    exits = int(population.exit_code.max(initial=-1)) + 1
    pool = exits + rng.integers(0, 5, _ACCOUNTS) if rung <= 2 else exits + np.arange(_ACCOUNTS)
    grown = replace(
        population,
        sids=np.arange(size + _ACCOUNTS),
        org=np.concatenate(
            [population.org, population.org.max(initial=0) + 1 + np.arange(_ACCOUNTS)]
        ),
        segment=np.concatenate([population.segment, np.full(_ACCOUNTS, -1)]),
        created_us=np.concatenate([population.created_us, created]),
        codes={k: np.concatenate([v, np.full(_ACCOUNTS, -1)]) for k, v in population.codes.items()},
        volume=np.concatenate([population.volume, volume]),
        exit_code=np.concatenate([population.exit_code, pool]),
        exit_share=None,
        moved=None,  # the five exits of a spike are a place, not a pool
        declared=None,  # nor has it cards
        banned_us=None,  # nor is any of it closed
    )
    none = np.zeros(0, dtype=np.int64)
    dealt = topics[rng.integers(0, len(topics), len(labels))]
    cohort = Cohort(
        number=-1, found_by=frozenset({"frame"}), by_text=True, members=accounts, associated=none,
        trimmed=none, rid=np.arange(len(labels)), sid=labels, ts_us=times,
        payload=rng.integers(1, 2**62, len(labels)).astype(np.uint64),
        topic=dealt, raw_topic=dealt,
        harvest=np.zeros(len(labels), dtype=bool),
        answered=np.ones(len(labels), dtype=bool), fresh=np.ones(len(labels), dtype=bool),
        opens=np.ones(len(labels), dtype=bool), long=np.ones(len(labels), dtype=bool),
        variant=np.zeros(len(labels), dtype=np.int64), direct={}, direct_total={},
    )  # fmt: skip
    return cohort, grown


def _spikes(desk: Desk) -> pa.Table:
    from stillwatch.signals.step import coordination  # that module lists this one's siblings

    population = load_population(desk)
    rows: list[dict[str, Any]] = []
    rng = np.random.default_rng(desk.settings.seed)
    base = Coincidences({}, int(population.volume.sum()))
    known = shipped_references()
    without = (*desk.settings.without, *WATCHED)
    usual = desk.query(
        """SELECT min(usual_own) AS own, max(w_coordinated) FILTER (tested) AS most,
                  min(w_coordinated) FILTER (tested) AS least,
                  count(*) FILTER (tested) AS tested,
                  count(*) FILTER (tested AND w_extractive > 0) AS acted,
                  coalesce(bool_or(NOT isnan(e_source)), true) AS distinct_here
           FROM cohort_scores"""
    ).to_pylist()[0]
    asked_of = ALONE_ASKED * (usual["tested"] + 1) / (usual["acted"] + 1)
    usual_own = usual["own"] or harvest.USUAL_OWN
    if len(population.background) >= 50:
        for rung in RUNGS:
            for number in range(_PER_RUNG):
                in_turn = number % 2 == 0
                cohort, grown = _spike(rung, in_turn, population, population.background, rng)
                made = [
                    f
                    for f in coordination(cohort, grown, base, desk.columns, without)
                    if f.evaluable
                ]
                seen = traits(cohort, grown)
                if seen is None or not made:
                    continue
                n = len(cohort.rid)
                if usual["distinct_here"] and one_source.TEST.name not in desk.settings.without:
                    made.append(one_source.find(seen, n, known.apart, usual_own))
                asked = harvest.find(seen, n, known.together, usual_own)
                # turns would have been seen in part A too
                acts = in_turn and rung < max(RUNGS)
                weight = usual["most" if acts else "least"] or 1.0
                screen, early = (SPEAKS_E, ("turns",)) if acts else (0.0, ())
                said = [(f.signal, f.e_value) for f in made]
                rows.append(
                    {
                        "rung": rung,
                        "spike": number,
                        "e_coordinated": weight * e_of_claim(said, screen, early),
                        "e_extractive": asked_of * acts_speak(said, early) * asked.e_value,
                    }
                )
    schema = pa.schema(
        [("rung", pa.int32()), ("spike", pa.int32()), ("e_coordinated", pa.float64()),
         ("e_extractive", pa.float64())]
    )  # fmt: skip
    return pa.Table.from_pylist(rows, schema=schema)


SPIKES_STEP = Step(
    name="spikes",
    inputs=("background", "exchanges", "subjects", "direct", "cohort_scores"),
    output="spikes",
    function=_spikes,
)
