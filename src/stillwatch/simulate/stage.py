"""The stage holds one world while it plays: window, languages, accounts, truth, the log.

`Stage.account` makes an account, `Stage.send` logs one request. Families of people and
campaigns use nothing else, so all traffic passes through the same provider.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from typing import Any, NamedTuple

from stillwatch.simulate.clock import DAY, HOUR, SECOND, Clock
from stillwatch.simulate.dice import Dice, generator
from stillwatch.simulate.frames import Frame, Press
from stillwatch.simulate.grammar import DOMAINS, Grammar, Vocabulary
from stillwatch.simulate.identity import Account
from stillwatch.simulate.lexicon import LANGUAGE_MIX, lexicon
from stillwatch.simulate.network import Exit, Networks
from stillwatch.simulate.provider import DEFAULT, Call, Message, draw_status, log_row
from stillwatch.simulate.register import close_account, new_account
from stillwatch.simulate.sink import Sink

__all__ = ["Stage", "Truth", "Victim", "gap_us", "group_dice"]


# Share of honest accounts closed about the time of the window: people leave, some break rules.
_CLOSED = {"person": 0.03, "dev": 0.02, "company": 0.0}


class Truth(NamedTuple):
    """Who an account is. ``benign_family``: of a campaign's account, the family it poses as."""

    account_id: str
    end_user_id: str | None
    family: str
    campaign: str | None
    role: str
    rung: int | None
    language: str
    operator: str | None = None
    benign_family: str | None = None


class Victim(NamedTuple):
    """An honest application that a framing campaign may copy; ``exits``: others in its prefix."""

    accounts: list[Account]
    frame: Frame
    exits: list[Exit]


class Stage:
    """A world in play. ``start`` and ``end`` in microseconds; rows outside are dropped."""

    def __init__(
        self,
        seed: int,
        start: int,
        end: int,
        sink: Sink,
        codes: tuple[str, ...],
        *,
        clock: Clock | None = None,
        grammar: Grammar | None = None,
        unevenness: float = 1.0,
    ) -> None:
        self.seed, self.start, self.end, self.sink = seed, start, end, sink
        self.clock, self.unevenness = clock or Clock(), unevenness
        self.days = (end - start) / DAY
        self.release = start + int(0.55 * (end - start))
        self.grammar = grammar or Grammar(seed)
        self.press = Press(self.grammar)
        countries = sorted({c for code in LANGUAGE_MIX for c in lexicon(code).countries})
        self.networks = Networks(seed, countries)
        self.accounts: list[Account] = []
        self.truth: dict[str, Truth] = {}
        self.victims: list[Victim] = []
        self.pool_customers: dict[int, list[Account]] = {}
        self.permits: list[dict[str, Any]] = []
        self.owners: list[dict[str, Any]] = []
        self.languages: dict[str, dict[str, int]] = {"honest": {}, "campaign": {}}
        self._played = 0
        self._codes = codes
        self._cum = list(accumulate(LANGUAGE_MIX.values()))

    def draw_languages(self, dice: Dice, n: int) -> list[str]:
        """Return ``n`` languages in the world's mix by systematic sampling, in random order."""
        start = dice.u()
        return dice.sample([self.language_at((i + start) / n) for i in range(n)], n)

    def language_at(self, u: float) -> str:
        """Return the language at a place in [0, 1) of the world's mix."""
        return self._codes[min(bisect_right(self._cum, u * self._cum[-1]), len(self._codes) - 1)]

    def any_words(self, dice: Dice) -> Vocabulary:
        """Return the whole vocabulary of a random domain in a random language of the mix."""
        return self.grammar.whole(self.language_at(dice.u()), dice.whole(0, DOMAINS - 1))

    def account(
        self,
        dice: Dice,
        family: str,
        lang: str,
        *,
        kind: str = "person",
        org_id: str | None = "",
        domains: int = 2,
        campaign: str | None = None,
        role: str = "honest",
        rung: int | None = None,
        newest_days: float = 0.0,
    ) -> Account:
        """Return a `new_account` that writes on ``domains`` domains, entered in truth."""
        account = new_account(
            dice, self.networks, self.grammar, self.end, lang, kind, org_id, newest_days
        )
        if campaign is None and dice.chance(_CLOSED[kind]):
            close_account(dice, account, self.end, self.days)
        # nobody is so new that there is no time left to send anything
        account.created_at = min(account.created_at, self.end - 6 * HOUR)
        if domains:
            chosen = dice.sample(range(DOMAINS), domains)
            account.words = [self.grammar.own(lang, chosen, dice)]
        self.accounts.append(account)
        self.truth[account.account_id] = Truth(
            account.account_id, None, family, campaign, role, rung, lang
        )
        return account

    def forget_words(self) -> None:
        """Drop the vocabularies of accounts that have played: they are most of the memory."""
        for account in self.accounts[self._played :]:
            account.words = []
        self._played = len(self.accounts)

    def set_role(self, account: Account, role: str, campaign: str) -> None:
        """Enter an account's role (core, periphery, victim …) and its campaign."""
        self.tell(account, role=role, campaign=campaign)

    def tell(self, account: Account, **known: str | None) -> None:
        """Enter more of the truth about an account."""
        row = self.truth[account.account_id]
        self.truth[account.account_id] = row._replace(**known)  # type: ignore[arg-type]

    def send(
        self,
        dice: Dice,
        account: Account,
        ts: int,
        messages: list[Message],
        answer: str,
        call: Call = DEFAULT,
        *,
        status: str = "",
        blob: bytes | None = None,
    ) -> str:
        """Log one request and return its status ("ok", a failure, or "outside" the window).

        A failure is drawn where ``status`` is empty; failed requests have no answer. The caller
        must not change ``messages`` afterwards.
        """
        if not self.start <= ts < self.end:
            return "outside"
        if account.closed_at is not None and ts > account.closed_at + 3 * HOUR:
            return "outside"  # by then the owner has given up
        status = status or draw_status(dice, account, ts)
        model = account.model
        if account.adopts and ts > self.release and model != "lumen-4-mini":
            model = "lumen-5"
        core = self.truth[account.account_id].role == "core"
        tally = self.languages["campaign" if core else "honest"]
        code = call.lang or account.lang
        tally[code] = tally.get(code, 0) + 1
        account.sends += 1
        self.sink.add(log_row(dice, account, model, ts, messages, answer, status, call, blob))
        return status


def gap_us(dice: Dice, mean_s: float, low_s: float = 4.0) -> int:
    """Return a pause between two turns."""
    return int((low_s + dice.expo(mean_s)) * SECOND)


def group_dice(stage: Stage, family: str, group: int) -> Dice:
    """Return the dice of one group of a family, independent of all other groups."""
    return Dice(generator(stage.seed, family, group), stage.unevenness)
