"""Run directory → the guard's snapshot: the accused, what they share, what was decided."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

import pyarrow as pa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from stillwatch.cases.carriers import KNOWN_EXCHANGES, POSITIONS, network_sql, template_sql
from stillwatch.cases.judgement import Judgement, freed_accounts, gone_campaigns
from stillwatch.cases.logged import LINK_COLUMNS
from stillwatch.errors import EvidenceError
from stillwatch.policy import Ladder, Permit
from stillwatch.schema import UNANSWERED, VERDICTS, to_micros
from stillwatch.schema.snapshot import (
    EVIDENCE,
    SLOTS,
    Action,
    Ground,
    Mark,
    Pursuit,
    Seed,
    Snapshot,
    Template,
    keyed_permit,
    link_key,
    org_key,
    subject_key,
)
from stillwatch.store import Run

__all__ = ["Compiled", "Grounds", "compile_snapshot", "salt_of", "usual_rate"]

_MOST_MARKS: Final = 5_000  # near-duplicate bands a campaign
_MOST_SEEDS: Final = 200_000
_BURST_HOURS: Final = 72
_BURST_MIN: Final = 8
_BURST_OTHERS: Final = 0.05  # of all other accounts may have been created in the burst
# A rate is requests a day, over 24: the hours that a campaign has been seen may be its busiest, and
# a limit of so short a time would let it have several times its share of any day that follows.
_LEAST_RATE_HOURS: Final = 24.0


# Owner → its access, and what that rests on.
Grounds = Mapping[str, tuple[str, Ground]]
_NO_OWNER: Final = Ground("", "no owner of the account is named", "no owner")
_NO_ANSWER: Final = Ground("", "no answer names the account's owner", "no answer")


class Compiled(NamedTuple):
    """A snapshot, and what a reader wants to know of it.

    ``let_go``: accused campaigns that are not in it, since a person let them go. Of what the case
    database says, ``unmatched_actions`` are campaigns and ``unmatched_accounts`` accounts under a
    verdict that this run does not accuse: nothing is carried out on them. ``before``: the
    snapshot that this one takes the place of, where there is one.
    """

    snapshot: Snapshot
    accused: int
    templates: int
    marks: int
    let_go: tuple[str, ...] = ()
    unmatched_actions: tuple[str, ...] = ()
    unmatched_accounts: int = 0
    before: Snapshot | None = None


def salt_of(key: Ed25519PrivateKey) -> bytes:
    """Return the salt of all snapshots of one signing key, so that keys of subjects stay."""
    return hashlib.sha256(key.sign(b"stillwatch guard: salt of subject keys")).digest()[:16]


def usual_rate(requests: int, hours: float) -> float:
    """Return requests an hour of a campaign that sent so many in so many hours; over a day at
    least."""
    return round(requests / max(hours, _LEAST_RATE_HOURS), 6)


def compile_snapshot(
    run: Run,
    *,
    now: datetime,
    salt: bytes,
    version: int,
    ladder: Ladder,
    valid: timedelta = timedelta(days=7),
    permits: Sequence[Permit] = (),
    actions: Mapping[str, Action] | None = None,
    judged: Judgement | None = None,
    only: Sequence[str] = (),
    as_of: datetime | None = None,
    grounds: Grounds | None = None,
) -> Compiled:
    """Return what the guard needs of a run.

    Only campaigns that the scan accused enter, and of them the accused members; ``only`` names
    those wanted. ``actions``: campaign_id → what a person decided. ``judged``: what the case
    database says. What stands on an account is carried out on that account: what stands on the
    whole case never makes the guard stricter than its ladder to a member that joined after the
    decision. Whom an appeal restored or whose decision was undone is no member here, and lends no
    template, address, link, conversation or share of the budget; a campaign that was let go as a
    whole is not in it at all, whoever has joined it since.
    ``as_of``: what had been seen before that time alone (replays measure with it how early
    knowledge would have acted). ``grounds``: the ownership answers that the run was scanned with;
    decisions cite what they rest on.

    Raises:
        EvidenceError: ``grounds`` answer otherwise than the run was told.
        EvidenceError: an action or ``only`` names a campaign that the run does not accuse.
        InputError: the run lacks its stages.
    """
    ordered = dict(actions or {})
    judgement = judged or Judgement()
    created_us = to_micros(now)
    accused = {str(c["campaign_id"]): c for c in run.campaigns if c["standing"] == "accused"}
    cores = {
        name: [m["account_id"] for m in c["members"] if m["role"] == "core"]
        for name, c in accused.items()
    }
    let_go = tuple(sorted(gone_campaigns(judgement, cores, created_us)))
    _check_names(run, accused, let_go, {*ordered, *only})
    names = sorted(set(only or accused) - set(let_go))
    campaigns = [accused[name] for name in names]
    verdicts = {a: v for a, v in judgement.verdicts.items() if a not in judgement.restored}
    freed = freed_accounts(judgement, created_us)
    until_us = (1 << 62) if as_of is None else to_micros(as_of)
    facts = _Facts(
        run, _members(campaigns, freed), _members(campaigns, freed, edge=True), until_us,
        timedelta(days=ladder.established_days),
    )  # fmt: skip
    asked = {**_mild(judgement.actions, ladder), **ordered}
    rests_on, cited = facts.cited(salt, grounds) if grounds is not None else ((), {})
    snapshot = Snapshot(
        version=version,
        salt=salt,
        created_us=created_us,
        expires_us=created_us + valid // timedelta(microseconds=1),
        source=hashlib.sha256((run.path / "summary.json").read_bytes()).hexdigest(),
        campaigns=tuple(_pursuit(c, facts, k, asked) for k, c in enumerate(campaigns)),
        accused=facts.accused(salt),
        ordered=facts.ordered(salt, verdicts),
        restored=frozenset(subject_key(salt, a) for a in judgement.restored),
        known=facts.known(salt),
        channels=facts.channels(salt),
        access=facts.access(salt),
        eased={
            (subject_key(salt, account), word, proof): action
            for (account, word, proof), action in judgement.eased.items()
        },
        grounds=rests_on,
        cited=cited,
        templates=facts.templates(),
        marks=(*facts.bands(), *facts.network("h_prefix", "exit_prefix"),
               *facts.network("h_client", "client"), *facts.links(salt)),
        seeds=facts.seeds(salt),
        permits=tuple(keyed_permit(salt, asdict(p)) for p in permits),
        ladder=ladder.as_dict(),
    )  # fmt: skip
    members = {m["account_id"] for c in campaigns for m in c["members"]}
    adverse = {a for a, v in verdicts.items() if v.verdict != "allow"}
    return Compiled(
        snapshot, len(snapshot.accused), len(snapshot.templates), len(snapshot.marks), let_go,
        tuple(sorted(set(judgement.actions) - set(names) - set(let_go))), len(adverse - members),
    )  # fmt: skip


def _check_names(
    run: Run, accused: Mapping[str, Any], let_go: Collection[str], asked: Collection[str]
) -> None:
    for name in sorted(asked):
        if name not in accused:
            raise EvidenceError(
                f"the run accuses no campaign {name}", where=str(run.path),
                hint="campaigns.jsonl lists them",
            )  # fmt: skip
        if name in let_go:
            raise EvidenceError(
                f"a person let campaign {name} go", where="effects",
                hint="decide about its case anew: stillwatch case decide",
            )  # fmt: skip


def _mild(actions: Mapping[str, Action], ladder: Ladder) -> dict[str, Action]:
    """Return what stands on campaigns, no stricter than what needs no decision.

    A decision on a case names its accounts, and each of them has a verdict of its own.
    """
    return {
        name: replace(a, verdict=min(a.verdict, ladder.verdict, key=VERDICTS.index))
        for name, a in actions.items()
    }


def _members(
    campaigns: Sequence[Mapping[str, Any]], freed: Collection[str], *, edge: bool = False
) -> pa.Table:
    """Return the core of each campaign, or its ``edge``: the periphery that is on watch."""
    rows = [
        (number, m["account_id"], m["end_user_id"], m["standing"] == "accused")
        for number, campaign in enumerate(campaigns)
        for m in campaign["members"]
        if m["account_id"] not in freed
        and (m["role"] != "core" and m["standing"] == "watch" if edge else m["role"] == "core")
    ]
    columns = list(zip(*rows, strict=True)) or [(), (), (), ()]
    kinds = (pa.int32(), pa.string(), pa.string(), pa.bool_())
    return pa.table(
        {
            name: pa.array(values, kind)
            for name, values, kind in zip(
                ("campaign", "account_id", "end_user_id", "accused"), columns, kinds, strict=True
            )
        }
    )


def _pursuit(
    campaign: Mapping[str, Any], facts: _Facts, number: int, ordered: Mapping[str, Action]
) -> Pursuit:
    return Pursuit(
        str(campaign["campaign_id"]),
        # What its templates ask for describes it: no permit was read against that.
        tuple(campaign.get("hinted_methods", campaign["methods"])),
        facts.rates.get(number, 0.0),
        ordered.get(str(campaign["campaign_id"])),
        facts.burst(number),
        facts.begun.get(number, 0),
    )


class _Facts:
    """Questions to a run about its campaigns' core members; all answers sorted."""

    def __init__(
        self, run: Run, core: pa.Table, edge: pa.Table, until_us: int, established: timedelta
    ) -> None:
        self._run = run
        self._core, self._edge = core, edge
        self._with = f"""
            WITH e AS (SELECT * FROM exchanges WHERE epoch_us(ts) < {until_us}),
            active AS (SELECT sid, count(*) AS n FROM e GROUP BY sid),
            m AS (SELECT DISTINCT ON (p.sid) p.sid, c.campaign, c.accused, a.n
                  FROM core c JOIN people p ON p.account_id = c.account_id
                   AND coalesce(p.end_user_id, '') = coalesce(c.end_user_id, '')
                  JOIN active a ON a.sid = p.sid
                  ORDER BY p.sid, c.campaign)"""
        seen = self._ask(
            """SELECT m.campaign, count(*) AS n, min(epoch_us(e.ts)) AS begun_us,
                      (max(epoch_us(e.ts)) - min(epoch_us(e.ts))) / 3.6e9 AS hours
               FROM e JOIN m ON m.sid = e.sid WHERE m.accused GROUP BY m.campaign"""
        )
        self.rates = {r["campaign"]: usual_rate(r["n"], r["hours"]) for r in seen}
        self.begun = {r["campaign"]: r["begun_us"] for r in seen}
        spared = established // timedelta(microseconds=1)
        self._young_from_us = max(self.begun.values(), default=0) - spared if spared else -(1 << 62)

    def _ask(self, sql: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self._run.query(
            f"{self._with} {sql}", core=self._core, edge=self._edge
        ).to_pylist()
        return rows

    def accused(self, salt: bytes) -> dict[int, int]:
        rows = self._ask(
            "SELECT p.account_id, p.end_user_id, m.campaign FROM m JOIN people p ON p.sid = m.sid "
            "WHERE m.accused ORDER BY p.sid"
        )
        return {subject_key(salt, r["account_id"], r["end_user_id"]): r["campaign"] for r in rows}

    def ordered(self, salt: bytes, verdicts: Mapping[str, Action]) -> dict[int, Action]:
        """Return what stands on each accused: of a channel account, on its accused end users.

        *Allow* stands on all of an account, accused or not: who was let go joins nothing either.
        """
        rows = self._ask(
            "SELECT p.account_id, p.end_user_id, coalesce(m.accused, false) AS accused "
            "FROM people p LEFT JOIN m ON m.sid = p.sid ORDER BY p.sid"
        )
        return {
            subject_key(salt, r["account_id"], r["end_user_id"]): verdicts[r["account_id"]]
            for r in rows
            if r["account_id"] in verdicts
            and (r["accused"] or verdicts[r["account_id"]].verdict == "allow")
        }

    def known(self, salt: bytes) -> frozenset[int]:
        rows = self._ask(
            f"""SELECT p.account_id, p.end_user_id FROM active a JOIN people p ON p.sid = a.sid
                ANTI JOIN m ON m.sid = a.sid WHERE a.n >= {KNOWN_EXCHANGES} ORDER BY p.sid"""
        )
        return frozenset(subject_key(salt, r["account_id"], r["end_user_id"]) for r in rows)

    def channels(self, salt: bytes) -> frozenset[int]:
        rows = self._ask("SELECT DISTINCT account_id FROM people WHERE end_user_id IS NOT NULL")
        return frozenset(subject_key(salt, r["account_id"]) for r in rows)

    def access(self, salt: bytes) -> dict[int, str]:
        rows = self._ask("SELECT account_id, access FROM accounts WHERE access <> 'clear'")
        return {subject_key(salt, r["account_id"]): r["access"] for r in rows}

    def cited(self, salt: bytes, grounds: Grounds) -> tuple[tuple[Ground, ...], dict[int, int]]:
        """Return what ownership answers rest on, and of each account which. Raises EvidenceError"""
        rows = self._ask(
            """SELECT a.account_id, a.access, min(p.owner_entity_id) AS owner
               FROM accounts a LEFT JOIN people p ON p.account_id = a.account_id
               GROUP BY ALL ORDER BY a.account_id"""
        )
        places: dict[Ground, int] = {}
        found = {}
        for r in rows:
            access, ground = grounds.get(r["owner"] or "", ("undetermined", _NO_ANSWER))
            ground = ground if r["owner"] else _NO_OWNER
            if access != r["access"]:
                raise EvidenceError(
                    "the run was scanned with other ownership answers", where="--ownership",
                    hint="give the table that the scan took, or scan again",
                )  # fmt: skip
            if access != "clear":
                found[subject_key(salt, r["account_id"])] = places.setdefault(ground, len(places))
        return tuple(places), found

    def burst(self, number: int) -> tuple[int, int] | None:
        """Return the 72 hours in which at least half of the accused were created, and few others.

        Eight accused at least; at most one in twenty of all other accounts.
        """
        mine = self._created(f"JOIN m ON m.sid = p.sid WHERE m.accused AND m.campaign = {number}")
        width = _BURST_HOURS * 3_600_000_000
        best, first = (0, 0), 0
        for last, moment in enumerate(mine):
            while mine[first] < moment - width:
                first += 1
            best = max(best, (last - first + 1, -first))
        size, start = best[0], -best[1]
        if size < _BURST_MIN or 2 * size < len(mine):
            return None
        low, high = mine[start], mine[start + size - 1] + 1
        others = self._created("ANTI JOIN m ON m.sid = p.sid WHERE true")
        inside = sum(low <= moment < high for moment in others)
        return (low, high) if inside <= _BURST_OTHERS * len(others) else None

    def _created(self, which: str) -> list[int]:
        rows = self._ask(
            f"SELECT epoch_us(p.created_at) AS made_us FROM people p {which} "
            "AND p.created_at IS NOT NULL ORDER BY made_us"
        )
        return [r["made_us"] for r in rows]

    def templates(self) -> tuple[Template, ...]:
        """Frames that more core members than others carry, as the scan's step *carried* reads."""
        rows = self._ask(template_sql(self._young_from_us))
        slots = {slot: number for number, slot in enumerate(SLOTS)}
        found: dict[tuple[int, int, int, int, int], list[tuple[int, int, bool]]] = {}
        for r in rows:
            key = (r["campaign"], r["frame"], r["inside"], r["outside"], r["elsewhere"])
            slot = slots[(POSITIONS[r["pos"]], r["len"])]
            found.setdefault(key, []).append((slot, r["h"], r["company"]))
        return tuple(
            Template(campaign, tuple(nodes), inside, outside, elsewhere)
            for (campaign, _, inside, outside, elsewhere), nodes in sorted(found.items())
        )

    def bands(self) -> tuple[Mark, ...]:
        """Near-duplicate bands of two core members and more, and of nobody else."""
        each = " UNION ALL ".join(
            f"SELECT band_{k} AS h, sid FROM e WHERE band_{k} <> 0 AND user_tokens >= 12"
            for k in range(8)
        )
        rows = self._ask(
            f""", b AS (SELECT DISTINCT h, sid FROM ({each})),
            mine AS (SELECT b.h, m.campaign, count(*) AS inside FROM b JOIN m ON m.sid = b.sid
                     GROUP BY b.h, m.campaign HAVING count(*) >= 2),
            alle AS (SELECT b.h, count(*) AS n FROM b SEMI JOIN mine ON mine.h = b.h GROUP BY b.h)
            SELECT mine.h, mine.campaign, mine.inside FROM mine JOIN alle ON alle.h = mine.h
            WHERE alle.n = mine.inside
            QUALIFY row_number() OVER (PARTITION BY campaign ORDER BY inside DESC, mine.h)
                    <= {_MOST_MARKS}
            ORDER BY mine.campaign, mine.h"""
        )
        return tuple(Mark("near_text", r["h"], r["campaign"], r["inside"], 0) for r in rows)

    def network(self, column: str, kind: str) -> tuple[Mark, ...]:
        """Address prefixes or clients: three tenths of their carriers or more are core members."""
        rows = self._ask(f"SELECT * FROM ({network_sql(column)}) ORDER BY campaign, h")
        return tuple(Mark(kind, r["h"], r["campaign"], r["inside"], r["outside"]) for r in rows)

    def links(self, salt: bytes) -> tuple[Mark, ...]:
        """Payments, devices, telephones and mail hashes of the accused, shared by few others."""
        found: list[Mark] = []
        for kind, column in LINK_COLUMNS.items():
            assert EVIDENCE[kind]
            rows = self._ask(
                f""", k AS (SELECT p.{column} AS v, m.campaign, count(*) AS inside,
                       (SELECT count(*) FROM people a WHERE a.{column} = p.{column})
                         - count(*) AS outside
                     FROM people p JOIN m ON m.sid = p.sid
                     WHERE m.accused AND p.{column} IS NOT NULL AND p.{column} <> ''
                       AND p.end_user_id IS NULL GROUP BY p.{column}, m.campaign)
                SELECT * FROM k WHERE inside >= outside ORDER BY campaign, v"""
            )
            found.extend(
                Mark(kind, link_key(salt, kind, r["v"]), r["campaign"], r["inside"], r["outside"])
                for r in rows
            )
        return tuple(found)

    def seeds(self, salt: bytes) -> tuple[Seed, ...]:
        """Conversations and blobs that the accused got, newest kept; each organization's own."""
        parts = " UNION ALL ".join(
            f"""SELECT '{kind}' AS kind, e.{column} AS h, p.account_id, p.org_id, m.campaign,
                       max(epoch_us(e.ts)) AS ts_us
                FROM e JOIN m ON m.sid = e.sid JOIN people p ON p.sid = e.sid
                WHERE m.accused AND e.{column} <> 0
                  AND coalesce(e.status, 'ok') NOT IN {UNANSWERED} GROUP BY ALL"""
            for kind, column in (("handoff", "prefix_full"), ("blob_replay", "h_blob"))
        )
        rows = self._ask(
            f"SELECT * FROM ({parts}) ORDER BY ts_us DESC, kind, h, account_id LIMIT {_MOST_SEEDS}"
        )
        return tuple(
            Seed(
                r["kind"], r["h"], org_key(salt, r["account_id"], r["org_id"]), r["campaign"],
                r["ts_us"],
            )
            for r in reversed(rows)
        )  # fmt: skip
