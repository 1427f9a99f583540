"""honeypotllm's scorer, the real package, fed with the log in event time."""

from __future__ import annotations

import hashlib
from types import SimpleNamespace
from typing import Final

import numpy as np

from stillwatch.bench.detector import Facts, Outcome
from stillwatch.bench.traffic import Traffic
from stillwatch.errors import ConfigError

__all__ = ["HoneypotLlm"]

_THRESHOLD: Final = 0.75
# Its states begin at the wall clock of their making and decay from there: event time is laid far
# enough after it that no first request lies before.
_LATER_S: Final = 4_000_000_000.0


class HoneypotLlm:
    """The largest suspicion that a key ever had."""

    facts = Facts(
        name="honeypotllm",
        title="honeypotllm 0.1.3",
        source="package honeypotllm (Apache-2.0), default settings",
        published="none",
        differs="the scorer reads the wall clock: its module's clock is replaced by event time "
        "while it runs; suspicion is judged by its own threshold, 0.75",
    )

    def judge(self, traffic: Traffic, reference: Traffic, rng: np.random.Generator) -> Outcome:
        try:
            from honeypotllm import ScoringConfig, SuspicionScorer, scoring
        except ImportError as error:
            raise ConfigError(
                "honeypotllm is not installed", where="honeypotllm",
                hint="pip install 'stillwatch[bench]'",
            ) from error  # fmt: skip
        scorer = SuspicionScorer(ScoringConfig(), suspicion_threshold=_THRESHOLD)
        keys = [hashlib.sha256(name.encode()).hexdigest() for name in traffic.names]
        first = int(traffic.ts_us[0]) if traffic.rows else 0
        score = np.zeros(traffic.accounts)
        real, clock = scoring.time, _Clock()
        scoring.time = SimpleNamespace(time=clock.read)
        try:
            rows = zip(
                traffic.account.tolist(), traffic.ts_us.tolist(), traffic.prompt,
                traffic.input_tokens.tolist(), strict=True,
            )  # fmt: skip
            for account, ts_us, prompt, tokens in rows:
                clock.now_s = _LATER_S + (ts_us - first) / 1e6
                told = scorer.score_request(keys[account], prompt=prompt, input_tokens=int(tokens))
                score[account] = max(score[account], told.score_after)
        finally:
            scoring.time = real
        return Outcome(score, score >= _THRESHOLD)


class _Clock:
    now_s = _LATER_S

    def read(self) -> float:
        return self.now_s
