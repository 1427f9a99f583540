"""The file of `stillwatch case effects`: what follows from judgement for scan and guard."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from stillwatch.errors import InputError, SchemaError, why
from stillwatch.schema.people import is_rule
from stillwatch.schema.snapshot import Action
from stillwatch.schema.words import VERDICTS

__all__ = ["EFFECTS_HINT", "EFFECTS_KIND", "Judgement", "judgement_of", "read_effects"]

EFFECTS_KIND: Final = "case-effects"  # of a signed one

EFFECTS_HINT: Final = "give what `stillwatch case effects` wrote"


def read_effects(file: Path) -> Any:
    """Return the JSON of an effects file, its parts not looked at yet.

    Raises InputError: it cannot be read. SchemaError: it is not JSON.
    """
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot be read ({why(error)})", where=str(file)) from error
    except (ValueError, RecursionError):
        raise SchemaError("not JSON", where=file.name, hint=EFFECTS_HINT) from None


@dataclass(frozen=True)
class Judgement:
    """What people decided. An action's ``by`` is None where a rule decided: no person is named.

    ``actions``: campaign_id → what stands on its whole case. ``verdicts``: account → what stands on
    it, *allow* where a decision on it was undone. ``restored``: accounts of upheld appeals.
    ``let_go``: campaign_id → until when it is let go as a whole (None: without an end), and its
    core as the cases last saw it. ``eased``: (account, ownership answer, its proof) → the most that
    is done about it, where an appeal or a person made it less; an empty proof stands for any.
    ``at_us``: when it was written, 0 where that
    is not said.
    """

    actions: Mapping[str, Action] = field(default_factory=dict)
    verdicts: Mapping[str, Action] = field(default_factory=dict)
    restored: frozenset[str] = frozenset()
    let_go: Mapping[str, tuple[int | None, tuple[str, ...]]] = field(default_factory=dict)
    at_us: int = 0
    eased: Mapping[tuple[str, str, str], Action] = field(default_factory=dict)


def judgement_of(held: Any, *, where: str) -> Judgement:
    """Return what an effects file says, for the guard and its compiler. Raises SchemaError."""
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
            eased={
                (str(r["account_id"]), str(r["access"]), str(r.get("proof", ""))): _action(r)
                for r in held.get("eased", ())
            },
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SchemaError(
            f"not the effects of cases ({type(error).__name__})", where=where, hint=EFFECTS_HINT
        ) from None


def _action(row: Mapping[str, Any]) -> Action:
    verdict, by = row["verdict"], str(row["by"])
    due, to = row.get("relaxes_us"), str(row.get("relaxes_to", "watch"))
    if verdict not in VERDICTS or to not in VERDICTS:
        raise ValueError("no verdict")
    person, at, end = None if is_rule(by) else by, int(row["at_us"]), int(row["expires_us"])
    if due is None:
        return Action(verdict, person, at, end)
    return Action(verdict, person, at, end, int(due), min(to, verdict, key=VERDICTS.index))
