"""The file of `stillwatch case effects`, as the guard's compiler reads it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stillwatch.cases.identity import match_campaigns
from stillwatch.cases.people import is_rule
from stillwatch.errors import SchemaError
from stillwatch.schema import EFFECTS_HINT, VERDICTS, read_effects
from stillwatch.schema.snapshot import Action

__all__ = ["Judgement", "read_judgement"]


@dataclass(frozen=True)
class Judgement:
    """What people decided. An action's ``by`` is None where a rule decided: no person is named.

    ``actions``: campaign_id → what stands on its whole case. ``verdicts``: account → what stands on
    it, *allow* where a decision on it was undone. ``restored``: accounts of upheld appeals.
    ``let_go``: campaign_id → until when it is let go as a whole (None: without an end), and its
    core as the cases last saw it. ``at_us``: when it was written, 0 where that is not said.
    """

    actions: Mapping[str, Action] = field(default_factory=dict)
    verdicts: Mapping[str, Action] = field(default_factory=dict)
    restored: frozenset[str] = frozenset()
    let_go: Mapping[str, tuple[int | None, tuple[str, ...]]] = field(default_factory=dict)
    at_us: int = 0

    def gone(self, campaigns: Mapping[str, Collection[str]], now_us: int) -> frozenset[str]:
        """Return which of a run's campaigns, given with their core, are let go now.

        A campaign has another id once it grew: it goes too where it carries on one that was let go,
        as a case would be carried on, unless something stands on it by its own name.
        """
        lasting = {
            name: core for name, (end, core) in self.let_go.items() if end is None or now_us < end
        }
        heirs = {m.campaign_id for m in match_campaigns(lasting, campaigns)[0] if m.change != "new"}
        named = lasting.keys() & campaigns.keys()
        return frozenset(named | heirs.difference(self.actions))

    def freed(self, now_us: int) -> frozenset[str]:
        """Return the accounts that are to be left alone now: restored, or their decision undone."""
        undone = (a for a, v in self.verdicts.items() if v.verdict == "allow")
        lasting = (a for a in undone if now_us < self.verdicts[a].expires_us)
        return self.restored.union(lasting)


def read_judgement(path: Path) -> Judgement:
    """Read the file of `stillwatch case effects`.

    Raises InputError: it cannot be read. SchemaError: it is no such file.
    """
    held = read_effects(path)
    try:
        return Judgement(
            actions={str(r["campaign_id"]): _action(r) for r in held["actions"]},
            verdicts={
                **{
                    str(r["account_id"]): _action({**r, "verdict": "allow"}) for r in held["let_go"]
                },
                **{str(r["account_id"]): _action(r) for r in held["verdicts"]},
            },
            restored=frozenset(str(r["account_id"]) for r in held["corrections"]),
            # Files of before there was this hold none, and no time.
            let_go={
                str(r["campaign_id"]): (
                    None if r["expires_us"] is None else int(r["expires_us"]),
                    tuple(str(a) for a in r["core"]),
                )
                for r in held.get("let_go_campaigns", ())
            },
            at_us=int(held.get("at_us", 0)),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SchemaError(
            f"not the effects of cases ({type(error).__name__})", where=path.name, hint=EFFECTS_HINT
        ) from None


def _action(row: Mapping[str, Any]) -> Action:
    verdict, by = row["verdict"], str(row["by"])
    if verdict not in VERDICTS:
        raise ValueError("no verdict")
    return Action(verdict, None if is_rule(by) else by, int(row["at_us"]), int(row["expires_us"]))
