"""From a registered plan to a signed order that the guard plants by: the seed stays behind."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from stillwatch.errors import ConfigError, EvidenceError, NotPermitted
from stillwatch.prove.marks import coin_key, swap_of
from stillwatch.prove.registry import Registry
from stillwatch.prove.tracing import read_plan, read_seed
from stillwatch.schema import to_micros, write_whole
from stillwatch.schema.planting import PLANTING_KIND, Planting, planting_payload
from stillwatch.seal import canonical, digest, read_private_key, seal

__all__ = ["order_planting"]


def order_planting(
    plan_file: Path,
    seed_file: Path,
    registry: Path,
    key: Path,
    out: Path,
    *,
    now: datetime,
    days: int,
    campaigns: Sequence[str] = (),
) -> Planting:
    """Write a signed order to plant a plan's words and formats; return it.

    Args:
        plan_file, seed_file: what `plan_canaries` wrote.
        registry: has the plan, its nonce if there is one, and that it is planted under which
            legal basis; in that order.
        key: private key of the registry; it signs the order too.
        out: the order; it tells each campaign's marks, so its owner alone may read it (0600).
        now: its time.
        days: for how long it holds, 1 to 366.
        campaigns: those of the plan that it is for; all by default.

    Raises:
        EvidenceError: the registry does not verify, the plan was not entered, the seed is another.
        NotPermitted: no legal basis for this plan was entered before.
        ConfigError: a campaign is none of the plan's, or a number of days out of bounds.
        InputError: a file cannot be read.
    """
    if not 1 <= days <= 366:
        raise ConfigError(f"got {days} days, expected 1 to 366", where="days")
    plan, seed, private = read_plan(plan_file), read_seed(seed_file), read_private_key(key)
    if unknown := sorted(set(campaigns) - set(plan.campaigns)):
        raise ConfigError(f"the plan has no campaign {', '.join(unknown)}", where=plan_file.name)
    if digest(seed) != plan.seed_digest:
        raise EvidenceError(
            "the seed is not the one that the plan committed to", where=seed_file.name
        )
    book = Registry(registry, [private.public_key()])
    book.plan_place(plan)
    entered = book.planted(plan)
    if not entered:
        raise NotPermitted(
            "no legal basis to plant this plan was registered",
            where=registry.name,
            hint="stillwatch prove canary register --planted plan.json --legal-basis TEXT",
        )
    coins = coin_key(seed, book.nonce(plan)[0])
    marks = [m for m in plan.marks if m.kind != "fact"]
    order = Planting(
        plan_digest=plan.plan_digest,
        registry_head=book.head,
        legal_basis="; ".join(dict.fromkeys(entry["legal_basis"] for entry in entered)),
        made_us=to_micros(now),
        until_us=to_micros(now + timedelta(days=days)),
        campaigns={
            name: tuple(swap_of(mark, coins, name) for mark in marks)
            for name in plan.campaigns
            if not campaigns or name in campaigns
        },
    )
    envelope = seal(canonical(planting_payload(order)), PLANTING_KIND, [private])
    write_whole(out, json.dumps(envelope).encode(), secret=True)
    return order
