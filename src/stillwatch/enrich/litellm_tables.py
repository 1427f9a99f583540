"""LiteLLM's own tables of users, teams and keys as accounts, and of organizations, from `psql`.

An account of a LiteLLM log is a user, else a team, else a key's hash, so each table gives the
accounts of its kind. Read as of LiteLLM 1.106 (`litellm/proxy/schema.prisma`). Of an e-mail address
the domain is taken and nothing else.
"""

from __future__ import annotations

from typing import Any, Final

from stillwatch.enrich.table_file import Record

__all__ = ["accounts_of", "litellm_table", "organizations_of"]

_TABLES: Final = {
    "LiteLLM_UserTable": (frozenset({"user_id", "user_email", "user_role"}), "user_id"),
    "LiteLLM_TeamTable": (frozenset({"team_id", "members_with_roles"}), "team_id"),
    "LiteLLM_VerificationToken": (frozenset({"token", "key_name", "expires"}), "token"),
}
_ORGANIZATIONS: Final = frozenset({"organization_id", "organization_alias", "budget_id"})
_SAME: Final = {"org_id": "organization_id", "created_at": "created_at"}
_COLUMNS: Final = frozenset({"account_id", "org_id", "created_at", "rate_limit_rpm"})


def litellm_table(columns: frozenset[str]) -> str | None:
    """Return which of LiteLLM's tables has these columns, None where it is none of them."""
    return next((name for name, (signs, _) in _TABLES.items() if signs <= columns), None)


def accounts_of(records: list[Record], table: str) -> tuple[list[Record], frozenset[str]]:
    """Return the rows of one of LiteLLM's tables as accounts, and the columns that it fills.

    A key's row stands for traffic that has neither user nor team.
    """
    _, id_column = _TABLES[table]
    out: list[Record] = []
    for line, row in records:
        made: dict[str, Any] = {"account_id": row.get(id_column)}
        made |= {ours: row.get(theirs) for ours, theirs in _SAME.items()}
        made["rate_limit_rpm"] = row.get("rpm_limit")
        address = row.get("user_email")
        if isinstance(address, str) and "@" in address:
            made["email_domain"] = address.rpartition("@")[2].strip().lower() or None
        out.append((line, made))
    known = _COLUMNS | ({"email_domain"} if table == "LiteLLM_UserTable" else frozenset())
    return out, frozenset(known)


def organizations_of(
    records: list[Record], columns: frozenset[str]
) -> tuple[list[Record], frozenset[str]]:
    """Return the rows of LiteLLM_OrganizationTable as organizations; any other table as it is."""
    if not columns >= _ORGANIZATIONS:
        return records, columns
    return (
        [(line, {ours: row.get(theirs) for ours, theirs in _SAME.items()})
         for line, row in records],
        frozenset(_SAME),
    )  # fmt: skip
