"""Refusals by ownership rules → cases: each account gets a decision, a notice and a way to appeal.

The guard carries out an ownership answer by itself, so no person decides and no campaign is there.
What it did is in its decision log; here it becomes a record of judgement like any other.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from stillwatch.cases import tables as t
from stillwatch.cases.book import Book, Writer
from stillwatch.cases.notices import write_access_notice
from stillwatch.cases.terms import Terms
from stillwatch.errors import InputError, why
from stillwatch.schema import ACCESS, ADVERSE, OWNERSHIP, from_micros, to_micros
from stillwatch.schema.snapshot import subject_key
from stillwatch.seal import canonical, digest
from stillwatch.store import Run

__all__ = [
    "EnteredRefusals", "Refused", "accounts_of", "enter_refusals", "proofs_of", "read_refused",
]  # fmt: skip

_BY: Final = "rule:ownership"
_SAYS: Final = re.compile(rf"^ownership policy: access .*is ({'|'.join(ACCESS)})$")
_AS_OF: Final = re.compile(r" as of \d{4}-\d\d-\d\d$")
_DAY_US: Final = 86_400_000_000


@dataclass(frozen=True)
class Refused:
    """What a guard did to one account by an ownership answer. ``subject``: the account's key.

    ``reference``: the decision's id, as the account was told it. ``words``: what the answer rests
    on, where there is no citation. ``proof``: the digest of what it follows from, as the guard knew
    it; empty in logs of before that was told.
    """

    at_us: int
    subject: int
    reference: str
    verdict: str
    access: str
    words: str
    citation: str
    proof: str = ""


@dataclass
class EnteredRefusals:
    """``decisions`` with their case, in order. ``covered``: refusals that an earlier one speaks of.

    ``strangers``: keys of accounts that the run does not know.
    """

    decisions: list[tuple[str, str, str]] = field(default_factory=list)
    covered: int = 0
    strangers: int = 0


def read_refused(logs: Sequence[Path]) -> list[Refused]:
    """Return what guards refused or asked for by ownership alone, the oldest first.

    Of one account, verdict, citation and proof the first of each day. What was only watched or
    would have been done is none. A line that a full disk or a kill cut is left out.

    Raises InputError: a log cannot be read.
    """
    found: dict[tuple[Any, ...], Refused] = {}
    for log in logs:
        try:
            with log.open(encoding="utf-8", errors="replace") as lines:
                for one in filter(None, map(_refused, lines)):
                    key = (one.subject, one.verdict, one.citation, one.proof,
                           one.at_us // _DAY_US)  # fmt: skip
                    if key not in found or one.at_us < found[key].at_us:
                        found[key] = one
        except OSError as error:
            raise InputError(f"cannot be read ({why(error)})", where=str(log)) from error
    return sorted(found.values(), key=lambda one: (one.at_us, one.reference))


def accounts_of(run: Run, salt: bytes, subjects: Collection[int]) -> dict[int, str]:
    """Return key → account of those accounts of a run that have one of the keys."""
    wanted = set(subjects)
    accounts = run.table("accounts", ["account_id"])["account_id"].to_pylist() if wanted else []
    keyed = ((subject_key(salt, account), account) for account in accounts)
    return {key: account for key, account in keyed if key in wanted}


def enter_refusals(
    book: Book, refused: Iterable[Refused], accounts: Mapping[int, str],
    citations: Mapping[str, Mapping[str, Any]], *, terms: Terms, now: datetime,
) -> EnteredRefusals:  # fmt: skip
    """Enter refusals: a case for what they rest on, a decision and its notice for each account.

    1. Refusals that rest on the same answer are one case, whatever day they were answered for.
    2. A refusal that an earlier decision speaks of (the same account, verdict and proof, before it
       ends, also where it was undone or an appeal ended it) is covered by it; so is one that is
       older than a decision could last. An answer that follows from something else, such as a new
       statement, is another, whatever an appeal said of the one before.
    3. The decision is the rule's, on one account, until the terms' longest time; then the next
       refusal makes another, with another notice. Where the answer is certain and is denied, it
       stands while an appeal is overdue, unless the terms say otherwise.

    ``citations``: what was cited, by id; a refusal whose citation is not there is told by its words
    alone. Raises as `Book.writing`.
    """
    entered = EnteredRefusals()
    with book.writing(now) as writer:
        ends = _Ends(writer.connection, terms)
        fresh: dict[str, list[tuple[str, Refused]]] = {}
        evidence: dict[str, Mapping[str, Any]] = {}
        for one in refused:
            account = accounts.get(one.subject)
            if account is None:
                entered.strangers += 1
                continue
            too_old = to_micros(writer.now - terms.longest[one.verdict])
            if one.at_us < max(ends.of(account, one), too_old):  # 2
                entered.covered += 1
                continue
            ends.put(account, one.verdict, one.proof, writer.now + terms.longest[one.verdict])
            held = _evidence(one, citations.get(one.citation))
            name = digest(held)
            evidence[name] = held
            fresh.setdefault(name, []).append((account, one))
        for name, group in fresh.items():
            case_id = _case(writer, name, evidence[name], [account for account, _ in group])  # 1
            for account, one in group:
                decision = _decide(writer, case_id, name, account, one, terms)  # 3
                as_of = (citations.get(one.citation) or {}).get("as_of")
                write_access_notice(
                    writer, decision, evidence[name], terms,
                    as_of=as_of or f"{from_micros(one.at_us):%Y-%m-%d}",
                )  # fmt: skip
                entered.decisions.append((decision.decision_id, case_id, one.verdict))
    return entered


def _refused(text: str) -> Refused | None:
    """Return what a line of the log says; None of one that is cut, or refused by no ownership."""
    if '"access"' not in text:  # most lines need not be parsed
        return None
    try:
        line = json.loads(text)
        if line["level"] != "access" or line["verdict"] not in ADVERSE:
            return None
        reasons = line["reasons"]
        place, said = next((n, m) for n, r in enumerate(reasons) if (m := _SAYS.match(r)))
        words = reasons[place + 1] if place + 1 < len(reasons) else ""
        return Refused(
            int(line["ts_us"]), int(line["subject"], 16), str(line["decision_id"]),
            line["verdict"], said[1], _AS_OF.sub("", words), line.get("citation") or "",
            str(line.get("proof") or ""),
        )  # fmt: skip
    except (ValueError, KeyError, TypeError, StopIteration):
        return None


def _evidence(one: Refused, said: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what a refusal rests on, the same for whatever day it was answered; no holding.

    ``basis`` is a digest of the whole citation but its day: the chain stays in its own file.
    ``proof`` is that of the chain alone, to which what an appeal decides is bound.
    """
    if said is None:
        return {"kind": OWNERSHIP, "access": one.access, "basis": "", "proof": one.proof,
                "policies": [],
                "rules": [{"text": one.words}] if one.words else []}  # fmt: skip
    lasting = {name: value for name, value in said.items() if name != "as_of"}
    return {
        "kind": OWNERSHIP, "access": said["access"],
        "basis": hashlib.sha256(canonical(lasting)).hexdigest()[:32],
        "proof": one.proof,
        "policies": list(said["policies"]),
        "rules": [
            {name: rule[name] for name in ("id", "version", "title", "text")}
            for rule in said["rules"]
            if rule["access"] == said["access"]
        ],
    }  # fmt: skip


class _Ends:
    """Until when decisions by ownership speak of refusals, by account, verdict and proof.

    One that an appeal overturned does so as long as corrections hold. A decision of before there
    were proofs speaks of every refusal of its account and verdict, and a refusal of before is
    spoken of by every such decision.
    """

    def __init__(self, connection: sa.Connection, terms: Terms) -> None:
        self._held: dict[tuple[str, str], dict[str, int]] = {}
        proofs = proofs_of(connection)
        d, said = t.decisions.c, (t.decisions.c.verdict, t.decisions.c.evidence_digest)
        for account, verdict, evidence, end_us in connection.execute(
            sa.select(t.decision_accounts.c.account_id, *said, d.expires_us)
            .join(t.decisions, d.id == t.decision_accounts.c.decision_id)
            .where(d.reason == OWNERSHIP, d.undoes.is_(None))
        ):
            self.put(account, verdict, proofs.get(evidence, ""), from_micros(end_us))
        for account, verdict, evidence, at_us in connection.execute(
            sa.select(t.appeals.c.account_id, *said, t.appeals.c.at_us)
            .join(t.decisions, d.id == t.appeals.c.decision_id)
            .where(d.reason == OWNERSHIP, t.appeals.c.state == "upheld")
        ):
            end = from_micros(at_us) + terms.corrections_hold
            self.put(account, verdict, proofs.get(evidence, ""), end)

    def put(self, account: str, verdict: str, proof: str, end: datetime) -> None:
        """Note that a decision speaks of such refusals until then."""
        held = self._held.setdefault((account, verdict), {})
        held[proof] = max(held.get(proof, 0), to_micros(end))

    def of(self, account: str, one: Refused) -> int:
        """Return until when a refusal is spoken of; 0 where it is not."""
        held = self._held.get((account, one.verdict), {})
        if not one.proof:
            return max(held.values(), default=0)
        return max(held.get(one.proof, 0), held.get("", 0))


def proofs_of(connection: sa.Connection) -> dict[str, str]:
    """Return evidence digest → the proof that refusals by ownership rest on; empty of before."""
    rows = connection.execute(
        sa.select(t.evidence.c.digest, t.bodies.c.body)
        .join(t.bodies, t.bodies.c.number == t.evidence.c.number)
        .join(t.cases, t.cases.c.id == t.evidence.c.case_id)
        .where(t.cases.c.kind == OWNERSHIP)
    )
    return {name: str(json.loads(body)["evidence"].get("proof", "")) for name, body in rows}


def _case(writer: Writer, name: str, evidence: Mapping[str, Any], accounts: list[str]) -> str:
    """Return the open case of this evidence, with these accounts among its members."""
    row = writer.connection.execute(
        sa.select(t.cases.c.id)
        .join(t.evidence, t.evidence.c.case_id == t.cases.c.id)
        .where(t.evidence.c.digest == name, t.cases.c.state == "open", t.cases.c.kind == OWNERSHIP)
        .order_by(t.cases.c.opened_us, t.cases.c.id)
        .limit(1)
    ).one_or_none()
    held = set() if row is None else set(_members(writer.connection, row.id))
    case_id = f"case-{writer.next_number}" if row is None else str(row.id)
    if set(accounts) <= held:
        return case_id
    writer.add(
        "case.seen",
        {
            "case_id": case_id, "campaign_id": f"ownership-{name.split(':')[-1][:12]}",
            "change": "new" if row is None else "grew", "split_from": None, "kind": OWNERSHIP,
            "members": [[a, "owned", evidence["access"]] for a in sorted(held | set(accounts))],
            "evidence_digest": name, "evidence": dict(evidence),
        },
    )  # fmt: skip
    return case_id


def _members(connection: sa.Connection, case_id: str) -> Iterator[str]:
    yield from connection.scalars(
        sa.select(t.members.c.account_id).where(t.members.c.case_id == case_id, t.members.c.current)
    )


@dataclass(frozen=True)
class _Decided:
    decision_id: str
    verdict: str
    stands: bool


def _decide(
    writer: Writer, case_id: str, name: str, account: str, one: Refused, terms: Terms
) -> _Decided:
    stands = terms.restricted_stands and one.verdict == "deny"
    decision_id = f"decision-{writer.next_number}"
    writer.add(
        "decision.made",
        {
            "decision_id": decision_id, "case_id": case_id, "subject": account, "scope": "account",
            "accounts": [account], "verdict": one.verdict, "reason": OWNERSHIP,
            "evidence_digest": name, "by": _BY,
            "expires_us": to_micros(writer.now + terms.longest[one.verdict]), "undoes": None,
            "pending": False, "stands": stands, "reference": one.reference,
            "refused_us": one.at_us, "citation": one.citation,
        },
    )  # fmt: skip
    return _Decided(decision_id, one.verdict, stands)
