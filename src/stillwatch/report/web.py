"""The web of one campaign: its accounts, and the objects and direct links that join them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.report.facts import Campaign, Facts, records, said
from stillwatch.report.numbers import number
from stillwatch.schema import LINK_KINDS

__all__ = ["Direct", "Web", "read_web"]


@dataclass(frozen=True)
class Direct:
    """Evidence between two named accounts."""

    a: str
    b: str
    kind: str
    llr: float


@dataclass(frozen=True)
class Web:
    """Objects by name with the accounts that have them, and direct links."""

    accounts: list[str]
    kinds: dict[str, str]
    holders: dict[str, dict[str, float]]
    direct: list[Direct]
    alone: int

    def held(self) -> dict[str, dict[str, float]]:
        """Return the objects of each account with their weights in nats."""
        out: dict[str, dict[str, float]] = {a: {} for a in self.accounts}
        for name, holders in self.holders.items():
            for account, llr in holders.items():
                out[account][name] = llr
        return out


def read_web(facts: Facts, campaign: Campaign) -> Web | None:
    """Return the links among a campaign's members; None when the run has no links table.

    An object that only one member has joins nobody: it is left out and counted in ``alone``.
    """
    if facts.links is None:
        return None
    members = sorted({said(m.get("account_id")) for m in records(campaign.data.get("members"))})
    inside = set(members)
    table = facts.links.filter(pc.is_in(facts.links.column("b"), pa.array(members, pa.string())))
    holders: dict[str, dict[str, float]] = defaultdict(dict)
    kinds: dict[str, str] = {}
    direct: dict[tuple[str, str, str], float] = {}
    columns = (table.column(n).to_pylist() for n in ("a", "b", "kind", "llr"))
    for a, b, kind, llr in zip(*columns, strict=True):
        nats = number(llr) or 0.0
        known = LINK_KINDS.get(kind)
        if (known.direct if known else False) or a in inside:
            if a in inside and a != b:
                key = (a, b, kind)
                direct[key] = max(direct.get(key, nats), nats)
        else:
            kinds[a] = kind
            holders[a][b] = max(holders[a].get(b, nats), nats)
    shared = {name: dict(sorted(h.items())) for name, h in sorted(holders.items()) if len(h) > 1}
    return Web(
        accounts=members,
        kinds={name: kinds[name] for name in shared},
        holders=shared,
        direct=[Direct(*key, llr) for key, llr in sorted(direct.items())],
        alone=len(holders) - len(shared),
    )
