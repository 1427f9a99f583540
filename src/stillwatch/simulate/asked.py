"""What a simulated campaign asked, and what honest people of the same world asked and were told."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow.dataset as ds
import pyarrow.parquet as pq

from stillwatch.errors import ConfigError
from stillwatch.simulate.play import simulate
from stillwatch.simulate.students import Pair

__all__ = ["Asked", "asked_in"]

_LONGEST: Final = 240  # characters: small models answer short prompts


@dataclass(frozen=True)
class Asked:
    """``campaign`` holds a campaign's different prompts, ``honest`` other people's with answers."""

    name: str
    campaign: tuple[str, ...]
    honest: tuple[Pair, ...]


def asked_in(world: str, seed: int, campaign: str, corpora: Path | None = None) -> Asked:
    """Return what was asked in plain ASCII in a simulated world, each prompt once, in time's order.

    Mostly English, since the small models that answer here know no other language. Nothing of it
    is harmful: worlds take their texts from a grammar or from benign corpora.

    Args:
        world: a world that comes along, or a .toml file.
        seed: of the world.
        campaign: its name in the world's truth.
        corpora: data folder, else the grammar writes the texts.

    Raises:
        ConfigError: no such campaign, or one that asked nothing short in ASCII.
    """
    with tempfile.TemporaryDirectory() as folder:
        made = simulate(world, seed=seed, out=Path(folder), corpora=corpora)
        truth = {r["account_id"]: r for r in pq.read_table(made.truth_parquet).to_pylist()}
        table = ds.dataset(made.files["parquet"][0].parent).to_table(
            columns=["ts", "exchange_id", "account_id", "messages", "output_text"]
        )
    wanted: dict[str, None] = {}
    honest: dict[str, str] = {}
    for row in table.sort_by([("ts", "ascending"), ("exchange_id", "ascending")]).to_pylist():
        who = truth.get(row["account_id"])
        prompt = row["messages"][-1]["content"].strip()
        if who is None or not prompt.isascii() or not 8 < len(prompt) <= _LONGEST:
            continue
        if who["campaign"] == campaign and who["role"] == "core":
            wanted[prompt] = None
        elif who["campaign"] is None and len(row["messages"]) == 1 and row["output_text"]:
            answer = row["output_text"].strip()
            if answer.isascii() and len(answer) <= 2 * _LONGEST:
                honest.setdefault(prompt, answer)
    if not wanted:
        known = sorted({r["campaign"] for r in truth.values() if r["campaign"]})
        raise ConfigError(
            f"no short ASCII prompt of campaign {campaign}",
            where=world,
            hint=f"its campaigns: {', '.join(known)}",
        )
    return Asked(campaign, tuple(wanted), tuple((q, a) for q, a in honest.items()))
