"""Which implementation runs: the C kernel, or the Python reference where it is missing."""

from __future__ import annotations

import os
import warnings
from functools import lru_cache
from importlib import import_module
from typing import Any, Final

from stillwatch.errors import ConfigError

__all__ = ["SWITCH", "native"]

SWITCH: Final = "STILLWATCH_KERNEL"


@lru_cache(maxsize=1)
def native() -> Any | None:
    """The C module, or None where the reference has to do its work.

    ``STILLWATCH_KERNEL=reference`` forces the reference, ``=c`` refuses it; decided once a
    process. *Raises* ConfigError for another value, or for ``c`` where nothing is built.
    """
    choice = os.environ.get(SWITCH, "")
    if choice == "reference":
        return None
    if choice not in ("", "c"):
        raise ConfigError(
            f"expected 'reference', 'c' or nothing, got {choice!r}", where=SWITCH, hint="unset it"
        )
    try:
        return import_module("stillwatch.kernel._kernel")
    except ImportError as error:
        if choice == "c":
            raise ConfigError(
                "the C kernel is not built", where=SWITCH, hint="install a C compiler and reinstall"
            ) from error
    warnings.warn(
        "stillwatch's C kernel is not built (no compiler when it was installed?): the Python "
        "reference runs, with the same results, about 500 times slower",
        RuntimeWarning,
        stacklevel=3,
    )
    return None
