"""Mergers of e-values ignore nothing."""

from __future__ import annotations

import numpy as np
import pytest

from stillwatch.errors import EvidenceError
from stillwatch.stats import mean_e, product_e


def test_mergers_ignore_nothing() -> None:
    assert mean_e([0.0, 4.0]) == 2.0
    assert product_e([2.0, 4.0]) == pytest.approx(8.0)
    assert product_e([0.0, np.inf]) == 0.0
    assert np.isfinite(product_e([1e300, 1e300]))
    for merge in (mean_e, product_e):
        for bad in ([], [np.nan, 1.0], [-1.0]):
            with pytest.raises(EvidenceError):
                merge(bad)
