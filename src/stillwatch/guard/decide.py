"""The decision itself: O(1) a request, no I/O, no clock but the request's own time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from stillwatch.guard.decision import Decision
from stillwatch.guard.matching import exclusive_bits, match, may_match, named_kinds
from stillwatch.guard.orders import Orders
from stillwatch.guard.permit_use import charge
from stillwatch.guard.pursue import Against, pursue
from stillwatch.guard.request import Origin, Request, request_of_text
from stillwatch.guard.seen import Capacity, Record, Seen
from stillwatch.guard.table import RANK, Asked, Table
from stillwatch.schema import UNANSWERED, Judgement
from stillwatch.schema.snapshot import Seed, Snapshot

__all__ = ["Guard"]

_REFUSED: Final = frozenset({"denied", "rate_limited"})
_UNANSWERED: Final = frozenset(UNANSWERED)


class Guard(Seen):
    """Decides about requests by a snapshot and what it has seen since.

    One thread calls it. The tables are swapped whole by ``load``; the window's state stays.
    ``on_record`` is told every change of state that must survive a restart.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        orders: Orders | None = None,
        *,
        node: str = "0",
        capacity: Capacity | None = None,
        seed_books: bool = True,
        judged: Judgement | None = None,
    ) -> None:
        table = Table(snapshot, orders or Orders(), {}, judged)
        super().__init__(table, capacity or Capacity())
        self._node = node
        self._count = 0
        self._seed_books = seed_books
        for seed in table.seeds if seed_books else ():
            self.plant(seed)

    def load(self, snapshot: Snapshot, orders: Orders, judged: Judgement | None = None) -> None:
        """Use another snapshot, orders or effects of cases from the next request on.

        What was seen so far stays: campaigns keep their numbers, budgets their counts.

        Raises ConfigError: the snapshot's ladder is not allowed.
        """
        for seed in self.adopt(self.prepare(snapshot, orders, judged)):
            self.plant(seed)

    def prepare(self, snapshot: Snapshot, orders: Orders, judged: Judgement | None = None) -> Table:
        """Return the tables of a snapshot; another thread may do it. Raises ConfigError."""
        return Table(snapshot, orders, dict(self.numbers), judged, self._table)

    def adopt(self, table: Table) -> tuple[Seed, ...]:
        """Use tables that were prepared; return the seeds that are left to plant."""
        fresh = self._table.snapshot.version != table.snapshot.version
        self.follow(table)
        return table.seeds if self._seed_books and fresh else ()

    def decide_text(self, origin: Origin, exchange: Mapping[str, Any]) -> Decision:
        """Decide about a request by its text in canonical columns; about 4 µs more a kilobyte.

        Raises TypeError for a column of another type.
        """
        return self.decide(request_of_text(origin, exchange))

    def decide(self, request: Request) -> Decision:
        """Decide about a request by its features, and count it.

        Order: 1. nothing known against it: allow; 2. the campaign, unless what was decided was
        undone, the snapshot has expired, an appeal restored the account or a permit covers it: its
        rung, its budget; 3. ownership answers, which only an undo of *access* takes back. Of 2 and
        3 the stricter is carried out and both are cited.
        """
        table = self._table
        ts = request.ts_us
        if ts > self.newest_us:
            self.newest_us = ts
        subject, account = table.who(request.account_id, request.end_user_id)
        campaign = table.accused.get(subject, -1)
        level = "member"
        bits = 0
        if campaign < 0 and may_match(self, table, request):
            campaign, level, bits = self._weigh(request, subject)
        if campaign < 0 and subject in self.joined:
            campaign, level = self.still_joined(subject, ts)
        if campaign < 0 and account not in table.access:
            return self._answer(subject, "allow", (), None, table.ladder.decision_ttl_s, "")
        return self._act(request, Against(subject, account, campaign, level, bits))

    def matches(self, request: Request) -> dict[int, int]:
        """Return campaign → bits of the deterministic rules that a request matches.

        The state is read, not changed; the account's own accusation is not among them.
        """
        return match(self, request)

    def observe(
        self,
        request: Request,
        *,
        status: str = "ok",
        output_tokens: int = 0,
        prefix_full: int = 0,
        h_blob: int = 0,
        h_response: int = 0,
        turn: tuple[int, ...] = (),
    ) -> None:
        """Note how a request ended: its conversation, its blob, whether it was refused, its tokens.

        ``prefix_full`` and ``h_blob`` are the kernel's columns of the whole exchange;
        ``h_response`` is of the answer's id, and ``turn`` (see `turn_of`) what the exchange adds to
        the conversation that it goes on from. A call that the model did not answer leaves none of
        them, since it costs nothing: who sends somebody else's conversation in one that fails would
        else own it from the next on, and five organizations that do so would make it a public one.
        """
        table = self._table
        subject = table.subject(request.account_id, request.end_user_id)
        campaign = table.accused.get(subject, -1)
        org = table.org(request.account_id, request.org_id)
        if status not in _UNANSWERED:
            if status == "ok":
                self._note_history(request, org)
            self._note_answer(request, org, campaign, prefix_full, h_blob, h_response, turn)
        if status in _REFUSED:
            self.note_refusal(request, org, campaign)
        if output_tokens and table.snapshot.permits:
            if campaign < 0 and subject in self.joined:
                campaign = self.joined[subject][0]
            charge(self, request, campaign, output_tokens)

    def verify(self, account_id: str, end_user_id: str | None, ts_us: int) -> None:
        """Note that a subject passed step-up: it is watched, not stepped up again, for a time.

        It holds until the time of the verification and the ladder's ``verified_s``. A request is
        compared by its own time, so that one which was sent before and comes late, or a clock that
        goes back, asks nobody again.
        """
        subject = self._table.subject(account_id, end_user_id)
        self.note_verified(subject, ts_us + self._table.ladder.verified_s * 1_000_000)
        self.tell(Record("verified", subject, 0, 0, self.verified[subject]))

    def name_next(self) -> str:
        """Return the id of one more decision; no two of a guard's are the same."""
        self._count += 1
        return f"{self._node}-{self._count:x}"

    def _note_history(self, request: Request, org: int) -> None:
        """Note that an organization has the conversation that it went on from."""
        if request.prefix_before:
            # Whoever opens with the same history each time has not taken it over from anybody,
            # though an attacker may have had the model say it; so that this names no campaign.
            self.put("handoff", request.prefix_before, org, -1, request.ts_us)
        if request.h_previous in self.conversations:
            # A name costs nothing: one that nobody was given must neither push a conversation out
            # nor count as one more organization that has it.
            self.put("handoff", request.h_previous, org, -1, request.ts_us)

    def _note_answer(
        self, request: Request, org: int, campaign: int, prefix_full: int, h_blob: int,
        h_response: int, turn: tuple[int, ...],
    ) -> None:  # fmt: skip
        """Note the conversation, answer and blob that an organization got."""
        ts = request.ts_us
        if turn and (request.h_previous or h_response):
            whole = self.go_on(request.h_previous, h_response, turn)
            prefix_full = whole if request.h_previous else prefix_full
        if h_response:
            self.put("handoff", h_response, org, campaign, ts)
        if prefix_full:
            self.put("handoff", prefix_full, org, campaign, ts)
        if h_blob:
            self.put("blob_replay", h_blob, org, campaign, ts)

    def _weigh(self, request: Request, subject: int) -> tuple[int, str, int]:
        """Note what the request shows and return campaign, level and bits; -1 where nothing."""
        best = (-1, "", 0)
        for campaign, bits in sorted(match(self, request).items()):
            if campaign in self._table.undone_campaigns:
                continue
            exclusive = exclusive_bits(self._table, request, campaign, bits)
            self.suspects.of(subject, campaign).note(bits, exclusive, request.ts_us)
            self.tell(Record("evidence", subject, exclusive << 16 | bits, campaign, request.ts_us))
            level = self.promote(subject, campaign, request.ts_us)
            if best[0] < 0 or level != "touched":
                best = (campaign, level, bits)
        if best[1] == "touched" and subject in self.joined:
            return (*self.still_joined(subject, request.ts_us, best), best[2])
        return best

    def _act(self, request: Request, against: Against) -> Decision:
        table, subject, account = self._table, against.subject, against.account
        asked = self._by_access(request, subject, account)
        by_access, citation = asked.verdict, ""
        pursued = pursue(self, request, against, by_access)
        verdict, reasons = pursued.verdict, pursued.reasons
        retry_after, level, ttl = pursued.retry_after_s, pursued.level, pursued.ttl_s
        if by_access != "allow":
            reasons, citation = (*reasons, *asked.reasons), asked.citation
            if RANK[by_access] > RANK[verdict]:
                verdict, level, retry_after = by_access, "access", 0
                # What verification or a permit's end may change is asked for anew soon.
                ttl = min(ttl, table.ladder.decision_ttl_s)
        # What is known of a channel's owner is said of the channel, not of its end users.
        who = account if level == "access" else subject
        made = self._answer(
            who, verdict, reasons, pursued.campaign_id, ttl, level, pursued.bits, retry_after,
            citation,
        )  # fmt: skip
        # In shadow and outside of a canary nothing was refused, so that nobody tries it elsewhere.
        if made.verdict in ("throttle", "deny"):
            org = table.org(request.account_id, request.org_id)
            self.note_refusal(request, org, table.accused.get(subject, -1))
        return made

    def _by_access(self, request: Request, subject: int, account: int) -> Asked:
        """Return the verdict of ownership answers; whom the account's verification has freed of
        step-up is watched. An end user's own verification says nothing about the account's owner.
        What the cases say of the very answer (an appeal, a person) makes it less. It outlives the
        snapshot's time: who owns an account is no finding that grows stale in days.
        """
        asked = self._table.access_verdict(subject, account)
        if asked.verdict != "allow" and self._table.is_undone(
            "access", request.account_id, request.end_user_id, subject, account
        ):
            return Asked("allow", (), "")
        ease = self._table.ease(account, request.ts_us) if self._table.eased else None
        if ease is not None and RANK[ease[0]] < RANK[asked.verdict]:
            asked = Asked(ease[0], (*asked.reasons, ease[1]), asked.citation)
        if asked.verdict == "step_up" and self.verified.get(account, 0) > request.ts_us:
            return Asked("watch", (*asked.reasons, "has passed verification"), asked.citation)
        return asked

    def _answer(
        self,
        subject: int,
        would: str,
        reasons: tuple[str, ...],
        campaign_id: str | None,
        ttl_s: int,
        level: str,
        bits: int = 0,
        retry_after_s: int = 0,
        citation: str = "",
    ) -> Decision:
        mode = self._table.mode
        verdict = would
        if would != "allow":
            if mode == "off":
                verdict = "allow"
            elif mode == "shadow":
                verdict = "watch"
            elif not self._table.in_canary(subject):
                mode, verdict = "canary", "watch"
        return Decision(
            verdict, reasons, campaign_id, ttl_s if would == "allow" else 0, self.name_next(), mode,
            would,
            retry_after_s, level, named_kinds(bits) if bits else (), subject,
            citation,
        )  # fmt: skip
