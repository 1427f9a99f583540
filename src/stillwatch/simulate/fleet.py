"""A fleet is the accounts of one campaign, bought, dressed and replaced as its rung demands."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

from stillwatch.simulate.clock import DAY, HOUR, MINUTE
from stillwatch.simulate.dice import Dice
from stillwatch.simulate.frames import Frame
from stillwatch.simulate.grammar import DOMAINS, Vocabulary
from stillwatch.simulate.hiding import Hiding
from stillwatch.simulate.identity import API_CLIENTS, Account, Client, free_mail
from stillwatch.simulate.network import Prefix
from stillwatch.simulate.register import close_account
from stillwatch.simulate.shapes import Shape
from stillwatch.simulate.stage import Stage
from stillwatch.simulate.talk import system_line

__all__ = ["Agent", "Orders", "muster"]

# honest family an account poses as → (share, kind of account, chance of a second turn)
_POSES: Final[dict[str, tuple[float, str, float]]] = {
    "tryouts": (0.42, "dev", 0.08),
    "scripts": (0.20, "dev", 0.05),
    "chat": (0.24, "person", 0.55),
    "applications": (0.14, "company", 0.15),
}


@dataclass
class Agent:
    """One account at work. ``begin`` and ``until``: when it is in use, in microseconds."""

    account: Account
    begin: int
    until: int
    weight: float
    pose: str
    again: float
    system: str | None
    topics: Vocabulary
    frames: list[Frame] = field(default_factory=list)
    user: str | None = None


@dataclass(frozen=True)
class Orders:
    """What muster needs to know: the campaign, its shape and rung, its window, its frames."""

    name: str
    family: str
    operator: str
    rung: int
    shape: Shape
    hiding: Hiding
    begin: int
    end: int
    frames: tuple[Frame, ...]
    pool: int | None


def muster(stage: Stage, dice: Dice, orders: Orders, count: int) -> list[Agent]:
    """Return ``count`` agents and those that replace the banned ones."""
    hiding = orders.hiding
    n_prefixes = 4 + count // 40
    prefixes = (
        stage.networks.pool("proxy", orders.pool, 9)
        if orders.pool is not None
        else [
            stage.networks.prefix(dice, c)
            for c in dice.sample(("US", "SG", "DE", "BR", "JP", "FR", "IN", "GB") * 40, n_prefixes)
        ]
    )
    tools = dice.sample(API_CLIENTS, 3)
    cards = [dice.hex(16) for _ in range(1 + count // 6)]
    bursts = [int(orders.begin - dice.between(1, 40) * DAY) for _ in range(1 + count // 40)]
    fleet: list[Agent] = []

    def hire(lang: str, begin: int) -> Agent:
        agent = _agent(stage, dice, orders, lang, begin)
        account = agent.account
        if not dice.chance(hiding.aged):
            account.created_at = int(begin - dice.between(0.05, 45) * DAY)
            if dice.chance(hiding.burst):
                account.created_at = dice.pick(bursts) + int(dice.between(0, 4) * HOUR)
        if account.created_at > begin:  # not all at the campaign's first moment
            account.created_at = int(begin - dice.between(0.01, 30) * DAY)
        if dice.chance(hiding.cards):
            account.payment_hash = dice.pick(cards)
        _connect(dice, orders, account, prefixes, tools)
        fleet.append(agent)
        return agent

    span = orders.end - orders.begin
    for lang in stage.draw_languages(dice, count):
        late = dice.between(0.0, 0.6) if dice.chance(hiding.late) else 0.0
        hire(lang, orders.begin + int(late * span))
    if orders.shape.copies:
        _copy_victims(stage, dice, orders, fleet)
    for wave in range(orders.shape.bans):
        at = orders.begin + int((0.35 + 0.25 * wave) * span + dice.between(-3, 3) * HOUR)
        for agent in [a for a in fleet if a.until > at and a.begin < at]:
            if not dice.chance(0.65):
                continue
            banned = at + dice.whole(0, 20) * MINUTE
            agent.account.closed_at, agent.account.closed_reason = banned, "policy"
            agent.until = banned + dice.whole(5, 90) * MINUTE  # not known at once
            fresh = hire(stage.language_at(dice.u()), banned + int(dice.between(0.2, 9) * HOUR))
            fresh.weight = agent.weight
    return fleet


def _agent(stage: Stage, dice: Dice, orders: Orders, lang: str, begin: int) -> Agent:
    hiding, shape = orders.hiding, orders.shape
    pose = _pose(dice) if dice.chance(hiding.posed) else "scripts"
    _, kind, again = _POSES[pose]
    account = stage.account(
        dice,
        orders.family,
        lang,
        kind=kind,
        domains=dice.whole(1, 3),
        campaign=orders.name,
        role="core",
        rung=orders.rung,
    )
    stage.tell(account, operator=orders.operator, benign_family=pose)
    account.adopts = dice.chance(shape.pivots)
    if shape.cheap:
        account.model = "lumen-4-mini"
    elif not dice.chance(hiding.posed):
        account.model = dice.pick(("lumen-4", "lumen-4-reason", "lumen-4-reason"))
    if dice.chance(0.025):
        close_account(dice, account, stage.end, stage.days)
    if dice.chance(0.12 - 0.1 * hiding.posed):
        account.email_domain = free_mail(dice, 1.0)
    domains = dice.sample(range(DOMAINS), max(1, round(hiding.slice * DOMAINS)))
    topics = stage.grammar.own(lang, domains, dice) if hiding.slice < 1 else account.words[0]
    system = _system(stage, dice, account, pose)
    frames = list(orders.frames)
    if hiding.own_frames:
        frames = [stage.press.make(dice, lang, system=0.3) for _ in range(dice.whole(1, 3))]
    if system:
        frames = [replace(f, system=system) for f in frames]
    user = "eu_" + dice.hex(10) if pose == "applications" and dice.chance(0.5) else None
    return Agent(
        account,
        begin,
        orders.end,
        dice.count(1000, hiding.spread) / 1000,
        pose,
        again,
        system,
        topics,
        frames,
        user,
    )


def _system(stage: Stage, dice: Dice, account: Account, pose: str) -> str | None:
    """Return the system prompt that an account of the family it poses as would send."""
    if pose == "applications" and dice.chance(0.75):
        return stage.press.make(dice, account.lang, "support", system=1.0, bare=1.0).system
    if pose == "chat" and account.channel != "api":
        return system_line(stage, dice, account.lang)
    return None


def _pose(dice: Dice) -> str:
    u = dice.u()
    for name, (share, _, _) in _POSES.items():
        u -= share
        if u < 0:
            return name
    return "scripts"


def _connect(
    dice: Dice, orders: Orders, account: Account, prefixes: list[Prefix], tools: list[Client]
) -> None:
    hiding = orders.hiding
    if dice.chance(hiding.pooled):
        account.exits = [dice.pick(prefixes).exit(dice) for _ in range(dice.whole(1, 4))]
        if dice.chance(0.5):
            account.signup_ip = dice.pick(prefixes).exit(dice).ip
    if account.channel == "api" and dice.chance(hiding.tools):
        account.clients = dice.sample(tools, dice.whole(1, 2))


def _copy_victims(stage: Stage, dice: Dice, orders: Orders, fleet: list[Agent]) -> None:
    """Give each agent an honest application's template and addresses in its prefix."""
    for victim in stage.victims:
        for account in victim.accounts:
            stage.tell(account, role="victim", campaign=orders.name, operator=orders.operator)
    for i, agent in enumerate(fleet):
        victim = stage.victims[i % len(stage.victims)]
        agent.account.exits = dice.sample(victim.exits, 3)
        agent.account.channel = "api"
        agent.frames = [victim.frame]
        if dice.chance(0.5):
            agent.account.clients = victim.accounts[0].clients[:1]
