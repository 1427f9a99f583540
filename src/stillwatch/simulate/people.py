"""Single people: chatting, scripting, and those who happen to use a proxy."""

from __future__ import annotations

from stillwatch.simulate.clock import MINUTE
from stillwatch.simulate.dice import Dice
from stillwatch.simulate.identity import API_CLIENTS, Account
from stillwatch.simulate.stage import Stage, group_dice
from stillwatch.simulate.talk import ask, converse, system_line
from stillwatch.simulate.world import Size

__all__ = ["chat_people", "proxy_customers", "scripts", "sit_and_chat"]


def sit_and_chat(stage: Stage, dice: Dice, account: Account, requests: float) -> None:
    """Play a person's week: sessions on their own clock, conversations of one to eight turns."""
    start = account.active_from(stage.start)
    left = dice.count(requests * (stage.end - start) / (stage.end - stage.start), 0.9)
    sessions = max(1, round(left / 3.2))
    times = stage.clock.human(dice.rng, sessions, start, stage.end, account.zone_h, account.habit)
    system = system_line(stage, dice, account.lang) if account.channel != "api" else None
    lower = dice.chance(0.25)
    for ts in times.tolist():
        turns = min(8, 1 + int(dice.expo(2.4)))
        converse(
            stage,
            dice,
            account,
            ts,
            turns,
            account.words[0],
            system=system,
            lower=lower,
            reasoned=0.1,
        )


def chat_people(stage: Stage, size: Size) -> None:
    """People at home, at work and on the road; some households share a device or a card."""
    dice = group_dice(stage, "chat", 0)
    langs = stage.draw_languages(dice, size.total)
    last: Account | None = None
    for i, lang in enumerate(langs):
        family_of = last if last is not None and dice.chance(0.06) else None
        account = stage.account(
            dice, "chat", family_of.lang if family_of else lang, domains=dice.whole(1, 3)
        )
        if family_of is not None:
            account.exits = family_of.exits + account.exits[1:]
            account.device_hash = family_of.device_hash if dice.chance(0.5) else account.device_hash
            account.payment_hash = family_of.payment_hash
            account.signup_ip = family_of.signup_ip
        if i % 9 == 0:
            account.org_id = None
        last = account
        sit_and_chat(stage, dice, account, size.requests)


def proxy_customers(stage: Stage, size: Size) -> None:
    """Ordinary chat people who leave through a proxy pool that others misuse."""
    for group in range(size.groups):
        dice = group_dice(stage, "proxy_customers", group)
        prefixes = stage.networks.pool("proxy", group, 9)
        for lang in stage.draw_languages(dice, size.accounts):
            account = stage.account(dice, "proxy_customers", lang, domains=dice.whole(1, 3))
            stage.pool_customers.setdefault(group, []).append(account)
            own = account.exits[:1] if dice.chance(0.4) else []
            account.exits = own + [dice.pick(prefixes).exit(dice) for _ in range(dice.whole(2, 6))]
            if dice.chance(0.4):
                account.channel, account.clients = "api", [dice.pick(API_CLIENTS)]
            sit_and_chat(stage, dice, account, size.requests)


def scripts(stage: Stage, size: Size) -> None:
    """Developers' little programs: one turn, often no system prompt, own purpose each."""
    dice = group_dice(stage, "scripts", 0)
    for lang in stage.draw_languages(dice, size.total):
        account = stage.account(dice, "scripts", lang, kind="dev", domains=dice.whole(1, 3))
        start = min(account.active_from(stage.start), stage.end - 60 * MINUTE)
        account.created_at = min(account.created_at, start)
        n = dice.count(size.requests, 1.0)
        frame = stage.press.make(dice, lang, system=0.3) if dice.chance(0.6) else None
        if dice.chance(0.5):  # one or two batches
            at = int(dice.between(start, stage.end))
            times = stage.clock.steady(
                dice.rng, n, at, min(stage.end, at + int(n * dice.between(4, 90) * 1e6))
            )
        elif dice.chance(0.5):
            times = stage.clock.human(dice.rng, n, start, stage.end, account.zone_h, account.habit)
        else:
            times = stage.clock.steady(dice.rng, n, start, stage.end)
        words = account.words[0]
        for ts in times.tolist():
            text = stage.grammar.payload(dice, words, stage.grammar.length(dice, account.wordiness))
            if frame and frame.kind == "code":
                text += "\n" + stage.grammar.snippet(dice, words)
            ask(stage, dice, account, ts, text, words, frame, again=0.04)
