"""alerts.toml: where alerts go, when, and which of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from stillwatch.errors import ConfigError
from stillwatch.schema import read_toml
from stillwatch.schema.mailing import (
    RELAY_MORE,
    RELAY_NEEDED,
    check_keys,
    read_private,
    read_relay,
)
from stillwatch.service.alerts import KINDS
from stillwatch.service.hours import parse_hours
from stillwatch.service.mail import Mail
from stillwatch.service.outbox import Channel
from stillwatch.service.syslog import Syslog
from stillwatch.service.webhook import Webhook, read_secret

__all__ = ["read_channels"]

_COMMON: Final = frozenset({"name", "kinds", "quiet", "digest", "zone"})
_NOTHING: Final[frozenset[str]] = frozenset()
_OWN: Final = {
    "webhook": (frozenset({"url", "secret_file"}), _NOTHING),
    "email": (RELAY_NEEDED | {"to"}, RELAY_MORE),
    "syslog": (frozenset({"address"}), _NOTHING),
}


def read_channels(path: Path) -> tuple[str, list[Channel]]:
    """Return the console's address (or nothing) and the channels of a file.

    Raises InputError: a file cannot be read. ConfigError: what is wrong, and in which table.
    """
    held = read_toml(path)
    if strange := set(held) - {"console", *_OWN}:
        raise ConfigError(f"unknown: {sorted(strange)[0]}", where=path.name, hint=_hint())
    console = held.get("console", "")
    if not isinstance(console, str):
        raise ConfigError("expected an address", where=f"{path.name}: console")
    found: list[Channel] = []
    for kind in _OWN:
        tables = held.get(kind, [])
        if not isinstance(tables, list) or any(not isinstance(t, dict) for t in tables):
            raise ConfigError(f"expected [[{kind}]]", where=path.name, hint=_hint())
        for number, table in enumerate(tables, 1):
            where = f"{path.name}: {kind} {number}"
            _check(kind, table, where)
            found.append(_MADE[kind](table, f"{kind}-{number}", where, path.parent))
    names = [channel.name for channel in found]
    if len(set(names)) < len(names):
        raise ConfigError("two channels of one name", where=path.name)
    return console, found


def _hint() -> str:
    return "docs/watch.md shows every table: webhook, email, syslog"


def _check(kind: str, table: dict[str, Any], where: str) -> None:
    needed, optional = _OWN[kind]
    check_keys(table, needed, optional | _COMMON, where=where, hint=_hint())
    name = table.get("name", kind)
    if not name or not name.replace("-", "").isalnum() or not name.isascii():
        raise ConfigError("name: expected letters, digits and -", where=where)
    if strange := set(table.get("kinds", ())) - set(KINDS):
        raise ConfigError(
            f"no kind of alert: {sorted(strange)[0]}", where=where, hint=f"of {', '.join(KINDS)}"
        )


def _common(table: dict[str, Any], name: str, where: str) -> dict[str, Any]:
    return {
        "name": table.get("name", name),
        "kinds": frozenset(table.get("kinds", KINDS)),
        "hours": parse_hours(
            quiet=table.get("quiet"), digest=table.get("digest"), zone=table.get("zone", "UTC"),
            where=where,
        ),
    }  # fmt: skip


def _webhook(table: dict[str, Any], name: str, where: str, base: Path) -> Channel:
    secret = read_secret(read_private(base, table["secret_file"], where=where), where=where)
    return Webhook(url=table["url"], key=secret, **_common(table, name, where))


def _email(table: dict[str, Any], name: str, where: str, base: Path) -> Channel:
    if not table["to"]:
        raise ConfigError("to: nobody", where=where)
    common = _common(table, name, where)
    relay = read_relay(table, name=common["name"], where=where, base=base)
    return Mail(relay=relay, to=tuple(table["to"]), **common)


def _syslog(table: dict[str, Any], name: str, where: str, base: Path) -> Channel:
    del base
    return Syslog(address=table["address"], **_common(table, name, where))


_MADE: Final[dict[str, Callable[[dict[str, Any], str, str, Path], Channel]]] = {
    "webhook": _webhook, "email": _email, "syslog": _syslog,
}  # fmt: skip
