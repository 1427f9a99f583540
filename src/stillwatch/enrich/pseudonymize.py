"""Exchanges and side tables with pseudonyms where raw identifiers were, at the provider's side.

What joins before joins after: a column of an exchange and one of a side table that name the same
thing are hashed as the same kind. Texts of prompts are left as they are.
"""

from __future__ import annotations

import csv
import os
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from io import StringIO
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from stillwatch.enrich.canonical_values import canonical_value, has_country_code
from stillwatch.enrich.litellm_tables import accounts_of, litellm_table, organizations_of
from stillwatch.enrich.networks import kinds_of, with_kinds
from stillwatch.enrich.pseudonyms import Pseudonyms, is_pseudonym
from stillwatch.enrich.table_file import Record, read_records, to_table
from stillwatch.errors import InputError, SchemaError
from stillwatch.schema import write_whole
from stillwatch.schema.arrow import ACCOUNT, EXCHANGE, KEY, ORGANIZATION, OWNER, PERMIT

__all__ = ["EXCHANGE_KINDS", "SIDE_TABLES", "pseudonymize_batch", "pseudonymize_table"]

EXCHANGE_KINDS: Final = {
    "exchange_id": "exchange", "account_id": "account", "org_id": "org",
    "workspace_id": "workspace", "key_id": "key", "end_user_id": "end_user",
    "conversation_id": "conversation", "trace_id": "trace", "origin": "origin",
}  # fmt: skip
"""Columns of an exchange that are hashed; ``ip`` becomes another address, of ``tags`` the kind of
network alone stays."""

_SIDE_KINDS: Final = {
    "account_id": "account", "org_id": "org", "workspace_id": "workspace", "key_id": "key",
    "owner_entity_id": "owner", "email_hash": "email", "phone_hash": "phone",
    "payment_hash": "payment", "device_hash": "device", "permit_id": "permit",
    "granted_by": "person",
}  # fmt: skip
# What raw columns are called elsewhere, by the column that their hash goes to; the first counts.
_RAW_NAMES: Final = {
    "email_hash": ("email", "email_address", "user_email"),
    "phone_hash": ("phone", "phone_number"),
    "payment_hash": ("payment", "payment_fingerprint", "card_fingerprint", "card", "card_number"),
    "device_hash": ("device", "device_id"),
}
# Text of whoever made the table, in which identifiers stand in clear.
_IN_WORDS: Final = frozenset({("ownership", "policy")})
_OF_PAYERS: Final = frozenset({"accounts", "organizations"})
_EVERYONE: Final = "*"
_NO_ADDRESS: Final = "addresses that are none, left out"
_NO_COUNTRY: Final = "telephone numbers without a country code, alike only as they are written"
_TAGS: Final = "tags left out"

SIDE_TABLES: Final[dict[str, pa.Schema]] = {
    "accounts": ACCOUNT, "organizations": ORGANIZATION, "keys": KEY, "permits": PERMIT,
    "ownership": OWNER,
}  # fmt: skip
"""Side tables by the name of the option that gives them."""


def pseudonymize_batch(
    batch: pa.RecordBatch, made_by: Pseudonyms, notes: Counter[str]
) -> pa.RecordBatch:
    """Return exchanges (in EXCHANGE's schema) with pseudonyms; what was left out is counted.

    Raises SchemaError: an account that is a pseudonym already.
    """
    columns = []
    for field in EXCHANGE:
        column = batch.column(field.name)
        if field.name in EXCHANGE_KINDS:
            column = _hashed(column, EXCHANGE_KINDS[field.name], made_by)
        elif field.name == "ip":
            column = _moved(column, made_by, notes)
        elif field.name == "tags":
            _note(notes, _TAGS, len(column) - column.null_count)
            column = with_kinds(pa.nulls(len(column), field.type), kinds_of(column))
        columns.append(column)
    return pa.RecordBatch.from_arrays(columns, schema=EXCHANGE)


def _hashed(column: pa.Array, kind: str, made_by: Pseudonyms) -> pa.Array:
    """Hash each distinct value of a batch once."""
    encoded = column.dictionary_encode()
    words = encoded.dictionary.to_pylist()
    if kind == "account":
        _refuse_pseudonyms(words, "account_id")
    made = pa.array([made_by.of(kind, word) for word in words], pa.string())
    return made.take(encoded.indices)


def _moved(column: pa.Array, made_by: Pseudonyms, notes: Counter[str]) -> pa.Array:
    encoded = column.dictionary_encode()
    made = pa.array([made_by.address(w) for w in encoded.dictionary.to_pylist()], pa.string())
    moved = made.take(encoded.indices)
    _note(notes, _NO_ADDRESS, moved.null_count - column.null_count)
    return moved


def _note(notes: Counter[str], what: str, times: int) -> None:
    if times:
        notes[what] += times


def _refuse_pseudonyms(words: Iterable[Any], where: str) -> None:
    if any(isinstance(word, str) and is_pseudonym(word) for word in words):
        raise SchemaError(
            "holds pseudonyms already", where=where,
            hint="give the raw log; a pseudonym of a pseudonym joins nothing",
        )  # fmt: skip


def pseudonymize_table(
    table: str, source: str | os.PathLike[str], target: Path, made_by: Pseudonyms
) -> Counter[str]:
    """Write the side table ``source`` to ``target`` as CSV with pseudonyms; return what is noted.

    ``table``: a name in SIDE_TABLES. Raw columns may be called what the table calls their hashes,
    or plainly (email, phone, payment, device …). A column that the table does not know is left out,
    since it may hold anything. A folder of tables becomes one file.

    Raises SchemaError: file, line and field of what is wrong, never the value; a value that is a
    pseudonym already. InputError: it cannot be read.
    """
    schema = SIDE_TABLES[table]
    notes: Counter[str] = Counter()
    rows: list[dict[str, Any]] = []
    filled: set[str] = set()
    for file in _files(Path(source)):
        records, columns = _records(file, table, notes)
        filled |= columns & set(schema.names)
        made = to_table(
            [(line, _row(values, f"{file.name}:{line}", made_by, notes, schema))
             for line, values in records],
            schema, file.name,
        )  # fmt: skip
        rows += made.to_pylist()
    names = [name for name in schema.names if name in filled]
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([[_text(row[name]) for name in names] for row in rows])
    write_whole(target, out.getvalue().encode())
    return notes


def _files(source: Path) -> list[Path]:
    if not source.is_dir():
        return [source]
    files = sorted(f for f in source.iterdir() if f.is_file() and f.name[:1] not in "._")
    if not files:
        raise InputError("an empty folder", where=source.name, hint="give tables")
    return files


def _records(file: Path, table: str, notes: Counter[str]) -> tuple[list[Record], frozenset[str]]:
    """Return the rows with raw columns under the names of their hashes, and the columns."""
    records, columns = read_records(file)
    if table == "organizations":
        records, columns = organizations_of(records, columns)
    theirs = litellm_table(columns) if table == "accounts" else None
    raw = {
        ours: next((n for n in names if n in columns), ours)
        for ours, names in _RAW_NAMES.items()
        if ours in SIDE_TABLES[table].names
    }
    if theirs:
        plain = {line: values for line, values in records}
        records, columns = accounts_of(records, theirs)
        for line, values in records:
            values["email_hash"] = plain[line].get("user_email")
        return records, columns | ({"email_hash"} if theirs == "LiteLLM_UserTable" else set())
    known = [n for n in SIDE_TABLES[table].names if (table, n) not in _IN_WORDS]
    found = {n for n in columns if n in known} | {o for o, n in raw.items() if n in columns}
    if table == "accounts" and raw["email_hash"] in columns:
        found.add("email_domain")
    for name in sorted(columns - found - set(raw.values())):
        notes[f"column left out: {name}"] += len(records)
    renamed: list[Record] = []
    for line, values in records:
        made = {n: values.get(n) for n in known}
        if table in _OF_PAYERS:
            made |= {ours: values.get(name) for ours, name in raw.items()}
        renamed.append((line, made))
    return renamed, frozenset(found)


def _row(
    values: dict[str, Any], where: str, made_by: Pseudonyms, notes: Counter[str], schema: pa.Schema
) -> dict[str, Any]:
    """Return a row with pseudonyms; the domain of an e-mail address is kept in clear."""
    made = dict(values)
    address = values.get("email_hash")
    if isinstance(address, str) and "@" in address and not values.get("email_domain"):
        made["email_domain"] = address.rpartition("@")[2].strip().lower() or None
    for name, kind in _SIDE_KINDS.items():
        value = values.get(name)
        if name not in schema.names or value in (None, "", _EVERYONE) or value != value:
            continue
        text = _plain(value)
        _refuse_pseudonyms([text], f"{where}.{name}")
        text = canonical_value(kind, text)
        if kind == "phone" and not has_country_code(text):
            notes[_NO_COUNTRY] += 1
        made[name] = made_by.of(kind, text)
    if values.get("signup_ip"):
        made["signup_ip"] = made_by.address(str(values["signup_ip"]))
        _note(notes, _NO_ADDRESS, made["signup_ip"] is None)
    return made


def _plain(value: Any) -> str:
    """Return the text of an identifier as the readers of side tables see it."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip()


def _text(value: Any) -> str:
    """Return a cell as `enrich` reads it back."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat()
    return ";".join(map(str, value)) if isinstance(value, list) else str(value)
