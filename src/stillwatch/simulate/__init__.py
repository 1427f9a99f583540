"""Labelled traffic of a made-up provider: honest people of every kind, and campaigns among them.

Input: a plan (a world in TOML: people, drifts, campaigns) or a `World` (sizes of families), and a
seed. Output under a folder: ``exchanges/*.parquet``
(canonical, a file a day, sorted by time), ``accounts.csv``, ``permits.csv``, ``ownership.csv``,
optional LiteLLM logs, and ``truth.parquet``, which only tests and benchmarks may read.
Promise: the same arguments give the same bytes; honest rows do not depend on campaigns;
campaigns and honest families have one language mix; this room knows no detector.
"""

from stillwatch.simulate.corpora import Corpus, known_corpora
from stillwatch.simulate.lexicon import LANGUAGE_MIX
from stillwatch.simulate.plan import WorldPlan, load_plan, shipped_plans
from stillwatch.simulate.play import FORMATS, SimulatedWorld, simulate
from stillwatch.simulate.shapes import SHAPES
from stillwatch.simulate.truth import PLAN_TRUTH, TRUTH
from stillwatch.simulate.world import CAMPAIGN_FAMILIES, WORLDS, Size, World

__all__ = [
    "CAMPAIGN_FAMILIES",
    "FORMATS",
    "LANGUAGE_MIX",
    "PLAN_TRUTH",
    "SHAPES",
    "TRUTH",
    "WORLDS",
    "Corpus",
    "SimulatedWorld",
    "Size",
    "World",
    "WorldPlan",
    "known_corpora",
    "load_plan",
    "shipped_plans",
    "simulate",
]
