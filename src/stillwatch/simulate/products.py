"""Products: applications, agents, a popular template, plug-ins, a workflow platform."""

from __future__ import annotations

import orjson

from stillwatch.simulate.clock import DAY, MINUTE, cron_times
from stillwatch.simulate.dice import Dice
from stillwatch.simulate.frames import Frame
from stillwatch.simulate.grammar import DOMAINS, Vocabulary
from stillwatch.simulate.identity import CODE_CLIENTS, Account, Client
from stillwatch.simulate.provider import Call
from stillwatch.simulate.stage import Stage, Victim, gap_us, group_dice
from stillwatch.simulate.talk import ask, converse
from stillwatch.simulate.world import Size

__all__ = ["agents", "applications", "plugin", "template", "victims", "workflow"]


def _user_words(stage: Stage, dice: Dice, domains: list[int], own: str) -> list[Vocabulary]:
    """Return the vocabularies of an application's users: some products are international."""
    langs = [own] if dice.chance(0.5) else [own, *stage.draw_languages(dice, 9)]
    return [stage.grammar.own(lang, domains, dice) for lang in langs]


def _play_app(
    stage: Stage,
    dice: Dice,
    account: Account,
    frame: Frame,
    users: list[str],
    n: int,
    turns_mean: float,
) -> None:
    start = min(account.active_from(stage.start), stage.end - 60 * MINUTE)
    account.created_at = min(account.created_at, start)
    words = dict(zip(users, [dice.pick(account.words) for _ in users], strict=True))
    times = stage.clock.human(dice.rng, n, start, stage.end, account.zone_h, account.habit)
    for ts in times.tolist():
        user = dice.pick(users)
        vocab = words[user]
        end_user = user if account.keeps_conversation_id or account.sends % 2 else None
        turns = 1 + int(dice.expo(turns_mean))
        if turns == 1:
            text = stage.grammar.payload(dice, vocab, stage.grammar.length(dice, account.wordiness))
            ask(stage, dice, account, ts, text, vocab, frame, end_user_id=end_user, again=0.0)
        else:
            converse(
                stage,
                dice,
                account,
                ts,
                min(turns, 6),
                vocab,
                system=frame.system,
                frame=frame,
                end_user_id=end_user,
            )


def applications(stage: Stage, size: Size) -> None:
    """One account, one prompt, a narrow domain, many end users."""
    dice = group_dice(stage, "applications", 0)
    for lang in stage.draw_languages(dice, size.total):
        account = stage.account(dice, "applications", lang, kind="company", domains=0)
        account.words = _user_words(
            stage, dice, dice.sample(range(DOMAINS), dice.whole(1, 2)), lang
        )
        frame = stage.press.make(dice, lang, system=0.75)
        users = ["eu_" + dice.hex(10) for _ in range(dice.count(25, 0.8, 3))]
        n = dice.count(size.requests * 0.6, 0.9)
        _play_app(stage, dice, account, frame, users, n, dice.pick((0.2, 0.6, 1.5)))


def victims(stage: Stage, size: Size) -> None:
    """Aged honest applications of one to three accounts, which a framing campaign may copy."""
    for group in range(size.groups):
        dice = group_dice(stage, "victims", group)
        lang = stage.draw_languages(dice, 1)[0]
        org = "org_" + dice.hex(12)
        domains = dice.sample(range(DOMAINS), 1 + group % 2)
        frame = stage.press.make(dice, lang, system=0.75)
        users = ["eu_" + dice.hex(10) for _ in range(20)]
        prefix = stage.networks.prefix(dice, dice.pick(("US", "DE", "SG", "BR")), 0.0)
        team = []
        for _ in range(1 + group % 3):
            account = stage.account(
                dice, "applications", lang, kind="company", org_id=org, domains=0, newest_days=200
            )
            account.words = [stage.grammar.own(lang, domains, dice)]
            account.exits = [prefix.exit(dice, 1, 60) for _ in range(2)]
            team.append(account)
        stage.victims.append(Victim(team, frame, [prefix.exit(dice, 61, 250) for _ in range(12)]))
        for account in team:
            _play_app(stage, dice, account, frame, users, dice.count(size.requests, 0.4), 0.4)


_TOOLS = (
    "read_file",
    "write_file",
    "run_tests",
    "search",
    "list_dir",
    "apply_patch",
    "shell",
    "fetch",
)


def agents(stage: Stage, size: Size) -> None:
    """Coding agents and CI: tools, long tasks, any hour; strangers share tool sets by product."""
    dice = group_dice(stage, "agents", 0)
    products = []
    for client in CODE_CLIENTS:
        tools = dice.sample(_TOOLS, dice.whole(4, 7))
        declared = [
            {"name": t, "parameters": {"type": "object", "v": dice.whole(1, 9)}} for t in tools
        ]
        frame = stage.press.make(dice, "en", "code", system=1.0)
        products.append((client, tools, orjson.dumps(declared).decode(), frame))
    for lang in stage.draw_languages(dice, size.total):
        account = stage.account(dice, "agents", lang, kind="dev", domains=1)
        client, tools, schema, frame = dice.pick(products)
        account.clients = [client]
        if client.name == "ci-agent":
            account.exits = stage.networks.cloud(dice, 40)
        system = (
            frame.system
            if dice.chance(0.8)
            else stage.press.make(dice, lang, "code", system=1.0).system
        )
        start = min(account.active_from(stage.start), stage.end - 60 * MINUTE)
        account.created_at = min(account.created_at, start)
        tasks = max(1, round(dice.count(size.requests, 0.8) / 7))
        times = (
            stage.clock.steady(dice.rng, tasks, start, stage.end)
            if client.name == "ci-agent"
            else stage.clock.human(dice.rng, tasks, start, stage.end, account.zone_h, account.habit)
        )
        for ts in times.tolist():
            _agent_task(stage, dice, account, ts, system, tools, schema, client)


def _agent_task(
    stage: Stage,
    dice: Dice,
    account: Account,
    ts: int,
    system: str | None,
    tools: list[str],
    schema: str,
    client: Client,
) -> None:
    g, words = stage.grammar, account.words[0]
    call = Call(
        exit_=dice.pick(account.exits),
        client=client,
        trace_id="tr_" + dice.hex(16),
        tools=tools,
        tool_schema=schema,
    )
    messages = [("system", system)] if system else []
    task = g.payload(dice, words, g.length(dice, 1.5)) + "\n" + g.snippet(dice, words)
    messages.append(("user", task))
    blob: bytes | None = None
    for _ in range(min(12, 2 + int(dice.expo(6)))):
        answer = g.answer(dice, words, "code" if dice.u() < 0.5 else "plain", "notes", 2)
        if account.model == "lumen-4-reason" and (blob is None or dice.u() > 0.08):
            blob = dice.rng.bytes(64)
        status = stage.send(dice, account, ts, list(messages), answer, call, blob=blob)
        ts += gap_us(dice, 14.0, 2.0)
        if status == "ok":
            messages += [("assistant", answer), ("tool", g.snippet(dice, words))]
        elif status not in ("rate_limited", "server_error"):
            return


def _stranger(stage: Stage, dice: Dice, family: str, lang: str) -> Account:
    account = stage.account(dice, family, lang, kind="dev", domains=dice.whole(1, 2))
    start = min(account.active_from(stage.start), stage.end - 60 * MINUTE)
    account.created_at = min(account.created_at, start)
    return account


def template(stage: Stage, size: Size) -> None:
    """A popular open-source template: strangers, each with own topics, network and rhythm."""
    for group in range(size.groups):
        dice = group_dice(stage, "template", group)
        frame_lang = stage.draw_languages(dice, 1)[0]
        frame = stage.press.make(
            dice, frame_lang, ("reason", "extract", "instruct")[group % 3], bare=0.0, long=True
        )
        known = stage.grammar.system(dice, frame_lang)
        if known:
            frame = Frame(frame.kind, "plain", frame.tag, known, "", "", "", "")
        for lang in stage.draw_languages(dice, size.accounts):
            account = _stranger(stage, dice, "template", lang)
            n = dice.count(size.requests, 1.0)
            words = account.words[0]
            times = (
                stage.clock.human(
                    dice.rng,
                    n,
                    account.active_from(stage.start),
                    stage.end,
                    account.zone_h,
                    account.habit,
                )
                if dice.chance(0.6)
                else stage.clock.steady(dice.rng, n, account.active_from(stage.start), stage.end)
            )
            for ts in times.tolist():
                text = stage.grammar.payload(
                    dice, words, stage.grammar.length(dice, account.wordiness)
                )
                ask(stage, dice, account, ts, text, words, frame, again=0.06)


def plugin(stage: Stage, size: Size) -> None:
    """An editor or spreadsheet plug-in: strangers share its frame and its client string."""
    for group in range(size.groups):
        dice = group_dice(stage, "plugin", group)
        frame_lang = stage.draw_languages(dice, 1)[0]
        frame = stage.press.make(
            dice, frame_lang, ("rewrite", "grade", "extract")[group % 3], bare=0.0
        )
        name = ("cellmate", "quillpad", "sheetwise")[group % 3]
        clients = [
            Client(
                "plugin",
                f"{name}-plugin/{v} lumen-node/5.0.1",
                f"t13d4916h2_{dice.hex(12)}_{dice.hex(12)}",
            )
            for v in ("1.8.2", "1.9.0")
        ]
        for lang in stage.draw_languages(dice, size.accounts):
            account = _stranger(stage, dice, "plugin", lang)
            account.clients = [dice.pick(clients)]
            account.exits = stage.networks.home(dice, account.country)
            n = dice.count(size.requests, 0.9)
            words = account.words[0]
            times = stage.clock.human(
                dice.rng,
                n,
                account.active_from(stage.start),
                stage.end,
                account.zone_h,
                account.habit,
            )
            for ts in times.tolist():
                text = stage.grammar.payload(dice, words, stage.grammar.length(dice, 1.5), 0.1)
                ask(stage, dice, account, ts, text, words, frame, again=0.03)


def workflow(stage: Stage, size: Size) -> None:
    """An automation platform: strangers share frame, clock and exits, each has own topics."""
    for group in range(size.groups):
        dice = group_dice(stage, "workflow", group)
        frame = stage.press.make(dice, stage.draw_languages(dice, 1)[0], "extract", bare=0.0)
        exits = stage.networks.office(dice, "US") + stage.networks.office(dice, "DE")
        client = Client(
            "workflow", f"flowline/4.{group}", f"t13d4916h2_{dice.hex(12)}_{dice.hex(12)}"
        )
        for lang in stage.draw_languages(dice, size.accounts):
            account = _stranger(stage, dice, "workflow", lang)
            account.exits, account.clients = exits, [client]
            start = account.active_from(stage.start)
            base = stage.start - stage.start % DAY
            n = dice.count(size.requests, 0.7, 2)
            times = cron_times(dice.rng, n, base, stage.end, (0, 0, 15, 30), 20.0)
            words = account.words[0]
            for ts in times[times >= start].tolist():
                text = stage.grammar.payload(dice, words, stage.grammar.length(dice, 2.0), 0.2)
                ask(stage, dice, account, ts, text, words, frame, again=0.0)
