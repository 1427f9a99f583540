"""Groups that act together for honest reasons: evaluations, classes, teams, gateways, failover."""

from __future__ import annotations

from stillwatch.simulate.clock import DAY, HOUR, MINUTE, SECOND
from stillwatch.simulate.dice import Dice
from stillwatch.simulate.grammar import DOMAINS
from stillwatch.simulate.identity import API_CLIENTS, WEB_CLIENTS, Account
from stillwatch.simulate.people import sit_and_chat
from stillwatch.simulate.stage import Stage, gap_us, group_dice
from stillwatch.simulate.talk import ask, converse
from stillwatch.simulate.world import Size

__all__ = ["classroom", "evals", "failover", "gateway", "hackathon", "research", "teams"]


def evals(stage: Stage, size: Size) -> None:
    """Nightly evaluations: several organizations run every item of one public suite."""
    for group in range(size.groups):
        dice = group_dice(stage, "evals", group)
        frame = stage.press.make(dice, stage.draw_languages(dice, 1)[0], "reason", bare=0.0)
        nights = max(1, min(2, int(stage.days)))
        items = []
        for u in range(max(5, round(size.requests / nights))):
            code = stage.language_at((u + 0.5) / max(5, round(size.requests / nights)))
            words = stage.grammar.whole(code, dice.whole(0, DOMAINS - 1))
            items.append((stage.grammar.item(dice, words), words))
        for lang in stage.draw_languages(dice, size.accounts):
            account = stage.account(dice, "evals", lang, kind="company", newest_days=15)
            account.temperature = 0.0
            hour = dice.whole(0, 4) * HOUR - int(account.zone_h * HOUR)
            for night in dice.sample(range(max(1, int(stage.days))), nights):
                ts = stage.start + night * DAY + hour % DAY + int(dice.expo(600)) * SECOND
                pace = dice.between(3, 25)
                order = items if dice.chance(0.6) else dice.sample(items, len(items))
                for text, words in order:
                    ask(stage, dice, account, ts, text, words, frame, again=0.0)
                    ts += gap_us(dice, pace, 0.5)


def classroom(stage: Stage, size: Size) -> None:
    """A class behind one NAT: signed up in one lesson, works on the same assignments."""
    for group in range(size.groups):
        dice = group_dice(stage, "classroom", group)
        lang = stage.draw_languages(dice, 1)[0]
        first = stage.account(dice, "classroom", lang, domains=1)
        nat = stage.networks.office(dice, first.country)
        domain = dice.whole(0, DOMAINS - 1)
        words = stage.grammar.whole(lang, domain)
        items = [stage.grammar.payload(dice, words, 2 + i % 3, 1.0) for i in range(12)]
        signup = stage.start - dice.whole(2, 40) * DAY + 9 * HOUR
        lessons = [
            stage.start + d * DAY + 9 * HOUR - int(first.zone_h * HOUR) % DAY
            for d in range(0, max(1, int(stage.days)), 2)
        ]
        students = [first] + [
            stage.account(dice, "classroom", lang, domains=1) for _ in range(size.accounts - 1)
        ]
        domain_name = dice.pick(stage.grammar.names("en", domain)).lower() + "-school.example"
        for account in students:
            account.created_at = signup + int(dice.between(0, 70) * MINUTE)
            account.closed_at = account.closed_reason = None
            account.email_domain, account.signup_ip = domain_name, nat[0].ip
            account.zone_h, account.channel, account.plan = first.zone_h, "web", "free"
            account.org_id = first.org_id
            home = account.exits
            n = dice.count(size.requests / 2, 0.5)
            for _ in range(n):
                at_home = dice.chance(0.2)
                ts = dice.pick(lessons) + int(dice.between(0, 90) * MINUTE)
                ts += int(dice.between(6, 12) * HOUR) if at_home else 0
                item = dice.pick(items)
                text = (
                    item
                    if dice.chance(0.55)
                    else item + " " + stage.grammar.payload(dice, words, 1)
                )
                exit_ = dice.pick(home if at_home else nat)
                converse(
                    stage,
                    dice,
                    account,
                    ts,
                    1 + int(dice.expo(1.2)),
                    words,
                    first=text,
                    exit_=exit_,
                )


def hackathon(stage: Stage, size: Size) -> None:
    """Two days in one hall: fresh accounts, vouchers, tools, every team its own idea."""
    for group in range(size.groups):
        dice = group_dice(stage, "hackathon", group)
        langs = stage.draw_languages(dice, size.accounts)
        hall = stage.networks.office(dice, "GB")
        begin = stage.start + dice.whole(0, max(0, int(stage.days) - 3)) * DAY + 8 * HOUR
        for lang in langs:
            account = stage.account(dice, "hackathon", lang, kind="dev", domains=1)
            account.created_at = begin + int(dice.between(-26, 3) * HOUR)
            account.exits = hall
            account.signup_ip = hall[0].ip if dice.chance(0.6) else account.signup_ip
            frame = stage.press.make(dice, lang) if dice.chance(0.7) else None
            words = account.words[0]
            n = dice.count(size.requests, 0.7)
            start = max(begin, account.created_at)
            for ts in stage.clock.steady(
                dice.rng, n, start, min(stage.end, begin + 44 * HOUR)
            ).tolist():
                text = stage.grammar.payload(dice, words, stage.grammar.length(dice, 2.0))
                ask(stage, dice, account, ts, text, words, frame, again=0.15)


def gateway(stage: Stage, size: Size) -> None:
    """A reseller: one account, hundreds of end users of every habit."""
    for group in range(size.groups):
        dice = group_dice(stage, "gateway", group)
        account = stage.account(
            dice,
            "gateway",
            stage.draw_languages(dice, 1)[0],
            kind="company",
            domains=0,
            newest_days=90,
        )
        account.channel, account.plan, account.kyc_level = "gateway", "enterprise", "business"
        account.exits = stage.networks.cloud(dice, 8)
        users = max(4, round(size.requests / 4))
        for i, lang in enumerate(stage.draw_languages(dice, users)):
            words = stage.grammar.own(lang, dice.sample(range(DOMAINS), dice.whole(1, 3)), dice)
            end_user = "eu_" + dice.hex(10)
            n = dice.count(size.requests / users / (2 if i % 3 else 1), 0.8)
            times = stage.clock.human(
                dice.rng,
                n,
                stage.start,
                stage.end,
                dice.whole(-8, 10),
                dice.pick(("office", "evening", "allday")),
            )
            frame = stage.press.make(dice, lang) if i % 3 == 0 and dice.chance(0.5) else None
            for ts in times.tolist():
                if i % 3:
                    converse(
                        stage,
                        dice,
                        account,
                        ts,
                        1 + int(dice.expo(1.2)),
                        words,
                        end_user_id=end_user,
                    )
                else:
                    text = stage.grammar.payload(dice, words, stage.grammar.length(dice, 2.5))
                    ask(stage, dice, account, ts, text, words, frame, end_user_id=end_user)


def _team(
    stage: Stage, dice: Dice, family: str, lang: str, n: int, newest: float = 0.0
) -> list[Account]:
    """Return the accounts of one organization on one payment, from one office and some homes."""
    org = "org_" + dice.hex(12)
    domain = dice.whole(0, DOMAINS - 1)
    team = [
        stage.account(dice, family, lang, kind="company", org_id=org, domains=0, newest_days=newest)
        for _ in range(n)
    ]
    head = team[0]
    for account in team:
        account.words = [stage.grammar.own(lang, (domain, (domain + 7) % DOMAINS), dice)]
        account.payment_hash, account.email_domain = head.payment_hash, head.email_domain
        account.exits = head.exits + (account.exits[:1] if dice.chance(0.3) else [])
        account.org_id = org if dice.chance(0.8) else None
        account.zone_h, account.habit, account.country = head.zone_h, "office", head.country
        account.created_at = max(account.created_at, head.created_at)
    return team


def teams(stage: Stage, size: Size) -> None:
    """Small companies: several accounts, one card, some without a known organization."""
    for group, lang in enumerate(
        stage.draw_languages(group_dice(stage, "teams", 10**6), size.groups)
    ):
        dice = group_dice(stage, "teams", group)
        team = _team(stage, dice, "teams", lang, dice.whole(2, max(2, size.accounts * 2 - 2)))
        frame = stage.press.make(dice, lang) if dice.chance(0.5) else None
        for account in team:
            if dice.chance(0.5):
                account.channel, account.clients = "web", [dice.pick(WEB_CLIENTS)]
                sit_and_chat(stage, dice, account, size.requests)
                continue
            start = min(account.active_from(stage.start), stage.end - HOUR)
            n = dice.count(size.requests, 0.7)
            times = stage.clock.human(dice.rng, n, start, stage.end, account.zone_h, "office")
            words = account.words[0]
            for ts in times.tolist():
                text = stage.grammar.payload(dice, words, stage.grammar.length(dice, 2.5))
                ask(stage, dice, account, ts, text, words, frame)


def failover(stage: Stage, size: Size) -> None:
    """Organizations that move keys: conversations go on at their other account."""
    for group, lang in enumerate(
        stage.draw_languages(group_dice(stage, "failover", 10**6), size.groups)
    ):
        dice = group_dice(stage, "failover", group)
        org = "org_" + dice.hex(12)
        team = [
            stage.account(dice, "failover", lang, kind="company", org_id=org, domains=0)
            for _ in range(max(2, size.accounts))
        ]
        words = stage.grammar.own(lang, (dice.whole(0, DOMAINS - 1),), dice)
        for account in team:
            account.words, account.exits, account.model = [words], team[0].exits, team[0].model
            account.payment_hash, account.email_domain = team[0].payment_hash, team[0].email_domain
            account.created_at = min(account.created_at, stage.start - DAY)
        frame = stage.press.make(dice, lang, system=0.8)
        move = stage.start + int(dice.between(0.3, 0.7) * (stage.end - stage.start))
        n = max(2, dice.count(size.requests * len(team) / 3, 0.6))
        zone = team[0].zone_h
        times = stage.clock.human(dice.rng, n, stage.start, stage.end, zone, "allday").tolist()
        open_at_move = [move - int(dice.between(10, 160)) * SECOND for _ in range(2 + n // 12)]
        for ts in times + open_at_move:
            turns = 1 + int(dice.expo(2.5)) + (ts in open_at_move)
            _moving_talk(stage, dice, team, ts, move, frame.system, turns)


def _moving_talk(
    stage: Stage,
    dice: Dice,
    team: list[Account],
    ts: int,
    move: int,
    system: str | None,
    turns: int,
) -> None:
    words, g = team[0].words[0], stage.grammar
    messages = [("system", system)] if system else []
    blob: bytes | None = None
    for turn in range(min(turns, 7)):
        new = ts > move or dice.chance(0.04)
        account = team[1] if new else team[0]
        text = g.follow(dice, words) if turn else g.payload(dice, words, g.length(dice, 2.0))
        messages.append(("user", text))
        answer = g.answer(dice, words, "plain", "notes", 1 + int(dice.expo(5)))
        if account.model != "lumen-4-reason":
            blob = None
        elif blob is None or dice.u() > 0.3:  # else replayed, within the organization
            blob = dice.rng.bytes(72)
        status = stage.send(dice, account, ts, list(messages), answer, blob=blob)
        if status in ("rate_limited", "server_error"):
            other = team[0] if new else team[1]
            ts += gap_us(dice, 3.0, 0.5)
            status = stage.send(dice, other, ts, list(messages), answer)
        if status != "ok":
            return
        messages.append(("assistant", answer))
        # conversations that were open at the move go on after it
        ts += gap_us(dice, 90.0) if dice.chance(0.9) else int(dice.between(2, 20) * HOUR)


def research(stage: Stage, size: Size) -> None:
    """A research group: few machines, rotating people, many small studies with own prompts."""
    for group in range(size.groups):
        dice = group_dice(stage, "research", group)
        lang = stage.draw_languages(dice, 1)[0]
        team = _team(stage, dice, "research", lang, size.accounts, 5)
        studies = [
            (
                stage.press.make(dice, lang),
                stage.grammar.own(lang, dice.sample(range(DOMAINS), 2), dice),
            )
            for _ in range(4)
        ]
        span = (stage.end - stage.start) / 4
        for i, account in enumerate(team):
            account.clients = [dice.pick(API_CLIENTS)]
            for _ in range(2):
                k = dice.whole(0, 3)
                frame, words = studies[(k + i) % 4]
                begin = stage.start + int(k * span)
                n = dice.count(size.requests / 2, 0.7)
                for ts in stage.clock.steady(dice.rng, n, begin, begin + int(span)).tolist():
                    text = stage.grammar.payload(dice, words, stage.grammar.length(dice))
                    ask(stage, dice, account, max(ts, account.created_at), text, words, frame)
