"""Jobs over data: graders, translation and labelling, document backfills, a permitted vendor."""

from __future__ import annotations

from stillwatch.simulate.clock import DAY, HOUR
from stillwatch.simulate.dice import Dice
from stillwatch.simulate.grammar import DOMAINS, Vocabulary
from stillwatch.simulate.identity import Account
from stillwatch.simulate.stage import Stage, group_dice
from stillwatch.simulate.talk import ask
from stillwatch.simulate.world import Size

__all__ = ["judges", "labelling", "rag", "vendor"]


def _company(stage: Stage, dice: Dice, family: str, lang: str, mixed: float) -> Account:
    account = stage.account(dice, family, lang, kind="company", domains=0)
    start = min(account.active_from(stage.start), stage.end - HOUR)
    account.created_at = min(account.created_at, start)
    domains = dice.sample(range(DOMAINS), dice.whole(1, 3))
    langs = [lang, *stage.draw_languages(dice, 8)] if dice.chance(mixed) else [lang]
    account.words = [stage.grammar.own(code, domains, dice) for code in langs]
    return account


def judges(stage: Stage, size: Size) -> None:
    """LLM-as-judge over a company's own product: question, answer, rubric."""
    dice = group_dice(stage, "judges", 0)
    for lang in stage.draw_languages(dice, size.total):
        account = _company(stage, dice, "judges", lang, 0.5)
        frame = stage.press.make(dice, lang, dice.pick(("grade", "grade", "critique")))
        n = dice.count(size.requests, 0.9)
        start = account.active_from(stage.start)
        times = (
            stage.clock.steady(dice.rng, n, start, stage.end)
            if dice.chance(0.5)
            else stage.clock.human(dice.rng, n, start, stage.end, account.zone_h, "office")
        )
        for ts in times.tolist():
            words = dice.pick(account.words)
            g = stage.grammar
            text = g.payload(dice, words, 1 + int(dice.expo(1.0)), 1.0)
            text += "\n\n" + g.prose(dice, words, 1 + int(dice.expo(3.0)))
            ask(stage, dice, account, ts, text, words, frame, again=0.02, length=3.0)


def labelling(stage: Stage, size: Size) -> None:
    """Translation and labelling jobs: one prompt over a company's texts, in batches."""
    dice = group_dice(stage, "labelling", 0)
    for lang in stage.draw_languages(dice, size.total):
        account = _company(stage, dice, "labelling", lang, 0.7)
        frame = stage.press.make(dice, lang, dice.pick(("rewrite", "rewrite", "extract")))
        channel = "batch" if dice.chance(0.4) else "api"
        for _ in range(dice.whole(1, 3)):
            n = dice.count(size.requests / 2, 0.8)
            at = int(dice.between(account.active_from(stage.start), stage.end - HOUR))
            for ts in stage.clock.steady(
                dice.rng, n, at, at + int(n * dice.between(2, 40) * 1e6)
            ).tolist():
                words = dice.pick(account.words)
                text = stage.grammar.payload(dice, words, stage.grammar.length(dice, 3.0), 0.1)
                ask(
                    stage,
                    dice,
                    account,
                    ts,
                    text,
                    words,
                    frame,
                    channel=channel,
                    again=0.0,
                    length=3.0,
                )


def rag(stage: Stage, size: Size) -> None:
    """Backfills: one company's distinct document chunks in a burst, then a trickle."""
    dice = group_dice(stage, "rag", 0)
    for lang in stage.draw_languages(dice, size.total):
        account = _company(stage, dice, "rag", lang, 0.3)
        frame = stage.press.make(dice, lang, "extract")
        start = account.active_from(stage.start)
        n = dice.count(size.requests, 0.6)
        at = int(dice.between(start, stage.end - 2 * HOUR))
        burst = stage.clock.steady(
            dice.rng, int(n * 0.8), at, at + int(dice.between(0.5, 8) * HOUR)
        )
        trickle = stage.clock.human(
            dice.rng, max(1, n // 5), start, stage.end, account.zone_h, "office"
        )
        for ts in [*burst.tolist(), *trickle.tolist()]:
            words = dice.pick(account.words)
            text = stage.grammar.payload(dice, words, 4 + int(dice.expo(4.0)), 0.0)
            ask(stage, dice, account, ts, text[:2000], words, frame, again=0.0, length=2.0)


def vendor(stage: Stage, size: Size) -> None:
    """A permitted synthetic-data vendor: subsidiaries, load balancing, ever-new topics."""
    for group in range(size.groups):
        dice = group_dice(stage, "vendor", group)
        langs = stage.draw_languages(dice, size.accounts)
        orgs = ["org_" + dice.hex(12) for _ in range(max(2, min(6, size.accounts // 3)))]
        owner = "le_" + dice.hex(10)
        exits = stage.networks.cloud(dice, 12)
        team: list[Account] = []
        for i, lang in enumerate(langs):
            account = stage.account(
                dice,
                "vendor",
                lang,
                kind="company",
                org_id=orgs[i % len(orgs)],
                domains=0,
                role="permitted",
                newest_days=20,
            )
            account.exits, account.owner_entity_id = exits, owner
            team.append(account)
        stage.owners.append({"owner_entity_id": owner, "access": "clear"})
        for org in orgs:
            stage.permits.append(
                {
                    "permit_id": "permit_" + dice.hex(8),
                    "org_id": org,
                    "methods": ["synthetic_data"],
                    "models": [],
                    "max_output_tokens_per_day": 5_000_000,
                    "valid_from": stage.start - 90 * DAY,
                    "valid_until": stage.end + 275 * DAY,
                    "granted_by": "partnerships",
                    "reference": f"MSA-{dice.whole(1000, 9999)}",
                }
            )
        frames = [stage.press.make(dice, langs[0], k) for k in ("instruct", "instruct", "reason")]
        n = round(size.requests * len(team))
        for i, ts in enumerate(
            stage.clock.dispatch(dice.rng, n, stage.start, stage.end, 2, 3.0).tolist()
        ):
            account = team[(i + int(dice.u() * 3)) % len(team)]
            words: Vocabulary = stage.any_words(dice)
            text = stage.grammar.payload(dice, words, stage.grammar.length(dice))
            ask(stage, dice, account, ts, text, words, dice.pick(frames), length=8.0)
