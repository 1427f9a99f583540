"""An index of one run: a page about one campaign or account need not read the whole run.

A run keeps its campaigns with all their members in one JSON file. That is right for programs that
read it once; a server that is asked about one campaign at a time needs the members apart. The index
is a DuckDB file made from the run, thrown away and made again when the run is another.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any, Final

import duckdb
import orjson
import pyarrow as pa

from stillwatch.errors import InputError
from stillwatch.schema import LINK_KINDS
from stillwatch.schema.arrow import ACCOUNT_RESULT
from stillwatch.store.index_build import build_index, config_of, key_of, ref_of
from stillwatch.store.part import Part
from stillwatch.store.requests import Asked, Requests
from stillwatch.store.run import Run

__all__ = ["Asked", "Index", "Part", "Requests", "open_index"]


class Index:
    """Answers about one run. Use `open_index`."""

    def __init__(self, run: Run, connection: Any, salt: str) -> None:
        self.run, self._connection, self._salt = run, connection, salt
        self._held = {row[0] for row in self._rows("SELECT table_name FROM duckdb_tables()")}

    @cached_property
    def heads(self) -> dict[str, dict[str, Any]]:
        """Return every campaign by id, in the file's order: ``member_accounts`` for its members."""
        rows = self._rows("SELECT campaign_id, head, accounts FROM heads ORDER BY c")
        return {name: {**orjson.loads(head), "member_accounts": n} for name, head, n in rows}

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {name: c for c, name in self._rows("SELECT c, campaign_id FROM heads")}

    @cached_property
    def accounts(self) -> int:
        """Return how many accounts the run has seen."""
        if "accounts" not in self._held:
            return 0
        return int(self._rows("SELECT count(*) FROM accounts")[0][0])

    def ref(self, account_id: str) -> str:
        """Return a name for an account that tells nothing and may stand in an address."""
        return ref_of(self._salt, account_id)

    def account_of(self, ref: str) -> str | None:
        """Return the account of a `ref`, or None."""
        if "accounts" not in self._held:
            return None
        rows = self._rows("SELECT account_id FROM accounts WHERE ref = ?", [ref])
        return str(rows[0][0]) if rows else None

    def account(self, account_id: str) -> dict[str, Any] | None:
        """Return an account's row, or None where the run has not seen it."""
        found = self._account_table(account_id).to_pylist()
        return found[0] if found else None

    def members(
        self, campaign_id: str, *, first: int = 0, most: int | None = None, role: str = ""
    ) -> tuple[list[dict[str, Any]], int]:
        """Return members from place ``first`` on, surest core first, and how many there are."""
        c = self._numbers.get(campaign_id)
        if c is None:
            return [], 0
        where = "c = ?" + (" AND role = ?" if role else "")
        held: list[Any] = [c, role] if role else [c]
        total = int(self._rows(f"SELECT count(*) FROM members WHERE {where}", held)[0][0])
        limit = "" if most is None else f"LIMIT {int(most)} OFFSET {int(first)}"
        table = self._table(
            "SELECT account_id, end_user_id, role, standing, confidence, reasons FROM members "
            f"WHERE {where} ORDER BY place {limit}", held,
        )  # fmt: skip
        return table.to_pylist(), total

    def memberships(self, account_id: str) -> list[tuple[str, dict[str, Any]]]:
        """Return (campaign, member record) of every campaign that counts the account."""
        table = self._table(
            "SELECT campaign_id, account_id, end_user_id, role, standing, confidence, reasons "
            "FROM members JOIN heads USING (c) WHERE ha = hash(?) AND account_id = ? ORDER BY c",
            [account_id, account_id],
        )
        return [(row.pop("campaign_id"), row) for row in table.to_pylist()]

    def surer(self, campaign_id: str, confidence: float) -> tuple[int, int]:
        """Return how many of a campaign's core there are, and how many are at least that sure."""
        row = self._rows(
            "SELECT count(*), count(*) FILTER (confidence >= ?) FROM members "
            "WHERE c = ? AND role = 'core'", [confidence, self._numbers.get(campaign_id, -1)],
        )[0]  # fmt: skip
        return int(row[0]), int(row[1])

    def standings(self) -> dict[str, int]:
        """Return how many accounts have each standing."""
        if "accounts" not in self._held:
            return {}
        return dict(self._rows("SELECT standing, count(*) FROM accounts GROUP BY 1 ORDER BY 1"))

    @cached_property
    def harvest(self) -> dict[str, int] | None:
        """Return the tokens and the cost of all accused accounts; None: the run kept no exchanges.

        The sums of `schema.HARVEST_SUMS_SQL`, by name.
        """
        if "harvest" not in self._held:
            return None
        sums: dict[str, int] = self._table("SELECT * FROM harvest").to_pylist()[0]
        return sums

    @cached_property
    def requests(self) -> Requests | None:
        """Return the single requests of members; None: the run kept no exchanges."""
        if "requests" not in self._held:
            return None
        return Requests(self._table, self._numbers)

    def person(self, account_id: str) -> dict[str, Any]:
        """Return ``created_at``, ``first_ts``, ``last_ts``, ``input_tokens`` and ``output_tokens``
        of an account over the whole run; nothing where the run kept no table of subjects."""
        if "people" not in self._held:
            return {}
        found: list[dict[str, Any]] = self._table(
            "SELECT min(created_at) AS created_at, min(first_ts) AS first_ts, "
            "max(last_ts) AS last_ts, CAST(sum(input_tokens) AS BIGINT) AS input_tokens, "
            "CAST(sum(output_tokens) AS BIGINT) AS output_tokens FROM people "
            "WHERE ha = hash(?) AND account_id = ?", [account_id, account_id],
        ).to_pylist()  # fmt: skip
        return found[0]

    def signups(self, campaign_id: str) -> tuple[datetime, datetime] | None:
        """Return when the first and the last of a campaign's accounts signed up, where known."""
        if "people" not in self._held:
            return None
        rows = self._table(
            "SELECT signed_low AS low, signed_high AS high FROM signups WHERE c = ?",
            [self._numbers.get(campaign_id, -1)],
        ).to_pylist()
        return (rows[0]["low"], rows[0]["high"]) if rows and rows[0]["low"] is not None else None

    def volume(self) -> pa.Table | None:
        """Return requests and tokens by day, model and campaign, where the run kept them."""
        return self.run.table("volume") if self.run.has("volume") else None

    def about_campaign(
        self, campaign_id: str, *, tables: Sequence[str] = (), members: int = 0
    ) -> Part:
        """Return the run as far as it concerns one campaign, with the tables that are asked for.

        ``members``: how many of them, the surest of the core first; ``links`` are those that lead
        to these. Raises InputError: there is no such campaign.
        """
        head = self.heads.get(campaign_id)
        if head is None:
            raise InputError("the run holds no such campaign", where=str(self.run.path))
        found = dict(head)
        if members:
            accounts = self._table(
                "SELECT account_id, role, standing FROM members WHERE c = ? AND place < ? "
                "ORDER BY place", [self._numbers[campaign_id], members],
            )  # fmt: skip
            found["members"] = accounts.to_pylist()
        readers = {name: self._of_campaign(name, campaign_id, members) for name in tables
                   if self._name(name) in self._held}  # fmt: skip
        return Part(self.run, [found], readers)

    def about_account(self, account_id: str) -> Part:
        """Return the run as far as it concerns one account: what `report.why` asks of it."""
        mine: dict[str, list[dict[str, Any]]] = {}
        for name, member in self.memberships(account_id):
            mine.setdefault(name, []).append(member)
        row = self.account(account_id) or {}
        names = dict.fromkeys([*([row["campaign_id"]] if row.get("campaign_id") else []), *mine])
        campaigns = [{**self.heads[n], "members": mine.get(n, [])} for n in names
                     if n in self.heads]  # fmt: skip
        readers: dict[str, Callable[[], pa.Table]] = {
            "accounts": lambda: self._account_table(account_id),
            "links": lambda: self._table(
                "SELECT a, b, kind, llr FROM links_by_account WHERE hb = hash(?) AND b = ?",
                [account_id, account_id],
            ),
            "signals": lambda: self._table(
                "SELECT * FROM signals WHERE hash(subject) = hash(?) AND subject = ?",
                [account_id, account_id],
            ),
            "subjects": lambda: self._table(
                "SELECT * FROM subjects WHERE starts_with(account_id, ?)", [f"{account_id} · "]
            ),
        }
        inside = [self._numbers[str(c["campaign_id"])] for c in campaigns]
        return Part(self.run, campaigns, {n: r for n, r in readers.items() if n in self._held},
                    lambda account: self._links(account, inside))  # fmt: skip

    def _links(self, account_id: str, inside: list[int]) -> list[dict[str, Any]]:
        """Return an account's links as `Run.links_of` does, by one question to the engine. Of one
        campaign its counts are ready; of several they are counted, as an account may be a member
        of two.

        Both ends are asked for apart, each where the links lie in its order: a condition on either
        end reads all of them.
        """
        one = len(inside) == 1
        counted = (
            "coalesce(k.accounts, 0)"
            if one
            else "(SELECT count(DISTINCT x.b) FROM links x JOIN members m ON m.ha = x.hb "
            "AND m.account_id = x.b WHERE list_contains($inside, m.c) AND x.ha = l.ha "
            "AND x.a = l.a)"
        )
        direct = [name for name, kind in LINK_KINDS.items() if kind.direct]
        held: dict[str, Any] = {"who": account_id, "inside": inside, "direct": direct}
        ready = "LEFT JOIN campaign_objects k ON k.c = $c AND k.ha = l.ha AND k.a = l.a"
        if one:
            held["c"] = inside[0]
        rows: list[dict[str, Any]] = self._table(
            f"""WITH l AS MATERIALIZED (
                  SELECT a, b, kind, llr, "count", ha, true AS own, a AS other,
                         list_contains($direct, kind) AS direct
                  FROM links_by_account WHERE hb = hash($who) AND b = $who
                  UNION ALL SELECT a, b, kind, llr, "count", ha, false, b,
                         list_contains($direct, kind)
                  FROM links WHERE ha = hash($who) AND a = $who AND b <> $who),
                near AS (
                  SELECT DISTINCT m.account_id FROM members m
                  JOIN (SELECT DISTINCT other, hash(other) AS h FROM l WHERE direct) n
                    ON m.ha = n.h AND m.account_id = n.other
                  WHERE list_contains($inside, m.c)),
                mine AS (
                  SELECT count(*) > 0 AS member FROM members
                  WHERE ha = hash($who) AND account_id = $who)
                SELECT l.a, l.b, l.kind, l.llr, l."count",
                       o.accounts - CAST(l.own AS BIGINT) AS others,
                       {counted} - CAST(l.own AND mine.member AS BIGINT) AS inside,
                       l.direct AND near.account_id IS NOT NULL AS beside
                FROM l CROSS JOIN mine JOIN objects o ON o.ha = l.ha AND o.a = l.a
                LEFT JOIN near ON near.account_id = l.other {ready if one else ""}""",
            held,
        ).to_pylist()
        return rows

    def _account_table(self, account_id: str) -> pa.Table:
        if "accounts" not in self._held:
            return ACCOUNT_RESULT.empty_table()
        return self._table(
            "SELECT * EXCLUDE (ref) FROM accounts WHERE ref = ?", [self.ref(account_id)]
        )

    def _name(self, table: str) -> str:
        return "campaign_links" if table == "links" else table

    def objects(self, campaign_id: str, most: int) -> tuple[list[tuple[str, str, int, float]], int]:
        """Return (name, kind, members, nats) of what two members or more share, the heaviest first;
        and how many such objects there are."""
        c = self._numbers.get(campaign_id)
        if c is None or "campaign_objects" not in self._held:
            return [], 0
        direct = [name for name, kind in LINK_KINDS.items() if kind.direct]
        where = "c = ? AND accounts > 1 AND NOT list_contains(?, kind)"
        total = self._rows(f"SELECT count(*) FROM campaign_objects WHERE {where}", [c, direct])
        rows = self._rows(
            f"SELECT a, kind, accounts, nats FROM campaign_objects WHERE {where} "
            "ORDER BY nats DESC, a LIMIT ?", [c, direct, most],
        )  # fmt: skip
        return [(a, k, int(n), float(w or 0)) for a, k, n, w in rows], int(total[0][0])

    def thing(self, campaign_id: str, name: str) -> tuple[str, int]:
        """Return the kind of an object of a campaign, and how many members have it.

        Raises InputError: the campaign has no such object.
        """
        rows = self._rows(
            "SELECT kind, accounts FROM campaign_objects WHERE c = ? AND a = ?",
            [self._numbers.get(campaign_id, -1), name],
        )
        if not rows:
            raise InputError("the campaign has no such object", where=campaign_id)
        return str(rows[0][0]), int(rows[0][1])

    def holders(self, campaign_id: str, name: str, most: int) -> list[str]:
        """Return members that have an object, those that it weighs most for first."""
        rows = self._rows(
            "SELECT b FROM campaign_links WHERE c = ? AND a = ? ORDER BY llr DESC, b LIMIT ?",
            [self._numbers.get(campaign_id, -1), name, most],
        )
        return [str(row[0]) for row in rows]

    def core_links(self, campaign_id: str) -> tuple[pa.Table, pa.Table] | None:
        """Return the core's accounts (account_id), and the links that lead to them; None: the run
        kept no links."""
        if "campaign_links" not in self._held:
            return None
        c = self._numbers.get(campaign_id, -1)
        core = self._table(
            "SELECT DISTINCT account_id FROM members WHERE c = ? AND role = 'core' ORDER BY 1", [c]
        )
        links = self._table(
            "SELECT a, b, kind FROM campaign_links l WHERE c = ? AND b IN (SELECT account_id "
            "FROM members WHERE c = ? AND role = 'core')", [c, c],
        )  # fmt: skip
        return core, links

    def _of_campaign(self, name: str, campaign_id: str, members: int) -> Callable[[], pa.Table]:
        if name == "links":
            c = self._numbers[campaign_id]
            return lambda: self._table(
                "SELECT a, b, kind, llr FROM campaign_links WHERE c = ? AND b IN "
                "(SELECT account_id FROM members WHERE c = ? AND place < ?)", [c, c, members],
            )  # fmt: skip
        return lambda: self._table(
            f"SELECT * FROM {name} WHERE campaign_id = ?", [campaign_id]
        )  # fmt: skip

    def _rows(self, sql: str, held: Any = None) -> list[tuple[Any, ...]]:
        with self._connection.cursor() as cursor:
            rows: list[tuple[Any, ...]] = cursor.execute(sql, held).fetchall()
            return rows

    def _table(self, sql: str, held: Any = None) -> pa.Table:
        with self._connection.cursor() as cursor:
            return cursor.sql(sql, params=held).to_arrow_table()

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()


_BUILDING: Final = Lock()


def open_index(run: Run, folder: Path, *, salt: str, memory: str = "1GB") -> Index:
    """Open the index of a run in ``folder``, made first where it is not there yet.

    ``salt`` keeps `Index.ref` from being guessed. Raises InputError: the run cannot be read.
    Written aside and renamed: a reader never sees half an index.
    """
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{key_of(run, salt)}.duckdb"
    with _BUILDING:
        if not target.is_file():
            for old in folder.glob("*.duckdb"):
                old.unlink(missing_ok=True)
            aside = folder / f".{target.name}.{os.getpid()}"
            aside.unlink(missing_ok=True)
            build_index(run, aside, salt, memory)
            aside.replace(target)
    connection = duckdb.connect(str(target), read_only=True, config=config_of(memory))
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return Index(run, connection, salt)
