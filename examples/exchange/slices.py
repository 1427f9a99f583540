"""One campaign and three providers: a world is played once, then its customers are divided.

Every organization is the customer of one provider, so that colleagues stay together; the accounts
of the campaign are dealt out in the order of their names.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Final

import pyarrow.parquet as pq

from stillwatch.bench.exchange import write_slice
from stillwatch.simulate import WORLDS, SimulatedWorld, Size, World, simulate

__all__ = ["CAMPAIGN", "split", "world_of"]

CAMPAIGN: Final = "load_balanced"


def world_of(scale: float, accounts: int) -> World:
    """Return the honest people of the demo world, scaled, and one campaign of so many accounts."""
    honest = WORLDS["demo"].without_campaigns().scale(scale, requests=0.42, name="exchange")
    return replace(honest, load_balanced=Size(1, accounts, 42))


def split(
    world: World, seed: int, folder: Path, providers: Sequence[str], shares: Sequence[int]
) -> tuple[SimulatedWorld, dict[str, str]]:
    """Write exchanges/ and accounts.csv of each provider; return the world, and who is whose.

    ``shares``: accounts of the campaign at each provider; they must add up to all of them.
    """
    made = simulate(world, seed=seed, out=folder / "world")
    truth = pq.read_table(made.truth_parquet, columns=["account_id", "campaign"]).to_pylist()
    guilty = sorted(row["account_id"] for row in truth if row["campaign"])
    if sum(shares) != len(guilty):
        raise ValueError(f"{sum(shares)} accounts are dealt out, {len(guilty)} there are")
    dealt = [name for name, count in zip(providers, shares, strict=True) for _ in range(count)]
    owner = dict(zip(guilty, dealt, strict=True))
    with made.accounts_csv.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        number = sha256((row["org_id"] or row["account_id"]).encode()).digest()[0]
        owner.setdefault(row["account_id"], providers[number % len(providers)])
    for name in providers:
        mine = {account for account, whose in owner.items() if whose == name}
        write_slice(made, folder / name, rows, mine)
    return made, owner
