"""Single requests of campaigns' members, as the index of a run holds them: no text, by campaign.

A run keeps a row an exchange, in the order of their numbers. A page shows 25 requests of one
campaign or account, so they are copied by campaign and time, with which of the campaign's shown
templates each carries.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import pyarrow as pa

from stillwatch.schema import METHODS, TEMPLATE_COLUMNS, template_column
from stillwatch.store.run import STAGE_TABLES, Run, rows_sql

__all__ = ["Asked", "Requests", "lay_out"]

_COPIED: Final = (
    "account_id", "end_user_id", "ts", "exchange_id", "model", "status", "channel",
    "input_tokens", "output_tokens", "reasoning_tokens", "n_turns", "system_bytes", "user_bytes",
    "output_bytes", "h_payload", "method_hints",
)  # fmt: skip

_WHOLE: Final = "c = $c"  # all of a campaign: its requests lie together
# An account's lie among all the others' of its campaign: where, is kept by account.
_OWN: Final = (
    "rowid IN (SELECT unnest(places) FROM request_places "
    "WHERE c = $c AND ha = hash($account) AND account_id = $account)"
)


@dataclass(frozen=True)
class Asked:
    """Which requests; what is empty or None leaves all. ``template``: its place among the
    campaign's, from 1; 0 is none of them. ``payload``: one payload's code, as a row shows it."""

    model: str = ""
    status: str = ""
    method: str = ""
    template: int | None = None
    payload: str = ""
    since: datetime | None = None
    until: datetime | None = None


class Requests:
    """The requests of one run's campaigns. Use `Index.requests`."""

    def __init__(self, read: Callable[[str, Any], pa.Table], numbers: Mapping[str, int]) -> None:
        self._read, self._numbers = read, numbers

    def page(
        self, campaign_id: str, asked: Asked, *, account_id: str | None = None, first: int = 0,
        most: int = 25,
    ) -> tuple[list[dict[str, Any]], int]:  # fmt: skip
        """Return requests, the newest first, from place ``first`` on, and how many there are.

        ``templates``: places of the campaign's templates that it carries; ``payload``: the same for
        equal payloads, of which ``alike`` of this campaign's requests carry one.

        They lie in the order of their times, so that only places are sorted and only a page's rows
        are read: the last page of three million costs what the first does.
        """
        where, held = self._where(campaign_id, asked, account_id)
        found = self._read(
            f"SELECT count(*) AS n, max(rowid) AS last FROM requests WHERE {where}", held
        ).to_pylist()[0]
        total = int(found["n"])
        number = min(most, max(0, total - first))
        if not number:
            return [], total
        if where == _WHOLE:
            newest = int(found["last"]) - first
            places = list(range(newest - number + 1, newest + 1))
        else:
            places = self._read(
                f"SELECT rowid AS place FROM requests WHERE {where} "
                f"ORDER BY rowid DESC LIMIT {int(most)} OFFSET {int(first)}", held,
            )["place"].to_pylist()  # fmt: skip
        return [_told(row) for row in self._at(places)], total

    def _at(self, places: list[int]) -> list[dict[str, Any]]:
        """Return the requests of one campaign at places, the last place first."""
        rows: list[dict[str, Any]] = self._read(
            "SELECT * FROM requests WHERE rowid BETWEEN $low AND $high "
            "AND list_contains($places, rowid) ORDER BY rowid DESC",
            {"low": min(places), "high": max(places), "places": places},
        ).to_pylist()
        codes = sorted({row["h_payload"] for row in rows} - {None})
        counts = self._read(
            "SELECT h_payload, count(*) AS n FROM requests "
            "WHERE c = $c AND list_contains($codes::UBIGINT[], h_payload) GROUP BY h_payload",
            {"c": rows[0]["c"], "codes": codes},
        ).to_pylist()
        alike = {row["h_payload"]: int(row["n"]) for row in counts}
        return [{**row, "alike": alike.get(row["h_payload"], 0)} for row in rows]

    def choices(self, campaign_id: str, account_id: str | None = None) -> dict[str, list[str]]:
        """Return the models, states and marks of methods that occur, each sorted."""
        where, held = self._where(campaign_id, Asked(), account_id)
        row = self._read(
            f"""SELECT list_sort(list(DISTINCT model)) AS model,
                       list_sort(list(DISTINCT status)) AS status,
                       coalesce(bit_or(method_hints), 0) AS bits
                FROM requests WHERE {where}""", held,
        ).to_pylist()[0]  # fmt: skip
        found = {name: [v for v in row[name] or [] if v] for name in ("model", "status")}
        return found | {"method": [m for k, m in enumerate(METHODS) if row["bits"] >> k & 1]}

    def days(self, campaign_id: str, account_id: str) -> list[dict[str, Any]]:
        """Return an account's requests and output tokens by UTC day, the first day first."""
        where, held = self._where(campaign_id, Asked(), account_id)
        found: list[dict[str, Any]] = self._read(
            f"""SELECT CAST(ts AT TIME ZONE 'UTC' AS DATE) AS day, count(*) AS requests,
                       CAST(coalesce(sum(output_tokens), 0) AS BIGINT) AS output_tokens
                FROM requests WHERE {where} GROUP BY 1 ORDER BY 1""", held,
        ).to_pylist()  # fmt: skip
        return found

    def _where(
        self, campaign_id: str, asked: Asked, account_id: str | None
    ) -> tuple[str, dict[str, Any]]:
        held: dict[str, Any] = {"c": self._numbers.get(campaign_id, -1)}
        parts = [_WHOLE]

        def ask(condition: str, name: str, value: Any) -> None:
            parts.append(condition)
            held[name] = value

        if account_id is not None:
            ask(_OWN, "account", account_id)
        for name in ("model", "status"):
            if value := getattr(asked, name):
                ask(f"{name} = ${name}", name, value)
        if asked.method in METHODS:
            parts.append(f"(method_hints >> {METHODS.index(asked.method)}) & 1 = 1")
        if asked.template is not None:
            if asked.template:
                ask("list_contains(templates, $template)", "template", asked.template)
            else:
                parts.append("len(templates) = 0")
        if asked.payload:
            ask("h_payload = $payload", "payload", _code(asked.payload))
        if asked.since is not None:
            ask("ts >= $since", "since", asked.since)
        if asked.until is not None:
            ask("ts < $until", "until", asked.until)
        return " AND ".join(parts), held


def _code(payload: str) -> int | None:
    """Return the hash that a row's code stands for, None for what is no code: it equals nothing."""
    try:
        return int(payload, 16) if 0 < len(payload) <= 16 and payload.isalnum() else None
    except ValueError:
        return None


def _told(row: dict[str, Any]) -> dict[str, Any]:
    bits = int(row.pop("method_hints") or 0)
    payload = row.pop("h_payload")
    return {
        **row,
        "methods": [name for k, name in enumerate(METHODS) if bits >> k & 1],
        "payload": "" if payload is None else f"{payload:x}",
    }


def lay_out(run: Run, engine: Any) -> None:
    """Copy members' requests into the table ``requests``, by campaign and time, and into
    ``request_places`` which of its rows are an account's.

    Nothing where the run kept no exchanges. The engine holds ``members`` and ``heads``.
    """
    file = run.path / STAGE_TABLES["exchanges"]
    if not file.is_file():
        return
    nodes = _nodes(run, engine)
    engine.register("shown_templates", nodes)
    places = sorted(set(nodes["at"].to_pylist()))
    carried = " UNION ALL ".join(
        f"SELECT e.rid, n.c, n.place FROM mine e JOIN shown_templates n "
        f"ON n.at = '{at}' AND n.h = e.{at} AND n.c = e.c"
        for at in places
    ) or "SELECT 0::BIGINT AS rid, -1 AS c, 0 AS place WHERE false"  # fmt: skip
    engine.execute(
        f"""CREATE TABLE requests AS
            WITH mine AS (
              SELECT m.c, m.ha, e.* FROM {rows_sql(file)} e
              JOIN (SELECT c, ha, account_id, list(end_user_id) AS users,
                           bool_or(end_user_id IS NULL) AS whole
                    FROM members GROUP BY c, ha, account_id) m USING (account_id)
              WHERE m.whole OR list_contains(m.users, e.end_user_id)),
            carried AS (
              SELECT rid, c, list_sort(list(DISTINCT place)) AS templates
              FROM ({carried}) GROUP BY rid, c)
            SELECT mine.c, mine.ha, {", ".join(f"mine.{name}" for name in _COPIED)},
                   coalesce(carried.templates, []::INTEGER[]) AS templates
            FROM mine LEFT JOIN carried ON carried.rid = mine.rid AND carried.c = mine.c
            ORDER BY mine.c, mine.ts, mine.exchange_id"""
    )
    engine.unregister("shown_templates")
    engine.execute(
        """CREATE TABLE request_places AS
           SELECT c, ha, account_id, list(place ORDER BY place) AS places
           FROM (SELECT c, ha, account_id, rowid AS place FROM requests)
           GROUP BY c, ha, account_id ORDER BY c, ha"""
    )


def _nodes(run: Run, engine: Any) -> pa.Table:
    """Return c, place (from 1, as a case's page numbers them), at (a column), h of templates."""
    numbers = dict(engine.execute("SELECT campaign_id, c FROM heads").fetchall())
    rows, seen = [], dict.fromkeys(numbers, 0)
    for frame in run.frames:
        name = str(frame.get("campaign_id"))
        if name not in numbers:
            continue
        seen[name] += 1
        at = template_column(str(frame.get("position")), frame.get("length"))
        if at in TEMPLATE_COLUMNS and isinstance(frame.get("hash"), str):
            rows.append({"c": numbers[name], "place": seen[name], "at": at,
                         "h": int(frame["hash"], 16)})  # fmt: skip
    kinds = {"c": pa.int32(), "place": pa.int32(), "at": pa.string(), "h": pa.uint64()}
    return pa.Table.from_pylist(rows, schema=pa.schema(list(kinds.items())))
