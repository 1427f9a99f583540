"""How a command that works once, or for ever, tells what it did and what failed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from stillwatch.errors import StillwatchError

__all__ = ["again_and_again"]


def again_and_again(attempt: Callable[[], Iterator[str]], every_s: float) -> Iterator[str]:
    """Yield what an attempt tells; with ``every_s`` above 0 try anew so often, else once.

    What fails is raised where it is tried once; else it is told, the same failure once until an
    attempt has gone well.
    """
    told = ""
    while True:
        try:
            yield from attempt()
            told = ""
        except StillwatchError as error:
            if not every_s:
                raise
            if str(error) != told:
                told = str(error)
                yield told
        if not every_s:
            return
        time.sleep(every_s)
