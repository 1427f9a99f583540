"""What accounts that no scan accused have shown so far: evidence by campaign, bounded."""

from __future__ import annotations

from array import array
from typing import Final

from stillwatch.guard.table import OWN
from stillwatch.schema.snapshot import EVIDENCE

__all__ = ["BEHAVIOUR", "Suspect", "Suspects", "level_of"]

BEHAVIOUR: Final = sum(EVIDENCE[k] for k in ("frame", "near_text", "handoff", "blob_replay"))
_FRAME: Final = EVIDENCE["frame"]
_BURST: Final = EVIDENCE["signup_burst"]
_CAMPAIGN_BITS: Final = 32  # numbers of campaigns only rise while a guard lives
_CAMPAIGN_MASK: Final = (1 << _CAMPAIGN_BITS) - 1
_AHEAD_US: Final = 86_400_000_000  # a newest time so far ahead is that of a clock that ran ahead
_COMPANY: Final = EVIDENCE["exit_prefix"] | EVIDENCE["retry"]


class Suspect:
    """Evidence of one subject for one campaign: kind bit → newest time, and requests with any.

    ``exclusive``: the bits among them whose value as good as only core members carried.
    """

    __slots__ = ("exclusive", "requests", "seen")

    def __init__(self) -> None:
        self.seen: dict[int, int] = {}
        self.exclusive = 0
        self.requests = 0

    def note(self, kinds: int, exclusive: int, ts_us: int) -> None:
        """Add what a request showed."""
        self.requests += 1
        self.exclusive |= exclusive
        bit = 1
        while bit <= kinds:
            if kinds & bit:
                held = self.seen.get(bit, 0)
                if ts_us > held or held - ts_us > _AHEAD_US:
                    self.seen[bit] = ts_us
            bit <<= 1

    def kinds(
        self, ts_us: int, window_us: int, taken_back: tuple[tuple[int, int], ...] = ()
    ) -> int:
        """Return the kinds that were seen within a window of a time, and not in a span that was
        taken back. Either way of it: what a clock that ran ahead noted must not hold until then."""
        return sum(
            bit
            for bit, ts in self.seen.items()
            if abs(ts_us - ts) <= window_us
            and not any(begin <= ts <= end for begin, end in taken_back)
        )


def level_of(kinds: int, exclusive: int, requests: int, *, known: bool, needed: int) -> str:
    """Return what the evidence amounts to, for an account that no scan accused.

    1. *joined*: it behaves as the campaign does (a template, a near-duplicate, a conversation or
       a blob of the campaign's), and of two kinds at least one is out of other people's reach.
       A sign-up in the campaign's burst is as far out of reach only for accounts that came after:
       an attacker can time its burst by a victim that is there. Alone of its kind it needs a text
       of the campaign's own, and an account that no scan has judged clear.
    2. *joining*: kinds that others can create, but a template that as good as no one but the
       campaign carried, from an address prefix of whose users three tenths and more are its
       members, or with a prompt that one of them was refused a moment ago, and from an account
       that no scan has judged clear. A victim of framing is an account that was there before; a
       proxy's honest customers have other templates.
    3. *touched*: anything less.

    ``known``: whether a scan judged the account clear.
    """
    text = exclusive & kinds & _FRAME
    own = kinds & OWN
    if own == _BURST and (known or not text):
        own = 0
    if kinds & BEHAVIOUR and own and kinds & (kinds - 1):
        return "joined"
    if not known and text and kinds & _COMPANY and requests >= needed:
        return "joining"
    return "touched"


class Suspects:
    """(subject, campaign) → evidence; the pair that came first goes first when full."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.evicted = 0
        self._held: dict[int, Suspect] = {}
        self._ring: array[int] = array("Q")
        self._low: array[int] = array("I")
        self._at = 0

    def __len__(self) -> int:
        return len(self._held)

    def of(self, subject: int, campaign: int) -> Suspect:
        """Return the evidence of a pair, empty where it is new."""
        key = subject << _CAMPAIGN_BITS | campaign
        held = self._held.get(key)
        if held is None:
            held = self._held[key] = Suspect()
            self._admit(subject, campaign)
        return held

    def items(self) -> list[tuple[int, int, Suspect]]:
        """Return (subject, campaign, evidence), oldest first."""
        return [
            (key >> _CAMPAIGN_BITS, key & _CAMPAIGN_MASK, held) for key, held in self._held.items()
        ]

    def _admit(self, subject: int, campaign: int) -> None:
        if len(self._ring) < self.capacity:
            self._ring.append(subject)
            self._low.append(campaign)
            return
        at = self._at
        if self._held.pop(self._ring[at] << _CAMPAIGN_BITS | self._low[at], None) is not None:
            self.evicted += 1
        self._ring[at], self._low[at] = subject, campaign
        self._at = (at + 1) % self.capacity
