"""The file of `stillwatch case effects`, as the guard's compiler reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

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
    """

    actions: Mapping[str, Action] = field(default_factory=dict)
    verdicts: Mapping[str, Action] = field(default_factory=dict)
    restored: frozenset[str] = frozenset()


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
