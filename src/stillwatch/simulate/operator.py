"""What every operator has: recruited accounts and one queue of payloads, each drawn once."""

from __future__ import annotations

from collections.abc import Iterator

from stillwatch.simulate import identity
from stillwatch.simulate.clock import DAY, HOUR
from stillwatch.simulate.dice import Dice
from stillwatch.simulate.grammar import DOMAINS, Vocabulary
from stillwatch.simulate.identity import Account
from stillwatch.simulate.network import Prefix
from stillwatch.simulate.stage import Stage

__all__ = ["Item", "queue", "recruit", "sign_up_in_bursts"]

Item = tuple[str, Vocabulary]


def queue(stage: Stage, dice: Dice, *, rich: float = 3.0, code: float = 0.08) -> Iterator[Item]:
    """Yield payloads over all domains in the world's language mix, never one twice."""
    seen: set[str] = set()
    golden, u = 0.6180339887498949, dice.u()
    order = dice.sample(range(DOMAINS), DOMAINS)
    i = 0
    while True:
        i += 1
        lang = stage.language_at((u + i * golden) % 1.0)
        words = stage.grammar.whole(lang, order[int(dice.u() * DOMAINS)])
        text = stage.grammar.payload(dice, words, stage.grammar.length(dice, rich), 0.65)
        if dice.u() < code:
            text += "\n" + stage.grammar.snippet(dice, words)
        if text not in seen:
            seen.add(text)
            yield text, words


def recruit(
    stage: Stage,
    dice: Dice,
    family: str,
    campaign: str,
    lang: str,
    rung: int,
    *,
    pool: list[Prefix] | None = None,
    aged: float = 0.3,
    newest_days: float = 1.0,
) -> Account:
    """Return a core account: bought (aged) or made, of any type, behind the pool where given."""
    u = dice.u()
    kind = "dev" if u < 0.6 else "person" if u < 0.85 else "company"
    account = stage.account(
        dice,
        family,
        lang,
        kind=kind,
        domains=dice.whole(1, 3),
        campaign=campaign,
        role="core",
        rung=rung,
    )
    if dice.chance(aged):
        account.created_at = identity.created_at(dice, stage.end, 730, 30)
    else:
        account.created_at = int(stage.start - dice.between(newest_days, 45) * DAY)
    if dice.chance(0.15):
        account.email_domain = identity.free_mail(dice, 1.0)
    if pool:
        account.exits = [dice.pick(pool).exit(dice) for _ in range(dice.whole(1, 4))]
        account.signup_ip = dice.pick(pool).exit(dice).ip if dice.chance(0.5) else account.signup_ip
    return account


def sign_up_in_bursts(
    stage: Stage, dice: Dice, accounts: list[Account], share: float, latest_days: float = 1.0
) -> None:
    """Move the creation of a share of the accounts into a few windows of hours."""
    bursts = [
        int(stage.start - dice.between(latest_days, 40) * DAY)
        for _ in range(1 + len(accounts) // 40)
    ]
    for account in accounts:
        if dice.chance(share):
            account.created_at = dice.pick(bursts) + int(dice.between(0, 4) * HOUR)
