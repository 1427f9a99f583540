"""Campaigns that look like others: relayed users, a framed application, hidden harvesters."""

from __future__ import annotations

from stillwatch.simulate.clock import DAY
from stillwatch.simulate.dice import Dice
from stillwatch.simulate.frames import Frame, paraphrase
from stillwatch.simulate.grammar import DOMAINS, Vocabulary
from stillwatch.simulate.identity import Account
from stillwatch.simulate.operator import queue, recruit, sign_up_in_bursts
from stillwatch.simulate.provider import Call
from stillwatch.simulate.stage import Stage, gap_us, group_dice
from stillwatch.simulate.talk import ask, converse
from stillwatch.simulate.world import Size

__all__ = ["framing", "relay", "stealth"]


def relay(stage: Stage, size: Size) -> None:
    """An operator's app users are answered by whatever account is next, turn by turn.

    The prompts are ordinary; some carry a sentence of the operator's at the end.
    """
    for group in range(size.groups):
        dice = group_dice(stage, "relay", group)
        campaign = f"relay-{group}"
        team = [
            recruit(stage, dice, "relay", campaign, lang, 1, aged=0.5)
            for lang in stage.draw_languages(dice, size.accounts)
        ]
        own_cloud = stage.networks.cloud(dice, 30)
        for account in team:
            if account.channel == "api":
                account.exits = dice.sample(own_cloud, 3)
            account.keeps_conversation_id = False
        injected = {}
        for lang in ("en", "es", "zh", "de", "fr", "pt", "ja"):
            words = stage.grammar.whole(lang, 0)
            pools = list(words.pools)
            pools[10] = (dice.pick(words.lang.words["tags"]),)
            injected[lang] = Vocabulary(words.lang, tuple(pools)).fill(
                dice.pick(words.lang.patterns["inject"]), dice
            )
        house = stage.press.make(
            dice, stage.draw_languages(dice, 1)[0], "support", system=1.0
        ).system
        total = size.requests * size.accounts
        users = max(6, round(total / 14))
        ring = dice.sample(team, len(team))
        for lang in stage.draw_languages(dice, users):
            words = stage.grammar.own(lang, dice.sample(range(DOMAINS), dice.whole(1, 3)), dice)
            zone = dice.pick(words.lang.zones)
            talks = max(1, round(total / users / 3.9))
            habit = dice.pick(("office", "evening", "allday"))
            for ts in stage.clock.human(
                dice.rng, talks, stage.start, stage.end, zone, habit
            ).tolist():
                extra = injected[lang] if dice.chance(0.4) else ""
                system = house if dice.chance(0.5) else None
                _relayed_talk(stage, dice, ring, ts, words, system, extra)


def _relayed_talk(
    stage: Stage,
    dice: Dice,
    ring: list[Account],
    ts: int,
    words: Vocabulary,
    system: str | None,
    extra: str,
) -> None:
    g, lang = stage.grammar, words.lang
    messages = [("system", system)] if system else []
    call = Call(lang=lang.code)
    blob: bytes | None = None
    for turn in range(min(9, 2 + int(dice.expo(2.6)))):
        text = g.follow(dice, words) if turn else g.payload(dice, words, g.length(dice, 2.0), 0.75)
        if extra and dice.u() < 0.7:
            text = text + lang.join + extra
        messages.append(("user", text))
        answer = g.answer(dice, words, "plain", "notes", 1 + int(dice.expo(6.0)))
        for _ in range(2):
            account = ring.pop(0)
            ring.insert(len(ring) - int(dice.u() * min(4, len(ring) + 1)), account)
            if account.model != "lumen-4-reason":
                blob = None
            elif blob is None or dice.u() > 0.3:  # else the blob of another account is replayed
                blob = dice.rng.bytes(72)
            status = stage.send(dice, account, ts, list(messages), answer, call, blob=blob)
            ts += gap_us(dice, 4.0, 1.0)
            if status not in ("rate_limited", "server_error"):
                break
        if status != "ok":
            return
        messages.append(("assistant", answer))
        ts += gap_us(dice, 70.0)


def framing(stage: Stage, size: Size) -> None:
    """Copies honest applications word for word and leaves through their prefix, over all topics."""
    for group in range(size.groups):
        dice = group_dice(stage, "framing", group)
        campaign = f"framing-{group}"
        team: list[tuple[Account, Frame]] = []
        for victim in stage.victims:
            for account in victim.accounts:
                stage.set_role(account, "victim", campaign)
        for i, lang in enumerate(stage.draw_languages(dice, size.accounts)):
            victim = stage.victims[i % len(stage.victims)]
            account = recruit(stage, dice, "framing", campaign, lang, 2, aged=0.4)
            account.exits = dice.sample(victim.exits, 3)
            account.channel = "api"
            account.clients = (
                list(victim.accounts[0].clients[:1]) if dice.chance(0.5) else account.clients
            )
            team.append((account, victim.frame))
        sign_up_in_bursts(stage, dice, [a for a, _ in team], 0.3)
        items = queue(stage, dice)
        n = round(size.requests * len(team))
        order: list[tuple[Account, Frame]] = []
        for ts in stage.clock.dispatch(dice.rng, n, stage.start, stage.end, 2, 4.0).tolist():
            order = order or dice.sample(team, len(team))
            account, frame = order.pop()
            text, words = next(items)
            ask(stage, dice, account, ts, text, words, frame, again=0.12)


def stealth(stage: Stage, size: Size) -> None:
    """Own network, payment, device, client and human clock for each account; paraphrased frames.

    About half of an account's requests are framed items of the queue, a quarter are items
    without a frame, the rest is side traffic on topics of its own.
    """
    for group in range(size.groups):
        dice = group_dice(stage, "stealth", group)
        campaign = f"stealth-{group}"
        frame_lang = stage.draw_languages(dice, 1)[0]
        style = stage.grammar.whole(frame_lang, dice.whole(0, DOMAINS - 1))
        items = queue(stage, dice)
        for lang in stage.draw_languages(dice, size.accounts):
            account = recruit(stage, dice, "stealth", campaign, lang, 3, aged=0.8)
            if account.created_at > stage.start - 46 * DAY:
                account.created_at = int(stage.start - dice.between(2, 200) * DAY)
            n = dice.count(size.requests, 0.6)
            times = stage.clock.human(
                dice.rng, n, stage.start, stage.end, account.zone_h, account.habit
            ).tolist()
            while times:
                ts = times.pop(0)
                u = dice.u()
                if u < 0.25:
                    turns = dice.whole(1, 4)
                    del times[: turns - 1]
                    converse(stage, dice, account, ts, turns, account.words[0])
                    continue
                text, words = next(items)
                if u < 0.78:
                    text, _ = paraphrase(dice, style, text)
                ask(stage, dice, account, ts, text, words, again=0.15, length=9.0)
