"""Isolation forest over account features: the usual unsupervised choice."""

from __future__ import annotations

from typing import Final

import numpy as np

from stillwatch.bench.detector import Facts, Outcome
from stillwatch.bench.features import account_features
from stillwatch.bench.traffic import Traffic
from stillwatch.errors import ConfigError

__all__ = ["IsolationForest"]

_TREES: Final = 100
_SAMPLE: Final = 256


class IsolationForest:
    """The anomaly score of an account's features; 100 trees of 256 accounts, as in the paper."""

    facts = Facts(
        name="isolation_forest",
        title="Isolation forest",
        source="Liu, Ting, Zhou 2008 (ICDM), scikit-learn",
        published="AUC 0.99 and above on Http, Shuttle and Breastw; none on text traffic",
        differs="features of accounts (volume, lengths, hours, clients, exits, topics), not the "
        "paper's data; no threshold of its own",
    )

    def judge(self, traffic: Traffic, reference: Traffic, rng: np.random.Generator) -> Outcome:
        try:
            from sklearn.ensemble import IsolationForest as Forest
        except ImportError as error:
            raise ConfigError(
                "scikit-learn is not installed", where="isolation_forest",
                hint="pip install 'stillwatch[bench]'",
            ) from error  # fmt: skip
        features = account_features(traffic)
        forest = Forest(
            n_estimators=_TREES, max_samples=min(_SAMPLE, len(features)),
            random_state=int(rng.integers(2**31)),
        ).fit(features)  # fmt: skip
        return Outcome(-forest.score_samples(features))
