"""Honest change: a product is launched, a prompt goes viral, a country opens, a price falls.

Each brings strangers into motion together, and none of them is anybody's campaign.
"""

from __future__ import annotations

from stillwatch.simulate.clock import DAY, HOUR
from stillwatch.simulate.dice import Dice
from stillwatch.simulate.frames import Frame
from stillwatch.simulate.grammar import DOMAINS
from stillwatch.simulate.identity import API_CLIENTS, Account, Client
from stillwatch.simulate.people import sit_and_chat
from stillwatch.simulate.stage import Stage, group_dice
from stillwatch.simulate.talk import ask
from stillwatch.simulate.world import Size

__all__ = ["country", "launch", "price", "viral"]


def _ramp(dice: Dice, begin: int, end: int, days: float) -> int:
    """Return a moment after ``begin`` that most reach within ``days``."""
    return min(begin + int(dice.expo(days) * DAY), end - 6 * HOUR)


def launch(stage: Stage, size: Size, at: int) -> None:
    """A new app on the provider's models: hundreds sign up at once, all with its prompt."""
    dice = group_dice(stage, "launch", 0)
    frame = stage.press.make(dice, stage.draw_languages(dice, 1)[0], "rewrite", bare=0.0)
    client = Client("app", "nimbus-app/1.0.0", f"t13d1516h2_{dice.hex(12)}_{dice.hex(12)}")
    for lang in stage.draw_languages(dice, size.accounts):
        account = stage.account(dice, "launch", lang, domains=dice.whole(1, 3))
        account.clients, account.channel = [client], "app"
        account.closed_at = account.closed_reason = None
        account.created_at = _ramp(dice, at, stage.end, 0.7)
        words, n = account.words[0], dice.count(size.requests, 0.9)
        for ts in stage.clock.human(
            dice.rng, n, account.created_at, stage.end, account.zone_h, account.habit
        ).tolist():
            text = stage.grammar.payload(dice, words, stage.grammar.length(dice, 2.0))
            ask(stage, dice, account, ts, text, words, frame, again=0.3)


def viral(stage: Stage, size: Size, at: int) -> None:
    """A prompt goes round: strangers paste it around their own text, for two or three days."""
    dice = group_dice(stage, "viral", 0)
    kinds = ("reason", "critique", "rewrite")
    frame = stage.press.make(
        dice, stage.draw_languages(dice, 1)[0], dice.pick(kinds), system=0.0, long=True
    )
    for lang in stage.draw_languages(dice, size.accounts):
        account = stage.account(dice, "viral", lang, domains=dice.whole(1, 4))
        if dice.chance(0.25):  # came for it
            account.created_at = _ramp(dice, at, stage.end, 0.6)
            account.closed_at = account.closed_reason = None
        else:
            account.created_at = min(account.created_at, stage.start)
            sit_and_chat(stage, dice, account, size.requests / 2)
        begin = max(_ramp(dice, at, stage.end, 0.8), account.created_at)
        words = account.words[0]
        for _ in range(dice.count(size.requests / 3, 0.8)):
            ts = begin + int(dice.expo(5) * HOUR)
            text = stage.grammar.payload(dice, words, stage.grammar.length(dice, account.wordiness))
            ask(stage, dice, account, ts, text, words, frame, again=0.35)


def country(stage: Stage, size: Size, at: int) -> None:
    """A country opens: carriers never seen before, one time zone, everybody new within days.

    Its people write in the world's languages, in its mix: languages are never what differs.
    """
    dice = group_dice(stage, "country", 0)
    carriers = [stage.networks.prefix(dice, "IN")._replace(country="KE") for _ in range(12)]
    carriers = [p._replace(asn=dice.whole(60_000, 64_000)) for p in carriers]
    for lang in stage.draw_languages(dice, size.accounts):
        kind = "person" if dice.chance(0.7) else "dev"
        account = stage.account(dice, "country", lang, kind=kind, domains=dice.whole(1, 3))
        account.country = account.payment_country = "KE"
        account.zone_h = 3.0
        account.exits = [dice.pick(carriers).exit(dice) for _ in range(dice.whole(1, 4))]
        account.signup_ip = account.exits[0].ip
        account.closed_at = account.closed_reason = None
        account.created_at = _ramp(dice, at, stage.end, 1.2)
        sit_and_chat(stage, dice, account, size.requests * stage.days / 3)


def price(stage: Stage, size: Size, at: int) -> None:
    """The small model's price falls: backlogs of strangers start within a day, in batches.

    A third of them are customers who change models; the others are new.
    """
    dice = group_dice(stage, "price", 0)
    for lang in stage.draw_languages(dice, size.accounts):
        account = stage.account(dice, "price", lang, kind="dev", domains=0)
        account.words = [
            stage.grammar.own(lang, dice.sample(range(DOMAINS), dice.whole(1, 5)), dice)
        ]
        frame = stage.press.make(dice, lang, system=0.3) if dice.chance(0.7) else None
        begin = _ramp(dice, at, stage.end, 0.4)
        account.closed_at = account.closed_reason = None
        account.clients = [dice.pick(API_CLIENTS)]
        before: list[int] = []
        if dice.chance(0.34):
            account.created_at = min(account.created_at, stage.start)
            few = dice.count(size.requests / 3, 0.8)
            before = stage.clock.steady(dice.rng, few, stage.start, at).tolist()
        else:
            account.created_at = min(begin, account.created_at) - dice.whole(0, 600) * 60_000_000
        _send_all(stage, dice, account, before, frame)
        account.model, account.adopts = "lumen-4-mini", False
        n = dice.count(size.requests, 0.9)
        span = int(n * dice.between(5, 600) * 1e6)
        after = stage.clock.steady(dice.rng, n, begin, begin + span).tolist()
        _send_all(stage, dice, account, after, frame)


def _send_all(
    stage: Stage, dice: Dice, account: Account, times: list[int], frame: Frame | None
) -> None:
    words = account.words[0]
    for ts in times:
        text = stage.grammar.payload(dice, words, stage.grammar.length(dice, account.wordiness))
        ask(stage, dice, account, ts, text, words, frame, again=0.03)
