"""Keyed watermarks: a student of marked text is seen, repetition and prompts add nothing."""

from __future__ import annotations

import numpy as np
import pytest

from stillwatch.errors import ConfigError
from stillwatch.prove import is_green, score_radioactivity

KEY = b"k" * 32
WORDS = [f"word{k}" for k in range(60)]


def sampled(rng: np.random.Generator, length: int, key: bytes | None) -> str:
    """Return words; with a key, of two drawn at random the green one is taken."""
    out = ["start", "here"]
    while len(out) < length:
        pair = rng.choice(WORDS, 2)
        green = [w for w in pair if key and is_green(key, out[-2:], w, 0.5)]
        out.append(str(green[0] if green else pair[0]))
    return " ".join(out)


def test_marked_text_is_seen_and_plain_text_is_not():
    rng = np.random.default_rng(1)
    marked = score_radioactivity([sampled(rng, 400, KEY)], KEY)
    assert marked.p_value < 1e-10
    assert marked.green / marked.pairs > 0.65
    assert score_radioactivity([sampled(rng, 400, None)], KEY).p_value > 0.001
    assert score_radioactivity([sampled(rng, 400, KEY)], b"another key").p_value > 0.001


def test_repeats_and_what_the_suspect_was_shown_do_not_count():
    rng = np.random.default_rng(2)
    text = sampled(rng, 300, KEY)
    once = score_radioactivity([text], KEY)
    assert score_radioactivity([text] * 50, KEY) == once
    echoed = score_radioactivity([text], KEY, seen=[text])
    assert (echoed.pairs, echoed.p_value) == (0, 1.0)


def test_the_level_holds_over_keys_for_one_fixed_repetitive_suspect():
    rng = np.random.default_rng(3)
    texts = [sampled(rng, 60, None)] * 4 + [sampled(rng, 60, None)]
    runs = 1000
    p = np.array([score_radioactivity(texts, rng.bytes(16)).p_value for _ in range(runs)])
    for t in (0.1, 0.01, 0.001):
        assert np.mean(p <= t) <= t + 3.3 * np.sqrt(t * (1 - t) / runs)
    assert np.mean(p <= 0.5) > 0.35


def test_settings_out_of_range_are_refused():
    for wrong in ({"k": 0}, {"share": 0.0}, {"share": 1.0}):
        with pytest.raises(ConfigError):
            score_radioactivity(["a b c"], KEY, **wrong)
