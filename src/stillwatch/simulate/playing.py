"""A plan is played on a stage: honest people, then drifts, then campaigns."""

from __future__ import annotations

from pathlib import Path

from stillwatch.simulate.arrivals import UNEVENNESS, FittedClock, parameters
from stillwatch.simulate.clock import DAY, HOUR, Clock
from stillwatch.simulate.corpora import read_texts
from stillwatch.simulate.corpus_text import CorpusGrammar
from stillwatch.simulate.families import DRIFTS, HONEST
from stillwatch.simulate.grammar import Grammar
from stillwatch.simulate.harvest import harvest
from stillwatch.simulate.plan import WorldPlan
from stillwatch.simulate.sink import Sink
from stillwatch.simulate.stage import Stage
from stillwatch.simulate.world import Size

__all__ = ["plan_stage", "play_plan"]


def plan_stage(plan: WorldPlan, seed: int, end: int, folder: Path, corpora: Path | None) -> Stage:
    """Return the stage of a plan that ends at ``end`` (microseconds) and writes to ``folder``.

    Raises ConfigError where ``corpora`` holds no corpus of the plan's split.
    """
    grammar = Grammar(seed)
    if corpora is not None and plan.corpora != "grammar":
        grammar = CorpusGrammar(seed, read_texts(corpora, plan.corpora))
    fitted = plan.arrivals == "fitted"
    return Stage(
        seed,
        end - plan.days * DAY,
        end,
        Sink(folder, _span(plan.days)),
        plan.languages,
        clock=FittedClock(parameters()) if fitted else Clock(),
        grammar=grammar,
        unevenness=UNEVENNESS if fitted else 1.0,
    )


def _span(days: int) -> int:
    """Return how much traffic is sorted at once: at most some 250 spilled files are open."""
    return next(
        s for s in (HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY) if days * DAY <= 250 * s or s == DAY
    )


def play_plan(stage: Stage, plan: WorldPlan) -> None:
    """Play the plan. Honest rows do not depend on campaigns: each part has dice of its own."""
    sizes = {p.family: Size(p.groups, p.accounts, p.requests) for p in plan.people}
    for family, size in sizes.items():
        HONEST[family](stage, size)
        stage.forget_words()
    for drift in plan.drift:
        at = stage.start + int(drift.day * DAY)
        DRIFTS[drift.kind](stage, Size(1, drift.accounts, drift.requests), at)
        stage.forget_words()
    honest_rows = stage.sink.count
    shares = sum(c.share or 0.0 for c in plan.campaign)
    for campaign in plan.campaign:
        harvest(stage, campaign, honest_rows, shares)
        stage.forget_words()
