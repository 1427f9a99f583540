"""The file of `stillwatch case effects`: what follows from judgement for scan and guard."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from stillwatch.errors import InputError, SchemaError

__all__ = ["EFFECTS_HINT", "read_effects"]

EFFECTS_HINT: Final = "give what `stillwatch case effects` wrote"


def read_effects(file: Path) -> Any:
    """Return the JSON of an effects file, its parts not looked at yet.

    Raises InputError: it cannot be read. SchemaError: it is not JSON.
    """
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot be read ({type(error).__name__})", where=str(file)) from error
    except (ValueError, RecursionError):
        raise SchemaError("not JSON", where=file.name, hint=EFFECTS_HINT) from None
