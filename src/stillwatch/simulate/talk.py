"""A talk is one conversation: request k carries everything said in the requests before it."""

from __future__ import annotations

from stillwatch.simulate.dice import Dice
from stillwatch.simulate.frames import Frame, paraphrase
from stillwatch.simulate.grammar import Vocabulary
from stillwatch.simulate.identity import Account
from stillwatch.simulate.network import Exit
from stillwatch.simulate.provider import Call, Message
from stillwatch.simulate.stage import Stage, gap_us

__all__ = ["ask", "converse", "system_line"]


def system_line(stage: Stage, dice: Dice, lang: str) -> str | None:
    """Return a system prompt of the provider's own apps, which many strangers share, or None."""
    return stage.press.house(lang, int(dice.u() * 3)) if dice.chance(0.5) else None


def _call(
    dice: Dice, account: Account, lang: str, exit_: Exit | None, end_user_id: str | None
) -> Call:
    return Call(
        lang=lang,
        exit_=exit_ or dice.pick(account.exits),
        client=dice.pick(account.clients),
        conversation_id="conv_" + dice.hex(14) if account.keeps_conversation_id else None,
        end_user_id=end_user_id or account.end_user_id,
    )


def converse(
    stage: Stage,
    dice: Dice,
    account: Account,
    ts: int,
    turns: int,
    words: Vocabulary,
    *,
    system: str | None = None,
    first: str | None = None,
    frame: Frame | None = None,
    exit_: Exit | None = None,
    end_user_id: str | None = None,
    reasoned: float = 0.0,
    lower: bool = False,
) -> None:
    """Play a conversation of at most ``turns`` turns.

    A failed request is repeated once after a pause, then given up; a regenerated answer
    replaces the last. ``reasoned``: chance that the first prompt asks for the reasons too.
    """
    g = stage.grammar
    call = _call(dice, account, words.lang.code, exit_, end_user_id)
    messages: list[Message] = [("system", system)] if system else []
    for turn in range(turns):
        if turn:
            text = g.follow(dice, words)
        else:
            text = first or g.payload(dice, words, g.length(dice, account.wordiness), 0.75)
            if frame:
                text = frame.wrap(text)
            elif dice.u() < reasoned:
                text, _ = paraphrase(dice, words, text)
        messages.append(("user", text.lower().rstrip(".?") if lower and turn % 2 == 0 else text))
        form = frame.form if frame else ("list" if dice.u() < 0.15 else "plain")
        tag = frame.tag if frame else "notes"
        status, answer, ts = _one_turn(stage, dice, account, ts, messages, words, form, tag, call)
        if status != "ok":
            return
        messages.append(("assistant", answer))


def _one_turn(
    stage: Stage,
    dice: Dice,
    account: Account,
    ts: int,
    messages: list[Message],
    words: Vocabulary,
    form: str,
    tag: str,
    call: Call,
) -> tuple[str, str, int]:
    """Return (status, answer, time after the pause) of a turn of one or two requests."""
    for attempt in range(2):
        length = 1 + int(dice.expo(account.answer_len))
        answer = stage.grammar.answer(dice, words, form, tag, length)
        status = stage.send(dice, account, ts, list(messages), answer, call)
        ts += gap_us(dice, 75.0)
        if attempt == 1 or status in ("denied", "outside") or (status == "ok" and dice.u() > 0.03):
            break
    return status, answer, ts


def ask(
    stage: Stage,
    dice: Dice,
    account: Account,
    ts: int,
    payload: str,
    words: Vocabulary,
    frame: Frame | None = None,
    *,
    exit_: Exit | None = None,
    end_user_id: str | None = None,
    channel: str = "",
    tools: tuple[list[str], str] | None = None,
    again: float = 0.05,
    length: float = 0.0,
    blob: bytes | None = None,
) -> str:
    """Send one payload in its frame and return the first status.

    Limits and server errors are mostly retried within seconds; ``again``: chance of a second
    turn; ``length``: mean sentences of the answer; ``tools``: (names, schema); ``blob``: the
    opaque reasoning that the request carries, where it is not the model's own.
    """
    g = stage.grammar
    call = _call(dice, account, words.lang.code, exit_, end_user_id)
    form, tag = (frame.form, frame.tag) if frame else ("plain", "notes")
    call = call._replace(
        channel=channel,
        response_format="json_object" if form == "json" and dice.u() < 0.5 else None,
        tools=tools[0] if tools else None,
        tool_schema=tools[1] if tools else None,
    )
    messages: list[Message] = [("system", frame.system)] if frame and frame.system else []
    messages.append(("user", frame.wrap(payload) if frame else payload))
    answer = g.answer(dice, words, form, tag, 1 + int(dice.expo(length or account.answer_len)))
    status = stage.send(dice, account, ts, list(messages), answer, call, blob=blob)
    last = status
    if status in ("rate_limited", "server_error") and dice.u() < 0.7:
        ts += gap_us(dice, 12.0, 1.0)
        last = stage.send(dice, account, ts, list(messages), answer, call)
    if last == "ok" and dice.u() < again:
        messages += [("assistant", answer), ("user", g.follow(dice, words))]
        answer = g.answer(dice, words, "plain", tag, 1 + int(dice.expo(account.answer_len)))
        stage.send(dice, account, ts + gap_us(dice, 25.0), messages, answer, call)
    return status
