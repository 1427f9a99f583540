"""The notice of an adverse decision, in plain words: what, why, how to object, by when."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any, Final

import sqlalchemy as sa
from jinja2 import Environment, StrictUndefined, Template

from stillwatch.cases import tables as t
from stillwatch.cases.book import Book, Writer
from stillwatch.cases.people import is_rule
from stillwatch.cases.terms import Terms
from stillwatch.errors import ConfigError
from stillwatch.schema import REASONS, Decision, to_micros

__all__ = ["access_notice", "read_notice", "write_access_notice", "write_notice"]

_WIDTH: Final = 80
_VERDICTS: Final = {
    "throttle": "limited how many requests the account can make",
    "step_up": "ask for proof of who uses the account before it can go on",
    "summarize": "withhold the model's reasoning from its answers, or give summaries of it",
    "deny": "stopped answering requests of the account",
}
_CLAIMS: Final = {
    "coordinated": "that several accounts act as one",
    "extractive": "that answers are collected to train another model",
}


def write_notice(writer: Writer, decision: Decision, terms: Terms) -> None:
    """Write the notice of an adverse decision; the same text for every account that it touches.

    It is made from words of the schema and from numbers. No text of a prompt, of evidence or of an
    analyst can get into it, and no other account is named.
    """
    appeal_by = writer.now + terms.time_to_appeal
    text = _rendered(
        "notice.txt.jinja",
        verdict=_VERDICTS[decision.verdict],
        expires=_day(decision.expires),
        reason=REASONS[decision.reason],
        claims=_claims(writer.connection, decision),
        decided=_decided(decision),
        contact=terms.contact,
        appeal_by=_day(appeal_by),
        hours=round(terms.time_to_decide.total_seconds() / 3600),
        decision_id=decision.id,
    )
    writer.add(
        "notice.written",
        {"decision_id": decision.id, "appeal_by_us": to_micros(appeal_by), "text": text},
    )


def access_notice(
    decision_id: str, verdict: str, said: Mapping[str, Any], terms: Terms, now: datetime
) -> str:
    """Return the notice of a verdict by ownership alone, from what its citation says.

    It names the rules with their version and text, and no holding: who holds what of whom was told
    to us, and not by whoever gets this.

    Raises ConfigError: the verdict is not adverse.
    """
    if verdict not in _VERDICTS:
        raise ConfigError(f"{verdict} has no notice", where=decision_id,
                          hint="a notice is of what was refused or asked for")  # fmt: skip
    return _of_access(
        decision_id, verdict, said, terms, now + terms.time_to_appeal, as_of=said["as_of"],
        stands=terms.restricted_stands and verdict == "deny",
    )  # fmt: skip


def write_access_notice(
    writer: Writer, decision: Any, evidence: Mapping[str, Any], terms: Terms, *, as_of: str
) -> None:
    """Write the notice of a refusal that was entered; ``evidence`` as `refusals` makes it."""
    appeal_by = writer.now + terms.time_to_appeal
    text = _of_access(
        decision.decision_id, decision.verdict, evidence, terms, appeal_by, as_of=as_of,
        stands=decision.stands,
    )  # fmt: skip
    writer.add(
        "notice.written",
        {"decision_id": decision.decision_id, "appeal_by_us": to_micros(appeal_by), "text": text},
    )


def _of_access(
    decision_id: str, verdict: str, said: Mapping[str, Any], terms: Terms, appeal_by: datetime, *,
    as_of: str, stands: bool,
) -> str:  # fmt: skip
    return _rendered(
        "access_notice.txt.jinja",
        verdict=_VERDICTS[verdict],
        access=said["access"],
        rules=[
            _visible(_rule_text(r))
            for r in said["rules"]
            if r.get("access", said["access"]) == said["access"]
        ],
        as_of=as_of,
        contact=terms.contact,
        appeal_by=_day(appeal_by),
        hours=round(terms.time_to_decide.total_seconds() / 3600),
        stands=stands,
        decision_id=decision_id,
    )


def _rule_text(rule: Mapping[str, Any]) -> str:
    if "id" not in rule:
        return str(rule["text"])
    return f"{rule['title']} (rule {rule['id']}, version {rule['version']}). {rule['text']}"


def read_notice(book: Book, decision_id: str, account_id: str) -> str:
    """Return the notice as one account gets it.

    Raises ConfigError: the decision has no notice, or does not touch the account.
    """
    with book.reading() as connection:
        text = connection.scalar(
            sa.select(t.notices.c.text)
            .join(t.decision_accounts,
                  t.decision_accounts.c.decision_id == t.notices.c.decision_id)
            .where(t.notices.c.decision_id == decision_id,
                   t.decision_accounts.c.account_id == account_id)
        )  # fmt: skip
    if text is None:
        raise ConfigError("there is no notice of that decision for that account", where="notice")
    return f"Account: {_visible(account_id)}\n\n{text}"


def _rendered(template: str, **values: object) -> str:
    """Return a notice, its lines no longer than 80 characters."""
    return "\n".join(
        textwrap.fill(line, _WIDTH, subsequent_indent="  " if line.startswith("- ") else "")
        for line in _template(template).render(**values).split("\n")
    )


@cache
def _template(name: str) -> Template:
    source = files("stillwatch.cases").joinpath(f"templates/{name}")
    # Plain text, not HTML: nothing to escape, and nothing that came from outside goes in.
    environment = Environment(  # noqa: S701
        undefined=StrictUndefined, trim_blocks=True, keep_trailing_newline=True
    )
    return environment.from_string(source.read_text(encoding="utf-8"))


def _claims(connection: sa.Connection, decision: Decision) -> list[str]:
    """Return a sentence a claim of the evidence that was decided on, with its number alone."""
    body = connection.scalar(
        sa.select(t.bodies.c.body)
        .join(t.evidence, t.evidence.c.number == t.bodies.c.number)
        .where(t.evidence.c.digest == decision.evidence_digest,
               t.evidence.c.case_id == decision.case_id)
    )  # fmt: skip
    held: Mapping[str, Any] = json.loads(body)["evidence"].get("claims") or {} if body else {}
    sentences = []
    for name, told in _CLAIMS.items():
        claim = held.get(name)
        e_value = claim.get("e_value") if isinstance(claim, Mapping) else None
        if isinstance(e_value, int | float) and not isinstance(e_value, bool) and e_value > 1:
            weight = f"{float(f'{min(e_value, 1e12):.2g}'):,.0f}"
            sentences.append(
                f"The evidence {told} would be expected by chance at most once in {weight} cases."
            )
    return sentences


def _decided(decision: Decision) -> str:
    if is_rule(decision.by):
        return "A rule did, without a person. You can have a person look at it, as set out below."
    two = ", and a second person approved it" if decision.approved_by else ""
    return f"A person of our staff looked at the evidence and decided{two}."


def _day(moment: datetime) -> str:
    return f"{moment.day} {moment:%B %Y, %H:%M} UTC"


def _visible(text: str) -> str:
    return "".join(c if c.isprintable() else f"⟨U+{ord(c):04X}⟩" for c in text)
