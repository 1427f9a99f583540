"""Tables of who can live in a world: a family is a function of the stage and a size."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from stillwatch.simulate import crowds, drifts, groups, jobs, mimics, people, pools, products
from stillwatch.simulate.stage import Stage
from stillwatch.simulate.world import Size

__all__ = ["DRIFTS", "HARVESTERS", "HONEST"]

Family = Callable[[Stage, Size], None]

HONEST: Final[dict[str, Family]] = {
    "chat": people.chat_people,
    "scripts": people.scripts,
    "proxy_customers": people.proxy_customers,
    "applications": products.applications,
    "victims": products.victims,
    "agents": products.agents,
    "template": products.template,
    "plugin": products.plugin,
    "workflow": products.workflow,
    "evals": groups.evals,
    "classroom": groups.classroom,
    "hackathon": groups.hackathon,
    "gateway": groups.gateway,
    "teams": groups.teams,
    "failover": groups.failover,
    "research": groups.research,
    "judges": jobs.judges,
    "labelling": jobs.labelling,
    "rag": jobs.rag,
    "vendor": jobs.vendor,
    "tryouts": crowds.tryouts,
    "monitors": crowds.monitors,
    "generators": crowds.generators,
    "release_day": crowds.release_day,
    "rotated": crowds.rotated,
}
# the campaigns of the worlds that are written in Python (`world.World`)
HARVESTERS: Final[dict[str, Family]] = {
    "proxy_pool": pools.proxy_pool,
    "load_balanced": pools.load_balanced,
    "replaced": pools.replaced,
    "relay": mimics.relay,
    "framing": mimics.framing,
    "stealth": mimics.stealth,
}
DRIFTS: Final[dict[str, Callable[[Stage, Size, int], None]]] = {
    "launch": drifts.launch,
    "viral": drifts.viral,
    "country": drifts.country,
    "price": drifts.price,
}
