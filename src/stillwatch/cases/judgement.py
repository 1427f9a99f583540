"""What the file of `stillwatch case effects` means for a compile: who is left out of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from stillwatch.cases.identity import match_campaigns
from stillwatch.schema import Judgement, judgement_of, read_effects

__all__ = ["Judgement", "freed_accounts", "gone_campaigns", "read_judgement"]


def read_judgement(path: Path) -> Judgement:
    """Read the file of `stillwatch case effects`.

    Raises InputError: it cannot be read. SchemaError: it is no such file.
    """
    return judgement_of(read_effects(path), where=path.name)


def gone_campaigns(
    judged: Judgement, campaigns: Mapping[str, Collection[str]], now_us: int
) -> frozenset[str]:
    """Return which of a run's campaigns, given with their core, are let go now.

    A campaign has another id once it grew: it goes too where it carries on one that was let go,
    as a case would be carried on, unless something stands on it by its own name.
    """
    lasting = {
        name: core for name, (end, core) in judged.let_go.items() if end is None or now_us < end
    }
    heirs = {m.campaign_id for m in match_campaigns(lasting, campaigns)[0] if m.change != "new"}
    named = lasting.keys() & campaigns.keys()
    return frozenset(named | heirs.difference(judged.actions))


def freed_accounts(judged: Judgement, now_us: int) -> frozenset[str]:
    """Return the accounts that are to be left alone now: restored, or their decision undone."""
    undone = (a for a, v in judged.verdicts.items() if v.verdict == "allow")
    lasting = (a for a in undone if now_us < judged.verdicts[a].expires_us)
    return judged.restored.union(lasting)
