"""The decision itself: O(1) a request, no I/O, no clock but the request's own time."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, NamedTuple

from stillwatch.guard.books import Book
from stillwatch.guard.budgets import Budget
from stillwatch.guard.decision import Decision
from stillwatch.guard.orders import Orders
from stillwatch.guard.request import Origin, Request, request_of_text
from stillwatch.guard.suspects import Suspects, level_of
from stillwatch.guard.table import RANK, Table
from stillwatch.policy import Permit
from stillwatch.schema import Judgement
from stillwatch.schema.snapshot import EVIDENCE, Seed, Snapshot

__all__ = ["Capacity", "Guard", "Record"]

_DAY_US: Final = 86_400_000_000
_NAMES: Final = {bit: name for name, bit in EVIDENCE.items()}
_BIT: Final = EVIDENCE
_MOST_ORGS: Final = 4  # a conversation, blob or prompt of more organizations is a public one
_MOST_TOKENS: Final = 1 << 40
_RETRY_TOKENS: Final = 8
_REFUSED: Final = frozenset({"denied", "rate_limited"})


class Record(NamedTuple):
    """One change of state, as the journal and other nodes get it."""

    kind: str
    key: int
    org: int
    campaign: int
    value: int


class _Pursued(NamedTuple):
    """What a campaign asks for, before ownership is asked."""

    verdict: str
    reasons: tuple[str, ...]
    campaign_id: str | None
    ttl_s: int
    level: str
    bits: int
    retry_after_s: int = 0


@dataclass(frozen=True)
class Capacity:
    """How many values each book holds, and how many (subject, campaign) pairs."""

    conversations: int = 1_000_000
    blobs: int = 250_000
    prompts: int = 250_000
    suspects: int = 250_000


class Guard:
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
        size = capacity or Capacity()
        self.conversations = Book(size.conversations)
        self.blobs = Book(size.blobs)
        self.prompts = Book(size.prompts)
        self.suspects = Suspects(size.suspects)
        self.joined: dict[int, tuple[int, str, int]] = {}
        self.verified: dict[int, int] = {}
        self.budgets: dict[int, Budget] = {}
        self.numbers: dict[str, int] = {}
        self.newest_us = 0
        self.on_record: Callable[[Record], None] | None = None
        self._joined_most = size.suspects
        # (key of a permit, day) → output tokens, of this node and of all others.
        self.permit_tokens: dict[tuple[int, int], int] = {}
        self.permit_tokens_elsewhere: dict[tuple[int, int], int] = {}
        self._node = node
        self._count = 0
        self._seed_books = seed_books
        self.load(snapshot, orders or Orders(), judged)

    @property
    def table(self) -> Table:
        """The tables in use."""
        return self._table

    def load(self, snapshot: Snapshot, orders: Orders, judged: Judgement | None = None) -> None:
        """Use another snapshot, orders or effects of cases from the next request on.

        What was seen so far stays: campaigns keep their numbers, budgets their counts.

        Raises ConfigError: the snapshot's ladder is not allowed.
        """
        for seed in self.adopt(self.prepare(snapshot, orders, judged)):
            self.plant(seed)

    def prepare(self, snapshot: Snapshot, orders: Orders, judged: Judgement | None = None) -> Table:
        """Return the tables of a snapshot; another thread may do it. Raises ConfigError."""
        return Table(snapshot, orders, dict(self.numbers), judged)

    def plant(self, seed: Seed) -> None:
        """Put a conversation or blob of the run into its book."""
        book = self.conversations if seed.kind == "handoff" else self.blobs
        book.put(seed.value, seed.org, seed.campaign, seed.ts_us)

    def adopt(self, table: Table) -> tuple[Seed, ...]:
        """Use tables that were prepared; return the seeds that are left to plant."""
        old = getattr(self, "_table", None)
        self.numbers.update(table.numbers)
        hours = table.ladder.budget_window_s / 3600
        for number, pursuit in table.pursuits.items():
            limit = max(1, round(table.ladder.budget_share * pursuit.rate_per_h * hours))
            budget = self.budgets.get(number)
            if budget is None:
                budget = self.budgets[number] = Budget(limit, table.ladder.budget_window_s)
            budget.limit = limit
        self._table = table
        fresh = old is None or old.snapshot.version != table.snapshot.version
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
        if campaign < 0 and (
            not table.marks.isdisjoint(request.frames)
            or not table.marks.isdisjoint(request.bands)
            or request.h_prefix in table.marks
            or request.prefix_before in self.conversations
            or request.h_blob in self.blobs
            or request.h_payload in self.prompts
            or (request.links and table.links and table.shares(request.links))
        ):
            campaign, level, bits = self._weigh(request, subject)
        if campaign < 0 and subject in self.joined:
            campaign, level = self._still_joined(subject, ts)
        if campaign < 0 and account not in table.access:
            return self._answer(subject, "allow", (), None, table.ladder.decision_ttl_s, "")
        return self._act(request, subject, account, campaign, level, bits)

    def matches(self, request: Request) -> dict[int, int]:
        """Return campaign → bits of the deterministic rules that a request matches.

        The state is read, not changed; the account's own accusation is not among them. That an
        account was made in a campaign's burst speaks only beside something else.
        """
        table = self._table
        found: dict[int, int] = {}
        self._match_text(request, found)
        for marks, value, kind in (
            (table.prefixes, request.h_prefix, "exit_prefix"),
            (table.clients, request.h_client, "client"),
        ):
            mark = marks.get(value)
            if mark is not None:
                found[mark.campaign] = found.get(mark.campaign, 0) | _BIT[kind]
        for kind, held in request.links.items():
            mark = table.link(kind, held)
            if mark is not None:
                found[mark.campaign] = found.get(mark.campaign, 0) | _BIT[kind]
        self._match_books(request, found)
        for campaign in list(found) if request.created_us else ():
            burst = table.pursuits[campaign].burst_us
            if burst is not None and burst[0] <= request.created_us < burst[1]:
                found[campaign] |= _BIT["signup_burst"]
        return found

    def observe(
        self,
        request: Request,
        *,
        status: str = "ok",
        output_tokens: int = 0,
        prefix_full: int = 0,
        h_blob: int = 0,
    ) -> None:
        """Note how a request ended: its conversation, its blob, whether it was refused, its tokens.

        ``prefix_full`` and ``h_blob`` are the kernel's columns of the whole exchange.
        """
        table = self._table
        subject = table.subject(request.account_id, request.end_user_id)
        campaign = table.accused.get(subject, -1)
        org = table.org(request.account_id, request.org_id)
        if request.prefix_before:
            # Whoever opens with the same history each time has not taken it over from anybody,
            # though an attacker may have had the model say it; so that this names no campaign.
            self._put("handoff", self.conversations, request.prefix_before, org, -1, request.ts_us)
        if prefix_full:
            self._put("handoff", self.conversations, prefix_full, org, campaign, request.ts_us)
        if h_blob:
            self._put("blob_replay", self.blobs, h_blob, org, campaign, request.ts_us)
        if status in _REFUSED:
            self._note_refusal(request, org, campaign)
        if output_tokens and table.snapshot.permits:
            self._charge(request, subject, campaign, output_tokens)

    def verify(self, account_id: str, end_user_id: str | None, ts_us: int) -> None:
        """Note that a subject passed step-up: it is watched, not stepped up again, for a time.

        ``verified`` holds until when: the time of the verification and the ladder's ``verified_s``.
        A request is compared by its own time, so that one which was sent before and comes late, or
        a clock that goes back, asks nobody again; a report that comes late shortens nothing.
        """
        subject = self._table.subject(account_id, end_user_id)
        until = ts_us + self._table.ladder.verified_s * 1_000_000
        if subject not in self.verified and len(self.verified) >= self._joined_most:
            del self.verified[next(iter(self.verified))]
        self.verified[subject] = max(until, self.verified.get(subject, 0))
        self._tell(Record("verified", subject, 0, 0, self.verified[subject]))

    def name_next(self) -> str:
        """Return the id of one more decision; no two of a guard's are the same."""
        self._count += 1
        return f"{self._node}-{self._count:x}"

    def apply(self, record: Record) -> None:
        """Apply a change of state that a journal or another node reports; nothing is told on."""
        kind, key, org, campaign, value = record
        if kind == "handoff":
            self.conversations.put(key, org, campaign, value)
        elif kind == "blob_replay":
            self.blobs.put(key, org, campaign, value)
        elif kind == "retry":
            self.prompts.put(key, org, campaign, value)
        elif kind == "verified":
            self.verified[key] = max(value, self.verified.get(key, 0))
        elif kind == "permit":
            self._use_permit((key, org), value)
        elif kind == "spent":  # once, or as often as its key says
            if campaign >= 0:
                budget = self.budgets.get(campaign)
                if budget is None:  # of a campaign that is not in this snapshot, but may come back
                    budget = Budget(1, self._table.ladder.budget_window_s)
                    self.budgets[campaign] = budget
                budget.spend(value, max(1, key))
        elif kind == "permit":
            self._use_permit((key, org), value)
        else:  # evidence: its bits, above them the exclusive ones and further requests, are in org
            suspect = self.suspects.of(key, campaign)
            suspect.note(org & 0xFFFF, org >> 16 & 0xFFFF, value)
            suspect.requests += org >> 32
            self._promote(key, campaign, value)

    def _weigh(self, request: Request, subject: int) -> tuple[int, str, int]:
        """Note what the request shows and return campaign, level and bits; -1 where nothing."""
        found = self.matches(request)
        best = (-1, "", 0)
        for campaign, bits in sorted(found.items()):
            if campaign in self._table.undone_campaigns:
                continue
            exclusive = self._exclusive(request, campaign, bits)
            self.suspects.of(subject, campaign).note(bits, exclusive, request.ts_us)
            self._tell(Record("evidence", subject, exclusive << 16 | bits, campaign, request.ts_us))
            level = self._promote(subject, campaign, request.ts_us)
            if best[0] < 0 or level != "touched":
                best = (campaign, level, bits)
        if best[1] == "touched" and subject in self.joined:
            return (*self._still_joined(subject, request.ts_us, best), best[2])
        return best

    def _promote(self, subject: int, campaign: int, ts_us: int) -> str:
        ladder = self._table.ladder
        suspect = self.suspects.of(subject, campaign)
        since = ts_us - ladder.evidence_window_s * 1_000_000
        kinds = suspect.kinds(since, self._table.undone_spans)
        level = level_of(
            kinds, suspect.exclusive, suspect.requests,
            known=subject in self._table.known, needed=ladder.joining_requests,
        )  # fmt: skip
        if level != "touched":
            if subject not in self.joined and len(self.joined) >= self._joined_most:
                del self.joined[next(iter(self.joined))]
            self.joined[subject] = (campaign, level, ts_us)
        return level

    def _still_joined(
        self, subject: int, ts_us: int, otherwise: tuple[int, str, int] = (-1, "", 0)
    ) -> tuple[int, str]:
        campaign, level, joined_us = self.joined[subject]
        # Either way: a clock that ran ahead must not hold anybody until it is that time.
        lapsed = abs(ts_us - joined_us) >= self._table.ladder.joined_lapses_s * 1_000_000
        gone = campaign not in self._table.pursuits
        cleared = level == "joining" and subject in self._table.known  # by a later scan
        if gone or cleared or lapsed or self._table.undone_at(joined_us):
            del self.joined[subject]
            return otherwise[0], otherwise[1]
        return campaign, level

    def _match_text(self, request: Request, found: dict[int, int]) -> None:
        table = self._table
        if not table.marks.isdisjoint(request.frames):
            places: dict[int, int] = {}
            alone: set[int] = set()
            for nodes, value in zip(table.nodes, request.frames, strict=True):
                for node in nodes.get(value, ()):
                    places[node.template] = places.get(node.template, 0) | node.position
                    if node.alone:
                        alone.add(node.template)
            for template, place in places.items():
                if template in alone or place & (place - 1):
                    campaign = table.templates[template].campaign
                    found[campaign] = found.get(campaign, 0) | _BIT["frame"]
        if not table.marks.isdisjoint(request.bands):
            for value in request.bands:
                mark = table.bands.get(value)
                if mark is not None:
                    found[mark.campaign] = found.get(mark.campaign, 0) | _BIT["near_text"]

    def _match_books(self, request: Request, found: dict[int, int]) -> None:
        window = self._table.ladder.book_window_s * 1_000_000
        retry = self._table.ladder.retry_window_s * 1_000_000
        for book, value, kind, most, own_clears in (
            (self.conversations, request.prefix_before, "handoff", window, True),
            (self.blobs, request.h_blob, "blob_replay", window, True),
            (self.prompts, request.h_payload, "retry", retry, False),
        ):
            if not value or value not in book:
                continue
            org = self._table.org(request.account_id, request.org_id)
            holders = [h for h in book.holders(value) if abs(request.ts_us - h.ts_us) <= most]
            if len(holders) > _MOST_ORGS or (own_clears and any(h.org == org for h in holders)):
                continue
            for holder in holders:
                if holder.campaign in self._table.pursuits and holder.org != org:
                    found[holder.campaign] = found.get(holder.campaign, 0) | _BIT[kind]

    def _exclusive(self, request: Request, campaign: int, bits: int) -> int:
        """Return *frame* where the request carries a template of the campaign's own, else 0.

        A near-duplicate is none: who copies a victim's template makes near-duplicates of the
        victim's prompts. An end user of a channel account shows none either: the channel has a
        history, and its operator, not the end user, chose template and address.
        """
        table = self._table
        if not bits & _BIT["frame"] or table.is_channel(request.account_id):
            return 0
        for nodes, value in zip(table.nodes, request.frames, strict=True):
            for node in nodes.get(value, ()):
                template = table.templates[node.template]
                own = table.exclusive(template.inside, template.outside)
                if template.campaign == campaign and own:
                    return _BIT["frame"]
        return 0

    def _act(
        self, request: Request, subject: int, account: int, campaign: int, level: str, bits: int
    ) -> Decision:
        table, ts = self._table, request.ts_us
        ttl = table.ladder.decision_ttl_s
        by_access, of_access = self._by_access(request, subject, account)
        if table.is_undone("account", request.account_id, request.end_user_id, subject, account):
            pursued = _Pursued("allow", ("what was decided is taken back",), None, ttl, "", 0)
        elif ts >= table.snapshot.expires_us:
            pursued = _Pursued("allow", ("the snapshot has expired",), None, ttl, "", 0)
        else:
            pursued = self._pursue(request, subject, account, campaign, level, bits, by_access)
        verdict, reasons = pursued.verdict, pursued.reasons
        retry_after, level, ttl = pursued.retry_after_s, pursued.level, pursued.ttl_s
        if by_access != "allow":
            reasons = (*reasons, *of_access)
            if RANK[by_access] > RANK[verdict]:
                verdict, level, retry_after = by_access, "access", 0
                # What verification or a permit's end may change is asked for anew soon.
                ttl = min(ttl, table.ladder.decision_ttl_s)
        if verdict in ("throttle", "deny"):
            org = table.org(request.account_id, request.org_id)
            self._note_refusal(request, org, table.accused.get(subject, -1))
        # What is known of a channel's owner is said of the channel, not of its end users.
        who = account if level == "access" else subject
        return self._answer(
            who, verdict, reasons, pursued.campaign_id, ttl, level, pursued.bits, retry_after
        )

    def _by_access(
        self, request: Request, subject: int, account: int
    ) -> tuple[str, tuple[str, ...]]:
        """Return the verdict of ownership answers; whom the account's verification has freed of
        step-up is watched. An end user's own verification says nothing about the account's owner.
        It outlives the snapshot's time: who owns an account is no finding that grows stale in days.
        """
        verdict, why = self._table.access_verdict(subject, account)
        if verdict != "allow" and self._table.is_undone(
            "access", request.account_id, request.end_user_id, subject, account
        ):
            return "allow", ()
        if verdict == "step_up" and self.verified.get(account, 0) > request.ts_us:
            return "watch", (why, "has passed verification")
        return verdict, (why,)

    def _cap(self, level: str) -> str:
        return str(getattr(self._table.ladder, level))

    def _pursue(
        self, request: Request, subject: int, account: int, campaign: int, level: str, bits: int,
        by_access: str,
    ) -> _Pursued:  # fmt: skip
        """Return what the campaign alone asks for; a stricter ``by_access`` spends no budget."""
        table, ts = self._table, request.ts_us
        ttl = table.ladder.decision_ttl_s
        if campaign in table.undone_campaigns:
            return _Pursued("allow", ("what was decided is taken back",), None, ttl, "", 0)
        if campaign >= 0 and table.is_restored(subject, account):
            return _Pursued("allow", ("an appeal restored the account",), None, ttl, "", 0)
        methods = table.pursuits[campaign].methods if campaign >= 0 else ()
        for permit in table.permit(request.account_id, request.org_id, request.plan):
            if permit.covers(ts, request.model, methods) and self._has_left(permit, ts):
                why = (f"permit {permit.permit_id} covers it",)
                return _Pursued("allow", why, None, 0, level, bits)
        if campaign < 0:
            return _Pursued("allow", (), None, ttl, "", 0)
        name = table.pursuits[campaign].campaign_id
        asked, why_asked = table.action(campaign, subject, account, ts)
        verdict = min(asked, self._cap(level), key=RANK.__getitem__)
        reasons = [f"{level} of {name}" if level == "member" else f"{level}: {name}", why_asked]
        reasons.extend(f"evidence: {kind}" for kind in _named(bits))
        retry_after = 0
        if verdict == "step_up" and self.verified.get(subject, 0) > ts:
            verdict = "watch"
            reasons.append("has passed verification")
        if verdict == "throttle":
            budget = self.budgets[campaign]
            if budget.spent(ts) >= budget.limit:
                retry_after = min(3600, budget.retry_after_s())
                reasons.append("the campaign's budget is spent")
            elif RANK[by_access] < RANK["throttle"]:
                budget.spend(ts)
                self._tell(Record("spent", 0, 0, campaign, ts))
                verdict = "watch"
                reasons.append("within the campaign's budget")
        return _Pursued(verdict, tuple(reasons), name, 0, level, bits, retry_after)

    def _has_left(self, permit: Permit, ts_us: int) -> bool:
        most = permit.max_output_tokens_per_day
        if most is None:
            return True
        place = (_permit_key(permit.permit_id), ts_us // _DAY_US)
        elsewhere = self.permit_tokens_elsewhere.get(place, 0)
        return self.permit_tokens.get(place, 0) + elsewhere < most

    def _charge(self, request: Request, subject: int, campaign: int, tokens: int) -> None:
        """Count tokens into the permit that deciding rests on: the first that covers the request
        and has some left. What is outside of every permit uses up none."""
        if campaign < 0 and subject in self.joined:
            campaign = self.joined[subject][0]
        pursuit = self._table.pursuits.get(campaign)
        methods = () if pursuit is None else pursuit.methods
        for permit in self._table.permit(request.account_id, request.org_id, request.plan):
            if permit.covers(request.ts_us, request.model, methods) and self._has_left(
                permit, request.ts_us
            ):
                if permit.max_output_tokens_per_day is not None:
                    key, day = _permit_key(permit.permit_id), request.ts_us // _DAY_US
                    count = min(tokens, _MOST_TOKENS)
                    self._use_permit((key, day), count)
                    self._tell(Record("permit", key, day, -1, count))
                return

    def _use_permit(self, place: tuple[int, int], tokens: int) -> None:
        held = self.permit_tokens
        if place not in held and len(held) >= self._joined_most:
            del held[next(iter(held))]
        held[place] = held.get(place, 0) + tokens

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
            retry_after_s, level, _named(bits) if bits else (), subject,
        )  # fmt: skip

    def _note_refusal(self, request: Request, org: int, campaign: int) -> None:
        if campaign >= 0 and request.h_payload and request.user_tokens >= _RETRY_TOKENS:
            value = request.h_payload
            self._put("retry", self.prompts, value, org, campaign, request.ts_us)

    def _put(self, kind: str, book: Book, value: int, org: int, campaign: int, ts_us: int) -> None:
        book.put(value, org, campaign, ts_us)
        self._tell(Record(kind, value, org, campaign, ts_us))

    def _tell(self, record: Record) -> None:
        if self.on_record is not None:
            self.on_record(record)


@lru_cache(maxsize=65_536)
def _permit_key(permit_id: str) -> int:
    """Return the 64-bit key of a permit, as journal and other nodes name it."""
    digest = hashlib.blake2b(permit_id.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little")


def _named(bits: int) -> tuple[str, ...]:
    return tuple(name for bit, name in _NAMES.items() if bits & bit)
