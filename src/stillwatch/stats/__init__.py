"""Statistics that know nothing but numbers: tests, e-values, intervals, selection.

In: arrays of times, labels, counts, vectors, scores, and an explicit ``rng`` where chance
is drawn. Out: numbers, arrays and small frozen results. Promise: inputs are not changed,
the row order does not matter where the question has none, an undefined statistic is NaN
and a malformed input is an `EvidenceError`; each p-value satisfies P(p <= t) <= t under
the null its docstring states, or the docstring prints by how much it was measured to miss.
The room imports nothing of the project but its errors.
"""

from __future__ import annotations

from stillwatch.stats.adjacency import Adjacency, same_label_adjacent
from stillwatch.stats.bootstrap import bootstrap_interval
from stillwatch.stats.checks import P_FLOOR, FloatArray, IntArray, Tail
from stillwatch.stats.coins import (
    binomial_tail,
    coin_sum_tail,
    coin_sum_tails,
    holm_adjusted,
    trials_needed,
)
from stillwatch.stats.dealing import APPETITE, SITTING, Dealing, dealing_e
from stillwatch.stats.dispersion import fano, poisson_dispersion_p
from stillwatch.stats.evalues import (
    E_CEILING,
    ConformalE,
    calibrate,
    conformal_e,
    max_attainable,
    mean_e,
    product_e,
)
from stillwatch.stats.finite import finite_count_interval
from stillwatch.stats.fixed import round9
from stillwatch.stats.founders import Founders
from stillwatch.stats.habits import HabitResult, habit_p
from stillwatch.stats.hypergeometric import (
    hypergeometric_log_pmf,
    hypergeometric_log_tail,
    hypergeometric_log_zero,
)
from stillwatch.stats.intervals import (
    Interval,
    clopper_pearson,
    poisson_interval,
    rule_of_three,
    wilson,
)
from stillwatch.stats.looks import alpha_at_look
from stillwatch.stats.mixture import log_sum_exp, posterior
from stillwatch.stats.multiplicity import least_repeated
from stillwatch.stats.paired import PairedDifference, paired_difference
from stillwatch.stats.richness import rarefied_curve, rarefied_richness
from stillwatch.stats.scan import ScanResult, Times, scan_cluster
from stillwatch.stats.selection import (
    Selection,
    benjamini_hochberg,
    e_bh,
    needed_e,
    q_values,
)
from stillwatch.stats.sharing import Holdings, SharingResult, shared_value_test
from stillwatch.stats.silence import SilenceResult, common_silence
from stillwatch.stats.surrogates import (
    TAIL_FLOOR,
    Surrogate,
    interior_span,
    shifted_surrogates,
    surrogate_p,
    tail_p,
)
from stillwatch.stats.thinning import spread_rows
from stillwatch.stats.turns import Turns, each_own_turns_e, own_turns_e, turns_e
from stillwatch.stats.variance import BetweenShare, LeaveOneOut, between_share, leave_one_out
from stillwatch.stats.vectors import centred_blocks, centred_by, group_sums, unit_rows

__all__ = [
    "APPETITE",
    "E_CEILING",
    "P_FLOOR",
    "SITTING",
    "TAIL_FLOOR",
    "Adjacency",
    "BetweenShare",
    "ConformalE",
    "Dealing",
    "FloatArray",
    "Founders",
    "HabitResult",
    "Holdings",
    "IntArray",
    "Interval",
    "LeaveOneOut",
    "PairedDifference",
    "ScanResult",
    "Selection",
    "SharingResult",
    "SilenceResult",
    "Surrogate",
    "Tail",
    "Times",
    "Turns",
    "alpha_at_look",
    "benjamini_hochberg",
    "between_share",
    "binomial_tail",
    "bootstrap_interval",
    "calibrate",
    "centred_blocks",
    "centred_by",
    "clopper_pearson",
    "coin_sum_tail",
    "coin_sum_tails",
    "common_silence",
    "conformal_e",
    "dealing_e",
    "e_bh",
    "each_own_turns_e",
    "fano",
    "finite_count_interval",
    "group_sums",
    "habit_p",
    "holm_adjusted",
    "hypergeometric_log_pmf",
    "hypergeometric_log_tail",
    "hypergeometric_log_zero",
    "interior_span",
    "least_repeated",
    "leave_one_out",
    "log_sum_exp",
    "max_attainable",
    "mean_e",
    "needed_e",
    "own_turns_e",
    "paired_difference",
    "poisson_dispersion_p",
    "poisson_interval",
    "posterior",
    "product_e",
    "q_values",
    "rarefied_curve",
    "rarefied_richness",
    "round9",
    "rule_of_three",
    "same_label_adjacent",
    "scan_cluster",
    "shared_value_test",
    "shifted_surrogates",
    "spread_rows",
    "surrogate_p",
    "tail_p",
    "trials_needed",
    "turns_e",
    "unit_rows",
    "wilson",
]
