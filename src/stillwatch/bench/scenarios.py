"""The worlds of the benchmark by name: a population, its campaigns, and the drift it is under."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from stillwatch.errors import ConfigError
from stillwatch.simulate import (
    WORLDS,
    SimulatedWorld,
    Size,
    World,
    WorldPlan,
    load_plan,
    shipped_plans,
    simulate,
)

__all__ = ["EVENT_DRIFTS", "MIX_DRIFTS", "Scenario", "benign", "scenario"]


@dataclass(frozen=True)
class Scenario:
    """A world that can be made again from a seed. ``drift``: how its honest people differ.

    ``corpora``: data folder for the texts of a world from a file; None: the grammar writes them.
    """

    name: str
    world: World | WorldPlan
    drift: str = "none"
    corpora: Path | None = None

    def make(self, seed: int, out: Path) -> SimulatedWorld:
        """Write the world under ``out``; the same seed gives the same bytes."""
        return simulate(self.world, seed=seed, out=out, corpora=self.corpora)

    def with_texts(self, corpora: Path, *, held_out: bool) -> Scenario:
        """Return the scenario with texts of a split of the corpora; a preset stays as it is."""
        if isinstance(self.world, World):
            return self
        split = "held_out" if held_out else "development"
        world = self.world.model_copy(update={"corpora": split})
        return replace(self, name=f"{self.name}-texts", world=world, corpora=corpora)


def _fewer_chatters(world: World, added: int) -> Size:
    """Return the chat users less as many as a drift adds, so that the world keeps its size."""
    return replace(world.chat, accounts=max(world.chat.accounts - added, 50))


def _template_boom(world: World) -> World:
    """Strangers by the hundred take up six more published templates in the week."""
    more = replace(world.template, groups=world.template.groups + 6)
    return replace(
        world, template=more, chat=_fewer_chatters(world, more.total - world.template.total)
    )


def _class_season(world: World) -> World:
    """Six classes and four hackathons fall into one week."""
    classes = replace(world.classroom, groups=6)
    hacks = replace(world.hackathon, groups=4)
    added = classes.total + hacks.total - world.classroom.total - world.hackathon.total
    return replace(world, classroom=classes, hackathon=hacks, chat=_fewer_chatters(world, added))


def _release_week(world: World) -> World:
    """A model is released: evaluations, judges and labelling jobs by the hundred."""
    evals = replace(world.evals, groups=8, requests=world.evals.requests / 2)
    judges = replace(world.judges, accounts=3 * world.judges.accounts)
    labelling = replace(world.labelling, accounts=2 * world.labelling.accounts)
    added = evals.total + judges.total + labelling.total
    added -= world.evals.total + world.judges.total + world.labelling.total
    return replace(
        world, evals=evals, judges=judges, labelling=labelling,
        chat=_fewer_chatters(world, added),
    )  # fmt: skip


def _language_turn(world: World) -> World:
    """The mix of languages turns round: the rarest becomes the most frequent."""
    return replace(world, languages=tuple(reversed(world.languages)))


def _automation(world: World) -> World:
    """Automation doubles its accounts and sends half as much again; scripts grow by half."""
    workflow = replace(
        world.workflow, accounts=2 * world.workflow.accounts, requests=1.5 * world.workflow.requests
    )
    scripts = replace(world.scripts, accounts=round(1.5 * world.scripts.accounts))
    added = workflow.total + scripts.total - world.workflow.total - world.scripts.total
    return replace(world, workflow=workflow, scripts=scripts, chat=_fewer_chatters(world, added))


# The mix of families shifts; the world keeps its number of accounts.
MIX_DRIFTS: Final[dict[str, Callable[[World], World]]] = {
    "none": lambda world: world,
    "template_boom": _template_boom,
    "class_season": _class_season,
    "release_week": _release_week,
    "language_turn": _language_turn,
    "automation": _automation,
}
# Something happens within the week: worlds from files, hundreds of strangers set in motion.
EVENT_DRIFTS: Final[dict[str, str]] = {
    "week": "benign",
    "launch": "drift-launch",
    "viral": "drift-viral",
    "country": "drift-country",
    "price": "drift-price",
}


def benign(drift: str, base: str = "demo") -> Scenario:
    """Return honest people under a drift: of a preset where the mix shifts, else of a file.

    Raises ConfigError for an unknown drift.
    """
    name = f"benign-{drift}"
    if drift in EVENT_DRIFTS:
        return Scenario(name, load_plan(EVENT_DRIFTS[drift]), drift)
    if drift not in MIX_DRIFTS:
        known = ", ".join((*MIX_DRIFTS, *EVENT_DRIFTS))
        raise ConfigError(f"no drift named {drift}", hint=f"choose from {known}")
    world = MIX_DRIFTS[drift](WORLDS[base].without_campaigns())
    return Scenario(name, replace(world, name=name), drift)


def scenario(name: str) -> Scenario:
    """Return a shipped world or a preset. Raises ConfigError for an unknown name."""
    if name in WORLDS:
        return Scenario(name, WORLDS[name])
    if name in shipped_plans():
        return Scenario(name, load_plan(name))
    known = ", ".join((*WORLDS, *shipped_plans()))
    raise ConfigError(f"no world named {name}", hint=f"choose from {known}")
