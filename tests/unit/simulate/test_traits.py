"""No simple trait of an account gives a campaign away, and languages are shared alike."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from datetime import datetime
from statistics import fmean

import numpy as np
import pytest
from scipy.stats import chisquare, rankdata

from stillwatch.simulate import CAMPAIGN_FAMILIES, LANGUAGE_MIX, WORLDS, simulate
from stillwatch.simulate.lexicon import lexicon

LEVEL = 0.001  # of each chi-square test; the worlds and seeds are fixed, so it cannot flicker


def account_features(played) -> dict[str, dict[str, float]]:
    rows = defaultdict(list)
    for row in played.exchanges.select(
        ["account_id", "messages", "output_tokens", "user_agent", "temperature", "status", "ip"]
    ).to_pylist():
        rows[row["account_id"]].append(row)
    end = played.result.end
    features = {}
    for account, mine in rows.items():
        created = datetime.fromisoformat(played.accounts[account]["created_at"])
        features[account] = {
            "turns": fmean(sum(m["role"] == "user" for m in r["messages"]) for r in mine),
            "system share": fmean(r["messages"][0]["role"] == "system" for r in mine),
            "volume": float(len(mine)),
            "age": (end - created).total_seconds(),
            "distinct clients": float(len({r["user_agent"] for r in mine})),
            "distinct addresses": float(len({r["ip"] for r in mine})),
            "output tokens": fmean(r["output_tokens"] for r in mine),
            "temperature": fmean(
                -0.1 if r["temperature"] is None else r["temperature"] for r in mine
            ),
            "failures": fmean(r["status"] != "ok" for r in mine),
        }
    return features


def auc(positive: list[float], negative: list[float]) -> float:
    ranks = rankdata(positive + negative)
    n, m = len(positive), len(negative)
    return float((ranks[:n].sum() - n * (n + 1) / 2) / (n * m))


def test_no_simple_feature_gives_campaigns_away(small):
    features = account_features(small)
    core = [a for a in features if small.truth[a]["role"] == "core"]
    loud = [a for a in core if small.truth[a]["family"] != "stealth"]
    honest = [a for a in features if small.truth[a]["role"] != "core"]
    print("\nfeature              AUC, honest vs non-stealth campaign accounts")
    for name in features[core[0]]:
        value = auc([features[a][name] for a in loud], [features[a][name] for a in honest])
        print(f"{name:20s} {value:.3f}")
        assert abs(value - 0.5) < 0.35, name


def test_campaigns_ask_in_the_mix_of_the_world(small):
    counts = small.result.languages["campaign"]
    total = sum(counts.values())
    expected = np.array([LANGUAGE_MIX[c] for c in LANGUAGE_MIX]) * total
    # second turns repeat the language of the first, so requests come in clusters of about 1.6
    cluster = 1.6
    observed = np.array([counts.get(c, 0) for c in LANGUAGE_MIX])
    p = chisquare(observed / cluster, expected / cluster).pvalue
    print(f"\ncampaign exchanges by language {counts}, p = {p:.3f}")
    assert p > LEVEL


@pytest.mark.parametrize("side", ["honest", "campaign"])
def test_homes_of_accounts_follow_the_mix(small, side):
    core = {a for a, t in small.truth.items() if t["family"] in CAMPAIGN_FAMILIES}
    chosen = core if side == "campaign" else set(small.truth) - core
    counts = Counter(small.truth[a]["language"] for a in chosen)
    expected = np.array([LANGUAGE_MIX[c] for c in LANGUAGE_MIX]) * len(chosen)
    p = chisquare([counts[c] for c in LANGUAGE_MIX], expected).pvalue
    print(f"\n{side} accounts by home language {dict(counts)}, p = {p:.3f}")
    assert p > LEVEL


def test_honest_and_campaign_languages_agree_over_seeds(tmp_path):
    shares = {"honest": Counter(), "campaign": Counter()}
    for seed in (1, 2, 3):
        languages = simulate("small", seed=seed, out=tmp_path).languages
        for side, counts in languages.items():
            total = sum(counts.values())
            for code, n in counts.items():
                shares[side][code] += n / total / 3
    for code, share in LANGUAGE_MIX.items():
        assert shares["honest"][code] == pytest.approx(share, abs=0.05)
        assert shares["campaign"][code] == pytest.approx(share, abs=0.03)


def test_languages_can_be_swapped(tmp_path):
    """The largest share goes to the first language named, whichever it is."""
    order = ("zh", "ja", "en", "de", "fr", "pt", "es")
    world = replace(WORLDS["small"], languages=order)
    languages = simulate(world, seed=1, out=tmp_path).languages
    for counts in languages.values():
        assert max(counts, key=counts.get) == "zh"
        assert counts["zh"] > 2.5 * counts["en"]


def test_languages_have_equal_tables():
    shape = None
    for code in LANGUAGE_MIX:
        lex = lexicon(code)
        mine = (
            {k: len(v) for k, v in lex.words.items()},
            {k: len(v) for k, v in lex.patterns.items()},
            len(lex.domains),
            {len(d) for d in lex.domains},
            {k: sorted(len(p.slots) for p in v)[-1] > 0 for k, v in lex.patterns.items()},
        )
        shape = shape or mine
        assert mine == shape, code
    assert shape[2] >= 60
