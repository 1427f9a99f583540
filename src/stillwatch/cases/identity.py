"""Which case a rescan's campaign belongs to: decided by the accounts that they have in common.

A campaign's own id follows from its exchanges and changes whenever it grows, so it cannot name a
case.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

__all__ = ["LEAST_SHARE", "Match", "Merge", "match_campaigns"]

LEAST_SHARE: Final = 0.5  # of the smaller of the two


@dataclass(frozen=True)
class Match:
    """One campaign's case; None where it opens a new one.

    ``change``: new, same, grew, shrank, changed (some came, some left), or split: most of its
    accounts were in the case ``split_from``, which another campaign carries on.
    """

    campaign_id: str
    case_id: str | None
    change: str
    split_from: str | None
    came: int
    left: int


@dataclass(frozen=True)
class Merge:
    """A case whose accounts are now in a campaign that carries on another case."""

    case_id: str
    into_campaign: str


def match_campaigns(
    cases: Mapping[str, Collection[str]], campaigns: Mapping[str, Collection[str]]
) -> tuple[list[Match], list[Merge]]:
    """Return a match for every campaign and the merges, whatever the order of the inputs.

    ``cases``: the accounts that each open case was last seen with, in the order in which the cases
    were opened. ``campaigns``: each campaign's accounts.

    1. A case and a campaign are kin when they share at least half of the smaller one's accounts.
    2. A campaign carries on the case that it shares the most accounts with; of equals the older.
    3. A case is carried on by the campaign that shares the most with it among those that chose it;
       of equals the larger, then the first by name. The others are split off it.
    4. A case that no campaign carries on, and that is kin to one, is merged into that one's case.
    """
    age = {case: n for n, case in enumerate(cases)}
    shared = _kinship(cases, campaigns)  # 1
    chosen: dict[str, str] = {}
    for campaign in sorted(campaigns):
        kin = [(-n, age[case], case) for case, n in shared.get(campaign, {}).items()]
        if kin:
            chosen[campaign] = min(kin)[2]  # 2
    takers: dict[str, list[tuple[int, int, str]]] = {}
    for campaign, case in chosen.items():
        takers.setdefault(case, []).append(
            (-shared[campaign][case], -len(campaigns[campaign]), campaign)
        )
    heir = {case: min(takers[case])[2] for case in cases if case in takers}  # 3
    matches = []
    for campaign in sorted(campaigns):
        parent = chosen.get(campaign)
        if parent is None:
            matches.append(Match(campaign, None, "new", None, len(campaigns[campaign]), 0))
        elif heir[parent] != campaign:
            matches.append(Match(campaign, None, "split", parent, 0, 0))
        else:
            came = len(set(campaigns[campaign]) - set(cases[parent]))
            left = len(set(cases[parent]) - set(campaigns[campaign]))
            matches.append(Match(campaign, parent, _change(came, left), None, came, left))
    return matches, _merges(cases, shared, heir)


def _kinship(
    cases: Mapping[str, Collection[str]], campaigns: Mapping[str, Collection[str]]
) -> dict[str, dict[str, int]]:
    """Return campaign → case → accounts in common, of kin only, in time linear in the accounts."""
    cases_of: dict[str, list[str]] = {}
    for case, accounts in cases.items():
        for account in set(accounts):
            cases_of.setdefault(account, []).append(case)
    kin: dict[str, dict[str, int]] = {}
    for campaign, accounts in campaigns.items():
        common: dict[str, int] = {}
        for account in set(accounts):
            for case in cases_of.get(account, ()):
                common[case] = common.get(case, 0) + 1
        for case, n in common.items():
            if n >= LEAST_SHARE * min(len(set(accounts)), len(set(cases[case]))):
                kin.setdefault(campaign, {})[case] = n
    return kin


def _merges(
    cases: Mapping[str, Collection[str]],
    shared: Mapping[str, Mapping[str, int]],
    heir: Mapping[str, str],
) -> list[Merge]:
    into: dict[str, list[tuple[int, str]]] = {}
    for campaign, kin in shared.items():
        for case, n in kin.items():
            into.setdefault(case, []).append((-n, campaign))
    return [
        Merge(case, min(into[case])[1]) for case in cases if case in into and case not in heir
    ]  # 4


def _change(came: int, left: int) -> str:
    if came and left:
        return "changed"
    return "grew" if came else "shrank" if left else "same"
