"""Labelled traffic of a made-up provider: honest people of every kind, and campaigns among them.

Input: a plan (a world in TOML: people, drifts, campaigns) or a `World` (sizes of families), and a
seed. Output under a folder: ``exchanges/*.parquet``
(canonical, a file a day, sorted by time), ``accounts.csv``, ``permits.csv``, ``ownership.csv``,
optional LiteLLM logs, and ``truth.parquet``, which only tests and benchmarks may read.
Promise: the same arguments give the same bytes; honest rows do not depend on campaigns;
campaigns and honest families have one language mix; this room knows no detector.

It also has models whose teachers are known: tiny ones trained on the spot, and (``smollm``, entered
by its own name, since it loads PyTorch) a real one. Input: question and answer pairs.
"""

from stillwatch.simulate.asked import Asked, asked_in
from stillwatch.simulate.corpora import Corpus, known_corpora
from stillwatch.simulate.lexicon import LANGUAGE_MIX
from stillwatch.simulate.plan import WorldPlan, load_plan, shipped_plans
from stillwatch.simulate.play import FORMATS, SimulatedWorld, simulate
from stillwatch.simulate.shapes import SHAPES
from stillwatch.simulate.students import (
    Learner,
    Pair,
    TinyModel,
    Writer,
    draw_writer,
    train,
)
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
    "Asked",
    "Corpus",
    "Learner",
    "Pair",
    "SimulatedWorld",
    "Size",
    "TinyModel",
    "World",
    "WorldPlan",
    "Writer",
    "asked_in",
    "draw_writer",
    "known_corpora",
    "load_plan",
    "shipped_plans",
    "simulate",
    "train",
]
