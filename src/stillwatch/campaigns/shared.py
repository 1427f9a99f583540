"""Accounts that carry what another provider shared: at most `watch`, and never evidence.

1. An account carries a fingerprint as it carries a template: in two requests and a tenth of its
   own, or in half of them. One request that somebody slipped in is none.
2. What more than ``hub_cap`` accounts carry here is common here, whatever a contributor says of it.
3. A contributor counts once an account, however many fingerprints match: with the weight of its
   record, at most 0.8. Contributors add up as independent doubts, to at most 0.8.
4. From 0.2 on the account is watched, if nothing else is said of it. The findings, the e-values and
   the cohorts do not know of it: no hypothesis more is tested, so that who shares much cannot
   raise the bar for the others, and nobody is accused who was not.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import pyarrow as pa

from stillwatch.campaigns.judge import Judgement
from stillwatch.schema import TEMPLATE_LENGTHS, Desk, Indicator

__all__ = ["LARGEST", "LEAST", "Carrier", "carriers_of_shared", "put_on_watch", "shared_lines"]

LARGEST: Final = 0.8
LEAST: Final = 0.2
_BANDS: Final = tuple(f"band_{k}" for k in range(8))
_COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "system_prompt": ("h_system",),
    "tool_schema": ("h_tools",),
    "near_text": _BANDS,
    **{f"frame_{side}_{n}": (f"{side}_{n}",)
       for side in ("head", "tail") for n in TEMPLATE_LENGTHS},
}  # fmt: skip


@dataclass(frozen=True)
class Carrier:
    """A subject that carries shared fingerprints.

    ``told``: by contributor its weight, the campaigns that it named, the kinds of values and the
    most requests that carry one of them.
    """

    sid: int
    told: Mapping[str, tuple[float, tuple[str, ...], tuple[str, ...], int]]

    @property
    def weight(self) -> float:
        """The contributors' weights together, in [0, 0.8]."""
        doubt = 1.0
        for weight, *_ in self.told.values():
            doubt *= 1 - min(weight, LARGEST)
        return round(min(LARGEST, 1 - doubt), 9)


def carriers_of_shared(desk: Desk, indicators: Iterable[Indicator]) -> tuple[Carrier, ...]:
    """Return who carries any of the indicators, in the order of subjects.

    Kinds that the table of exchanges has no column for match nobody.
    """
    usable = [one for one in indicators if one.kind in _COLUMNS]
    if not usable:
        return ()
    kinds = sorted({one.kind for one in usable})
    values = pa.table(
        {
            "kind": pa.array([one.kind for one in usable], pa.string()),
            "object": pa.array([int(one.value, 16) for one in usable], pa.uint64()),
            "place": pa.array(range(len(usable)), pa.int32()),
        }
    )
    sides = " UNION ALL ".join(
        f"SELECT '{kind}' AS kind, CAST({column} AS UBIGINT) AS object, sid, rid FROM exchanges "
        f"WHERE {column} <> 0" + (" AND user_tokens >= 12" if kind == "near_text" else "")
        for kind in kinds
        for column in _COLUMNS[kind]
    )
    rows = desk.query(
        f"""WITH asked AS (SELECT DISTINCT kind, object FROM told),
                 sent AS (
                   SELECT c.kind, c.object, c.sid, count(DISTINCT c.rid) AS n
                   FROM ({sides}) c SEMI JOIN asked a ON a.kind = c.kind AND a.object = c.object
                   GROUP BY c.kind, c.object, c.sid),
                 carried AS (
                   SELECT t.* FROM sent t JOIN subjects s ON s.sid = t.sid
                   WHERE t.n >= 2 AND t.n * 10 >= s.exchanges OR t.n * 2 >= s.exchanges),
                 rare AS (
                   SELECT kind, object FROM carried GROUP BY kind, object
                   HAVING count(*) <= {desk.settings.hub_cap})
            SELECT c.sid, t.place, c.n FROM carried c
            JOIN rare r ON r.kind = c.kind AND r.object = c.object
            JOIN told t ON t.kind = c.kind AND t.object = c.object
            ORDER BY c.sid, t.place""",
        told=values,
    )
    hits: dict[int, dict[str, list[tuple[Indicator, int]]]] = defaultdict(lambda: defaultdict(list))
    for sid, place, n in zip(*(rows[c].to_pylist() for c in ("sid", "place", "n")), strict=True):
        hits[sid][usable[place].contributor].append((usable[place], n))
    return tuple(
        Carrier(sid, {who: _told(mine) for who, mine in sorted(by.items())})
        for sid, by in sorted(hits.items())
    )


def _told(
    mine: Sequence[tuple[Indicator, int]],
) -> tuple[float, tuple[str, ...], tuple[str, ...], int]:
    return (
        min(LARGEST, max(one.weight for one, _ in mine)),
        tuple(sorted({one.campaign_id for one, _ in mine})),
        tuple(sorted({one.kind for one, _ in mine})),
        max(n for _, n in mine),
    )


def put_on_watch(judgement: Judgement, carriers: Iterable[Carrier]) -> Judgement:
    """Return the judgement in which carriers of whom nothing was said are on watch.

    Campaigns, claims, members and every standing that was there stay as they are.
    """
    watched = {one.sid: "watch" for one in carriers if one.weight >= LEAST}
    return replace(judgement, standing={**watched, **judgement.standing})


def shared_lines(judgement: Judgement, carriers: Iterable[Carrier]) -> list[dict[str, Any]]:
    """Return shared.jsonl: a line for each carrier, contributor after contributor."""
    people = judgement.crowd.subjects
    accounts, users = people["account_id"].to_pylist(), people["end_user_id"].to_pylist()
    return [
        {
            "account_id": accounts[one.sid], "end_user_id": users[one.sid],
            "standing": judgement.standing.get(one.sid, "clear"), "weight": one.weight,
            "contributor": who, "contributor_weight": weight, "campaigns": list(campaigns),
            "kinds": list(kinds), "exchanges": n,
        }
        for one in carriers
        for who, (weight, campaigns, kinds, n) in one.told.items()
    ]  # fmt: skip
