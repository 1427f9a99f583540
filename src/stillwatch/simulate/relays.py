"""Relays: an operator answers its own users through the fleet, or replays their sessions whole."""

from __future__ import annotations

from stillwatch.simulate.dice import Dice
from stillwatch.simulate.fleet import Agent, Orders
from stillwatch.simulate.grammar import DOMAINS, Vocabulary
from stillwatch.simulate.provider import Call
from stillwatch.simulate.stage import Stage, gap_us

__all__ = ["relay_users", "send_session"]


def relay_users(stage: Stage, dice: Dice, orders: Orders, fleet: list[Agent], total: int) -> None:
    """Play users' conversations of about 3.9 requests; they hop accounts as the rung says."""
    house = stage.press.make(dice, stage.draw_languages(dice, 1)[0], "support", system=1.0).system
    said = 0.5 if orders.rung == 1 else 0.15  # who hides drops the app's own prompt
    users = max(4, round(total / 14))
    talks: list[tuple[int, Vocabulary]] = []
    for lang in stage.draw_languages(dice, users):
        words = stage.grammar.own(lang, dice.sample(range(DOMAINS), dice.whole(1, 3)), dice)
        zone, habit = dice.pick(words.lang.zones), dice.pick(("office", "evening", "allday"))
        n = max(1, round(total / users / 3.9))
        times = stage.clock.human(dice.rng, n, orders.begin, orders.end, zone, habit)
        talks += [(ts, words) for ts in times.tolist()]
    talks.sort(key=lambda t: t[0])
    for ts, words in talks:
        live = [a for a in fleet if a.begin <= ts < a.until]
        if live:
            _talk(stage, dice, orders, live, ts, words, house if dice.chance(said) else None)


def _talk(
    stage: Stage,
    dice: Dice,
    orders: Orders,
    live: list[Agent],
    ts: int,
    words: Vocabulary,
    house: str | None,
) -> None:
    g = stage.grammar
    agent = _pick(dice, live)
    messages = [("system", house)] if house else []
    call = Call(lang=words.lang.code)
    blob: bytes | None = None
    for turn in range(min(9, 2 + int(dice.expo(2.6)))):
        if turn and dice.u() < orders.hiding.hops:
            agent = _pick(dice, live)
        text = g.follow(dice, words) if turn else g.payload(dice, words, g.length(dice, 2.0), 0.75)
        messages.append(("user", text))
        answer = g.answer(dice, words, "plain", "notes", 1 + int(dice.expo(6.0)))
        for _ in range(2):
            if agent.account.model != "lumen-4-reason":
                blob = None
            elif blob is None or dice.u() > orders.shape.replays:
                blob = dice.rng.bytes(72)
            status = stage.send(dice, agent.account, ts, list(messages), answer, call, blob=blob)
            ts += gap_us(dice, 4.0, 1.0)
            if status not in ("rate_limited", "server_error"):
                break
            agent = _pick(dice, live) if dice.u() < orders.hiding.hops else agent
        if status != "ok":
            return
        messages.append(("assistant", answer))
        ts += gap_us(dice, 70.0)


def _pick(dice: Dice, live: list[Agent]) -> Agent:
    """Return one of three random agents, the heavier more often: volumes are as uneven as asked."""
    few = [dice.pick(live) for _ in range(3)]
    at = dice.u() * sum(a.weight for a in few)
    for agent in few:
        at -= agent.weight
        if at < 0:
            return agent
    return few[-1]


def send_session(
    stage: Stage, dice: Dice, agent: Agent, ts: int, text: str, words: Vocabulary
) -> None:
    """Send a whole earlier conversation of a user and its last question in one request."""
    g = stage.grammar
    messages = [("system", agent.system)] if agent.system else []
    for turn in range(dice.whole(0, 3)):
        messages.append(("user", g.follow(dice, words) if turn else text))
        messages.append(("assistant", g.prose(dice, words, 1 + int(dice.expo(4.0)))))
    messages.append(("user", g.follow(dice, words) if len(messages) > 1 else text))
    answer = g.answer(dice, words, "plain", "notes", 1 + int(dice.expo(agent.account.answer_len)))
    stage.send(dice, agent.account, ts, messages, answer, Call(lang=words.lang.code))
