"""How far a cohort is one payer: a team whose accounts name no common organization."""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from stillwatch.signals.data import Cohort, Population

__all__ = ["MAX_ONE_PAYER", "MIN_PAYERS", "one_payer"]

MAX_ONE_PAYER = 0.5
MIN_PAYERS = 3


def one_payer(cohort: Cohort, population: Population) -> tuple[float, int]:
    """Return the largest payer's share of the subjects of part B, and the number of payers.

    Subjects of one organization, or with one payment instrument, are one payer. What a single
    payer's accounts do together is ordinary: such a cohort is no hypothesis, whatever its topics.
    """
    sids = cohort.senders
    if not len(sids):
        return float("nan"), 0
    payment = population.codes["payment_hash"][sids]
    _, org = np.unique(population.org[sids], return_inverse=True)
    paid = np.flatnonzero(payment >= 0)
    _, card = np.unique(payment[paid], return_inverse=True)
    orgs = int(org.max()) + 1
    size = orgs + (int(card.max()) + 1 if len(card) else 0)
    links = coo_array((np.ones(len(paid)), (org[paid], orgs + card)), shape=(size, size))
    _, label = connected_components(links, directed=False)
    count = np.unique(label[org], return_counts=True)[1]
    return float(count.max() / len(sids)), len(count)
