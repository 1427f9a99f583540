"""Strangers in their hundreds and thousands: try-outs, generators of data, release day, key moves.

What they share with campaigns is meant: one turn, no system prompt, ever new topics, one public
suite, one template that moves to a new account.
"""

from __future__ import annotations

import numpy as np

from stillwatch.simulate.clock import DAY, HOUR, MINUTE, SECOND
from stillwatch.simulate.dice import Dice
from stillwatch.simulate.frames import Frame
from stillwatch.simulate.grammar import DOMAINS
from stillwatch.simulate.identity import Account
from stillwatch.simulate.stage import Stage, gap_us, group_dice
from stillwatch.simulate.talk import ask
from stillwatch.simulate.world import Size

__all__ = ["generators", "monitors", "release_day", "rotated", "tryouts"]


def _begin(stage: Stage, account: Account, hours: int = 6) -> int:
    """Return when the account can begin, its creation moved so that some time is left."""
    start = min(account.active_from(stage.start), stage.end - hours * HOUR)
    account.created_at = min(account.created_at, start)
    return start


def _frames(
    stage: Stage, dice: Dice, lang: str, framed: float, system: float
) -> list[Frame | None]:
    """Return the templates of somebody's little programs: none, one, or some of a few."""
    if not dice.chance(framed):
        return [None]
    n = 1 if dice.chance(0.5) else dice.whole(2, 4)
    return [stage.press.make(dice, lang, system=system) for _ in range(n)]


def tryouts(stage: Stage, size: Size) -> None:
    """Thousands of little scripts: one turn, no system prompt, a handful of requests."""
    dice = group_dice(stage, "tryouts", 0)
    for lang in stage.draw_languages(dice, size.total):
        kind = "dev" if dice.chance(0.8) else "person"
        account = stage.account(dice, "tryouts", lang, kind=kind, domains=dice.whole(1, 6))
        start = _begin(stage, account)
        n = dice.count(size.requests, 0.7)
        frames = _frames(stage, dice, lang, 0.45, 0.0 if dice.chance(0.8) else 1.0)
        if dice.chance(0.5):
            at = int(dice.between(start, stage.end - HOUR))
            times = stage.clock.steady(dice.rng, n, at, at + int(dice.between(0.1, 20) * HOUR))
        else:
            zone, habit = account.zone_h, account.habit
            times = stage.clock.human(dice.rng, n, start, stage.end, zone, habit)
        words = account.words[0]
        for ts in times.tolist():
            text = stage.grammar.payload(dice, words, stage.grammar.length(dice, account.wordiness))
            ask(stage, dice, account, ts, text, words, dice.pick(frames), again=0.1)


def monitors(stage: Stage, size: Size) -> None:
    """Little programs around the clock: they watch a feed, an inbox or the model itself.

    Even volumes, no nights and no weekends, and honest.
    """
    dice = group_dice(stage, "monitors", 0)
    for lang in stage.draw_languages(dice, size.total):
        kind = "dev" if dice.chance(0.75) else "company"
        account = stage.account(dice, "monitors", lang, kind=kind, domains=dice.whole(1, 5))
        start = _begin(stage, account, 24)
        frames = _frames(stage, dice, lang, 0.6, 0.5)
        n = dice.count(size.requests, 0.5)
        words = account.words[0]
        # an even rate with jitter, whatever the traces' clients do: this is a timer
        places = (np.arange(n) + dice.rng.random(n)) / n
        for ts in (start + places * (stage.end - start)).astype(np.int64).tolist():
            text = stage.grammar.payload(dice, words, stage.grammar.length(dice, 2.8))
            ask(stage, dice, account, ts, text, words, dice.pick(frames), again=0.03)


def generators(stage: Stage, size: Size) -> None:
    """Synthetic-data customers without a permit: test data of their own narrow domain."""
    dice = group_dice(stage, "generators", 0)
    for lang in stage.draw_languages(dice, size.total):
        account = stage.account(dice, "generators", lang, kind="company", domains=0)
        start = _begin(stage, account)
        domains = dice.sample(range(DOMAINS), dice.whole(1, 3))
        words = stage.grammar.own(lang, domains, dice)
        kinds = dice.sample(("instruct", "instruct", "rewrite", "reason"), dice.whole(1, 2))
        frames = [stage.press.make(dice, lang, k) for k in kinds]
        n = dice.count(size.requests, 0.9)
        times = (
            stage.clock.steady(dice.rng, n, start, stage.end)
            if dice.chance(0.6)
            else stage.clock.human(dice.rng, n, start, stage.end, account.zone_h, "office")
        )
        for ts in times.tolist():
            text = stage.grammar.payload(dice, words, stage.grammar.length(dice, 2.5))
            ask(stage, dice, account, ts, text, words, dice.pick(frames), again=0.05, length=8.0)


def release_day(stage: Stage, size: Size) -> None:
    """Hundreds of strangers run one public suite on the new model within a day of its release."""
    for group in range(size.groups):
        dice = group_dice(stage, "release_day", group)
        frame = stage.press.make(dice, stage.draw_languages(dice, 1)[0], "reason", bare=0.0)
        items = []
        for u in range(max(4, round(size.requests))):
            code = stage.language_at((u + 0.5) / max(4, round(size.requests)))
            words = stage.grammar.whole(code, dice.whole(0, DOMAINS - 1))
            items.append((stage.grammar.item(dice, words), words))
        for lang in stage.draw_languages(dice, size.accounts):
            account = stage.account(dice, "release_day", lang, kind="dev", domains=1)
            account.adopts, account.model = True, "lumen-4"
            _begin(stage, account)
            account.created_at = min(account.created_at, stage.release)
            ts = stage.release + int(dice.expo(9)) * HOUR + dice.whole(0, 3600) * SECOND
            own = frame if dice.chance(0.7) else stage.press.make(dice, lang, "reason")
            pace = dice.between(2, 60)
            for text, words in dice.sample(items, dice.whole(len(items) // 2, len(items))):
                ask(stage, dice, account, ts, text, words, own, again=0.02)
                ts += gap_us(dice, pace, 0.5)


def rotated(stage: Stage, size: Size) -> None:
    """Organizations that move to new accounts and keys: template, network and pace go along.

    The old account is closed on request; a few requests still reach it and are denied.
    """
    langs = stage.draw_languages(group_dice(stage, "rotated", 10**6), size.groups)
    for group, lang in enumerate(langs):
        dice = group_dice(stage, "rotated", group)
        org = "org_" + dice.hex(12) if dice.chance(0.8) else None
        old, new = (
            stage.account(dice, "rotated", lang, kind="company", org_id=org, domains=0)
            for _ in range(2)
        )
        move = stage.start + int(dice.between(0.25, 0.75) * (stage.end - stage.start))
        old.created_at = min(old.created_at, stage.start - DAY)
        new.created_at = move - dice.whole(5, 3000) * MINUTE
        old.closed_at, old.closed_reason = move + dice.whole(1, 900) * MINUTE, "user_request"
        new.closed_at = new.closed_reason = None
        for name in ("exits", "payment_hash", "email_domain", "model", "clients", "zone_h"):
            setattr(new, name, getattr(old, name))
        words = stage.grammar.own(lang, dice.sample(range(DOMAINS), dice.whole(1, 2)), dice)
        frame = stage.press.make(dice, lang)
        n = dice.count(size.requests * 2, 0.7, 4)
        times = stage.clock.human(dice.rng, n, stage.start, stage.end, old.zone_h, "allday")
        for ts in times.tolist():
            account = new if ts > move and not dice.chance(0.02) else old
            text = stage.grammar.payload(dice, words, stage.grammar.length(dice, 2.5))
            status = ask(stage, dice, account, ts, text, words, frame)
            if status == "denied":  # the worker that still has the old key is put right
                ask(stage, dice, new, ts + gap_us(dice, 90.0), text, words, frame)
