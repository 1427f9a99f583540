"""A planned campaign is played: its size, its templates, its fleet, who sends which item when."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle

from stillwatch.simulate.clock import DAY, SECOND
from stillwatch.simulate.corpus_text import CorpusGrammar
from stillwatch.simulate.dice import Dice, generator
from stillwatch.simulate.fleet import Agent, Orders, muster
from stillwatch.simulate.frames import Frame, paraphrase
from stillwatch.simulate.grammar import DOMAINS, Vocabulary
from stillwatch.simulate.hiding import LADDER
from stillwatch.simulate.operator import Item, queue
from stillwatch.simulate.plan import CampaignPlan
from stillwatch.simulate.relays import relay_users, send_session
from stillwatch.simulate.shapes import SHAPES
from stillwatch.simulate.stage import Stage
from stillwatch.simulate.talk import ask, converse

__all__ = ["harvest", "size_of"]


def size_of(plan: CampaignPlan, honest_rows: int, shares: float) -> tuple[int, float]:
    """Return (accounts, mean requests of an account).

    ``share`` of a plan is of all exchanges, whose honest part is ``honest_rows`` and whose
    campaigns take ``shares`` together.
    """
    shape = SHAPES[plan.shape]
    accounts = plan.accounts or max(4, round(shape.accounts * plan.factor))
    requests = plan.requests or max(2.0, shape.requests * plan.thin)
    if plan.share is not None:
        total = honest_rows * plan.share / max(0.05, 1.0 - shares)
        if plan.accounts is None:
            accounts = max(4, min(accounts, round(total / requests)))
        requests = max(1.0, total / accounts)
    return accounts, requests


def harvest(stage: Stage, plan: CampaignPlan, honest_rows: int, shares: float) -> None:
    """Play one campaign of a plan on the stage."""
    shape, hiding = SHAPES[plan.shape], LADDER[plan.rung]
    dice = Dice(generator(stage.seed, "harvest", plan.name), stage.unevenness)
    accounts, requests = size_of(plan, honest_rows, shares)
    begin = stage.start + int(plan.begin * DAY)
    days = plan.days or shape.days
    end = min(stage.end, begin + int(days * DAY))
    operator = plan.operator or f"op-{plan.name}"
    orders = Orders(
        plan.name,
        plan.shape,
        operator,
        plan.rung,
        shape,
        hiding,
        begin,
        end,
        _frames(stage, dice, plan),
        plan.pool,
    )
    if plan.pool is not None:
        for account in stage.pool_customers.get(plan.pool, []):
            if stage.truth[account.account_id].role == "honest":
                stage.tell(account, role="periphery", campaign=plan.name, operator=operator)
    fleet = muster(stage, dice, orders, accounts)
    if shape.by == "relay":
        relay_users(stage, dice, orders, fleet, round(requests * accounts))
        return
    Play(stage, dice, orders, fleet, _rendered(stage, dice, plan)).run(round(requests * accounts))


def _rendered(stage: Stage, dice: Dice, plan: CampaignPlan) -> Iterator[str] | None:
    """Return the plan's generation prompts in random order, again and again; None: none at hand."""
    if plan.corpus is None or not isinstance(stage.grammar, CorpusGrammar):
        return None
    texts = stage.grammar.texts.rendered.get(plan.corpus)
    return cycle(dice.sample(texts, len(texts))) if texts else None


def _frames(stage: Stage, dice: Dice, plan: CampaignPlan) -> tuple[Frame, ...]:
    shape = SHAPES[plan.shape]
    kinds = [shape.kinds[i % len(shape.kinds)] for i in range(shape.frames)]
    langs = stage.draw_languages(dice, len(kinds))
    return tuple(
        stage.press.make(dice, code, kind, system=0.4, bare=0.1)
        for code, kind in zip(langs, kinds, strict=True)
    )


class Play:
    """One campaign in play: events in the order of time, an item of the queue for each."""

    def __init__(
        self,
        stage: Stage,
        dice: Dice,
        orders: Orders,
        fleet: list[Agent],
        rendered: Iterator[str] | None,
    ) -> None:
        self.rendered = rendered
        self.stage, self.dice, self.orders, self.fleet = stage, dice, orders, fleet
        self.items: Iterator[Item] = queue(stage, dice)
        code = stage.draw_languages(dice, 1)[0]
        self.style = stage.grammar.whole(code, dice.whole(0, DOMAINS - 1))
        self.blob: bytes | None = None

    def run(self, total: int) -> None:
        human = self.orders.hiding.human
        for ts, agent in self._on_own_clocks(total) if human else self._dealt(total):
            self.act(ts, agent)

    def _on_own_clocks(self, total: int) -> Iterator[tuple[int, Agent]]:
        mass = sum(a.weight for a in self.fleet)
        events: list[tuple[int, int]] = []
        for i, agent in enumerate(self.fleet):
            n = max(1, round(total * agent.weight / mass))
            account, end = agent.account, min(agent.until, self.stage.end)
            begin = min(agent.begin, end - SECOND)
            times = self.stage.clock.human(
                self.dice.rng, n, begin, end, account.zone_h, account.habit
            )
            events += [(ts, i) for ts in times.tolist()]
        events.sort()
        for ts, i in events:
            yield ts, self.fleet[i]

    def _dealt(self, total: int) -> Iterator[tuple[int, Agent]]:
        """Yield jittered turns: a shuffled deck of whoever is at work, heavier ones more often."""
        dice, orders = self.dice, self.orders
        times = self.stage.clock.dispatch(dice.rng, total, orders.begin, orders.end, 3, 4.0)
        high = 2.0 * sum(a.weight for a in self.fleet) / len(self.fleet)
        deck: list[Agent] = []
        for ts in times.tolist():
            for _ in range(4):
                if deck:
                    break
                live = [a for a in self.fleet if a.begin <= ts < a.until]
                deck = [a for a in live if dice.u() * high <= a.weight]
                deck = dice.sample(deck, len(deck))
            if deck:
                yield ts, deck.pop()

    def act(self, ts: int, agent: Agent) -> None:
        """Send what the agent sends at ``ts``: an item of the queue, or its honest side traffic."""
        dice, hiding, shape = self.dice, self.orders.hiding, self.orders.shape
        if dice.u() < hiding.side:
            self._aside(ts, agent)
            return
        if shape.by == "session":
            text, words = self._item(agent)
            send_session(self.stage, dice, agent, ts, text, words)
            return
        text, words, frame = self._worded(agent, ts)
        blob = None
        if shape.replays and agent.account.model == "lumen-4-reason":
            if self.blob is None or dice.u() > shape.replays:
                self.blob = dice.rng.bytes(72)
            blob = self.blob
        length = 8.0 if self.orders.rung == 1 else 0.0
        status = self._ask(agent, ts, text, words, frame, length, blob)
        if status == "denied" and dice.u() < hiding.moves:
            others = [a for a in self.fleet if a.begin <= ts < a.until and a is not agent]
            others = [a for a in others if a.account.closed_at is None]
            if others:
                later = ts + dice.whole(20, 480) * SECOND
                self._ask(dice.pick(others), later, text, words, frame, length, blob)

    def _ask(
        self,
        agent: Agent,
        ts: int,
        text: str,
        words: Vocabulary,
        frame: Frame | None,
        length: float,
        blob: bytes | None,
    ) -> str:
        return ask(
            self.stage,
            self.dice,
            agent.account,
            ts,
            text,
            words,
            frame,
            again=agent.again,
            length=length,
            end_user_id=agent.user,
            blob=blob,
        )

    def _item(self, agent: Agent) -> Item:
        if self.orders.hiding.slice == 1:
            return next(self.items)
        g = self.stage.grammar
        length = g.length(self.dice, agent.account.wordiness)
        return g.payload(self.dice, agent.topics, length), agent.topics

    def _worded(self, agent: Agent, ts: int) -> tuple[str, Vocabulary, Frame | None]:
        """Return (text, words, frame) of an item in the words of the rung."""
        dice, hiding = self.dice, self.orders.hiding
        text, words = self._item(agent)
        u = dice.u()
        if u < hiding.missing + hiding.paraphrased:
            if u >= hiding.missing:
                style = self.style if hiding.slice == 1 else words
                text, _ = paraphrase(dice, style, text)
            return text, words, _bare(agent.system)
        if self.rendered is not None and words.lang.code == "en":
            return next(self.rendered), words, _bare(agent.system)
        frames = agent.frames
        if self.orders.shape.phases:
            part = (ts - self.orders.begin) / max(1, self.orders.end - self.orders.begin)
            return text, words, frames[min(len(frames) - 1, int(part * len(frames)))]
        return text, words, dice.pick(frames)

    def _aside(self, ts: int, agent: Agent) -> None:
        """Honest side traffic: what the family that the account poses as would send."""
        stage, dice, account = self.stage, self.dice, agent.account
        words = account.words[0]
        if agent.pose == "chat":
            converse(stage, dice, account, ts, dice.whole(1, 4), words, system=agent.system)
            return
        text = stage.grammar.payload(dice, words, stage.grammar.length(dice, account.wordiness))
        frame = _bare(agent.system)
        self._ask(agent, ts, text, words, frame, 0.0, None)


def _bare(system: str | None) -> Frame | None:
    """Return a frame that is a system prompt alone."""
    return Frame("support", "plain", "notes", system, "", "", "", "") if system else None
