"""Numbers about single accounts, for baselines that look at one account at a time."""

from __future__ import annotations

from typing import Final

import numpy as np

from stillwatch.bench.traffic import Traffic
from stillwatch.stats import FloatArray

__all__ = ["ACCOUNT_FEATURES", "account_features"]

ACCOUNT_FEATURES: Final = (
    "requests", "mean_prompt_bytes", "sd_prompt_bytes", "mean_output_tokens", "sd_output_tokens",
    "failed_share", "mean_temperature", "models", "clients", "exits", "repeated_payloads",
    "largest_frame", "active_hours", "largest_hour", "night_share", "gap_sd", "topic_spread",
)  # fmt: skip
_NIGHT: Final = 8


def account_features(traffic: Traffic) -> FloatArray:
    """Return one row an account in the order of ``names``, columns as in ``ACCOUNT_FEATURES``.

    Sizes and counts are log(1 + x). No language, script or country is read.
    """
    return np.array([_row(traffic, rows) for rows in traffic.by_account])


def _row(traffic: Traffic, rows: np.ndarray) -> list[float]:
    n = len(rows)
    prompt, output = traffic.prompt_bytes[rows], traffic.output_tokens[rows]
    hours = traffic.hour[rows]
    gaps = np.diff(traffic.ts_us[rows]) / 1e6
    day_hours = np.bincount(hours % 24, minlength=24)
    quietest = np.convolve(np.concatenate([day_hours, day_hours]), np.ones(_NIGHT), "valid").min()
    mean_topic = traffic.topic[rows].mean(axis=0)
    return [
        np.log1p(n),
        np.log1p(prompt.mean()),
        np.log1p(prompt.std()),
        np.log1p(output.mean()),
        np.log1p(output.std()),
        float(traffic.failed[rows].mean()),
        float(traffic.temperature[rows].mean()),
        len(np.unique(traffic.model[rows])),
        len(np.unique(traffic.client[rows])),
        np.log1p(len(np.unique(traffic.exit[rows]))),
        1.0 - len(np.unique(traffic.payload[rows])) / n,
        _largest(traffic.frame[rows]),
        np.log1p(len(np.unique(hours))),
        _largest(hours),
        float(quietest) / n,
        float(np.log1p(gaps).std()) if n > 2 else 0.0,
        1.0 - float(np.linalg.norm(mean_topic)),
    ]


def _largest(values: np.ndarray) -> float:
    """Return the share of the most frequent value."""
    return float(np.unique(values, return_counts=True)[1].max() / len(values))
