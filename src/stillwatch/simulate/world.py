"""A world says how many of whom: a size for every honest family and every campaign."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, Final

from stillwatch.simulate.lexicon import LANGUAGE_MIX

__all__ = ["CAMPAIGN_FAMILIES", "WORLDS", "Size", "World"]


@dataclass(frozen=True)
class Size:
    """``groups`` groups of ``accounts`` accounts; ``requests``: mean requests of an account."""

    groups: int = 0
    accounts: int = 0
    requests: float = 0.0

    @property
    def total(self) -> int:
        return self.groups * self.accounts

    def scale(self, factor: float, requests: float = 1.0) -> Size:
        """Return the size with ``factor`` times the accounts, at least three a group."""
        if not self.total:
            return self
        if self.groups > 3:
            return Size(
                max(2, round(self.groups * factor)), self.accounts, self.requests * requests
            )
        few = min(self.accounts, 3)
        accounts = max(few, round(self.accounts * factor))
        return Size(self.groups, accounts, max(2.0, self.requests * requests))


NONE: Final = Size()


@dataclass(frozen=True)
class World:
    """Sizes of all families; the last six are campaigns, everybody else is honest."""

    name: str
    days: int = 7
    # languages from the largest share of the mix to the smallest; reorder them to swap languages
    languages: tuple[str, ...] = tuple(LANGUAGE_MIX)
    chat: Size = NONE
    scripts: Size = NONE
    proxy_customers: Size = NONE
    applications: Size = NONE
    victims: Size = NONE
    agents: Size = NONE
    template: Size = NONE
    plugin: Size = NONE
    workflow: Size = NONE
    evals: Size = NONE
    classroom: Size = NONE
    hackathon: Size = NONE
    gateway: Size = NONE
    teams: Size = NONE
    failover: Size = NONE
    research: Size = NONE
    judges: Size = NONE
    labelling: Size = NONE
    rag: Size = NONE
    vendor: Size = NONE
    proxy_pool: Size = NONE
    load_balanced: Size = NONE
    replaced: Size = NONE
    relay: Size = NONE
    framing: Size = NONE
    stealth: Size = NONE

    def sizes(self) -> dict[str, Size]:
        """Return family → size in the order of play."""
        named = {f.name: getattr(self, f.name) for f in fields(self)}
        return {name: size for name, size in named.items() if isinstance(size, Size)}

    def scale(self, factor: float, *, requests: float = 1.0, name: str = "") -> World:
        """Return the world with ``factor`` times the accounts, ``requests`` times their requests.

        The number of groups of a family stays where it is three or fewer, so that every family
        remains present.
        """
        scaled: dict[str, Any] = {n: s.scale(factor, requests) for n, s in self.sizes().items()}
        return replace(self, name=name or self.name, **scaled)

    def without_campaigns(self, name: str = "") -> World:
        """Return the same honest people and no campaign."""
        none: dict[str, Any] = dict.fromkeys(CAMPAIGN_FAMILIES, NONE)
        return replace(self, name=name or f"{self.name}-benign", **none)


CAMPAIGN_FAMILIES: Final = (
    "proxy_pool",
    "load_balanced",
    "replaced",
    "relay",
    "framing",
    "stealth",
)

_DEMO: Final = World(
    "demo",
    7,
    chat=Size(1, 1050, 17),
    scripts=Size(1, 330, 17),
    proxy_customers=Size(1, 55, 12),
    applications=Size(1, 150, 60),
    victims=Size(3, 2, 120),
    agents=Size(1, 80, 60),
    template=Size(2, 130, 14),
    plugin=Size(2, 130, 13),
    workflow=Size(1, 160, 24),
    evals=Size(2, 5, 200),
    classroom=Size(1, 45, 10),
    hackathon=Size(1, 40, 22),
    gateway=Size(2, 1, 1200),
    teams=Size(22, 4, 22),
    failover=Size(12, 2, 40),
    research=Size(1, 8, 60),
    judges=Size(1, 30, 85),
    labelling=Size(1, 40, 85),
    rag=Size(1, 14, 220),
    vendor=Size(1, 15, 110),
    proxy_pool=Size(1, 220, 4),
    load_balanced=Size(1, 40, 85),
    replaced=Size(1, 24, 45),
    relay=Size(1, 36, 60),
    framing=Size(1, 36, 45),
    stealth=Size(1, 45, 34),
)
# Campaigns keep about four requests an account where that is their shape, and enough accounts.
_SMALL: Final = replace(
    _DEMO.without_campaigns().scale(0.28, requests=0.42, name="small"),
    proxy_pool=Size(1, 60, 4),
    load_balanced=Size(1, 20, 42),
    replaced=Size(1, 12, 24),
    relay=Size(1, 20, 30),
    framing=Size(1, 18, 26),
    stealth=Size(1, 20, 22),
)
_TINY: Final = _DEMO.scale(0.03, requests=0.2, name="tiny")

WORLDS: Final[dict[str, World]] = {
    w.name: w for w in (_DEMO, _DEMO.without_campaigns(), _SMALL, _SMALL.without_campaigns(), _TINY)
}
