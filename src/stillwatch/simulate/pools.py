"""Campaigns that spread one queue over many accounts: proxy pool, load balancer, replacement."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from stillwatch.simulate.clock import DAY, HOUR, MINUTE, SECOND
from stillwatch.simulate.dice import Dice
from stillwatch.simulate.frames import Frame
from stillwatch.simulate.identity import API_CLIENTS, Account
from stillwatch.simulate.network import Prefix
from stillwatch.simulate.operator import Item, queue, recruit, sign_up_in_bursts
from stillwatch.simulate.stage import Stage, group_dice
from stillwatch.simulate.talk import ask, converse
from stillwatch.simulate.world import Size

__all__ = ["load_balanced", "proxy_pool", "replaced"]

# (names, schema) of the harness that collects agentic traces
_HARNESS = (
    ["run_tests", "read_file"],
    '[{"name":"run_tests","parameters":{}},{"name":"read_file","parameters":{}}]',
)


def _cards(dice: Dice, accounts: list[Account], share: float, per_card: int) -> None:
    cards = [dice.hex(16) for _ in range(1 + len(accounts) // per_card)]
    for account in accounts:
        if dice.chance(share):
            account.payment_hash = dice.pick(cards)


def proxy_pool(stage: Stage, size: Size) -> None:
    """Hundreds of accounts, about four requests each, one frame, exits shared with others."""
    for group in range(size.groups):
        dice = group_dice(stage, "proxy_pool", group)
        campaign = f"proxy_pool-{group}"
        for account in stage.pool_customers.get(group, []):
            stage.set_role(account, "periphery", campaign)
        prefixes = stage.networks.pool("proxy", group, 9)
        frame = stage.press.make(
            dice, stage.draw_languages(dice, 1)[0], "reason", system=0.4, bare=0.0
        )
        clients = dice.sample(API_CLIENTS, 6)
        items = queue(stage, dice)
        team = [
            recruit(stage, dice, "proxy_pool", campaign, lang, 1, pool=prefixes, aged=0.3)
            for lang in stage.draw_languages(dice, size.accounts)
        ]
        sign_up_in_bursts(
            stage, dice, [a for a in team if a.created_at > stage.start - 46 * DAY], 0.7
        )
        _cards(dice, team, 0.35, 7)
        for account in team:
            if account.channel == "api":
                account.clients = dice.sample(clients, dice.whole(1, 2))
            span = int(min(dice.between(2, 5), stage.days * 0.9) * DAY)
            first = int(dice.between(stage.start, max(stage.start + 1, stage.end - span)))
            n = dice.count(size.requests, 0.5)
            for at in sorted(dice.u() for _ in range(n)):
                text, words = next(items)
                exit_ = dice.pick(prefixes).exit(dice) if dice.chance(0.5) else None
                ask(
                    stage,
                    dice,
                    account,
                    first + int(at * span),
                    text,
                    words,
                    frame,
                    exit_=exit_,
                    again=0.2,
                )


def _frames(stage: Stage, dice: Dice) -> list[Frame]:
    kinds = dice.sample(
        ("reason", "grade", "instruct", "critique", "code", "reason"), dice.whole(3, 6)
    )
    langs = stage.draw_languages(dice, len(kinds))
    return [
        stage.press.make(dice, c, k, system=0.45, bare=0.1)
        for c, k in zip(langs, kinds, strict=True)
    ]


def load_balanced(stage: Stage, size: Size) -> None:
    """One dispatcher, one queue, round robin with jitter over a fleet; frames mixed by all.

    Every second group is a harder one (rung 2): aged accounts, uneven volumes, late joiners.
    """
    for group in range(size.groups):
        dice = group_dice(stage, "load_balanced", group)
        campaign, rung = f"load_balanced-{group}", 1 + group % 2
        frames = _frames(stage, dice)
        prefixes = [stage.networks.prefix(dice, c) for c in ("US", "SG", "DE", "BR", "JP")]
        team = [
            recruit(
                stage,
                dice,
                "load_balanced",
                campaign,
                lang,
                rung,
                pool=prefixes,
                aged=0.2 if rung == 1 else 0.9,
            )
            for lang in stage.draw_languages(dice, size.accounts)
        ]
        sign_up_in_bursts(stage, dice, team, 0.5 if rung == 1 else 0.0)
        _cards(dice, team, 0.4, 6)
        for account in team:
            account.adopts = dice.chance(0.7)
        joins = [0.0 if rung == 1 or dice.chance(0.6) else dice.u() * 0.6 for _ in team]
        heavy = [1.0 if rung == 1 else dice.between(0.3, 1.0) for _ in team]
        items = queue(stage, dice)
        n = round(size.requests * len(team))
        times = stage.clock.dispatch(dice.rng, n, stage.start, stage.end, 3, 4.0).tolist()
        order: list[int] = []
        for ts in times:
            part = (ts - stage.start) / (stage.end - stage.start)
            while not order:
                live = [i for i in range(len(team)) if joins[i] <= part and dice.u() < heavy[i]]
                order = dice.sample(live, len(live))
            text, words = next(items)
            frame = dice.pick(frames)
            tools = _HARNESS if frame.kind == "code" else None
            account = team[order.pop()]
            ask(stage, dice, account, ts, text, words, frame, tools=tools, again=0.12, length=8.0)
            if dice.u() < 0.02:
                _cover(stage, dice, team, ts)


def _cover(stage: Stage, dice: Dice, team: list[Account], ts: int) -> None:
    """A chat of an account's former owner or of the staff who test it."""
    account = dice.pick(team)
    converse(stage, dice, account, ts + 5 * MINUTE, dice.whole(2, 4), account.words[0])


def replaced(stage: Stage, size: Size) -> None:
    """The provider bans in waves; fresh accounts take over queue and frames within hours.

    The last requests of a banned account are denied (403); most of those prompts are sent
    again through another account within minutes.
    """
    for group in range(size.groups):
        dice = group_dice(stage, "replaced", group)
        campaign = f"replaced-{group}"
        frames = _frames(stage, dice)[:3]
        prefixes = [stage.networks.prefix(dice, c) for c in ("US", "FR", "SG", "CA")]

        hire = partial(_hire, stage, dice, campaign, prefixes)
        team = [hire() for _ in range(size.accounts)]
        _cards(dice, team, 0.3, 5)
        span = stage.end - stage.start
        waves = [
            stage.start + int(f * span + dice.between(-3, 3) * HOUR) for f in (0.35, 0.62, 0.84)
        ]
        begins: dict[str, int] = {}
        live = list(team)
        items = queue(stage, dice)
        times = stage.clock.dispatch(
            dice.rng, round(size.requests * size.accounts * 2), stage.start, stage.end, 2, 3.0
        )
        order: list[Account] = []
        for ts in times.tolist():
            while waves and ts >= waves[0]:
                live, order = _ban(stage, dice, live, waves.pop(0), hire, begins), []
            if not order:
                ready = [a for a in live if begins.get(a.account_id, 0) <= ts]
                order = dice.sample(ready, len(ready))
            if order:
                _send_or_move(stage, dice, order.pop(), ts, next(items), frames, live)


def _hire(stage: Stage, dice: Dice, campaign: str, pool: list[Prefix]) -> Account:
    lang = stage.language_at(dice.u())
    return recruit(stage, dice, "replaced", campaign, lang, 2, pool=pool, aged=0.35)


def _ban(
    stage: Stage,
    dice: Dice,
    live: list[Account],
    at: int,
    hire: Callable[[], Account],
    begins: dict[str, int],
) -> list[Account]:
    """Close half to four fifths of the fleet at a wave and hire as many again within hours."""
    share = dice.between(0.5, 0.8)
    kept: list[Account] = []
    for account in live:
        if dice.u() > share:
            kept.append(account)
            continue
        account.closed_at = at + int(dice.between(0, 20) * MINUTE)
        account.closed_reason = "policy"
        fresh = hire()
        if fresh.created_at > stage.start - 46 * DAY:
            fresh.created_at = account.closed_at + int(dice.between(0.3, 9) * HOUR)
        begins[fresh.account_id] = max(
            fresh.created_at, account.closed_at + int(dice.between(0.2, 6) * HOUR)
        ) + int(dice.between(2, 50) * MINUTE)
        kept += [fresh, account]  # the dispatcher does not know yet that it is banned
    return kept


def _send_or_move(
    stage: Stage,
    dice: Dice,
    account: Account,
    ts: int,
    item: Item,
    frames: list[Frame],
    live: list[Account],
) -> None:
    text, words = item
    frame = dice.pick(frames)
    status = ask(stage, dice, account, ts, text, words, frame, again=0.12, length=7.0)
    banned = account.closed_at is not None and ts > account.closed_at
    if banned and account in live and dice.u() < 0.5:
        live.remove(account)
    if status == "denied":
        open_now = [
            a for a in live if a.closed_at is None and a.created_at < ts and a is not account
        ]
        if open_now and dice.u() < 0.6:
            later = ts + int(dice.between(20, 480)) * SECOND
            ask(stage, dice, dice.pick(open_now), later, text, words, frame, again=0.1)
