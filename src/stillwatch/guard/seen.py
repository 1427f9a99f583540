"""What a guard has seen since it began, in bounded memory: all that a restart must not lose."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from stillwatch.guard.books import Book
from stillwatch.guard.budgets import Budget
from stillwatch.guard.request import Request
from stillwatch.guard.suspects import Suspects, level_of
from stillwatch.guard.table import Table
from stillwatch.kernel import Chain
from stillwatch.schema.snapshot import Seed

__all__ = ["Capacity", "Record", "Seen"]

_RETRY_TOKENS: Final = 8


class Record(NamedTuple):
    """One change of state, as the journal and other nodes get it."""

    kind: str
    key: int
    org: int
    campaign: int
    value: int


@dataclass(frozen=True)
class Capacity:
    """How many values each book holds, and how many (subject, campaign) pairs."""

    conversations: int = 1_000_000
    blobs: int = 250_000
    prompts: int = 250_000
    suspects: int = 250_000

    @classmethod
    def for_conversations(cls, count: int) -> Capacity:
        """Return the sizes beside so many conversations: a quarter of them each."""
        return cls(count, count // 4, count // 4, count // 4)


class Seen:
    """The window's state, read by the tables in use.

    ``on_record`` is told every change that must survive a restart. ``joined``: subject → campaign,
    level and when. ``verified``: subject → until when. ``permit_tokens`` and
    ``permit_tokens_elsewhere``: (key of a permit, day) → output tokens, of this node and of all
    others. ``chains``: response → its conversation up to there, for calls that bring the next turn
    alone; a restart forgets them. Campaigns go by ``numbers``, which only rise.
    """

    def __init__(self, table: Table, capacity: Capacity) -> None:
        self.conversations = Book(capacity.conversations)
        self.blobs = Book(capacity.blobs)
        self.prompts = Book(capacity.prompts)
        self.suspects = Suspects(capacity.suspects)
        self.chains: OrderedDict[int, Chain] = OrderedDict()
        self.joined: OrderedDict[int, tuple[int, str, int]] = OrderedDict()
        self.verified: OrderedDict[int, int] = OrderedDict()
        self.budgets: dict[int, Budget] = {}
        self.numbers: dict[str, int] = {}
        self.newest_us = 0
        self.on_record: Callable[[Record], None] | None = None
        self.permit_tokens: OrderedDict[tuple[int, int], int] = OrderedDict()
        self.permit_tokens_elsewhere: dict[tuple[int, int], int] = {}
        self._most = capacity.suspects
        self.follow(table)

    @property
    def table(self) -> Table:
        """The tables in use."""
        return self._table

    def follow(self, table: Table) -> None:
        """Read by other tables: campaigns keep their numbers, budgets their counts.

        Where the ladder has another window, what was spent in the old one counts on in the new.
        """
        self.numbers.update(table.numbers)
        for number, pursuit in table.pursuits.items():
            limit = table.ladder.budget(pursuit.rate_per_h)
            budget = self.budgets.get(number)
            if budget is None:
                budget = self.budgets[number] = Budget(limit, table.ladder.budget_window_s)
            elif budget.window_s != table.ladder.budget_window_s:
                budget = self.budgets[number] = budget.over(table.ladder.budget_window_s)
            budget.limit = limit
        self._table = table

    def plant(self, seed: Seed) -> None:
        """Put a conversation or blob of the run into its book."""
        self._book(seed.kind).put(seed.value, seed.org, seed.campaign, seed.ts_us)

    def put(self, kind: str, value: int, org: int, campaign: int, ts_us: int) -> None:
        """Note who had a conversation (*handoff*), a blob or a refused prompt (*retry*)."""
        self._book(kind).put(value, org, campaign, ts_us)
        self.tell(Record(kind, value, org, campaign, ts_us))

    def go_on(self, h_previous: int, h_response: int, turn: tuple[int, ...]) -> int:
        """Return the prefix of a conversation that went on by one turn from a response (0: began),
        and keep it for who goes on from there; 0 where the turns before were not seen here."""
        begun = self.chains.get(h_previous) if h_previous else Chain()
        if begun is None:
            return 0
        chain = begun.then(turn)
        if h_response:
            self._make_room(self.chains, h_response)
            self.chains[h_response] = chain
        return chain.prefix

    def note_refusal(self, request: Request, org: int, campaign: int) -> None:
        """Remember a prompt that a campaign's account was refused."""
        if campaign >= 0 and request.h_payload and request.user_tokens >= _RETRY_TOKENS:
            self.put("retry", request.h_payload, org, campaign, request.ts_us)

    def promote(self, subject: int, campaign: int, ts_us: int) -> str:
        """Return what a subject's evidence amounts to; remember whom it makes join."""
        ladder = self._table.ladder
        suspect = self.suspects.of(subject, campaign)
        window = ladder.evidence_window_s * 1_000_000
        kinds = suspect.kinds(ts_us, window, self._table.undone_spans)
        level = level_of(
            kinds, suspect.exclusive, suspect.requests,
            known=subject in self._table.known, needed=ladder.joining_requests,
        )  # fmt: skip
        if level != "touched":
            self._make_room(self.joined, subject)
            self.joined[subject] = (campaign, level, ts_us)
        return level

    def still_joined(
        self, subject: int, ts_us: int, otherwise: tuple[int, str, int] = (-1, "", 0)
    ) -> tuple[int, str]:
        """Return campaign and level of who joined, or of ``otherwise`` where that has ended."""
        campaign, level, joined_us = self.joined[subject]
        # Either way: a clock that ran ahead must not hold anybody until it is that time.
        lapsed = abs(ts_us - joined_us) >= self._table.ladder.joined_lapses_s * 1_000_000
        gone = campaign not in self._table.pursuits
        cleared = level == "joining" and subject in self._table.known  # by a later scan
        if gone or cleared or lapsed or self._table.undone_at(joined_us):
            del self.joined[subject]
            return otherwise[0], otherwise[1]
        return campaign, level

    def note_verified(self, subject: int, until_us: int) -> None:
        """Remember until when a subject's verification holds; a late report shortens nothing."""
        self._make_room(self.verified, subject)
        self.verified[subject] = max(until_us, self.verified.get(subject, 0))

    def use_permit(self, place: tuple[int, int], tokens: int) -> None:
        """Count output tokens into a permit's day."""
        held = self.permit_tokens
        self._make_room(held, place)
        held[place] = held.get(place, 0) + tokens

    def apply(self, record: Record) -> None:
        """Apply a change of state that a journal or another node reports; nothing is told on."""
        kind, key, org, campaign, value = record
        if kind in ("handoff", "blob_replay", "retry"):
            self._book(kind).put(key, org, campaign, value)
        elif kind == "verified":
            self.note_verified(key, value)
        elif kind == "permit":
            self.use_permit((key, org), value)
        elif kind == "spent":  # once, or as often as its key says
            if campaign >= 0:
                budget = self.budgets.get(campaign)
                if budget is None:  # of a campaign that is not in this snapshot, but may come back
                    budget = Budget(1, self._table.ladder.budget_window_s)
                    self.budgets[campaign] = budget
                budget.spend(value, max(1, key))
        else:  # evidence: its bits, above them the exclusive ones and further requests, are in org
            suspect = self.suspects.of(key, campaign)
            suspect.note(org & 0xFFFF, org >> 16 & 0xFFFF, value)
            suspect.requests += org >> 32
            self.promote(key, campaign, value)

    def tell(self, record: Record) -> None:
        """Tell whoever keeps or passes on changes of state."""
        if self.on_record is not None:
            self.on_record(record)

    def _make_room(self, held: OrderedDict[Any, Any], key: object) -> None:
        """Forget the key that was used least lately where a new one would be too many."""
        if key in held:
            held.move_to_end(key)
        elif len(held) >= self._most:
            held.popitem(last=False)

    def _book(self, kind: str) -> Book:
        if kind == "handoff":
            return self.conversations
        return self.blobs if kind == "blob_replay" else self.prompts
