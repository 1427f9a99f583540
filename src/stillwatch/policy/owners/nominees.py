"""What a nominee holds belongs to whoever nominated it, where that is known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from stillwatch.policy.owners.holdings import UNIT, Interest, Party

__all__ = ["pass_through"]

_OWNING = ("shareholding", "votingRights")


def pass_through(interests: Iterable[Interest], parties: Mapping[str, Party]) -> list[Interest]:
    """Return the interests with nominators in the place of their nominees.

    1. On an asset with a nominator the party that is called nominee holds for it. With exactly one
       nominator and one nominee its holdings are the nominator's.
    2. With several, or with no known nominator, what a nominee holds has no known owner.
    3. Who nominates for an asset in which no nominee has a stated holding (an arrangement that
       only holds for others) owns it: all of it when alone, else an unknown part.
    """
    by_asset: dict[str, list[Interest]] = {}
    for interest in interests:
        by_asset.setdefault(interest.asset, []).append(interest)
    passed: list[Interest] = []
    for asset in sorted(by_asset):
        passed += _of_one_asset(asset, by_asset[asset], parties)
    return passed


def _of_one_asset(
    asset: str, interests: list[Interest], parties: Mapping[str, Party]
) -> list[Interest]:
    named = [i for i in interests if i.kind == "nominator"]
    nominators = sorted({i.owner for i in named if i.owner is not None})
    unknown_too = any(i.owner is None for i in named)
    nominees = {i.owner for i in interests if i.kind == "nominee"}
    owning = [i for i in interests if i.kind not in ("nominator", "nominee")]
    alone = len(nominators) == 1 and not unknown_too
    one = nominators[0] if alone and len(nominees) <= 1 else None
    sources = tuple(sorted({s for i in interests if i.kind in ("nominator", "nominee")
                            for s in i.sources}))  # fmt: skip
    held = [
        replace(i, owner=one, sources=tuple(sorted({*i.sources, *sources})))
        if i.owner in nominees and i.owner is not None
        else i
        for i in owning
    ]  # 1 and 2
    stated = any(i.owner in nominees for i in owning)
    party = parties.get(asset)
    holds_for_others = party is not None and party.kind == "arrangement"
    if nominators and not stated and (holds_for_others or not owning):  # 3
        low = UNIT if alone else 0
        held += [
            Interest(owner, asset, kind, low, UNIT, sources)
            for owner in nominators
            for kind in _OWNING
        ]
    return held
