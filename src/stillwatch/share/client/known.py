"""Which ids a member knows: what it was sent, has sent, or is about to send."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any, Final

from stillwatch.errors import ConfigError
from stillwatch.share.client.home import Home
from stillwatch.share.client.packages import packages

__all__ = ["HELD", "held_objects", "known_to"]

HELD: Final = "objects.json"


def held_objects(home: Home) -> dict[str, dict[str, Any]]:
    """Return the latest version of each object that was pulled, by id.

    Raises:
        ConfigError: the file is damaged; a pull from the start makes it anew.
    """
    file = home.pulled / HELD
    if not file.exists():
        return {}
    try:
        return {one["id"]: one for one in json.loads(file.read_bytes())}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ConfigError(
            f"is damaged: {type(error).__name__} instead of a list of objects", where=str(file),
            hint="move it and cursor.json away; the next pull fetches everything anew",
        ) from None  # fmt: skip


def known_to(home: Home, objects: Iterable[Mapping[str, Any]]) -> Callable[[str], bool]:
    """Return whether an id names one of these objects, a pulled one, a package's, or this member.

    Files are read when a first id asks for it: one in a thousand does (`antitrust`).
    """
    given = {str(one.get("id")) for one in objects}

    @cache
    def kept() -> frozenset[str]:
        sent = {str(one.get("id")) for package in packages(home) for one in package.objects}
        return frozenset(sent.union(held_objects(home)))

    return lambda one: one == home.contributor or one in given or one in kept()
