"""One creation time an organization: an organization speaks once in a burst of sign-ups."""

from __future__ import annotations

import numpy as np

from stillwatch.stats.checks import FloatArray
from stillwatch.stats.scan import Times

__all__ = ["Founders"]


class Founders:
    """Who stands for each organization, sorted once for the scans of many cohorts."""

    def __init__(self, org: np.ndarray, created_s: np.ndarray) -> None:
        """Choose the first member whose creation time is known.

        ``org``: organization of each subject, codes from 0; ``created_s``: seconds, NaN unknown.
        """
        self._org, self._created = org, created_s
        self._first = np.full(int(org.max(initial=-1)) + 1, -1, dtype=np.int64)
        known = np.flatnonzero(np.isfinite(created_s))
        orgs, first = np.unique(org[known], return_index=True)
        self._first[orgs] = known[first]
        self._times = Times(created_s[self._first[self._first >= 0]])

    def apart(self, subjects: np.ndarray) -> tuple[FloatArray, Times]:
        """Return creation times of the cohort ``subjects`` and of everybody, one an organization.

        An organization with subjects in the cohort is represented by the first of them in both.
        """
        subjects = subjects[np.isfinite(self._created[subjects])]
        orgs, first = np.unique(self._org[subjects], return_index=True)
        mine = self._created[subjects[first]]
        return mine, self._times.exchanged(self._created[self._first[orgs]], mine)
