"""Requests are dealt out at random: equal shares all the time, and nobody works in sittings."""

from __future__ import annotations

from typing import Final

import numpy as np

from stillwatch.schema import CohortTest, Finding, Null
from stillwatch.signals.data import Cohort, Population
from stillwatch.signals.verdicts import not_enough, wagered
from stillwatch.stats import APPETITE, SITTING, dealing_e

__all__ = ["TEST", "find"]

TEST = CohortTest(
    name="dealt_evenly",
    title="Requests dealt out evenly at random",
    claim="coordinated",
    null=f"the organizations' rates vary by {APPETITE:.0%} and more, at all times or from time to "
    f"time, or {SITTING:.0%} of the requests belong to a sitting of an hour",
    needs=("ts", "ip"),
    own=True,
)
_LEAST_ORGANIZATIONS: Final = 8
_LEAST_MEAN: Final = 3.0
_LATELY_US: Final = 3_600_000_000
_ONE_EXIT: Final = 0.3


def find(cohort: Cohort, population: Population) -> Finding:
    """Bet that one hand deals at random (`stats.dealing_e`).

    Customers differ in appetite, have busy days, and come in sittings; each of the three loses the
    bet. Jobs do none of it: where the accounts follow a clock (`hours.on_a_clock`) it counts as
    nothing, and so where they share neither exits nor payment. Services that spread their
    customers' jobs do the same: it puts a cohort on watch and is no evidence of any claim. But it
    lets exits count where no template is in common (`rotating_exits`, `crossed_cards`). Not asked
    where three tenths and more leave through one address prefix: an office, a class or a vendor's
    server. Members that sent nothing in the test blocks count.
    """
    heard = np.setdiff1d(np.union1d(cohort.members, cohort.sid), cohort.trimmed)
    orgs = np.unique(population.org[heard])
    if len(orgs) < _LEAST_ORGANIZATIONS or len(cohort.sid) < _LEAST_MEAN * len(orgs):
        return not_enough(
            TEST, len(orgs), "fewer than eight organizations or three requests of each"
        )
    exits = population.exit_code[heard]
    most = int(np.bincount(exits[exits >= 0]).max(initial=0))
    if most >= _ONE_EXIT * len(heard):
        return not_enough(
            TEST, len(orgs), f"{most} of {len(heard)} accounts leave through one address prefix"
        )
    labels = np.searchsorted(orgs, population.org[cohort.sid])
    found = dealing_e(labels, cohort.ts_us, len(orgs), _LATELY_US)
    text = (
        f"The rates of {len(orgs)} organizations vary by {found.uneven:.0%} (customers' by "
        f"{APPETITE:.0%} and more), and {found.again:.0%} of {len(labels):,} requests came from "
        f"one that had sent another within the hour ({found.expected:.0%} if dealt at random): "
        "worth a look, and it accuses nobody"
    )
    null = Null("customers", APPETITE, APPETITE, 1.0)
    return wagered(TEST, found.uneven, found.e_value, len(labels), null, text)
