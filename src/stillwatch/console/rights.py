"""Who may do what: one table. A page asks for a right, a person has roles, a role gives rights."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from stillwatch.errors import ConfigError

__all__ = ["NOBODY", "RIGHTS", "ROLES", "may", "roles_named"]

ROLES: Final = {
    "viewer": "sees cases and figures, no identifiers of accounts",
    "analyst": "sees accounts, decides, notes, labels, undoes",
    "approver": "sees accounts, approves as the second person, hears appeals, undoes",
    "counsel": "sees accounts, enters and hears appeals, hands out evidence",
    "admin": "names people and their roles, reads who read what; sees no case",
}
_ALL: Final = frozenset(ROLES)
_READERS: Final = _ALL - {"admin"}
_ACCOUNTS: Final = frozenset({"analyst", "approver", "counsel"})
# Asked for by pages that a person who is not logged in must reach.
NOBODY: Final = "nobody"
RIGHTS: Final[dict[str, frozenset[str]]] = {
    "inside": _ALL,
    "see": _READERS,
    "see_accounts": _ACCOUNTS,
    "work": frozenset({"analyst", "approver"}),
    "decide": frozenset({"analyst"}),
    "approve": frozenset({"approver"}),
    "attach": _ACCOUNTS,
    # not for analysts: who attached something cannot make it vanish
    "detach": frozenset({"approver", "counsel"}),
    "undo": frozenset({"analyst", "approver"}),
    "enter_appeal": frozenset({"analyst", "counsel"}),
    "hear_appeal": frozenset({"approver", "counsel"}),
    "pack_internal": frozenset({"analyst", "approver", "counsel"}),
    "pack_outside": frozenset({"counsel"}),
    "people": frozenset({"admin"}),
    "read_audit": frozenset({"admin", "counsel"}),
}


def roles_named(words: Iterable[str]) -> frozenset[str]:
    """Return the roles of an option that may say ``all``. Raises ConfigError: there is no such."""
    held = set(words)
    if strange := sorted(held - {"all", *ROLES}):
        raise ConfigError(f"there is no role {strange[0]}", where="--require-second-factor",
                          hint=f"one of all, {', '.join(ROLES)}")  # fmt: skip
    return frozenset(ROLES) if "all" in held else frozenset(held)


def may(roles: Collection[str], right: str) -> bool:
    """Tell whether any of the roles gives a right.

    >>> may(["viewer"], "see"), may(["viewer"], "see_accounts"), may(["admin"], "see")
    (True, False, False)
    """
    return bool(RIGHTS[right] & set(roles))
