"""Cohorts → findings: what each hypothesis shows on data that did not suggest it.

*Input*: `cohorts`, `cohort_members`, `exchanges` (part B), `subjects`, `direct`. *Output*:
`background` (topics of strangers), `findings`, one row per cohort and test, and `cohort_scores`,
one row per cohort: its traits and the e-values of its two claims. *Promise*: each test's null
stands in its docstring and its false alarm rate is tested; a test whose columns the input lacks is
*not evaluable*, never *clean*; no language, script or country is read.
"""

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
    ACTED_E,
    ALONE,
    ALONE_ASKED,
    BESIDE,
    KINDS,
    SCREEN_E,
    WATCHED,
    e_of_acts,
    e_of_claim,
    e_of_halves,
)
from stillwatch.signals.data import BACKGROUND_STEP
from stillwatch.signals.hours import NOTHING
from stillwatch.signals.payers import TEAMS
from stillwatch.signals.reference import Reference, References, shipped_references
from stillwatch.signals.registered import registered_cohorts, registered_findings
from stillwatch.signals.spikes import RUNGS, SPIKES_STEP
from stillwatch.signals.step import FINDINGS_STEP, SCORES_STEP, lacking

TESTS = (
    signup_burst.TEST,
    shared_values.ACCOUNT_TEST,
    shared_values.EXIT_TEST,
    crossed_cards.TEST,
    rotating_exits.TEST,
    round_robin.TEST,
    even_volumes.TEST,
    dealt_evenly.TEST,
    shared_mix.TEST,
    *direct_evidence.TESTS.values(),
    ban_waves.TEST,
    one_fleet.TEST,
    one_source.TEST,
    harvest.TEST,
    two_reasons.TEST,
)
DIRECT = frozenset(test.name for test in direct_evidence.TESTS.values())
STEPS = (BACKGROUND_STEP, FINDINGS_STEP, SCORES_STEP, SPIKES_STEP)
__all__ = [
    "ACTED_E",
    "ALONE",
    "ALONE_ASKED",
    "BESIDE",
    "DIRECT",
    "KINDS",
    "NOTHING",
    "RUNGS",
    "SCORES_STEP",
    "SCREEN_E",
    "STEPS",
    "TEAMS",
    "TESTS",
    "WATCHED",
    "Reference",
    "References",
    "e_of_acts",
    "e_of_claim",
    "e_of_halves",
    "lacking",
    "registered_cohorts",
    "registered_findings",
    "shipped_references",
]
