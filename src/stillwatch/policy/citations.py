"""What an access decision rests on: policies, rules with their version, the chain of ownership.

A citation is named by the digest of all that it says, so that whoever holds the name can check the
text: the guard carries names only, the chain stays with the provider's analysts.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

from stillwatch.errors import EvidenceError, InputError, why
from stillwatch.policy.access import AccessDecision
from stillwatch.policy.owners import Answer, Dates, OwnershipRule, Register, Step
from stillwatch.policy.owners.chains import describe
from stillwatch.policy.owners.holdings import percent
from stillwatch.schema import locked, write_whole

__all__ = [
    "Citation", "cite", "describe_citation", "erase_citations", "read_citations", "write_citations",
]  # fmt: skip

_FORMAT: Final = 1
_ID_DIGITS: Final = 32  # 128 bits
_PROVES: Final = ("id", "asks", "interest", "access", "chain")


@dataclass(frozen=True)
class Citation:
    """One owner's access on one day. ``said``: the JSON value that the citation's id is made of."""

    citation_id: str
    said: Mapping[str, Any]

    @property
    def rules(self) -> str:
        """The policies and rules in words: identifiers, versions, texts; nothing of the owner."""
        told = [f"policy {p['id']} ({p['cites']})" for p in self.said["policies"]]
        told += [
            f"rule {r['id']} version {r['version']} with list {r['list']}"
            for r in self.said["rules"]
            if r["access"] == self.said["access"]
        ]
        return "; ".join(dict.fromkeys(told))

    @property
    def proof(self) -> str:
        """The digest of what the answer follows from: the policies that decide, and of each rule
        that gives the answer what it asks and its chain, holding by holding with the statements.

        The same on another day, under a list that grew elsewhere and under a text that counsel
        wrote anew; another where a statement, a share, a listed owner of the chain, a threshold or
        a rule is. What a person judged of one proof says nothing of another.
        """
        rules = self.said["rules"]
        behind = [r for r in rules if r["access"] == self.said["access"]]
        behind = behind or [r for r in rules if r["access"] != "clear"]
        return _digest(
            {
                "access": self.said["access"],
                "policies": [p["id"] for p in self.said["policies"]],
                "rules": [{name: r[name] for name in _PROVES} for r in behind],
            }
        )


def cite(
    owner: str, decision: AccessDecision, answers: Iterable[Answer],
    rules: Mapping[str, OwnershipRule], register: Register, at: date, service: str,
) -> Citation:  # fmt: skip
    """Return the citation of a decision; every rule's answer is in it, also milder ones."""
    said = {
        "format": _FORMAT,
        "owner_entity_id": owner,
        "access": decision.access,
        "as_of": at.isoformat(),
        "service": service,
        "policies": [
            {"id": name, "cites": text}
            for name, text in zip(decision.policies, decision.cites, strict=True)
        ],
        "rules": [_answered(a, rules[a.rule_id], register.dates) for a in answers],
    }
    return Citation(_digest(said), said)


def _answered(answer: Answer, rule: OwnershipRule, dates: Mapping[str, Dates]) -> dict[str, Any]:
    return {
        "id": rule.rule_id,
        "version": rule.version,
        "title": rule.title,
        "text": " ".join(rule.legal_status.split()),
        "checked_on": rule.checked_on.isoformat(),
        "asks": f"{rule.method}, {rule.operator} {percent(rule.threshold)}",
        "list": answer.list_version,
        "interest": answer.interest,
        "access": answer.access,
        "parts": [answer.low, answer.high, answer.unknown],
        "chain": [_held(step, dates) for step in answer.chain],
    }


def _held(step: Step, dates: Mapping[str, Dates]) -> dict[str, Any]:
    return {
        **asdict(step),
        "sources": [
            {"statement": source, **{
                name: None if day is None else day.isoformat()
                for name, day in dates.get(source, Dates(None, None, None))._asdict().items()
            }}
            for source in step.sources
        ],
    }  # fmt: skip


def _digest(said: Mapping[str, Any]) -> str:
    text = json.dumps(said, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:_ID_DIGITS]


def write_citations(path: Path, made: Iterable[Citation]) -> int:
    """Add citations to a file, one JSON line each; return how many were new.

    What is there stays, since decisions of the past name it. Raises as `read_citations`.
    """
    with locked(path):
        held = {c.citation_id for c in read_citations(path)} if path.exists() else set()
        fresh = {c.citation_id: c for c in made if c.citation_id not in held}
        with path.open("a", encoding="utf-8") as out:
            out.write("".join(map(_line, fresh.values())))
    return len(fresh)


def erase_citations(path: Path, names: Collection[str]) -> int:
    """Remove every citation that names one of these entities or persons; return how many.

    A citation is named by the digest of all that it says, so it cannot be rewritten without the
    name: it goes whole. Decisions that name it keep the rule and its text, and lose the chain.
    Raises as `read_citations`.
    """
    with locked(path):
        held = list(read_citations(path))
        kept = [c for c in held if _names_of(c).isdisjoint(names)]
        if len(kept) < len(held):
            write_whole(path, "".join(map(_line, kept)).encode())
    return len(held) - len(kept)


def _names_of(citation: Citation) -> set[str]:
    """Return the identifiers of entities and persons that a citation holds."""
    chain = [step for rule in citation.said["rules"] for step in rule["chain"]]
    held = [citation.said["owner_entity_id"]]
    held += [step[side] for step in chain for side in ("owner", "asset")]
    return {name for name in held if name}


def _line(citation: Citation) -> str:
    said = {"citation": citation.citation_id, **citation.said}
    return json.dumps(said, sort_keys=True) + "\n"


def read_citations(path: str | os.PathLike[str]) -> Iterator[Citation]:
    """Yield the citations of a file, each checked against its id.

    Raises InputError: it cannot be read. EvidenceError: a line is none, or says something else
    than what its id was made of.
    """
    file = Path(path)
    try:
        lines = file.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot be read ({why(error)})", where=str(file)) from error
    for number, line in enumerate(lines, 1):
        try:
            said = json.loads(line)
            name = said.pop("citation")
            whole = said["format"] == _FORMAT and name == _digest(said)
        except (ValueError, KeyError, TypeError, AttributeError):
            whole = False
        if not whole:
            raise EvidenceError(
                "no citation, or changed since it was written", where=f"{file.name}:{number}",
                hint="answer anew: stillwatch ownership answer --citations",
            )  # fmt: skip
        yield Citation(name, said)


def describe_citation(citation: Citation) -> list[tuple[str, list[str]]]:
    """Return headings with sentences: the access, each policy and rule, the chain with dates."""
    said = citation.said
    sections = [
        (
            f"{said['owner_entity_id']}: {said['access']} on {said['as_of']}",
            [f"policy {p['id']}: {p['cites']}" for p in said["policies"]]
            or ["no policy speaks of it"],
        )
    ]
    for rule in said["rules"]:
        low, high, unknown = rule["parts"]
        points = [
            f"version {rule['version']}, {rule['title']}: {rule['asks']} of {rule['interest']}, "
            f"list {rule['list']}",
            f"the text, as read on {rule['checked_on']}: {rule['text']}",
            f"listed parties hold {percent(low)} at least, {percent(high)} at most, "
            f"{percent(unknown)} with owners of whom nothing is known",
        ]
        points += [_told(step) for step in rule["chain"]]
        sections.append((f"Rule {rule['id']}: {rule['access']}", points))
    return sections


def _told(step: Mapping[str, Any]) -> str:
    sources: Sequence[Mapping[str, Any]] = step["sources"]
    told = describe(Step(**{**step, "sources": ()}))
    of_each = [
        " ".join([s["statement"], *(
            f"{word} {s[name]}"
            for name, word in (("stated", "of"), ("since", "held since"), ("until", "until"))
            if s[name]
        )])
        for s in sources
    ]  # fmt: skip
    return f"{told} (statement {'; '.join(of_each)})" if of_each else told
