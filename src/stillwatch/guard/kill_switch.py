"""The kill switch: a file that allows everything while it is there, remembered over a restart."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from stillwatch.errors import why
from stillwatch.schema import write_whole

__all__ = ["KillSwitch"]

_MEMORY: Final = "kill-switch-is-on"
_SAID: Final = b"The kill switch was on when the guard last looked. Remove this to forget it.\n"


class KillSwitch:
    """``path``: the file; ``state``: where it is remembered that it was there.

    Only a removal that a running guard sees lifts the switch. A file that went while no guard ran
    may have been lost with its volume as well as removed by a person, and a guard that then acts
    does to honest users what somebody had stopped; one that does not act says so and waits.
    """

    def __init__(
        self, path: Path | None, state: Path | None, wrong: Callable[[str, str | None], None]
    ) -> None:
        self._path = path
        self._memory = None if state is None else state / _MEMORY
        self._wrong = wrong  # told of what is wrong, and None once it is not any more
        self._seen = False
        self.on = False

    def look(self, *, first: bool = False) -> None:
        """Learn whether the switch is on. Raises nothing.

        1. The file is there: on, and remembered.
        2. It cannot be seen, or its folder is gone: as before. At the start (``first``) there is
           nothing that could stay, and it counts as on.
        3. It is not there, and this guard has not seen it, but is told by its memory that it was:
           on, until the file has come and gone again or the memory is removed.
        4. It is not there: off, and forgotten.
        """
        if self._path is None:
            return
        try:
            self._path.stat()
        except FileNotFoundError:
            if self._path.parent.is_dir():
                self._gone()
            else:
                self._unseen(f"{self._path.parent}, the folder of the kill file, is gone", first)
        except OSError as error:
            self._unseen(f"{self._path} cannot be seen ({type(error).__name__})", first)
        else:
            self.on = self._seen = True
            self._wrong("kill_file", None)
            self._remember()

    def _unseen(self, problem: str, first: bool) -> None:
        self.on = self.on or first
        stays = "everything is allowed" if self.on else "the switch stays off"
        self._wrong("kill_file", f"{problem}: {stays} until that can be seen")

    def _gone(self) -> None:
        memory = self._memory
        self.on = not self._seen and self._remembered(unknown=self.on)
        if self.on:
            self._wrong(
                "kill_file",
                f"{self._path} went while no guard ran, and everything is allowed still: put it "
                f"there for some seconds and remove it, or remove {memory}",
            )
            return
        self._wrong("kill_file", None)
        if memory is not None:
            try:
                memory.unlink(missing_ok=True)
            except OSError as error:
                self._forgetful(error)

    def _remembered(self, *, unknown: bool) -> bool:
        """Return whether the memory is there; ``unknown`` where that cannot be seen."""
        try:
            return self._memory is not None and self._memory.exists()
        except OSError as error:
            self._forgetful(error)
            return unknown

    def _remember(self) -> None:
        memory = self._memory
        if memory is None or self._remembered(unknown=False):
            return
        try:
            memory.parent.mkdir(parents=True, exist_ok=True)
            write_whole(memory, _SAID)
        except OSError as error:
            self._forgetful(error)
        else:
            self._wrong("kill_memory", None)

    def _forgetful(self, error: OSError) -> None:
        told = f"{self._memory} cannot be written ({why(error)})"
        self._wrong("kill_memory", f"{told}: a restart will not know that the switch was on or off")
