"""Rate and volume rules: what most providers begin with."""

from __future__ import annotations

from typing import Final

import numpy as np

from stillwatch.bench.detector import Facts, Outcome
from stillwatch.bench.traffic import Traffic
from stillwatch.stats import FloatArray

__all__ = ["VolumeRules"]

_MINUTE_US: Final = 60_000_000
_HOURS_A_DAY: Final = 24
# As the rate limits of entry tiers are: requests a minute and a day, tokens a day.
_LIMITS: Final = {"minute": 50.0, "day": 1_000.0, "tokens_day": 1_000_000.0}


class VolumeRules:
    """The largest share of any limit that an account ever used; flagged from 1 on."""

    facts = Facts(
        name="volume_rules",
        title="Rate and volume rules",
        source="common practice",
        published="none",
        differs="limits: 50 requests a minute, 1,000 requests a day, 1,000,000 tokens a day",
    )

    def judge(self, traffic: Traffic, reference: Traffic, rng: np.random.Generator) -> Outcome:
        tokens = traffic.input_tokens + traffic.output_tokens
        day = traffic.hour // _HOURS_A_DAY
        used = [
            _peak(traffic, traffic.ts_us // _MINUTE_US, None) / _LIMITS["minute"],
            _peak(traffic, day, None) / _LIMITS["day"],
            _peak(traffic, day, tokens) / _LIMITS["tokens_day"],
        ]
        score = np.max(used, axis=0)
        return Outcome(score, score >= 1.0)


def _peak(traffic: Traffic, bins: np.ndarray, weights: FloatArray | None) -> FloatArray:
    """Return each account's largest sum in any bin of time."""
    bins = bins - bins.min(initial=0)
    width = int(bins.max(initial=0)) + 1
    keys, place = np.unique(traffic.account * width + bins, return_inverse=True)
    sums = np.bincount(place, weights=weights).astype(np.float64)
    peak = np.zeros(traffic.accounts)
    np.maximum.at(peak, keys // width, sums)
    return peak
