"""The journal of looks: each spends of one budget, so none is forgotten and none counted twice."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final

from stillwatch.errors import InputError
from stillwatch.schema import from_micros, write_whole

__all__ = ["BEGUN", "DONE", "SCANNED", "Journal", "Look"]

BEGUN: Final = "begun"
SCANNED: Final = "scanned"
DONE: Final = "done"
_STATES: Final = (BEGUN, SCANNED, DONE)
_FILE: Final = "looks.json"


@dataclass(frozen=True)
class Look:
    """One look. Times in microseconds since 1970.

    ``looks``: how many share alpha evenly with it; None: all looks ever share it, by their number.
    ``state``: begun; scanned, when its run is whole; done, when cases and alerts are told. Known
    once scanned: ``accused`` (campaigns), and ``blunt``: not even a perfect cohort could have been
    accused.
    """

    number: int
    since_us: int
    until_us: int
    state: str
    looks: int | None = None
    scanned_us: int = 0
    accused: int = 0
    alpha_spent: float = 0.0
    blunt: bool = False

    @property
    def name(self) -> str:
        """The name of its run directory."""
        return f"look-{self.number:06d}"

    @property
    def until(self) -> datetime:
        """The end of its window, UTC."""
        return from_micros(self.until_us)

    @property
    def since(self) -> datetime:
        """The start of its window, UTC."""
        return from_micros(self.since_us)


class Journal:
    """All looks of one watch, in order; the file is whole at any moment.

    A look that was begun and not finished has shown nobody anything: the next one has its number.
    """

    def __init__(self, folder: Path) -> None:
        """Read it. Raises InputError: it is damaged; the looks must not be counted anew."""
        self._path = folder / _FILE
        self.looks: tuple[Look, ...] = ()
        if not self._path.is_file():
            return
        try:
            rows = json.loads(self._path.read_bytes())
            # journals of before budgets were even told each look's place in its stretch
            self.looks = tuple(Look(**{k: v for k, v in r.items() if k != "place"}) for r in rows)
            numbers = [look.number for look in self.looks]
            if numbers != list(range(1, len(numbers) + 1)):
                raise ValueError("looks are missing")
            if any(look.state not in _STATES for look in self.looks):
                raise ValueError("no such state")
        except (ValueError, TypeError) as error:
            raise InputError(
                f"the journal of looks is damaged ({type(error).__name__})", where=str(self._path),
                hint="restore it: without it the looks made so far would count for nothing",
            ) from error  # fmt: skip

    @property
    def open(self) -> Look | None:
        """The look that was stopped before it was done, if there is one."""
        return self.looks[-1] if self.looks and self.looks[-1].state != DONE else None

    @property
    def looked_until_us(self) -> int | None:
        """Where the last finished look ended."""
        done = [look.until_us for look in self.looks if look.state == DONE]
        return done[-1] if done else None

    def begin(self, since_us: int, until_us: int, *, looks: int | None) -> Look:
        """Enter a look; one that was begun only gives up its number to it.

        ``looks``: how many share alpha evenly with it, None where all looks ever do.
        """
        kept = self.looks if self.open is None else self.looks[:-1]
        look = Look(len(kept) + 1, since_us, until_us, BEGUN, looks)
        self._write((*kept, look))
        return look

    def step(self, look: Look, state: str, **facts: int | float) -> Look:
        """Enter that a look went on to a state."""
        further = replace(look, state=state, **facts)  # type: ignore[arg-type]
        self._write((*self.looks[:-1], further))
        return further

    def _write(self, looks: tuple[Look, ...]) -> None:
        rows = [json.dumps(asdict(look)) for look in looks]
        write_whole(self._path, ("[\n" + ",\n".join(rows) + "\n]\n").encode())
        self.looks = looks
